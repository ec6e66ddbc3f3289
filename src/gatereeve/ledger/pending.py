"""The files of entries that wait to be committed to the log: `.state/pending-0` and `-1`, beside the writer's state.

A commit costs about ten calls of fsync, however few its entries; one write puts an entry into the hands of the
operating system, and one fsync makes it durable. The store therefore appends here first and commits many at once. There are two files in turn: while the entries of
one are committed, the other takes new ones.
A frame is: index in the log (8 bytes, big-endian), length (4), CRC-32 of the entry that starts from both (4), the
entry.
The indexes rise by one, so what is in the log already is recognised after a kill.
Knows bytes only, no record. Errors are OSError.
"""

from __future__ import annotations

import contextlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from gatereeve.ledger.tlog.files import DurableFiles
from gatereeve.ledger.tlog.state import FOLDER

FILES = (f"{FOLDER}/pending-0", f"{FOLDER}/pending-1")
_HEAD = struct.Struct(">QII")
_MAX_BYTES = 1 << 30
_32_BITS = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What a file holds. first: index of the first entry; None where there is no whole one.

    torn: bytes behind the last whole frame.
    """

    first: int | None
    entries: list[bytes]
    torn: bytes

    @property
    def end(self) -> int:
        """The index behind the last whole entry; 0 where there is none."""
        return 0 if self.first is None else self.first + len(self.entries)

    @property
    def torn_count(self) -> int:
        """How many entries the torn bytes are pieces of, as far as their lengths can be read; at least 1."""
        count, start = 0, 0
        while start < len(self.torn):
            count += 1
            if len(self.torn) - start < _HEAD.size:
                break
            _, length, _ = _HEAD.unpack_from(self.torn, start)
            if not length:
                break
            start += _HEAD.size + length
        return count


class PendingFile:
    """Made by `open_pending`. One caller at a time. After a failed call the next one first repairs the file."""

    def __init__(self, files: DurableFiles, descriptor: int, size: int) -> None:
        self._files = files
        self._descriptor = descriptor
        self._size = size
        self._is_torn = False
        self._end = 0
        self._is_doubtful = False

    @property
    def size(self) -> int:
        """Bytes of whole frames."""
        return self._size

    @property
    def end(self) -> int:
        """The index behind the last entry; 0 where there is none."""
        return self._end

    @property
    def is_doubtful(self) -> bool:
        """Whether a sync failed: what is in the file may be gone after a power cut, even if a later sync succeeds."""
        return self._is_doubtful

    def append(self, first: int, entries: Sequence[bytes]) -> None:
        """Append `entries`, the first of which will have the index `first`. All of them or none."""
        self._repair()
        left = memoryview(
            b"".join([_frame(index, entry) for index, entry in enumerate(entries, first)])
        )
        length = len(left)
        self._is_torn = True
        try:
            while left:
                left = left[self._files.disk.write(self._descriptor, left) :]
        except OSError:
            with contextlib.suppress(OSError):  # the next call tries again before it writes
                self._repair()
            raise
        self._size += length
        self._end = first + len(entries)
        self._is_torn = False

    def sync(self) -> None:
        """Return when what was appended would survive a power cut. After OSError it is doubtful until `clear`."""
        try:
            self._repair()
            self._files.disk.sync(self._descriptor)
        except OSError:
            # The kernel may have dropped the pages and would answer "durable" if asked again.
            self._is_doubtful = True
            raise

    def clear(self) -> None:
        """Drop all frames; they are in the log. Needs no sync: the indexes show it, should they come back."""
        self._size, self._end, self._is_torn, self._is_doubtful = 0, 0, True, False
        self._repair()

    def close(self) -> None:
        self._files.disk.close(self._descriptor)

    def _repair(self) -> None:
        """Cut what lies behind the last whole frame."""
        if self._is_torn:
            self._files.disk.truncate(self._descriptor, self._size)
            self._is_torn = False


def open_pending(files: DurableFiles, path: str) -> tuple[PendingFile, Waiting]:
    """Open one of the files, made durably if it is missing, and read what is in it."""
    waiting = _read(files, path)
    descriptor = files.disk.open_append(files.root / path)
    try:
        files.sync_folder(FOLDER)
    except OSError:
        files.disk.close(descriptor)
        raise
    size = sum(_HEAD.size + len(entry) for entry in waiting.entries)
    file = PendingFile(files, descriptor, size)
    file._is_torn = bool(waiting.torn)  # noqa: SLF001 - its own module
    return file, waiting


def _frame(index: int, entry: bytes) -> bytes:
    length = len(entry)
    return _HEAD.pack(index, length, zlib.crc32(entry, (index ^ length) & _32_BITS)) + entry


def _read(files: DurableFiles, path: str) -> Waiting:
    data = files.read(path, _MAX_BYTES) or b""
    first: int | None = None
    entries: list[bytes] = []
    start = 0
    while len(data) - start >= _HEAD.size:
        index, length, _ = _HEAD.unpack_from(data, start)
        end = start + _HEAD.size + length
        entry = data[start + _HEAD.size : end]
        expected = index if first is None else first + len(entries)
        if end > len(data) or index != expected or _frame(index, entry) != data[start:end]:
            break
        first = index if first is None else first
        entries.append(entry)
        start = end
    return Waiting(first=first, entries=entries, torn=data[start:])
