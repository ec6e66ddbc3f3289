"""Canonical JSON and digests: one text for one value, on every replica and in every language.

Follows RFC 8785 (JCS) for the values we use: strings, booleans, null, integers within 2^53,
arrays, objects with string keys. Floats are refused: a digest must not depend on how a language
prints them. Knows no type of ours.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = bool | int | str | Sequence["Json"] | Mapping[str, "Json"] | None

_MAX_SAFE_INTEGER = 2**53 - 1


def canonical_bytes(value: Json) -> bytes:
    """The RFC 8785 text of `value`, UTF-8.

    Keys are ordered by UTF-16 code units, as the RFC demands; no white space.
    Raises ValueError for floats, integers beyond 2^53 - 1 and anything that is not JSON.
    """
    return json.dumps(
        _ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(value: Json) -> str:
    """`sha256:` and the hexadecimal SHA-256 of the canonical bytes."""
    return sha256(canonical_bytes(value))


def sha256(data: bytes) -> str:
    """`sha256:` and the hexadecimal SHA-256 of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _ordered(value: Json) -> Json:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        if abs(value) > _MAX_SAFE_INTEGER:
            msg = f"integer {value} is beyond 2^53 - 1 and has no canonical form"
            raise ValueError(msg)
        return value
    if isinstance(value, Mapping):
        return {k: _ordered(value[k]) for k in sorted(value, key=_utf16)}
    if isinstance(value, Sequence):
        return [_ordered(item) for item in value]
    msg = f"{type(value).__name__} has no canonical JSON form"
    raise ValueError(msg)


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be")
