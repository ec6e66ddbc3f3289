"""A figure and its bar, the table of both, and the file they are kept in.

`build/bench.json` is one object: name → `{value, unit, bar, holds, note}`. Bars stand in `BARS` and
nowhere else; a figure without a bar informs. A figure that could not be measured has value null,
holds null and a note that says why: never a number, never silence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

Sense = Literal["at most", "at least"]
_SIGNS: Mapping[Sense, str] = {"at most": "<=", "at least": ">="}


@dataclass(frozen=True, slots=True)
class Bar:
    """What a figure must reach."""

    sense: Sense
    limit: float

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.sense == "at most" else value >= self.limit

    def __str__(self) -> str:
        return f"{_SIGNS[self.sense]} {number(self.limit)}"


BARS: Mapping[str, Bar] = {
    "governed-throughput-ratio": Bar("at least", 0.60),
    "governed-added-latency-p50": Bar("at most", 0.3),
    "change-enforced-1000": Bar("at most", 80),
    "change-enforced-1000-p50": Bar("at most", 40),
    "change-enforced-10000": Bar("at most", 200),
    "change-enforced-10000-p50": Bar("at most", 100),
    "last-good-10000": Bar("at most", 3),
    "compile-10000-time": Bar("at most", 8),
    "compile-10000-memory": Bar("at most", 700),
    "admission-p99": Bar("at most", 20),
    "cluster-change-3000": Bar("at most", 250),
    "cluster-change-errors-3000": Bar("at most", 0),
    "cluster-change-3000-busy": Bar("at most", 250),
    "cluster-change-5000": Bar("at most", 500),
    "cluster-statuses-5000": Bar("at least", 100),
    "cluster-steady-changes-errors": Bar("at most", 0),
    "ledger-append-rate": Bar("at least", 20_000),
    "ledger-verify-rate": Bar("at least", 200_000),
    "ledger-verify-long-rate": Bar("at least", 200_000),
    "ledger-start-time": Bar("at most", 2),
    "ledger-memory-growth": Bar("at most", 5),
    "litellm-throughput-ratio": Bar("at least", 50),
    "callout-cpu-ratio-16": Bar("at least", 10),
}
"""Every bar of the project. Ratios are plain numbers, times ms (compile: s), memory MB (10^6 bytes)."""


class Entry(TypedDict):
    """One figure as it stands in the file."""

    value: float | None
    unit: str
    bar: str | None
    holds: bool | None
    note: str


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure; value None when it could not be measured."""

    name: str
    value: float | None
    unit: str
    note: str = ""

    @property
    def bar(self) -> Bar | None:
        return BARS.get(self.name)

    @property
    def holds(self) -> bool | None:
        if self.bar is None or self.value is None:
            return None
        return self.bar.holds(self.value)

    def entry(self) -> Entry:
        value = None if self.value is None else _rounded(self.value)
        return Entry(
            value=value,
            unit=self.unit,
            bar=None if self.bar is None else str(self.bar),
            holds=self.holds,
            note=self.note,
        )


def percentile(values: Iterable[float], share: float) -> float:
    """By nearest rank: the smallest value with at least `share` of the values at or below it.

    share in (0, 1]. Raises ValueError for no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile of nothing")
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def number(value: float) -> str:
    """As a person reads it: three significant digits below 1 000, whole numbers above."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{_rounded(value):g}"


def _rounded(value: float) -> float:
    return round(value) if abs(value) >= 1000 else float(f"{value:.3g}")


def table(figures: Iterable[Figure]) -> str:
    """Fixed-width lines; notes stand below the table, since they are long."""
    rows = [("figure", "value", "unit", "bar", "")]
    rows += [
        (
            figure.name,
            "-" if figure.value is None else number(figure.value),
            figure.unit,
            "" if figure.bar is None else str(figure.bar),
            _verdict(figure),
        )
        for figure in figures
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}} {row[2]:<{widths[2]}}"
        f"  {row[3]:<{widths[3]}}  {row[4]}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _verdict(figure: Figure) -> str:
    if figure.value is None:
        return "not measured"
    return {True: "holds", False: "MISSED", None: ""}[figure.holds]


def read(file: Path) -> dict[str, Entry]:
    """What an earlier run left; empty when there is none or it cannot be read."""
    try:
        found: dict[str, Entry] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(file: Path, figures: Iterable[Figure]) -> None:
    """Put `figures` into `file`; those of an earlier run stay where this one measured nothing."""
    entries = read(file) | {figure.name: figure.entry() for figure in figures}
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(dict(sorted(entries.items())), indent=2, ensure_ascii=False)
    file.write_text(text + "\n", "utf-8")
