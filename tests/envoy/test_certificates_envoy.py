"""What the compiler accepts as a certificate and key, Envoy serves with; one process judges all."""

from __future__ import annotations

import asyncio
import pathlib
import random
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatereeve.compile import tls
from tests.envoy import judged
from tests.support.worlds import world_of

pytestmark = pytest.mark.envoy

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Extension = tuple[x509.ExtensionType, bool]
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)


def usage(**kinds: bool) -> Extension:
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{kind: kinds.get(kind, False) for kind in every}), True


def certificate(
    key: Key, *extensions: Extension, names: Sequence[str] = ("a.example",), days: int = 3650
) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
    )
    if names:
        general = [x509.DNSName(one) for one in names]
        made = made.add_extension(x509.SubjectAlternativeName(general), critical=False)
    for extension, critical in extensions:
        made = made.add_extension(extension, critical=critical)
    return made.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def pem(of: x509.Certificate | Key) -> str:
    if isinstance(of, x509.Certificate):
        return of.public_bytes(serialization.Encoding.PEM).decode()
    return of.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@cache
def secret() -> Any:
    world = world_of("""
apiVersion: v1
kind: Secret
metadata: {name: tls, namespace: shop}
type: kubernetes.io/tls
""")
    (found,) = world.secrets.values()
    return found


def read(chain: str, key: str) -> tls.KeyPair | None:
    spec = secret().spec.model_copy(update={"string_data": {"tls.crt": chain, "tls.key": key}})
    found = tls.read(replace(secret(), spec=spec))
    return found if isinstance(found, tls.KeyPair) else None


@cache
def every() -> tuple[tuple[str, str, str], ...]:
    return tuple(generated())


def generated() -> Iterator[tuple[str, str, str]]:
    """(what it is, chain, key) up to and beyond each limit."""
    makers: dict[str, Callable[[], Key]] = {
        f"rsa {bits}": lambda bits=bits: rsa.generate_private_key(65537, bits)  # type: ignore[misc]
        for bits in (1024, 2040, 2048, 3072, 4096)
    }
    makers["rsa e=3"] = lambda: rsa.generate_private_key(3, 2048)
    makers["ed25519"] = ed25519.Ed25519PrivateKey.generate
    for curve in (ec.SECP224R1, ec.SECP256R1, ec.SECP384R1, ec.SECP521R1, ec.SECP256K1, ec.BrainpoolP256R1):  # fmt: skip
        makers[curve.__name__] = lambda curve=curve: ec.generate_private_key(curve())  # type: ignore[misc]
    for name, make in makers.items():
        key = make()
        yield name, pem(certificate(key)), pem(key)
    extensions: dict[str, Extension] = {
        "signs": usage(digital_signature=True),
        "enciphers": usage(key_encipherment=True),
        "agrees": usage(key_agreement=True),
        "is a CA": (x509.BasicConstraints(ca=True, path_length=None), True),
        "for clients": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), True),
        "must staple": (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        "unknown": (
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"),
            True,
        ),
        "constrained": (x509.NameConstraints([x509.DNSName("b.example")], None), True),
    }
    for name, extension in extensions.items():
        for kind, key in (("ec", P256), ("rsa", RSA)):
            yield f"{kind} {name}", pem(certificate(key, extension)), pem(key)
    other = ec.generate_private_key(ec.SECP224R1())
    first = pem(certificate(P256))
    yield "chain of strangers", first + pem(certificate(other)) * 9, pem(P256)
    yield "chain too long", first * 11, pem(P256)
    yield "key of another", first, pem(RSA)
    yield "expired long ago", pem(certificate(P256, days=0)), pem(P256)
    yield "no names", pem(certificate(P256, names=())), pem(P256)
    odd = ("*", "*.*.x", "a*.x", "**.x", "x.*.y", "a..b", ".", "*.", "1.2.3.4", "a b", "A.EXAMPLE")
    yield "odd names", pem(certificate(P256, names=odd)), pem(P256)
    yield "many names", pem(certificate(P256, names=[f"h{n}.example" for n in range(1000)])), pem(P256)  # fmt: skip


def test_envoy_serves_with_every_accepted_certificate(tmp_path: pathlib.Path) -> None:
    accepted, refused = {}, {}
    for name, chain, key in every():
        found = read(chain, key)
        if found is None:
            refused[name] = (chain, key)
        else:
            accepted[name] = (found.chain, found.key)
    assert {"rsa 2048", "rsa 4096", "SECP256R1", "SECP521R1", "ec signs", "rsa enciphers", "odd names"} <= accepted.keys()  # fmt: skip
    assert {"rsa 1024", "SECP224R1", "ed25519", "ec enciphers", "ec must staple", "rsa must staple", "key of another"} <= refused.keys()  # fmt: skip
    status, printed = asyncio.run(judged.judge(judged.serving_with(accepted), tmp_path))
    assert status == 0, printed[-2000:]


@pytest.mark.parametrize("name", ["ec enciphers", "rsa must staple", "key of another", "rsa 1024"])
def test_what_is_refused_envoy_would_reject(name: str, tmp_path: pathlib.Path) -> None:
    """The bounds are no narrower than they need to be, in these cases."""
    (pair,) = [(chain, key) for found, chain, key in every() if found == name]
    status, _ = asyncio.run(judged.judge(judged.serving_with({name: pair}), tmp_path))
    assert status != 0


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
def test_damaged_certificates_are_refused_where_envoy_would(tmp_path: pathlib.Path) -> None:
    """One or two bytes of a good certificate are others; what is still accepted, Envoy accepts."""
    rng = random.Random(1)
    signs = usage(digital_signature=True)
    good = [
        (certificate(key, signs).public_bytes(serialization.Encoding.DER), key)
        for key in (P256, RSA)
    ]
    accepted = {}
    for number in range(800):
        whole, key = good[number % 8 == 0]
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 2)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        found = read(ssl.DER_cert_to_PEM_cert(bytes(damaged)), pem(key))
        if found is not None:
            accepted[f"mutant {number}"] = (found.chain, found.key)
    assert len(accepted) > 50
    status, printed = asyncio.run(judged.judge(judged.serving_with(accepted), tmp_path))
    assert status == 0, printed[-2000:]
