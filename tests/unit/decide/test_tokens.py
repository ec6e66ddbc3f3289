"""Bearer tokens: every case was sent to Envoy 1.40's jwt_authn and answered alike."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from gatereeve.decide import tokens
from gatereeve.decide.tokens import Invalid, Verified
from tests.support import ir_builders as ir

CORP = ir.Issuer()
OTHER = ir.Issuer(name="other")
PROVIDERS = (CORP.provider(), OTHER.provider())
AT = int(ir.NOW.timestamp())
RSA = rsa.generate_private_key(65537, 2048)
ED = ed25519.Ed25519PrivateKey.generate()


def with_signature(authorization: str) -> str:
    """With a part as long as a signature in place of `c`."""
    return authorization.replace("b.c", "b." + "c" * 86)


def is_good(token: str) -> bool:
    return isinstance(tokens.verify(token, PROVIDERS, now=ir.NOW), Verified)


@pytest.mark.parametrize(
    "authorization", ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "bEaReR a.b.c"]
)
def test_bearer(authorization: str) -> None:
    assert tokens.parse_bearer(with_signature(authorization)) == with_signature("a.b.c")


@pytest.mark.parametrize(
    ("characters", "is_one"),
    [(86, True), (128, True), (176, True), (342, True), (683, True), (1, False), (85, False), (87, False), (130, False), (341, False)],
)  # fmt: skip
def test_a_signature_has_the_length_of_one(characters: int, is_one: bool) -> None:
    token = f"a.b.{'c' * characters}"
    assert (tokens.parse_bearer(f"Bearer {token}") == token) == is_one


@pytest.mark.parametrize(
    "authorization",
    [
        "", "Basic eDp5", "Bearer", "Bearer ", "Bearer   a.b.c", 'Bearer "a.b.c"', "Basic x,Bearer a.b.c", "Basic x, Bearer a.b.c",
        "Bearer a.b.c, Bearer a.b.c", "Bearer a.b.c,", "Bearer a.b.c ", " Bearer a.b.c", "Bearer\ta.b.c", "xBearer a.b.c", "Bearera.b.c", "a.b.c",
        "Bearer .a.b.c", "Bearer a.b.c.", "Bearer a..b.c", "Bearer a.b.", "Bearer .b.c", "Bearer a..c", "Bearer a.b", "Bearer a.b.c.d",
        "Bearer a.b.c=", "Bearer a.b+.c", "Bearer a.b/.c", "Bearer a.b.c\n", "Bearer a.b.c x", "Bearer: a.b.c", "B\u0435arer a.b.c", "Bearer a.b.\u00e9",
    ],
)  # fmt: skip
def test_what_is_no_bearer_token(authorization: str) -> None:
    assert isinstance(tokens.parse_bearer(with_signature(authorization)), Invalid)


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": AT - 30},
        {"exp": AT + 0.5},
        {"nbf": AT + 30},
        {"nbf": 0},
        {"iat": AT + 9999},
        {"aud": ["x", "gate"]},
        {"aud": "https://gate/"},
        {"sub": ""},
        {"n": 5, "deep": {"a": [None]}},
    ],
)
def test_valid_claims(claims: dict[str, object]) -> None:
    assert is_good(CORP.token(**claims))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": AT - 31},
        {"exp": 0},
        {"exp": -5},
        {"exp": str(AT + 60)},
        {"exp": None},
        {"exp": True},
        {"exp": 1e30},
        {"drop": "exp"},
        {"nbf": AT + 31},
        {"nbf": "x"},
        {"iat": "x"},
        {"iat": None},
        {"aud": "other"},
        {"aud": []},
        {"aud": ["gate", 5]},
        {"aud": "Gate"},
        {"aud": None},
        {"drop": "aud"},
        {"iss": "https://nobody.test/"},
        {"iss": "https://corp.test"},
        {"iss": 5},
        {"drop": "iss"},
        {"sub": 5},
        {"jti": 5},
    ],
)
def test_invalid_claims(claims: dict[str, object]) -> None:
    assert not is_good(CORP.token(**claims))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ({"kid": ""}, True),
        ({"kid": "unknown"}, False),
        ({"kid": 5}, False),
        ({"alg": "none"}, False),
        ({"alg": "es256"}, False),
        ({"alg": 5}, False),
    ],
)
def test_headers(header: dict[str, object], *, good: bool) -> None:
    assert is_good(CORP.token(header=header)) is good


@pytest.mark.parametrize(
    ("header", "extension"),
    [
        ({}, None),
        ({"cty": "x", "typ": "at+jwt", "zip": "x"}, None),
        ({"crit": ["exp"]}, "crit"),
        ({"crit": []}, "crit"),
        ({"crit": None}, "crit"),
        ({"b64": False}, "b64"),
        ({"b64": True}, "b64"),
        ({"crit": ["b64"], "b64": False}, "crit"),
    ],
)
def test_extensions_are_named(header: dict[str, object], extension: str | None) -> None:
    found = tokens.verify(CORP.token(header=header), PROVIDERS, now=ir.NOW)
    assert isinstance(found, Verified)
    assert found.extension == extension


def test_the_issuer_decides_whose_keys_count() -> None:
    assert not is_good(OTHER.token(iss=CORP.issuer, header={"kid": "corp"}))


def test_forms() -> None:
    good = CORP.token()
    head, payload, signature = good.split(".")
    for bad in (
        "",
        "x",
        f"{head}.{payload}",
        f"{head}.{payload}.",
        good + ".x",
        good + "==",
        good + " x",
        "." + good,
        good + ".",
        good.replace(".", ".."),
        good + "!",
        good + ",Bearer " + good,
        f"{head}.{payload}.{signature[::-1]}",
        f"{ir.b64(b'[]')}.{payload}.{signature}",
        f"{head}.{ir.b64(b'nonsense')}.{signature}",
    ):
        assert not is_good(bad), bad


def test_symmetric_keys_never_verify() -> None:
    jwks = json.dumps({"keys": [{"kty": "oct", "k": ir.b64(b"secret" * 8)}]})
    provider = CORP.provider(jwks=jwks)
    found = tokens.verify(CORP.token(header={"alg": "HS256"}), (provider,), now=ir.NOW)
    assert isinstance(found, Invalid)


def test_an_empty_key_set_admits_nobody() -> None:
    provider = CORP.provider(jwks='{"keys":[]}')
    assert isinstance(tokens.verify(CORP.token(), (provider,), now=ir.NOW), Invalid)


def signed(algorithm: str) -> str:
    """A token by the key of its algorithm's family, without kid."""
    head = ir.b64(json.dumps({"alg": algorithm}).encode())
    payload = {"iss": CORP.issuer, "aud": "gate", "sub": "alice", "exp": AT + 60}
    data = f"{head}.{ir.b64(json.dumps(payload).encode())}".encode()
    digests: dict[str, hashes.HashAlgorithm] = {
        "256": hashes.SHA256(),
        "384": hashes.SHA384(),
        "512": hashes.SHA512(),
    }
    digest = digests.get(algorithm[-3:])
    if digest is None:
        signature = ED.sign(data)
    elif algorithm.startswith("PS"):
        pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
        signature = RSA.sign(data, pss, digest)
    else:
        signature = RSA.sign(data, padding.PKCS1v15(), digest)
    return f"{data.decode()}.{ir.b64(signature)}"


