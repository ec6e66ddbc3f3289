"""Logs for tests: keys, the vectors of docs/reference/ledger-format.md, and trees by their definition."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

from gatereeve.ledger.tlog import merkle, notes, recovery, tree
from gatereeve.ledger.tlog.tiles import Name

SIGNER = notes.Signer("audit.example.com/ai-gov/log1", bytes(range(32)))
WITNESS = notes.Signer("witness.example.org/w1", bytes(range(32, 64)))
WITNESS_TIME = 1795392000

_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "ledger-format.md"


def vectors() -> dict[str, str]:
    """The text of each vector of the page, by its name, with its last newline."""
    blocks = re.findall(
        r"^```text (\S+)\n(.*?)^```$", _PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return dict(blocks)


def entry(number: int) -> bytes:
    return b"entry-%d" % number


def entries(start: int, end: int) -> list[bytes]:
    return [entry(number) for number in range(start, end)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word by word, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = naive_root(leaves[:split]), naive_root(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


class MemoryTiles:
    """The tiles of a tree in memory, for `proofs`."""

    def __init__(self) -> None:
        self.tree = tree.Tree()
        self.tiles: dict[Name, bytes] = {}

    def extend(self, added: Iterable[bytes]) -> None:
        for tile in self.tree.extend([merkle.hash_leaf(each) for each in added]):
            self.tiles[tile.name] = tile.hashes
        for tile in self.tree.edge():
            self.tiles[tile.name] = tile.hashes

    def read_tile(self, name: Name) -> bytes:
        return self.tiles[name]


def make_log(directory: Path, sizes: Sequence[int]) -> list[bytes]:
    """A log of `entry-0`, `entry-1`, … in batches that end at `sizes`. Returns its checkpoints."""
    writer = recovery.create_log(directory, SIGNER)
    signed = [writer.checkpoint]
    for start, end in zip((0, *sizes), sizes, strict=False):
        signed.append(writer.append(entries(start, end)).checkpoint)
    writer.close()
    return signed
