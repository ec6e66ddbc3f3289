"""The few calls on files that the writer of a log and the store around it make, in one place, so that each of them can fail in a test.

Nothing here decides anything; errors are the operating system's own (OSError) and are translated by the
writer. No format of the log is known here.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """What the writer asks of the operating system.

    Every call either does all of it and returns, or raises OSError; after an error it is unknown whether it was
    done, not done, or (write) done in part. One caller at a time. Only what `sync` and `sync_directory`
    returned for survives a power cut: a file's content by `sync`, its name by `sync_directory` of its folder.
    """

    def open_lock(self, path: Path) -> int:
        """Open a file for reading and writing, made if it is not there; the file descriptor."""
        ...

    def lock(self, descriptor: int) -> None:
        """Take the file for this process alone and write its process id into it.

        Raises BlockingIOError when another process has it.
        """
        ...

    def create(self, path: Path) -> int:
        """Open an empty file for writing, in place of one that is there; the file descriptor."""
        ...

    def open_append(self, path: Path) -> int:
        """Open a file for appending, made if it is not there; the file descriptor."""
        ...

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write on; how many bytes were taken, which may be fewer."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return when the file's content would survive a power cut."""
        ...

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        ...

    def rename(self, path: Path, name: Path) -> None:
        """Give the file at `path` the name `name`, in place of a file that has it, at once."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory would survive a power cut."""
        ...

    def make_directory(self, path: Path) -> None:
        """Make one directory. Raises FileExistsError when the name is taken."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file."""
        ...

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        ...

    def read(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes of a file."""
        ...

    def names(self, path: Path) -> list[str]:
        """The names in a directory, in no order."""
        ...


class OsDisk:
    """The real one. Files are 0600, directories 0700."""

    def open_lock(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def lock(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def open_append(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, path: Path, name: Path) -> None:
        path.rename(name)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def make_directory(self, path: Path) -> None:
        path.mkdir(mode=0o700)

    def remove(self, path: Path) -> None:
        path.unlink()

    def remove_directory(self, path: Path) -> None:
        path.rmdir()

    def read(self, path: Path, limit: int) -> bytes:
        with path.open("rb") as file:
            return file.read(limit)

    def names(self, path: Path) -> list[str]:
        return [entry.name for entry in path.iterdir()]
