"""Reads a log in a directory, beside its writer: checkpoint, entries, proofs and receipts.

What is read is believed, except that a file must have the length that its name says: `verify` is for doubts. A
checkpoint that was read stays usable while the log grows, because the writer keeps or replaces its files whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gatereeve.ledger.tlog import checkpoints, notes, proofs, receipts, tiles
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.tiles import HASH_BYTES, WIDTH, Name

_CHECKPOINT = "checkpoint"


@dataclass(frozen=True, slots=True)
class LogReader:
    """A log in `directory`. Keeps nothing in memory and may be used from several threads."""

    directory: Path

    def read_checkpoint(self) -> bytes:
        """The signed note. Raises OSError."""
        return (self.directory / _CHECKPOINT).read_bytes()

    def read_tile(self, name: Name) -> bytes:
        """The hashes of a tile, for `proofs`. Raises TlogError (`file-length`) and OSError."""
        data = self._read(name)[: name.width * HASH_BYTES]
        if len(data) != name.width * HASH_BYTES:
            raise TlogError(
                "file-length", file=name.path, found=len(data), expected=name.width * HASH_BYTES
            )
        return data

    def read_bundle(self, index: int, size: int) -> list[bytes]:
        """The entries of bundle `index` of a log of `size`. Raises TlogError (`bundle-malformed`) and OSError."""
        width = tiles.width_at(size, 0, index)
        entries, end = tiles.split_bundle(self._read(Name(None, index, width)), width)
        if len(entries) < width:
            raise TlogError("bundle-malformed", what=f"it ends at byte {end}, within an entry")
        return entries

    def read_entries(self, start: int, end: int) -> Iterator[bytes]:
        """The entries `start` to `end` (not included) of a log that has them."""
        for index in range(start // WIDTH, -(-end // WIDTH)):
            first = index * WIDTH
            yield from self.read_bundle(index, end)[max(start - first, 0) :]

    def make_receipt(self, index: int, checkpoint: bytes | None = None) -> bytes:
        """The `tlog-proof` of entry `index` under a signed checkpoint; None for the log's newest.

        Raises ValueError where the checkpoint does not have the entry, TlogError and OSError.
        """
        signed = self.read_checkpoint() if checkpoint is None else checkpoint
        size = checkpoints.parse_checkpoint(notes.parse_note(signed).text).size
        proof = tuple(proofs.inclusion_proof(index, size, self))
        return receipts.Receipt(index=index, proof=proof, checkpoint=signed).encode()

    def _read(self, name: Name) -> bytes:
        """A tile or bundle; the full one where the partial one is gone."""
        try:
            return (self.directory / PurePosixPath(name.path)).read_bytes()
        except FileNotFoundError:
            full = Name(name.level, name.index)
            if name == full:
                raise
            return (self.directory / PurePosixPath(full.path)).read_bytes()
