"""Removes what a log no longer needs: partial files of full tiles, and files of an interrupted batch.

Files that a checkpoint implies are never removed. `find` looks only where one batch of the writer can have
written, so its time does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatereeve.ledger.tlog import tiles
from gatereeve.ledger.tlog.files import TEMPORARY, DurableFiles
from gatereeve.ledger.tlog.tiles import HEIGHT, WIDTH, Name

PARTIAL = ".p"


def is_beyond_one_batch(files: DurableFiles, size: int, batch: int) -> str | None:
    """The path of a bundle that lies more than `batch` entries behind the `size` entries of a log."""
    name = Name(None, size // WIDTH + batch // WIDTH + 2)
    folder, _, last = name.path.rpartition("/")
    names = files.names(folder)
    return name.path if last in names or last + PARTIAL in names else None


def find(files: DurableFiles, size: int, batch: int) -> list[str]:
    """The files that a batch behind `size` left: folders come after what is in them."""
    found: list[str] = []
    for level, reach in _levels(size, batch):
        for folder in _folders(level, size, reach):
            for name in files.names(folder):
                found += _beyond(files, size, f"{folder}/{name}")
    return found


def remove(files: DurableFiles, paths: list[str]) -> None:
    """Remove the files and empty folders (`….p`) that `find` found, durably."""
    folders: dict[str, None] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        if path.endswith(PARTIAL):
            files.remove_folder(path)
            folders.pop(path, None)
        else:
            files.remove(path)
        folders[folder] = None
    for folder in folders:
        files.sync_folder(folder)


def prune(files: DurableFiles, start: int, size: int) -> None:
    """Remove the partial files of tiles that became full between `start` and `size` entries.

    A reader of an older checkpoint uses the full tile in their place. Not synced: a file that comes back
    after a power cut does no harm.
    """
    for level, _ in _levels(size, 0):
        bits = HEIGHT * max(level or 0, 0)
        for index in range((start >> bits) // WIDTH, (size >> bits) // WIDTH):
            folder = Name(level, index).path + PARTIAL
            names = files.names(folder)
            for name in names:
                files.remove(f"{folder}/{name}")
            if names:
                files.remove_folder(folder)


def _levels(size: int, batch: int) -> Iterator[tuple[int | None, int]]:
    """Bundles (None) and the levels of hash tiles, each with the number of tiles that a batch may touch."""
    yield None, batch // WIDTH + 2
    level = 0
    while level == 0 or (size + batch) >> HEIGHT * level:
        yield level, (batch >> HEIGHT * level) // WIDTH + 2
        level += 1


def _folders(level: int | None, size: int, reach: int) -> list[str]:
    """The folders of the first tile that is not full and of the last that a batch may touch."""
    first = tiles.hashes_at(size, level or 0) // WIDTH
    ends = (Name(level, first).path, Name(level, first + reach).path)
    return sorted({path.rpartition("/")[0] for path in ends})


def _beyond(files: DurableFiles, size: int, path: str) -> Iterator[str]:
    if path.endswith(TEMPORARY):
        yield path
        return
    name = tiles.parse_path(path.removesuffix(PARTIAL))
    if name is None:
        return
    width = tiles.width_at(size, name.level or 0, name.index)
    if width >= WIDTH:
        return
    if not path.endswith(PARTIAL):
        yield path
        return
    names = files.names(path)
    # A name that is no width stays: the verifier reports it.
    gone = [each for each in names if each.endswith(TEMPORARY) or _is_wider(each, width)]
    yield from (f"{path}/{each}" for each in gone)
    if len(gone) == len(names) and width <= 0:
        yield path


def _is_wider(name: str, width: int) -> bool:
    return name.isascii() and name.isdigit() and int(name) > width
