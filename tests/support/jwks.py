"""Keys of key sets for tests: one good one of each kind, and every way to be none of a gate's keys."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from tests.support.keys import b64

Jwk = dict[str, object]
CURVES: Final = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


def number(value: int, length: int | None = None) -> str:
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8 or 1))


@cache
def private_rsa(bits: int, exponent: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(exponent, bits)


@cache
def private_ec(curve: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(CURVES[curve])


def rsa_key(bits: int = 2048, exponent: int = 65537, **more: object) -> Jwk:
    numbers = private_rsa(bits, exponent).public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)} | more


def ec_key(curve: str = "P-256", **more: object) -> Jwk:
    numbers = private_ec(curve).public_key().public_numbers()
    size = (CURVES[curve].key_size + 7) // 8
    return {
        "kty": "EC",
        "crv": curve,
        "x": number(numbers.x, size),
        "y": number(numbers.y, size),
    } | more


@cache
def _ed25519() -> str:
    return b64(ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def ed_key(**more: object) -> Jwk:
    return {"kty": "OKP", "crv": "Ed25519", "x": _ed25519()} | more


def good() -> list[Jwk]:
    """Keys that are used, in all the spellings that issuers have."""
    metadata: Jwk = {"use": "sig", "key_ops": ["verify"], "x5t": "x", "extra": {"a": [1]}}
    return [
        rsa_key(), rsa_key(3072), rsa_key(4096), rsa_key(exponent=3), rsa_key(alg="RS256"), rsa_key(alg="PS512"),
        rsa_key(kid="k" * 512), rsa_key(kid="ключ 1"), rsa_key(kid=""), rsa_key(key_ops=["sign", "verify"]), rsa_key() | metadata,
        rsa_key(x5c=[certificate(private_rsa(2048, 65537))]), ec_key(x5c=[certificate(private_ec("P-256"))]),
        *(ec_key(curve) for curve in CURVES), ec_key(alg="ES256") | metadata, ec_key("P-521", alg="ES512"),
        ed_key(), ed_key(alg="EdDSA", use="sig"),
    ]  # fmt: skip


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """A certificate of `key` that it signed itself, as x5c writes it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    made = (
        x509.CertificateBuilder(
            issuer_name=name, subject_name=name, public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=datetime(2020, 1, 1, tzinfo=UTC), not_valid_after=datetime(2049, 1, 1, tzinfo=UTC),
        )
    ).sign(key, hashes.SHA256())  # fmt: skip
    return base64.b64encode(made.public_bytes(serialization.Encoding.DER)).decode()


SMALL_ORDER: Final = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)
"""The eight points of edwards25519 whose order divides 8."""


