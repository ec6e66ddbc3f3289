"""`gatereeve ledger stats`: what a log holds, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
import typer

from gatereeve.cli.state_log import StateOption, open_log
from gatereeve.cli.terminal import OUT, printable
from gatereeve.core import records

_SHOWN: Final = 10


@dataclass(slots=True)
class Stats:
    """kinds, outcomes, codes, models: how many of each. lost: the sum of the loss records.

    first, last: times of the earliest and latest record. unknown: entries of another version.
    """

    size: int = 0
    first: str = ""
    last: str = ""
    lost: int = 0
    unknown: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)

    def add(self, entry: bytes) -> None:
        """Count one entry."""
        self.size += 1
        try:
            record = records.decode(entry)
        except ValueError:
            self.unknown += 1
            return
        at = record.started_at if isinstance(record, records.RequestRecord) else record.at
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        self.kinds[str(record.__struct_config__.tag)] += 1
        if isinstance(record, records.LossRecord):
            self.lost += record.lost
        if isinstance(record, records.RequestRecord):
            self.outcomes[record.outcome] += 1
            if record.code:
                self.codes[record.code] += 1
            if record.model:
                self.models[record.model] += 1


def stats(
    state: StateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Count the records of the log by kind, outcome, refusal code and model. Reads the whole log."""
    log = open_log(state)
    found = Stats()
    for _, entry in log.read():
        found.add(entry)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    OUT.print(f"{found.size:,} entries in {log.directory}")
    if found.size:
        OUT.print(f"from {found.first or '?'} to {found.last or '?'}")
    for title, counter in (
        ("kinds", found.kinds), ("outcomes", found.outcomes), ("refusals", found.codes), ("models", found.models),
    ):  # fmt: skip
        if counter:
            OUT.print(f"{title}:")
        for name, number in counter.most_common(_SHOWN):
            OUT.print(f"  {number:>12,}  {printable(name)}")
    if found.lost:
        OUT.print(f"requests without a record, as loss records say: {found.lost:,}")
    if found.unknown:
        OUT.print(f"entries of another version: {found.unknown:,}")
