"""Inclusion and consistency proofs, and roots of older sizes, made from hash tiles.

Follows RFC 6962 sections 2.1.1 and 2.1.2. Pure: tiles come through `TileReader`. Tiles are believed, so a proof
from a damaged log does not verify; `merkle` verifies proofs.
"""

from __future__ import annotations

from typing import Protocol

from gatereeve.ledger.tlog import merkle, tiles
from gatereeve.ledger.tlog.tiles import HASH_BYTES, HEIGHT, WIDTH, Name


class TileReader(Protocol):
    """Where the hashes come from."""

    def read_tile(self, name: Name) -> bytes:
        """Exactly `name.width` hashes of the tile. May raise what the store raises."""
        ...


def inclusion_proof(index: int, size: int, reader: TileReader) -> list[bytes]:
    """The hashes from the sibling of entry `index` up to the child of the root of `size` entries.

    Raises ValueError where the tree has no such entry.
    """
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}")
    start, end = 0, size
    proof: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(hash_range(middle, end, size, reader))
            end = middle
        else:
            proof.append(hash_range(start, middle, size, reader))
            start = middle
    return proof[::-1]


def consistency_proof(old_size: int, size: int, reader: TileReader) -> list[bytes]:
    """The hashes that show that the tree of `size` entries continues the one of `old_size`.

    Empty for an old tree that is empty or as large. Raises ValueError where it is larger.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} does not continue one of {old_size}")
    if old_size in (0, size):
        return []
    start, end, is_known = 0, size, True
    proof: list[bytes] = []
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(hash_range(middle, end, size, reader))
            end = middle
        else:
            proof.append(hash_range(start, middle, size, reader))
            start, is_known = middle, False
    if not is_known:
        proof.append(hash_range(start, end, size, reader))
    return proof[::-1]


def root_at(old_size: int, size: int, reader: TileReader) -> bytes:
    """The root of the first `old_size` entries of a tree of `size`."""
    return hash_range(0, old_size, size, reader) if old_size else merkle.EMPTY_ROOT


def hash_range(start: int, end: int, size: int, reader: TileReader) -> bytes:
    """The root over the entries `start` to `end` (not included) of a tree of `size`.

    start must be a multiple of the smallest power of two that is not below `end - start`, as it is for every
    node of the tree.
    """
    peaks: list[bytes] = []
    while start < end:
        height = (end - start).bit_length() - 1
        peaks.append(_node(height, start >> height, size, reader))
        start += 1 << height
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = merkle.hash_node(peak, root)
    return root


def _node(height: int, index: int, size: int, reader: TileReader) -> bytes:
    """The root of the perfect subtree `index` among those of 2^height entries."""
    level, above = divmod(height, HEIGHT)
    first = index << above
    tile = first // WIDTH
    hashes = reader.read_tile(Name(level, tile, tiles.width_at(size, level, tile)))
    begin = first % WIDTH * HASH_BYTES
    return merkle.fold(hashes[begin : begin + (HASH_BYTES << above)])


def _split(count: int) -> int:
    """The largest power of two below `count`, which is 2 or more."""
    return 1 << ((count - 1).bit_length() - 1)
