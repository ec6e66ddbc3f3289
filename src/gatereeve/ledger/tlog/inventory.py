"""Which files are in the directory of a log: what belongs there, what is older, what is beyond the checkpoint.

Looks at names only and follows no links. `.state` is the writer's own and is not looked into.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.ledger.tlog import tiles
from gatereeve.ledger.tlog.tiles import WIDTH

CHECKPOINT = "checkpoint"
_IGNORED = ".state"
_TEMPORARY = ".new"
_FOLDER = re.compile(
    r"tile(?:/(?:entries|0|[1-9][0-9]?)(?:/x[0-9]{3})*(?:/[0-9]{3}\.p)?)?", re.ASCII
)
MAX_LEFTOVERS = 10_000
"""Leftovers that are kept by name; there may be more."""


@dataclass(slots=True)
class Inventory:
    """partials: widths of the partial files of a tile or bundle (level, index), of those up to the size.

    leftovers: files beyond the size, and temporary ones. unexpected: what does not belong in a log.
    """

    partials: dict[tuple[int | None, int], list[int]] = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


def list_files(directory: Path, size: int) -> Inventory:
    """What is in the directory of a log of `size` entries. Raises OSError where it cannot be listed."""
    found = Inventory()
    for path, is_file in _walk(directory, ""):
        name = tiles.parse_path(path) if is_file else None
        if is_file and (path == CHECKPOINT or path.endswith(_TEMPORARY)):
            if path != CHECKPOINT:
                _note(found.leftovers, path)
        elif name is None:
            found.unexpected.append(path)
        else:
            width = tiles.width_at(size, name.level or 0, name.index)
            if name.width > width:
                _note(found.leftovers, path)
            elif name.width < WIDTH:
                found.partials.setdefault((name.level, name.index), []).append(name.width)
    return found


def find_extent(directory: Path) -> int:
    """How many entries the bundles reach to, for a log whose checkpoint says nothing usable."""
    extent = 0
    for path, is_file in _walk(directory, ""):
        name = tiles.parse_path(path) if is_file else None
        if name is not None and name.level is None:
            extent = max(extent, name.index * WIDTH + name.width)
    return extent


def _note(leftovers: list[str], path: str) -> None:
    if len(leftovers) < MAX_LEFTOVERS:
        leftovers.append(path)


def _walk(directory: Path, below: str) -> Iterator[tuple[str, bool]]:
    """Paths of regular files (True), and of everything else that does not belong there (False)."""
    try:
        with os.scandir(directory / below) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except FileNotFoundError:
        if not below:
            raise
        return  # the writer of a live log removed it meanwhile
    for entry in listed:
        path = f"{below}/{entry.name}" if below else entry.name
        if path == _IGNORED:
            continue
        if entry.is_file(follow_symlinks=False):
            yield path, True
        elif entry.is_dir(follow_symlinks=False) and _FOLDER.fullmatch(path):
            yield from _walk(directory, path)
        else:
            yield path, False
