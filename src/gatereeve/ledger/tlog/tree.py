"""A growing Merkle tree that keeps only its right edge: a compact range, and the partial tile of each level.

Its memory does not grow with the log: 64 peaks and 255 hashes for each level at most. Pure; the full tiles
that it completes are handed out once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gatereeve.ledger.tlog import merkle, tiles
from gatereeve.ledger.tlog.tiles import HASH_BYTES, HEIGHT, Name


@dataclass(frozen=True, slots=True)
class Tile:
    """A hash tile with its content: 32 bytes for each hash."""

    name: Name
    hashes: bytes


class Tree:
    """Made by `Tree()` for an empty log and by `restore` for one with entries.

    peaks: roots of the perfect subtrees that make up the tree, largest first. edge: the hashes of the
    partial tile of each level, lowest level first.
    """

    def __init__(
        self, size: int = 0, peaks: Sequence[bytes] = (), edge: Sequence[bytes] = (b"",)
    ) -> None:
        self.size = size
        self._peaks = list(peaks)
        self._edge = [bytearray(hashes) for hashes in edge]

    def root(self) -> bytes:
        """The root of RFC 6962 over all entries so far."""
        if not self._peaks:
            return merkle.EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = merkle.hash_node(peak, root)
        return root

    def edge(self) -> Iterator[Tile]:
        """The partial tiles of the tree as it is, lowest level first."""
        for name in tiles.edge(self.size):
            yield Tile(name, bytes(self._edge[name.level or 0]))

    def extend(self, leaves: Iterable[bytes]) -> list[Tile]:
        """Add leaf hashes. Returns the tiles that became full, lowest level first."""
        full: list[Tile] = []
        peaks, lowest = self._peaks, self._edge[0]
        size = self.size
        for leaf in leaves:
            lowest += leaf
            node, rest, height = leaf, size, 0
            while rest & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                rest >>= 1
                height += 1
                if not height % HEIGHT:
                    full.append(self._complete(height // HEIGHT - 1, size, node))
            peaks.append(node)
            size += 1
        self.size = size
        return sorted(full, key=lambda tile: (tile.name.level, tile.name.index))

    def _complete(self, level: int, size: int, node: bytes) -> Tile:
        """Take the tile of `level` that the entry `size` fills; its root goes to the level above."""
        hashes = bytes(self._edge[level])
        self._edge[level].clear()
        if level + 1 == len(self._edge):
            self._edge.append(bytearray())
        self._edge[level + 1] += node
        return Tile(Name(level, size >> (HEIGHT * (level + 1))), hashes)


def restore(size: int, read: Callable[[Name], bytes]) -> Tree:
    """The tree of `size` entries, from the partial tiles of its right edge alone.

    read: the content of one of the tiles of `tiles.edge(size)`, of exactly the length that its width says.
    What the tiles say is believed: compare the root afterwards.
    """
    highest = max((level for level in range(tiles.MAX_LEVEL) if size >> HEIGHT * level), default=0)
    edge, peaks = [b""] * (highest + 1), []
    for name in reversed(list(tiles.edge(size))):
        hashes, start = read(name), 0
        edge[name.level or 0] = hashes
        for bit in reversed(range(HEIGHT)):
            if name.width >> bit & 1:
                end = start + (HASH_BYTES << bit)
                peaks.append(merkle.fold(hashes[start:end]))
                start = end
    return Tree(size, peaks, edge)
