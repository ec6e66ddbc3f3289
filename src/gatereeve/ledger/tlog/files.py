"""Writes the files of a log durably: a temporary file in the same folder, fsync, rename, fsync of the folder.

The one place that knows how a file becomes durable. It does not know what the files mean, nor in which order
steps follow: that is `writer`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gatereeve.ledger.tlog.disk import Disk

TEMPORARY = ".new"
"""What a temporary file's name ends in. Such files are leftovers of an interrupted write."""
_MAX_FOLDERS = 4096


class DurableFiles:
    """The files below `root`. Errors are OSError; after one, nothing is known about the last call.

    Folders that were made durable by this object are remembered, at most 4,096.
    """

    def __init__(self, root: Path, disk: Disk) -> None:
        self.root = root
        self.disk = disk
        self._folders: set[Path] = set()

    def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Return when all files, paths below the root with their content, would survive a power cut.

        Each appears at once and whole, in the order given. Folders are made where they are missing. Folders
        are synced last, together: on ext4 the first sync then commits what all of them need.
        """
        folders: dict[Path, None] = {}
        made: list[Path] = []
        for path, data in files:
            target = self.root / PurePosixPath(path)
            made += self._make(target.parent)
            temporary = target.with_name(target.name + TEMPORARY)
            descriptor = self.disk.create(temporary)
            try:
                left = memoryview(data)
                while left:
                    left = left[self.disk.write(descriptor, left) :]
                self.disk.sync(descriptor)
            finally:
                self.disk.close(descriptor)
            self.disk.rename(temporary, target)
            folders[target.parent] = None
        self._sync([*folders, *made], made)

    def make_folder(self, folder: Path) -> None:
        """Make a folder below the root and those above it, durably."""
        made = self._make(folder)
        self._sync(made, made)

    def _make(self, folder: Path) -> list[Path]:
        """Make a folder and those above it; those whose names are not known to be durable.

        A folder that is there already counts only if this object made it durable: a process that was
        killed may have made it and not synced its name.
        """
        if folder in self._folders or folder == self.root:
            return []
        made = self._make(folder.parent)
        with contextlib.suppress(FileExistsError):
            self.disk.make_directory(folder)
        return [*made, folder]

    def _sync(self, folders: Sequence[Path], made: Sequence[Path]) -> None:
        """Sync folders, and the names of those that were made."""
        parents = [folder.parent for folder in made]
        for folder in dict.fromkeys([*folders, *parents]):
            self.disk.sync_directory(folder)
        if len(self._folders) + len(made) > _MAX_FOLDERS:
            self._folders.clear()
        self._folders.update(made)

    def read(self, path: str, limit: int) -> bytes | None:
        """At most `limit` bytes of a file; None where it is not there."""
        try:
            return self.disk.read(self.root / PurePosixPath(path), limit)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, path: str) -> list[str]:
        """The names in a folder, sorted; none where it is not there."""
        try:
            return sorted(self.disk.names(self.root / PurePosixPath(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, path: str) -> None:
        self.disk.remove(self.root / PurePosixPath(path))

    def remove_folder(self, path: str) -> None:
        """Remove an empty folder."""
        folder = self.root / PurePosixPath(path)
        self._folders.discard(folder)
        self.disk.remove_directory(folder)

    def sync_folder(self, path: str) -> None:
        self.disk.sync_directory(self.root / PurePosixPath(path))
