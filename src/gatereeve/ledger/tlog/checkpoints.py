"""Checkpoints: what a log signs about its tree.

Follows C2SP tlog-checkpoint, without extension lines: our log writes none, and a checkpoint with one is refused.
Pure.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gatereeve.ledger.tlog import notes
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.tiles import HASH_BYTES

NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
MAX_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """origin: the log's name. size: entries of the tree. root: its RFC 6962 root, 32 bytes."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> bytes:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n".encode()

    def sign(self, signer: notes.Signer) -> bytes:
        """The signed note of this checkpoint."""
        return notes.format_note(self.text, (signer.sign(self.text),))


def parse_checkpoint(text: bytes) -> Checkpoint:
    """The checkpoint that a note's text is. Raises TlogError (`checkpoint-malformed`).

    The signature is not looked at here: see `open_checkpoint`.
    """
    try:
        lines = text.decode().split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    if len(lines) != 4 or lines[3]:
        raise _malformed(f"it has {len(lines) - 1} lines, not origin, size and root")
    origin, size, root, _ = lines
    decoded = notes.decode_base64(root)
    if not origin:
        raise _malformed("its origin is empty")
    number = parse_number(size)
    if number is None:
        raise _malformed(f"its size {size[:30]!r} is no decimal number below 2^63")
    if decoded is None or len(decoded) != HASH_BYTES:
        raise _malformed("its root is not canonical base64 of 32 bytes")
    return Checkpoint(origin, number, decoded)


def open_checkpoint(data: bytes, keys: Iterable[notes.VerifierKey], origin: str) -> Checkpoint:
    """The checkpoint of a signed note that one of `keys` signed, of the log `origin`.

    Raises TlogError: `note-malformed`, `note-unsigned`, `signature-invalid`, `checkpoint-malformed`,
    `checkpoint-origin`.
    """
    note = notes.parse_note(data)
    notes.verify_note(note, keys)
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise TlogError("checkpoint-origin", origin=checkpoint.origin, expected=origin)
    return checkpoint


def parse_number(text: str) -> int | None:
    """A decimal number below 2^63 without leading zeros; None for anything else."""
    if len(text) > 19 or NUMBER.fullmatch(text) is None:
        return None
    return number if (number := int(text)) <= MAX_SIZE else None


def _malformed(what: str) -> TlogError:
    return TlogError("checkpoint-malformed", what=what)
