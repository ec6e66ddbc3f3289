"""The few calls on files that a store makes, in one place, so that each of them can fail in a test.

Nothing here decides anything; errors are the operating system's own (OSError) and are translated by
the store. Paths and numbers only: no record type is known here.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """What a store asks of the operating system.

    Every call either does all of it and returns, or raises OSError; after an error it is unknown
    whether it was done, not done, or (write) done in part. One caller at a time.
    """

    def open_append(self, path: Path) -> int:
        """Open for appending and reading, made if it is not there (0600); the file descriptor."""
        ...

    def lock(self, descriptor: int) -> None:
        """Take the file for this process alone. Raises BlockingIOError when another has it."""
        ...

    def write(self, descriptor: int, data: bytes) -> int:
        """Append; how many bytes were taken, which may be fewer."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return when the file's content would survive a power cut."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Return when the names in the directory would survive a power cut."""
        ...

    def rename(self, path: Path, name: Path) -> None:
        """Give the file at `path` the name `name`, at once."""
        ...

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        ...


class OsDisk:
    """The real one."""

    def open_append(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def lock(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def write(self, descriptor: int, data: bytes) -> int:
        return os.write(descriptor, data)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_directory(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, path: Path, name: Path) -> None:
        path.rename(name)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)
