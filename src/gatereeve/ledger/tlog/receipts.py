"""Receipts: one file that proves that one entry is in a log.

Follows C2SP tlog-proof (https://c2sp.org/tlog-proof): inclusion proof and checkpoint, all an auditor needs besides
the entry and a policy. Pure. The `extra` line is not authenticated: it is kept, and nothing trusts it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from gatereeve.ledger.tlog import checkpoints, merkle, notes, policy
from gatereeve.ledger.tlog.faults import TlogError
from gatereeve.ledger.tlog.tiles import HASH_BYTES

HEADER = "c2sp.org/tlog-proof@v1"
MAX_HASHES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """index: of the entry. proof: from its sibling up to the root's child. checkpoint: a signed note."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The text of the receipt file."""
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(each).decode() for each in self.proof]
        return "\n".join([*lines, "", ""]).encode() + self.checkpoint


def parse_receipt(data: bytes) -> Receipt:
    """The parts of a receipt. Raises TlogError (`receipt-malformed`). Nothing is verified yet."""
    head, blank, checkpoint = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _malformed("its head is not ASCII") from error
    if not blank or lines.pop(0) != HEADER:
        raise _malformed(f"it does not begin with {HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = notes.decode_base64(lines.pop(0).removeprefix("extra "))
        if extra is None:
            raise _malformed("its extra line is not canonical base64")
    word, _, number = (lines.pop(0) if lines else "").partition(" ")
    index = checkpoints.parse_number(number)
    if word != "index" or index is None:
        raise _malformed("it has no line `index NUMBER`")
    proof = [notes.decode_base64(line) for line in lines]
    hashes = tuple(each for each in proof if each is not None and len(each) == HASH_BYTES)
    if len(hashes) != len(proof) or len(proof) > MAX_HASHES:
        raise _malformed("a line of its proof is not canonical base64 of 32 bytes")
    return Receipt(index=index, proof=hashes, checkpoint=checkpoint, extra=extra)


def verify_receipt(data: bytes, entry: bytes, trust: policy.Policy) -> checkpoints.Checkpoint:
    """Raise TlogError unless the receipt proves that `entry` is in a log that `trust` accepts.

    Returns the checkpoint. Steps: 1. parse. 2. the log's signature and the quorum of witnesses.
    3. inclusion of the entry's hash.
    """
    receipt = parse_receipt(data)  # 1
    checkpoint = policy.open_with_policy(receipt.checkpoint, trust)  # 2
    leaf = merkle.hash_leaf(entry)  # 3
    merkle.verify_inclusion(leaf, receipt.index, checkpoint.size, receipt.proof, checkpoint.root)
    return checkpoint


def _malformed(what: str) -> TlogError:
    return TlogError("receipt-malformed", what=what)