def key_set(**changes: str) -> str:
    numbers = RSA.public_key().public_numbers()
    jwk = {"kty": "RSA", "e": "AQAB", "n": ir.b64(numbers.n.to_bytes(256, "big"))}
    okp = {"kty": "OKP", "crv": "Ed25519", "x": ir.b64(ED.public_key().public_bytes_raw())}
    return json.dumps({"keys": ["nonsense", {"kty": "EC", "crv": "P-0"}, jwk | changes, okp]})


@pytest.mark.parametrize(
    "algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]
)
def test_algorithms(algorithm: str) -> None:
    provider = CORP.provider(jwks=key_set())
    assert isinstance(tokens.verify(signed(algorithm), (provider,), now=ir.NOW), Verified)


def test_a_key_with_an_algorithm_serves_no_other() -> None:
    provider = CORP.provider(jwks=key_set(alg="RS256"))
    assert isinstance(tokens.verify(signed("RS256"), (provider,), now=ir.NOW), Verified)
    assert isinstance(tokens.verify(signed("PS256"), (provider,), now=ir.NOW), Invalid)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_longer_curves(curve: ec.EllipticCurve) -> None:
    key = ec.generate_private_key(curve)
    size = (curve.key_size + 7) // 8
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "EC", "crv": f"P-{curve.key_size}"}
    jwk |= {
        "x": ir.b64(numbers.x.to_bytes(size, "big")),
        "y": ir.b64(numbers.y.to_bytes(size, "big")),
    }
    digest = hashes.SHA384() if curve.key_size == 384 else hashes.SHA512()
    head = ir.b64(json.dumps({"alg": "ES384" if curve.key_size == 384 else "ES512"}).encode())
    data = f"{head}.{CORP.token().split('.')[1]}".encode()
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(digest)))
    token = f"{data.decode()}.{ir.b64(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"
    provider = CORP.provider(jwks=json.dumps({"keys": [jwk]}))
    assert isinstance(tokens.verify(token, (provider,), now=ir.NOW), Verified)


def test_each_half_of_an_ecdsa_signature_is_a_number() -> None:
    head, payload, signature = CORP.token().split(".")
    assert not is_good(f"{head}.{payload}.{signature}{'A' * 42}")
    raw = base64.urlsafe_b64decode(signature + "==")
    padded = ir.b64(bytes(16) + raw[:32] + bytes(16) + raw[32:])
    assert is_good(f"{head}.{payload}.{padded}")


def test_leeway_is_the_providers() -> None:
    provider = CORP.provider(leeway_s=5)
    token = CORP.token(exp=AT)
    later = ir.NOW + timedelta(seconds=5)
    assert isinstance(tokens.verify(token, (provider,), now=later), Verified)
    later += timedelta(seconds=1)
    assert isinstance(tokens.verify(token, (provider,), now=later), Invalid)


def test_claim_paths() -> None:
    claims = {"realm": {"roles": ["a"]}, "a.b": 1}
    assert tokens.read_claim(claims, ("realm", "roles")) == ["a"]
    assert tokens.read_claim(claims, ("realm", "x")) is None
    assert tokens.read_claim(claims, ("realm", "roles", "x")) is None
