"""Keys, tokens and certificates for tests: made once per process, never written anywhere."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support import clocks

PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def signing_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The signing key of a test issuer; another name, another key."""
    assert name
    return ec.generate_private_key(ec.SECP256R1())


def jwks(name: str) -> str:
    """The public key set of a test issuer."""
    numbers = signing_key(name).public_key().public_numbers()
    key = {
        "kty": "EC",
        "crv": "P-256",
        "kid": name,
        "alg": "ES256",
        "x": b64(numbers.x.to_bytes(32)),
        "y": b64(numbers.y.to_bytes(32)),
    }
    return json.dumps({"keys": [key]})


def token(
    name: str,
    claims: Mapping[str, object],
    *,
    alg: str = "ES256",
    kid: str | None = None,
    more: Mapping[str, object] | None = None,
) -> str:
    """A signed JWT; `alg: none` leaves the signature empty. more: of the JOSE header."""
    header = {"alg": alg, "typ": "JWT", "kid": kid or name} | dict(more or {})
    signed = b".".join(b64(json.dumps(part).encode()).encode() for part in (header, dict(claims)))
    if alg == "none":
        return signed.decode() + "."
    r, s = decode_dss_signature(signing_key(name).sign(signed, ec.ECDSA(hashes.SHA256())))
    return f"{signed.decode()}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


class Authority:
    """A CA that signs test certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def certificate(self) -> str:
        return self._certificate.public_bytes(PEM).decode()

    def issue(
        self, *, dns: tuple[str, ...] = (), uris: tuple[str, ...] = (), client: bool = False
    ) -> Pair:
        """A certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(n) for n in dns]
        names += [x509.UniformResourceIdentifier(n) for n in uris]
        names += [x509.IPAddress(ip_address("127.0.0.1"))] if not client else []
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(certificate.public_bytes(PEM).decode(), private.decode())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        return x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=clocks.VALID.start,
            not_valid_after=clocks.VALID.end,
        )
