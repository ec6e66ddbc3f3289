"""The sticky split: vectors of xxHash64, the walk, and values as Envoy 1.40 was seen to hash them."""

from __future__ import annotations

import pytest

from gatereeve.decide import sticky_hash
from gatereeve.ir.routes import Share


def shares(*weights: int) -> tuple[Share, ...]:
    return tuple(
        Share(cluster=f"c{number}", version=f"v{number}", weight=weight)
        for number, weight in enumerate(weights)
    )


@pytest.mark.parametrize(
    ("values", "digest"),
    [
        ((), 0),
        (("",), 0xEF46DB3751D8E999),
        (("a",), 0xD24EC4F1A98C6E5B),
        (("abc",), 0x44BC2CF5AD770999),
    ],
)
def test_vectors(values: tuple[str, ...], digest: int) -> None:
    assert sticky_hash.hash_values(values) == digest


def test_several_values_do_not_depend_on_their_order() -> None:
    assert sticky_hash.hash_values(("a", "b")) == sticky_hash.hash_values(("b", "a"))
    assert sticky_hash.hash_values(("a", "b")) != sticky_hash.hash_values(("a,b",))


@pytest.mark.parametrize(
    ("key", "version"),
    [
        (0, "v0"),
        (6999, "v0"),
        (7000, "v2"),
        (8999, "v2"),
        (9000, "v3"),
        (9999, "v3"),
        (10000, "v0"),
    ],
)
def test_the_walk(key: int, version: str) -> None:
    assert sticky_hash.choose(shares(7000, 0, 2000, 1000), key).version == version


def test_no_weight_at_all() -> None:
    with pytest.raises(ValueError, match="total weight"):
        sticky_hash.choose(shares(0, 0), 5)
