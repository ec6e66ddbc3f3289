"""Content hashes of IR values: equal values, equal hashes, on every replica.

The IR is frozen dataclasses of tuples, strings and numbers, so its JSON has one form. Large values
are hashed in parts that are cached by identity; the whole is the hash of the parts' hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

_ENCODER = msgspec.json.Encoder(order="deterministic")


def value_hash(value: object) -> str:
    """`sha256:` and hexadecimal digits of an IR value's JSON."""
    return "sha256:" + hashlib.sha256(_ENCODER.encode(value)).hexdigest()


def combine(parts: Iterable[str]) -> str:
    """The hash of an ordered list of hashes."""
    joined = "\n".join(parts).encode()
    return "sha256:" + hashlib.sha256(joined).hexdigest()
