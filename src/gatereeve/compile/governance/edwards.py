"""Points of edwards25519 (RFC 8032 section 5.1): whether 32 bytes are a public key that proves anything.

Envoy takes any 32 bytes for an Ed25519 key. For a point of small order a signature of any message can
be made without a private key, so such keys must not reach it. Slow and not constant-time: public keys only.
"""

from __future__ import annotations

from typing import Final

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)
_BYTES: Final = 32


def is_public_key(encoded: bytes) -> bool:
    """Whether `encoded` is a canonically encoded point of the curve that is not of small order."""
    point = _decode(encoded)
    if point is None:
        return False
    for _ in range(3):  # the cofactor is 8: a point of small order becomes the neutral element
        point = _double(*point)
    return point != (0, 1)


def _decode(encoded: bytes) -> tuple[int, int] | None:
    """RFC 8032 section 5.1.3."""
    if len(encoded) != _BYTES:
        return None
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x + u) % _P == 0:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (v * x * x - u) % _P != 0 or (x == 0 and sign):
        return None
    return (x if x & 1 == sign else _P - x), y


def _double(x: int, y: int) -> tuple[int, int]:
    """The sum of a point with itself. The law is complete, so the denominators are never 0."""
    product = _D * x * x * y * y
    return (
        2 * x * y * pow(1 + product, -1, _P) % _P,
        (y * y + x * x) * pow(1 - product, -1, _P) % _P,
    )
