"""Writes the files of a log durably: a temporary file in the same folder, fsync, rename, fsync of the folder.

The one place that knows how a file becomes durable. It does not know what the files mean, nor in which order
steps follow: that is `writer`.
"""

from __future__ import annotations

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

        Each appears at once and whole, in the order given. Folders are made where they are missing.
        """
        folders: dict[Path, None] = {}
        for path, data in files:
            target = self.root / PurePosixPath(path)
            self.make_folder(target.parent)
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
        for folder in folders:
            self.disk.sync_directory(folder)

    def make_folder(self, folder: Path) -> None:
        """Make a folder below the root and those above it, durably.

        A folder that is there already counts only if this object made it durable: a process that was
        killed may have made it and not synced its name.
        """
        if folder in self._folders or folder == self.root:
            return
        self.make_folder(folder.parent)
        try:
            self.disk.make_directory(folder)
        except FileExistsError:
            pass
        self.disk.sync_directory(folder.parent)
        if len(self._folders) >= _MAX_FOLDERS:
            self._folders.clear()
        self._folders.add(folder)

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
