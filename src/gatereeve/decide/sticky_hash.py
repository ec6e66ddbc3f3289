"""The sticky split: which share of a route a request falls into, computed as Envoy computes it.

Envoy hashes the sticky key with xxHash64 (seed 0), takes the remainder by the total weight and walks
over the clusters in order; measured against Envoy 1.40, several values of one header included
(source/common/http/hash_policy.cc, source/common/common/hash.h). Never on a clock, never by chance.
"""

from __future__ import annotations

from collections.abc import Sequence

import xxhash

from gatereeve.ir.routes import Share


def hash_values(values: Sequence[str]) -> int:
    """The 64-bit hash of one key. Several values of a header: sorted, each seeding the next."""
    seed = 0
    for value in sorted(value.encode("utf-8", "surrogateescape") for value in values):
        seed = xxhash.xxh64_intdigest(value, seed)
    return seed


def choose(shares: Sequence[Share], key: int) -> Share:
    """The share that `key` falls into.

    shares: at least one with weight. Raises ValueError when the total weight is 0.
    """
    total = sum(share.weight for share in shares)
    point = key % total if total else 0
    for share in shares:
        if point < share.weight:
            return share
        point -= share.weight
    msg = "a split needs a total weight above 0"
    raise ValueError(msg)
