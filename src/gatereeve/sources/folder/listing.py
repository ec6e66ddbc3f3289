"""What a folder holds, and whether it changed since it was looked at.

Every file beneath has an entry: documents, in order of their paths; files that are there and may not
or cannot be read; files under other names; and what is passed over, with why. Hidden folders
of programs are not entered, links may not lead outside. Bounded. Opens no file, parses nothing.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from gatereeve.core import findings, refs
from gatereeve.core.report import describe
from gatereeve.sources.folder import file_names

MAX_FILES = 100_000
MAX_BYTES = 1024 * 1024 * 1024
"""Of all files together."""
MAX_FILE_BYTES = 64 * 1024 * 1024
"""Of a file in a dump of a cluster."""

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Modified, changed (both in nanoseconds), size, inode, device: equal means unchanged."""


Look: TypeAlias = Stamp | findings.Finding | None
"""A file as it is now; None when there is none."""


@dataclass(slots=True)
class Listing:
    """By path in the folder, with `/`.

    files: documents by their name. refused: what cannot be read, folders among it. others: regular
    files under other names. passed: why the rest is not read. lost: folders of `refused` that could
    not be listed this time, so what they held may still be there.
    """

    files: dict[str, Stamp] = field(default_factory=dict)
    refused: dict[str, findings.Finding] = field(default_factory=dict)
    others: dict[str, Stamp] = field(default_factory=dict)
    passed: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def found(self) -> list[findings.Finding]:
        """What cannot be read."""
        return [at(path, refused) for path, refused in self.refused.items()]


def scan(folder: Path) -> Listing:
    """Everything beneath `folder`. Raises OSError when `folder` itself cannot be listed."""
    listing = Listing()
    root = os.path.realpath(folder)
    size = 0
    for path in _walk(folder, root, "", listing, {root}):
        role = file_names.role(path)
        if role == "passed":
            listing.passed[path] = file_names.why_passed(path)
            continue
        seen = _examine(folder, root, path)
        if isinstance(seen, findings.Finding):
            _note_refused(listing, path, seen, role)
        elif seen is not None:
            size += seen[2] if role == "document" else 0
            if len(listing.files) >= MAX_FILES or size > MAX_BYTES:
                listing.refused[path] = describe(
                    "too-many-documents.files", files=MAX_FILES, size=MAX_BYTES // 2**30
                )
                break
            (listing.files if role == "document" else listing.others)[path] = seen
    listing.files = dict(sorted(listing.files.items()))
    return listing


def look(folder: Path, path: str) -> Look:
    """One file as `scan` would see it; None when there is none, or it is passed over."""
    role = file_names.role(path)
    if role == "passed":
        return None
    seen = _examine(folder, os.path.realpath(folder), path)
    return None if role == "other" and isinstance(seen, findings.Finding) else seen


def inside(folder: Path, path: str) -> bool:
    """Whether `path`, with all links followed, lies in `folder`."""
    return _within(os.path.realpath(folder), os.path.realpath(folder / path))


def stamp_of(status: os.stat_result) -> Stamp:
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_dev)


def at(path: str, problem: findings.Finding) -> findings.Finding:
    """`problem` as a finding about a file as a whole."""
    return dataclasses.replace(problem, where=refs.Where(path or "."))


def _note_refused(
    listing: Listing, path: str, refused: findings.Finding, role: file_names.Role
) -> None:
    """Only what is named as a document may be one although it cannot be looked into."""
    if role == "document":
        listing.refused[path] = refused
    else:
        listing.passed[path] = refused.message


def _walk(folder: Path, root: str, below: str, listing: Listing, seen: set[str]) -> Iterator[str]:
    """Paths of everything that is no folder."""
    try:
        with os.scandir(folder / below) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if not below:
            raise
        listing.lost.append(below)
        listing.refused[below] = describe("unreadable-file.folder", error=error.strerror)
        return
    for entry in ordered:
        path = f"{below}/{entry.name}" if below else entry.name
        if not entry.is_dir():
            yield path
        elif entry.name.startswith(".") and (
            entry.is_symlink() or not file_names.is_entered(entry.name)
        ):
            listing.passed[path] = "this hidden folder is not looked into"
        else:
            if entry.is_symlink():
                real = os.path.realpath(entry.path)
                if real in seen:
                    listing.passed[path] = "the link leads to a folder that is read already"
                    continue
                if not _within(root, real):
                    listing.refused[path] = describe("unreadable-file.outside")
                    continue
                seen.add(real)
            if _is_hollow(folder, path):
                listing.refused[path] = describe("unreadable-file.empty-folder")
            yield from _walk(folder, root, path, listing, seen)


def _examine(folder: Path, root: str, path: str) -> Look:
    full = folder / path
    try:
        link = stat.S_ISLNK(full.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return describe("unreadable-file.rights", error=error.strerror)
    if link and not _within(root, os.path.realpath(full)):
        return describe("unreadable-file.outside")
    try:
        status = full.stat()
    except OSError as error:
        if link:
            return describe("unreadable-file.broken-link")
        gone = isinstance(error, FileNotFoundError)
        return None if gone else describe("unreadable-file.rights", error=error.strerror)
    if stat.S_ISDIR(status.st_mode):
        return describe("unreadable-file.empty-folder") if _is_hollow(folder, path) else None
    if not _within(root, os.path.realpath(full)):
        return describe("unreadable-file.outside")
    if not stat.S_ISREG(status.st_mode):
        return describe("unreadable-file.not-regular")
    return stamp_of(status)


def _is_hollow(folder: Path, path: str) -> bool:
    """Whether a folder stands where a file was meant: it has a file's name, and no file beneath."""
    if file_names.role(path) != "document":
        return False
    return not any(files for _, _, files in os.walk(folder / path))


def _within(root: str, real: str) -> bool:
    return real.startswith(root.rstrip("/") + "/")
