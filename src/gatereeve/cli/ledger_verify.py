"""`gatereeve ledger verify`: the check of a copied log, or of a receipt, with the public key only."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gatereeve.cli.terminal import ERR, OUT, counted, fail
from gatereeve.core import errors
from gatereeve.ledger.log_key import LOG
from gatereeve.ledger.tlog import notes, policy, receipts
from gatereeve.ledger.tlog import verify as tlog
from gatereeve.ledger.tlog.faults import Fault, TlogError

_LONG: Final = 100_000
"""A log of so many entries shows its progress also where no terminal is."""
_SHOWN: Final = 100
"""Faults that are shown one by one; all are counted, and `--json` has up to 10,000."""


def verify(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Copy of a log, or a receipt (a file).")
    ],
    key: Annotated[str, typer.Option(help="The log's public key: the file log.vkey, or its line.")],
    trust: Annotated[
        Path | None,
        typer.Option("--policy", help="Trust policy (C2SP tlog-policy): the quorum of witnesses."),
    ] = None,
    older: Annotated[
        list[Path] | None,
        typer.Option(help="Older checkpoint of this log that you kept; may be repeated."),
    ] = None,
    entry: Annotated[
        Path | None, typer.Option(help="With a receipt: the file with the entry.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as one JSON object.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Check that a log is complete and unchanged. Exit code 1 when it is not.

    Works offline. Reads every file once, and names file, index and byte of every fault.
    """
    public = _read_key(key)
    rules = None if trust is None else _read_policy(trust)
    if directory.is_file():
        _verify_receipt(directory, entry, rules or policy.parse_policy(_policy_of(public)))
        return
    place = directory / LOG if (directory / LOG / "checkpoint").is_file() else directory
    if not place.is_dir():
        raise errors.SettingsError(f"there is no directory {directory}")
    with _progress() as progress:
        try:
            verdict = tlog.verify(
                place,
                public,
                trust=rules,
                older=[_read_bytes(path) for path in older or ()],
                progress=progress,
            )
        except OSError as error:
            raise errors.RecordError(f"{place} cannot be read: {error.strerror}") from error
    if as_json:
        typer.echo(json.dumps(_as_json(verdict), ensure_ascii=False))
    else:
        _tell(place, verdict)
    if not verdict.is_intact:
        raise typer.Exit(1)


def _tell(place: Path, verdict: tlog.Verdict) -> None:
    for fault in verdict.faults[:_SHOWN]:
        OUT.print(_line(fault))
        OUT.print(Text.assemble("    ", ("hint: ", "dim"), fault.hint))
    if verdict.fault_count > _SHOWN:
        OUT.print(f"… and {verdict.fault_count - _SHOWN:,} more; --json has them")
    if verdict.leftovers:
        number = counted(len(verdict.leftovers), "file")
        OUT.print(
            f"note: {number} beyond the checkpoint: an interrupted batch, or copied while it grew"
        )
    if verdict.is_intact and verdict.checkpoint is not None:
        OUT.print(
            Text.assemble(
                ("intact", "bold green"),
                f": {verdict.size:,} entries of {verdict.checkpoint.origin} are complete and unchanged",
            )
        )
        OUT.print(f"root {verdict.checkpoint.root.hex()}")
        return
    OUT.print(
        Text.assemble(
            ("not intact", "bold red"),
            f": {counted(verdict.fault_count, 'fault')} in {place}, {verdict.size:,} entries looked at",
        )
    )


def _line(fault: Fault) -> Text:
    return Text.assemble((fault.file, "bold"), ": ", (fault.code, "red"), f": {fault.message}")


def _as_json(verdict: tlog.Verdict) -> dict[str, object]:
    checkpoint = verdict.checkpoint
    return {
        "intact": verdict.is_intact,
        "size": verdict.size,
        "origin": None if checkpoint is None else checkpoint.origin,
        "root": None if checkpoint is None else checkpoint.root.hex(),
        "fault_count": verdict.fault_count,
        "faults": [
            {"code": f.code, "file": f.file, "index": f.index, "offset": f.offset,
             "message": f.message, "hint": f.hint}
            for f in verdict.faults
        ],
        "leftovers": list(verdict.leftovers),
    }  # fmt: skip


def _verify_receipt(file: Path, entry: Path | None, trust: policy.Policy) -> None:
    if entry is None:
        raise typer.BadParameter("a receipt needs the entry that it proves", param_hint="--entry")
    data, proved = _read_bytes(file), _read_bytes(entry)
    try:
        checkpoint = receipts.verify_receipt(data, proved, trust)
        index = receipts.parse_receipt(data).index
    except TlogError as error:
        fail(f"{file}: {error.code}: {error}", error.hint)
        raise typer.Exit(1) from error
    OUT.print(
        Text.assemble(
            ("proved", "bold green"),
            f": {entry} is entry {index} of {checkpoint.origin}, which has {checkpoint.size:,} entries",
        )
    )


@contextlib.contextmanager
def _progress() -> Iterator[tlog.Progress]:
    """On a terminal a bar; elsewhere a line for each tenth of a long log. On standard error."""
    if not ERR.is_terminal:
        shown = 0

        def tell(done: int, size: int) -> None:
            nonlocal shown
            if size >= _LONG and done * 10 // size > shown:
                shown = done * 10 // size
                ERR.print(f"checked {done:,} of {size:,} entries")

        yield tell
        return
    columns = (TextColumn("checking"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f} entries"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=ERR, transient=True) as bar:
        task = bar.add_task("checking", total=0)
        yield lambda done, size: bar.update(task, completed=done, total=size)


def _read_key(given: str) -> notes.VerifierKey:
    path = Path(given)
    line = given
    if "+" not in given or path.is_file():
        line = _read_bytes(path).decode(errors="replace")
    try:
        return notes.parse_vkey(line.strip())
    except TlogError as error:
        raise errors.SettingsError(f"--key {given}: {error}", hint=error.hint) from error


def _policy_of(key: notes.VerifierKey) -> bytes:
    """The policy that trusts this log alone, without witnesses."""
    return f"log {key.vkey}\nquorum none\n".encode()


def _read_policy(path: Path) -> policy.Policy:
    try:
        return policy.parse_policy(_read_bytes(path))
    except TlogError as error:
        raise errors.SettingsError(f"{path}: {error}", hint=error.hint) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.SettingsError(f"{path} cannot be read: {error.strerror}") from error
