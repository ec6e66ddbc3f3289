"""Which files of a folder may hold documents, and whether they changed since they were looked at.

`*.yaml`, `*.yml` and `*.json`, in every folder beneath, in order of their paths. Hidden names are
left out, links may not lead outside. Bounded. Opens nothing, parses nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from gatereeve.core import findings, refs

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILES = 100_000
MAX_BYTES = 1024 * 1024 * 1024
"""Of all files together."""
MAX_FILE_BYTES = 64 * 1024 * 1024

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Modified, changed (both in nanoseconds), size, inode, device: equal means unchanged."""


@dataclass(slots=True)
class Listing:
    """Files by path in the folder, with `/`. lost: folders that could not be listed this time."""

    files: dict[str, Stamp] = field(default_factory=dict)
    found: list[findings.Finding] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def scan(folder: Path) -> Listing:
    """Everything beneath `folder`. Raises OSError when `folder` itself cannot be listed."""
    listing = Listing()
    root = os.path.realpath(folder)
    seen = {root}
    size = 0
    for path, entry in _walk(folder, root, "", listing, seen):
        status = _regular(entry, path, root, listing)
        if status is None:
            continue
        size += status.st_size
        if len(listing.files) >= MAX_FILES or size > MAX_BYTES:
            listing.found.append(
                problem(
                    "too-many-documents",
                    path,
                    f"the folder has more than {MAX_FILES} files or {MAX_BYTES // 2**30} GiB; "
                    "this file and what follows is not read",
                    "name a smaller folder",
                )
            )
            break
        listing.files[path] = stamp_of(status)
    listing.files = dict(sorted(listing.files.items()))
    return listing


def look(folder: Path, path: str) -> Stamp | None:
    """The stamp of one file that `scan` would list, None when it is not (or no longer) one."""
    if not may_hold_documents(path):
        return None
    try:
        status = (folder / path).stat()
    except OSError:
        return None
    usable = stat.S_ISREG(status.st_mode) and inside(folder, path)
    return stamp_of(status) if usable else None


def may_hold_documents(path: str) -> bool:
    """Whether the name says so: a known suffix and nothing hidden on the way."""
    return path.endswith(SUFFIXES) and not is_hidden(path)


def is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in PurePosixPath(path).parts)


def inside(folder: Path, path: str) -> bool:
    """Whether `path`, with all links followed, lies in `folder`."""
    root, real = os.path.realpath(folder), os.path.realpath(folder / path)
    return real.startswith(root.rstrip("/") + "/")


def stamp_of(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)


def problem(code: str, path: str, message: str, hint: str) -> findings.Finding:
    """A finding about a file as a whole."""
    return findings.Finding(
        code=findings.FindingCode(code), message=message, hint=hint, where=refs.Where(path)
    )


def _walk(
    folder: Path, root: str, below: str, listing: Listing, seen: set[str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder / below) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if not below:
            raise
        listing.lost.append(below)
        listing.found.append(
            problem(
                "unreadable-file", below, f"the folder cannot be listed: {error.strerror}",
                "give the process the right to read it",
            )
        )  # fmt: skip
        return
    for entry in ordered:
        if entry.name.startswith("."):
            continue
        path = f"{below}/{entry.name}" if below else entry.name
        if not entry.is_dir():
            if entry.name.endswith(SUFFIXES):
                yield path, entry
            continue
        if entry.is_symlink():
            real = os.path.realpath(entry.path)
            if real in seen or not _within(root, real):
                listing.found.append(_leaves(path) if real not in seen else _again(path))
                continue
            seen.add(real)
        yield from _walk(folder, root, path, listing, seen)


def _regular(
    entry: os.DirEntry[str], path: str, root: str, listing: Listing
) -> os.stat_result | None:
    if entry.is_symlink() and not _within(root, os.path.realpath(entry.path)):
        listing.found.append(_leaves(path))
        return None
    try:
        status = entry.stat()
    except OSError:
        listing.found.append(
            problem("unreadable-file", path, "the link leads nowhere", "remove or mend it")
        )
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _within(root: str, real: str) -> bool:
    return real.startswith(root.rstrip("/") + "/")


def _leaves(path: str) -> findings.Finding:
    return problem(
        "unreadable-file",
        path,
        "the link leads out of the folder and is not followed",
        "copy the file into the folder",
    )


def _again(path: str) -> findings.Finding:
    return problem(
        "unreadable-file", path, "the link leads to a folder that is read already", "remove it"
    )
