"""Keys and bytes that outlive the process: one private file that grows by what changed.

With thousands of models the whole is tens of megabytes, and a change a few kilobytes: writing all of it
for each change would keep the disk, and so the API server's etcd beside it, from their work. A save is
one frame with its checksum and counts whole or not at all; when most of the file is old it is made anew.
Knows nothing of what is kept.

    magic, then frames: length (8 bytes), CRC-32 (4 bytes), MessagePack map of key to bytes or nil (gone)
"""

from __future__ import annotations

import itertools
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from gatereeve.core.logs import EventLog
from gatereeve.pki import private_file

_LOG = EventLog(__name__)

_MAGIC: Final = b"gatereeve-journal-1\n"
_HEAD: Final = struct.Struct("<QI")
_AT_ONCE: Final = 256
"""Keys in one frame of a file that is made anew: encoding holds the interpreter up."""
_SLACK_BYTES: Final = 1 << 20
_Frame = dict[str, bytes | None]


class Journal:
    """See the module. One caller at a time, from any thread. Nothing else writes the file.

    is_damaged: `load` found a file that is not whole, so what it gave may be older than the newest.
    extends: the file is known, so that a save may add what changed to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sizes: dict[str, int] = {}
        self._live = 0
        self._size = 0
        self.extends = False
        self.is_damaged = False

    def load(self) -> dict[str, bytes]:
        """Everything that was saved, {} when there is nothing. What is damaged, and what follows it,
        is said and left out."""
        found: dict[str, bytes] = {}
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return found
        except OSError as error:
            _LOG.warning("file_counts_as_empty", file=self._path, error=error.strerror)
            self.is_damaged = True
            return found
        whole = 0
        for end, frame in _frames(content):
            whole = end
            for key, value in frame.items():
                if value is None:
                    found.pop(key, None)
                else:
                    found[key] = value
        if whole != len(content):
            _LOG.warning(
                "file_damaged",
                file=self._path,
                after_bytes=whole,
                consequence="what follows is lost",
            )
            self.is_damaged = True
        self._know({key: len(value) for key, value in found.items()}, whole)
        self.extends = 0 < whole == len(content)
        return found

    def save(
        self,
        changed: Mapping[str, bytes | None],
        everything: Callable[[], Iterable[tuple[str, bytes]]],
    ) -> None:
        """Keep what changed (None: gone); it is not read unless the journal `extends`. everything: as it
        is after this; asked when the file has to be made anew. On disk when this returns.

        Raises OSError when it cannot be written: what was saved before still counts, and the next save
        makes the file anew.
        """
        frame = _framed(changed) if self.extends else b""
        if frame and self._size + len(frame) <= 2 * self._live + _SLACK_BYTES:
            self._append(frame)
            for key, value in changed.items():
                before = self._sizes.pop(key, None)
                if before is not None:
                    self._live -= len(key) + before
                if value is not None:
                    self._sizes[key] = len(value)
                    self._live += len(key) + len(value)
            self._size += len(frame)
        else:
            self._make_anew(everything())

    def _append(self, frame: bytes) -> None:
        self.extends = False  # until it is surely whole
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(frame)
            file.flush()
            os.fsync(file.fileno())
        self.extends = True

    def _make_anew(self, everything: Iterable[tuple[str, bytes]]) -> None:
        self.extends = False
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sizes: dict[str, int] = {}
        size = private_file.replace(self._path, _content(everything, sizes))
        self._know(sizes, size)
        self.extends = True

    def _know(self, sizes: dict[str, int], size: int) -> None:
        self._sizes, self._size = sizes, size
        self._live = sum(sizes.values()) + sum(map(len, sizes))


def _framed(changed: Mapping[str, bytes | None]) -> bytes:
    body = msgspec.msgpack.encode(dict(changed))
    return _HEAD.pack(len(body), zlib.crc32(body)) + body


def _content(everything: Iterable[tuple[str, bytes]], sizes: dict[str, int]) -> Iterator[bytes]:
    """The file, a part at a time: never whole in memory. sizes: is filled with those of the values."""
    yield _MAGIC
    items = iter(everything)
    while some := dict(itertools.islice(items, _AT_ONCE)):
        sizes.update((key, len(value)) for key, value in some.items())
        yield _framed(some)


def _frames(content: bytes) -> Iterable[tuple[int, _Frame]]:
    """Whole frames, each with where it ends; first an empty one for the beginning."""
    if not content.startswith(_MAGIC):
        return
    at = len(_MAGIC)
    yield at, {}
    while at + _HEAD.size <= len(content):
        length, checksum = _HEAD.unpack_from(content, at)
        body = content[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) != length or zlib.crc32(body) != checksum:
            return
        try:
            frame = msgspec.msgpack.decode(body, type=_Frame)
        except msgspec.MsgspecError:
            return
        at += _HEAD.size + length
        yield at, frame
