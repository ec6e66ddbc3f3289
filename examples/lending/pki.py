"""Keys, certificates and tokens for the example: what an identity provider and a CA would issue.

Everything is made anew for each run and lives under `build/`; nothing here is fit for anything but
a demonstration on one machine. Elliptic-curve keys (P-256), tokens signed with ES256 (RFC 7515).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=30)
_COORDINATE_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return private_pem(self.key)


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def make_ca(name: str) -> Pair:
    """A self-signed authority that may sign end certificates only."""
    key = make_key()
    builder = _builder(name, key.public_key(), issuer=name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def issue_server(ca: Pair, *hosts: str) -> Pair:
    """A certificate for TLS servers with these DNS names."""
    names = [x509.DNSName(host) for host in hosts]
    return _issue(ca, hosts[0], names, ExtendedKeyUsageOID.SERVER_AUTH)


def issue_client(ca: Pair, uri: str) -> Pair:
    """A certificate for a TLS client that is known by a SPIFFE-like URI."""
    names = [x509.UniformResourceIdentifier(uri)]
    return _issue(ca, "client", names, ExtendedKeyUsageOID.CLIENT_AUTH)


def _issue(
    ca: Pair, name: str, alternatives: Sequence[x509.GeneralName], usage: x509.ObjectIdentifier
) -> Pair:
    key = make_key()
    issuer = ca.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    builder = _builder(name, key.public_key(), issuer=str(issuer))
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([usage]), False),
        (x509.SubjectAlternativeName(alternatives), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return Pair(certificate=builder.sign(ca.key, hashes.SHA256()), key=key)


def _builder(name: str, key: ec.EllipticCurvePublicKey, *, issuer: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def make_jwks(key: ec.EllipticCurvePrivateKey, key_id: str) -> str:
    """The public half as a JSON Web Key Set (RFC 7517)."""
    numbers = key.public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
        "kid": key_id,
        "x": _base64url(numbers.x.to_bytes(_COORDINATE_BYTES, "big")),
        "y": _base64url(numbers.y.to_bytes(_COORDINATE_BYTES, "big")),
    }
    return json.dumps({"keys": [jwk]}, indent=2) + "\n"


def sign_token(key: ec.EllipticCurvePrivateKey, key_id: str, claims: Mapping[str, object]) -> str:
    """A compact JWS (RFC 7515) over `claims`, ES256: r and s as 32 bytes each."""
    header = {"alg": "ES256", "typ": "JWT", "kid": key_id}
    signed = ".".join(_base64url(json.dumps(part).encode()) for part in (header, dict(claims)))
    r, s = utils.decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(_COORDINATE_BYTES, "big") for number in (r, s))
    return f"{signed}.{_base64url(signature)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
