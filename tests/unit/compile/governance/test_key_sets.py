"""Key sets against RFC 7517, 7518, 8037 and 8725: what is used, what is refused, and how it is written."""

from __future__ import annotations

import json
from itertools import islice
from random import Random

import pytest

from gatereeve.compile.governance import edwards, key_sets
from tests.support import jwks


def read(*keys: object) -> key_sets.KeySet:
    return key_sets.read_key_set(json.dumps({"keys": list(keys)}))


def used(*keys: object) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(read(*keys).text)["keys"]
    return found


@pytest.mark.parametrize("key", jwks.good(), ids=range(len(jwks.good())))
def test_a_good_key_is_used(key: jwks.Jwk) -> None:
    found = read(key)
    assert (found.refused, found.problem) == ((), None)
    (one,) = used(key)
    members = ("kty", "n", "e", "crv", "x", "y", "alg", "kid")
    said = {name: key[name] for name in members if key.get(name)}
    assert one == said | {name: one[name] for name in ("alg",) if name in one}
    assert key_sets.read_key_set(found.text).text == found.text


@pytest.mark.parametrize(("word", "key"), jwks.bad(), ids=range(len(jwks.bad())))
def test_a_bad_key_is_refused_and_leaves_the_others(word: str, key: object) -> None:
    alone = read(key)
    assert alone.text == key_sets.EMPTY
    assert alone.problem == "none of its keys can be used"
    (why,) = alone.refused
    assert why.startswith("keys[0] ")
    assert word in why
    both = read(jwks.ec_key(), key)
    assert (both.problem, len(both.refused)) == (None, 1)
    assert both.text == read(jwks.ec_key()).text


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '{"keys": {}}', '{"keys": null}', '{"Keys": []}', "<html>", "[" * 100_000, '{"keys": [NaN]}', "\ufeff{}",
        '{"keys": [], "keys": []}', '{"keys": [{"kty": "RSA", "kty": "EC"}]}', '{"keys": []}', '{"keys": []} x', '{"keys": ' + "9" * 5000 + "}",
        json.dumps({"keys": [jwks.ec_key()] * 101}),
    ],
)  # fmt: skip
def test_a_set_that_cannot_be_read_has_no_keys(text: str) -> None:
    found = key_sets.read_key_set(text)
    assert found.text == key_sets.EMPTY
    assert found.problem


def test_a_key_that_stands_twice_is_one() -> None:
    assert len(used(jwks.ec_key(), jwks.ec_key(alg="ES256", use="sig"))) == 1


def test_two_keys_may_share_a_kid() -> None:
    assert len(used(jwks.ec_key(kid="a"), jwks.ec_key("P-384", kid="a"))) == 2


def test_a_key_for_one_algorithm_says_so() -> None:
    assert used(jwks.ec_key("P-384"))[0]["alg"] == "ES384"
    assert used(jwks.ed_key())[0]["alg"] == "EdDSA"
    assert "alg" not in used(jwks.rsa_key())[0]


def test_small_order_points_are_no_keys() -> None:
    assert not any(edwards.is_public_key(bytes.fromhex(point)) for point in jwks.SMALL_ORDER)


def test_generated_keys_are_used_or_refused_with_a_reason() -> None:
    for key in islice(jwks.mutated(Random(1)), 2000):
        found = read(key)
        assert bool(found.refused) != bool(used(key))
