"""The sticky split: the share of a route that a sticky key selects, computed as in Envoy.

Envoy hashes the key with xxHash64 (seed 0), takes the remainder by the total weight and walks over the
clusters in order (measured with Envoy 1.40; source/common/http/hash_policy.cc,
source/common/common/hash.h).
"""

from __future__ import annotations

from collections.abc import Sequence

import xxhash

from gatereeve.ir.routes import Share


def hash_values(values: Sequence[str]) -> int:
    """Return the 64-bit hash of one key. Several values of a header are sorted; each seeds the next."""
    seed = 0
    for value in sorted(value.encode("utf-8", "surrogateescape") for value in values):
        seed = xxhash.xxh64_intdigest(value, seed)
    return seed


def choose(shares: Sequence[Share], key: int) -> Share:
    """Return the share that `key` selects. Raises ValueError if the total weight is 0."""
    total = sum(share.weight for share in shares)
    point = key % total if total else 0
    for share in shares:
        if point < share.weight:
            return share
        point -= share.weight
    raise ValueError("a split needs a total weight above 0")