def bad() -> list[tuple[str, object]]:
    """What is refused: a word of the reason, and the key."""
    n = private_rsa(2048, 65537).public_key().public_numbers().n
    point = private_ec("P-256").public_key().public_numbers()
    text = str(rsa_key()["n"])
    odd: tuple[object, ...] = ([], "x", ["x"], [""], [1], ["AAAA"], None, {})
    no_objects: tuple[object, ...] = (None, 1, "RSA", [], True)
    exponents = (
        1,
        2,
        4,
        5,
        17,
        257,
        65535,
        65536,
        65539,
        2**31 - 1,
        2**32 + 1,
        2**64 + 1,
        n - 2,
        n + 2,
    )
    return [
        *(("exponent", rsa_key(e=number(e))) for e in exponents),
        ("even", rsa_key(n=number(n + 1))), ("small factor", rsa_key(n=number(3 * (2**2050 + 1)))),
        ("weak", rsa_key(1024)), ("weak", rsa_key(n=number(2**2046 + 1))), ("weak", rsa_key(n="AQ")),
        ("too large", rsa_key(n=number(2**8192 + 1))), ("too large", rsa_key(n=number(2**16384 + 1))),
        *(("base64url", rsa_key(n=bad)) for bad in (text + "==", text + "\n", " " + text, text.replace(text[5], "+", 1), text[:-1] + "*", "", "é", "AR")),
        ("zero byte", rsa_key(n=number(n, 257))), ("zero byte", rsa_key(e=b64(b"\0\1\0\1"))), ("zero byte", rsa_key(e="AA")),
        ("has no n", {"kty": "RSA", "e": "AQAB"}), ("has no e", rsa_key(e=None)), ("has no e", rsa_key(e=65537)), ("has no n", rsa_key(n=[text])),
        ("curve", ec_key(y=number((point.y + 1) % 2**256, 32))), ("curve", ec_key(x=number(0, 32), y=number(0, 32))),
        ("curve", ec_key("P-384", x=ec_key("P-384")["y"])), ("curve", ec_key(x=b64(b"\xff" * 32))),
        ("coordinates", ec_key(x=b64(b"\1" * 31))), ("coordinates", ec_key(x=b64(b"\0" + point.x.to_bytes(32)))), ("coordinates", ec_key(crv="P-384")),
        *(("curve", ec_key(crv=crv)) for crv in ("secp256k1", "P-224", "p-256", "", None, ["P-256"])),
        *(("small order", ed_key(x=b64(bytes.fromhex(point)))) for point in SMALL_ORDER),
        ("small order", ed_key(x=b64(b"\x02" + bytes(31)))), ("small order", ed_key(x=b64(b"\xff" * 32))), ("small order", ed_key(x=b64(bytes(31)))),
        *(("curve", ed_key(crv=crv)) for crv in ("X25519", "Ed448", None)),
        *(("use", rsa_key(use=use)) for use in ("enc", "SIG", "", None, ["sig"])),
        *(("key_ops", ec_key(key_ops=ops)) for ops in (["encrypt"], ["sign"], [], ["verify", "wrapKey"], ["verify", "verify"], "verify", [1], None)),
        *(("alg", rsa_key(alg=alg)) for alg in ("HS256", "ES256", "none", "RSA-OAEP", "RS1", "rs256", "", ["RS256"])),
        *(("alg", ec_key(alg=alg)) for alg in ("ES384", "RS256", "ECDH-ES", "HS256")), ("alg", ec_key("P-521", alg="ES256")), ("alg", ed_key(alg="ES256")),
        ("symmetric", {"kty": "oct", "k": "c2VjcmV0"}), ("symmetric", {"kty": "oct"}),
        *(("private", rsa_key() | {name: "AQAB"}) for name in ("d", "p", "q", "dp", "dq", "qi", "oth", "k")),
        ("type", {}), ("type", rsa_key(kty="rsa")), ("type", rsa_key(kty=None)), ("type", rsa_key(kty=["RSA"])),
        ("kid", rsa_key(kid=1)), ("kid", rsa_key(kid="k" * 513)), ("kid", rsa_key(kid="a\0")), ("kid", rsa_key(kid="\ud800")), ("kid", rsa_key(kid=None)),
        ("another key", rsa_key(x5c=[certificate(private_rsa(3072, 65537))])), ("another key", rsa_key(x5c=[certificate(private_ec("P-256"))])),
        *(("x5c", rsa_key(x5c=x5c)) for x5c in odd),
        *(("object", key) for key in no_objects),
    ]  # fmt: skip


def mutated(chance: random.Random) -> Iterator[object]:
    """Endless keys that differ from good ones in a member or two."""
    values: list[object] = [
        "",
        "AQ",
        "AQAB",
        "Aw",
        "AAEAAQ",
        "=",
        None,
        0,
        [],
        {},
        "RSA",
        "EC",
        "OKP",
        "P-256",
        "P-384",
        "Ed25519",
        "RS256",
        "ES256",
        "sig",
        "enc",
    ]
    names = ("kty", "n", "e", "crv", "x", "y", "kid", "alg", "use", "key_ops", "x5c", "d", "k")
    everything = [*good(), *(key for _, key in bad() if isinstance(key, dict))]
    while True:
        key = dict(chance.choice(everything))
        for _ in range(chance.randint(1, 2)):
            name = chance.choice(names)
            kind = chance.randrange(4)
            value = key.get(name)
            if kind == 0:
                key.pop(name, None)
            elif kind == 1 and isinstance(value, str) and value:
                place = chance.randrange(len(value))
                key[name] = value[:place] + chance.choice("Aa9_-+=. \0") + value[place + 1 :]
            elif kind == 2:
                key[name] = chance.choice(values)
            else:
                key[name] = chance.choice(everything).get(name, chance.choice(values))
        yield key
