"""Names, sizes and contents of the files of a log: hash tiles and entry bundles.

Follows C2SP tlog-tiles (https://c2sp.org/tlog-tiles). Pure: no file is opened here, nothing is hashed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gatereeve.ledger.tlog.faults import TlogError

HASH_BYTES = 32
HEIGHT = 8
WIDTH = 256
"""Hashes of a full tile, entries of a full bundle."""
MAX_LEVEL = 63
MAX_ENTRY_BYTES = 0xFFFF
MAX_BUNDLE_BYTES = WIDTH * (2 + MAX_ENTRY_BYTES)

_NAME = re.compile(
    r"tile/(?:(?P<level>0|[1-9][0-9]?)|entries)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """Which tile or bundle a file is. level: None for an entry bundle. width: 1 to 256, 256 is full."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's directory, with slashes."""
        kind = "entries" if self.level is None else str(self.level)
        end = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{kind}/{_index_path(self.index)}{end}"


def _index_path(index: int) -> str:
    path = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        path = f"x{index % 1000:03d}/{path}"
    return path


def parse_path(path: str) -> Name | None:
    """The tile or bundle at `path`; None unless it is spelled exactly as `Name.path` spells it."""
    match = _NAME.fullmatch(path)
    if match is None:
        return None
    level = None if match["level"] is None else int(match["level"])
    width = WIDTH if match["width"] is None else int(match["width"])
    name = Name(level, int(match["index"].replace("x", "").replace("/", "")), width)
    return name if name.path == path and (level or 0) <= MAX_LEVEL else None


def hashes_at(size: int, level: int) -> int:
    """How many hashes level `level` has in a tree of `size` entries."""
    return size >> (HEIGHT * level)


def width_at(size: int, level: int, index: int) -> int:
    """Width of tile `index` of `level` in a tree of `size` entries; 0 or less where there is none."""
    return min(WIDTH, hashes_at(size, level) - index * WIDTH)


def edge(size: int) -> Iterator[Name]:
    """The partial tiles of a tree of `size` entries, lowest level first; none where a level is full."""
    level = 0
    while hashes := hashes_at(size, level):
        if hashes % WIDTH:
            yield Name(level, hashes // WIDTH, hashes % WIDTH)
        level += 1


def encode_entry(entry: bytes) -> bytes:
    """`entry` as it is in a bundle. Raises ValueError beyond MAX_ENTRY_BYTES."""
    if len(entry) > MAX_ENTRY_BYTES:
        raise ValueError(f"an entry of {len(entry)} bytes; at most {MAX_ENTRY_BYTES}")
    return len(entry).to_bytes(2, "big") + entry


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The bundle of 1 to 256 entries. Raises ValueError for more, or for an entry that is too long."""
    if not 1 <= len(entries) <= WIDTH:
        raise ValueError(f"a bundle of {len(entries)} entries; 1 to {WIDTH}")
    return b"".join([encode_entry(entry) for entry in entries])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle. Raises TlogError unless it holds exactly so many."""
    entries, end = split_bundle(data, width)
    if len(entries) < width:
        what = f"it ends within entry {len(entries)} of {width}, which begins at byte {end}"
        raise TlogError("bundle-malformed", what=what)
    if end != len(data):
        what = f"{len(data) - end} bytes follow the last of {width} entries, at byte {end}"
        raise TlogError("bundle-malformed", what=what)
    return entries


def split_bundle(data: bytes, width: int) -> tuple[list[bytes], int]:
    """The first `width` entries that are whole, and how many bytes they take."""
    entries: list[bytes] = []
    start, length = 0, len(data)
    for _ in range(width):
        begin = start + 2
        end = begin + int.from_bytes(data[start:begin], "big")
        if begin > length or end > length:
            break
        entries.append(data[begin:end])
        start = end
    return entries, start
