"""The private state of a log's writer, `.state/tree`: how far the tree is durable. Pure.

It is no part of the log and no verifier reads it. It has one spelling, so a changed byte is noticed: either
the text is malformed, or its root is not that of the tiles.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gatereeve.ledger.tlog.checkpoints import MAX_SIZE

FOLDER = ".state"
FILE = ".state/tree"
LOCK = ".state/lock"
MAX_STATE_BYTES = 4096
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """origin: the log's name. size, root: of the tree whose bundles and tiles are durable.

    pruned: partial files of tiles that were full in a tree of so many entries are gone.
    """

    origin: str
    size: int
    root: bytes
    pruned: int

    def encode(self) -> bytes:
        fields = {
            "origin": self.origin,
            "pruned": self.pruned,
            "root": self.root.hex(),
            "size": self.size,
            "version": _VERSION,
        }
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode() + b"\n"


def decode_state(data: bytes) -> State | None:
    """The state of a file; None unless it is spelled exactly as `State.encode` spells it."""
    try:
        fields = json.loads(data)
        state = State(
            origin=str(fields["origin"]),
            size=int(fields["size"]),
            root=bytes.fromhex(fields["root"]),
            pruned=int(fields["pruned"]),
        )
        is_same = state.encode() == data
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return state if is_same and 0 <= state.pruned <= state.size <= MAX_SIZE else None
