"""Disks for the faults of a log's writer: one in memory that can lose power, one that fails at one call."""

from __future__ import annotations

import contextlib
import copy
import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from gatereeve.ledger.tlog.disk import Disk, OsDisk

ROOT = Path("/memory")
Left: TypeAlias = tuple[tuple[str, bytes | None], ...]
"""Files with their content and folders with None, each folder before what is in it."""


class Killed(BaseException):
    """The process is gone: nothing after this runs, on this disk."""


@dataclass
class File:
    """data: as processes see it. synced: what a power cut leaves."""

    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""


@dataclass
class Folder:
    names: dict[str, File | Folder] = field(default_factory=dict)
    synced: dict[str, File | Folder] = field(default_factory=dict)


class MemoryDisk:
    """Keeps the promises of `Disk` and no others: what is not synced may be gone after a power cut."""

    def __init__(self) -> None:
        self.root = Folder()
        self._open: dict[int, File] = {}
        self._next = 3

    def clone(self) -> MemoryDisk:
        made = type(self)()
        made.root = copy.deepcopy(self.root)
        return made

    def left(self, *, names_kept: bool, contents_kept: bool) -> Left:
        """What is there after a power cut. Both kept: only the process was killed."""
        return tuple(_flatten(self.root, "", names_kept, contents_kept))

    def dump(self, target: Path, *, names_kept: bool, contents_kept: bool) -> None:
        lay_out(self.left(names_kept=names_kept, contents_kept=contents_kept), target)

    def _folder(self, path: Path) -> Folder:
        folder = self.root
        for part in path.relative_to(ROOT).parts:
            found = folder.names.get(part)
            if not isinstance(found, Folder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
            folder = found
        return folder

    def _file(self, path: Path) -> File:
        found = self._folder(path.parent).names.get(path.name)
        if not isinstance(found, File):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return found

    def _opened(self, file: File) -> int:
        self._next += 1
        self._open[self._next] = file
        return self._next

    def open_lock(self, path: Path) -> int:
        names = self._folder(path.parent).names
        found = names.setdefault(path.name, File())
        assert isinstance(found, File)
        return self._opened(found)

    def lock(self, descriptor: int) -> None:
        assert descriptor in self._open

    def create(self, path: Path) -> int:
        folder, file = self._folder(path.parent), File()
        folder.names[path.name] = file
        return self._opened(file)

    def open_append(self, path: Path) -> int:
        return self.open_lock(path)

    def truncate(self, descriptor: int, size: int) -> None:
        del self._open[descriptor].data[size:]

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        taken = max(1, len(data) * 2 // 3)  # fewer than asked for: legal
        self._open[descriptor].data += data[:taken]
        return taken

    def sync(self, descriptor: int) -> None:
        file = self._open[descriptor]
        file.synced = bytes(file.data)

    def close(self, descriptor: int) -> None:
        del self._open[descriptor]

    def rename(self, path: Path, name: Path) -> None:
        file = self._file(path)
        del self._folder(path.parent).names[path.name]
        self._folder(name.parent).names[name.name] = file

    def sync_directory(self, path: Path) -> None:
        folder = self._folder(path)
        folder.synced = dict(folder.names)

    def make_directory(self, path: Path) -> None:
        names = self._folder(path.parent).names
        if path.name in names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        names[path.name] = Folder()

    def remove(self, path: Path) -> None:
        self._file(path)
        del self._folder(path.parent).names[path.name]

    def remove_directory(self, path: Path) -> None:
        if self._folder(path).names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(path))
        del self._folder(path.parent).names[path.name]

    def read(self, path: Path, limit: int) -> bytes:
        return bytes(self._file(path).data[:limit])

    def names(self, path: Path) -> list[str]:
        return list(self._folder(path).names)


class NoFileSync(MemoryDisk):
    """A mutant: contents are never synced."""

    def sync(self, descriptor: int) -> None:
        pass


class NoFolderSync(MemoryDisk):
    """A mutant: names are never synced, except those of the first folder."""

    def sync_directory(self, path: Path) -> None:
        if path == ROOT:
            super().sync_directory(path)


def _flatten(
    folder: Folder, below: str, names_kept: bool, contents_kept: bool
) -> Iterator[tuple[str, bytes | None]]:
    for name, node in (folder.names if names_kept else folder.synced).items():
        path = f"{below}{name}"
        if isinstance(node, Folder):
            yield path, None
            yield from _flatten(node, f"{path}/", names_kept, contents_kept)
        else:
            yield path, bytes(node.data) if contents_kept else node.synced


def lay_out(left: Left, target: Path) -> None:
    """Real files and folders of what `MemoryDisk.left` gave."""
    target.mkdir()
    for path, data in left:
        if data is None:
            (target / path).mkdir()
        else:
            (target / path).write_bytes(data)


class QuickDisk(OsDisk):
    """The real disk without its syncs: for what happens after the fault, whose order is not looked at."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_directory(self, path: Path) -> None:
        pass


KILLS = ("killed before", "killed after", "killed within")
ERRORS = (
    ("EIO, not done", errno.EIO, False),
    ("EIO, done", errno.EIO, True),
    ("ENOSPC, not done", errno.ENOSPC, False),
    ("ENOSPC, done in part", errno.ENOSPC, True),
)
MODES = (*KILLS, *(mode for mode, *_ in ERRORS))
_WITHIN = ("killed within", "ENOSPC, done in part")


class FaultyDisk:
    """`inner`, whose `nth` call fails in the way of `mode`. calls: the names of all calls so far."""

    def __init__(self, inner: Disk, nth: int = -1, mode: str = "") -> None:
        self.inner = inner
        self.nth = nth
        self.mode = mode
        self.calls: list[str] = []
        self.hit = False

    def _call(self, name: str, *arguments: object) -> object:
        done = getattr(self.inner, name)
        if self.hit and self.mode in KILLS:
            raise Killed
        self.calls.append(name)
        if len(self.calls) - 1 != self.nth:
            return done(*arguments)
        self.hit = True
        if self.mode in _WITHIN and name == "write":
            descriptor, data = arguments
            assert isinstance(data, bytes | memoryview)
            done(descriptor, data[: len(data) // 2])
        elif self.mode == "killed after" or self.mode.endswith((", done", "in part")):
            # A name that is missing or taken is an error of its own: the fault comes in its place.
            with contextlib.suppress(OSError):
                done(*arguments)
        if self.mode in KILLS:
            raise Killed
        number = next(number for mode, number, _ in ERRORS if mode == self.mode)
        raise OSError(number, os.strerror(number))

    def open_lock(self, path: Path) -> int:
        return self._call("open_lock", path)  # type: ignore[return-value]

    def lock(self, descriptor: int) -> None:
        self._call("lock", descriptor)

    def create(self, path: Path) -> int:
        return self._call("create", path)  # type: ignore[return-value]

    def open_append(self, path: Path) -> int:
        return self._call("open_append", path)  # type: ignore[return-value]

    def truncate(self, descriptor: int, size: int) -> None:
        self._call("truncate", descriptor, size)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return self._call("write", descriptor, data)  # type: ignore[return-value]

    def sync(self, descriptor: int) -> None:
        self._call("sync", descriptor)

    def close(self, descriptor: int) -> None:
        self._call("close", descriptor)

    def rename(self, path: Path, name: Path) -> None:
        self._call("rename", path, name)

    def sync_directory(self, path: Path) -> None:
        self._call("sync_directory", path)

    def make_directory(self, path: Path) -> None:
        self._call("make_directory", path)

    def remove(self, path: Path) -> None:
        self._call("remove", path)

    def remove_directory(self, path: Path) -> None:
        self._call("remove_directory", path)

    def read(self, path: Path, limit: int) -> bytes:
        return self._call("read", path, limit)  # type: ignore[return-value]

    def names(self, path: Path) -> list[str]:
        return self._call("names", path)  # type: ignore[return-value]
