"""Certificates: Secrets of type kubernetes.io/tls, vetted before a gate ever sees them.

A Secret that a proxy would refuse must not get there, because one refused listener would hold up
everybody's changes. Keys and chains are written anew from what was parsed, so no other text of a
Secret travels. Names come from the subject alternative names only (RFC 9110, 4.3.4).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gatereeve.api.world import SecretDoc
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe

TLS_TYPE = "kubernetes.io/tls"

_MIN_RSA_BITS = 2048
_MAX_BYTES = 64 * 1024
_MAX_CHAIN = 10
_UNREADABLE = (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyPair:
    """A vetted certificate chain (leaf first) and its key, PEM; names: lower-case DNS names."""

    secret: SecretDoc
    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def covers(self, host: str) -> bool:
        """Whether a client that asks for `host` would accept the names; `*` is never covered."""
        if host in self.names:
            return True
        label, _, parent = host.partition(".")
        return label != "*" and bool(parent) and f"*.{parent}" in self.names

    def problem(self, at: datetime) -> Finding | None:
        """Why the certificate is not valid at `at`, if it is not."""
        if at < self.not_before:
            return _problem(self.secret, "not-yet-valid", date=self.not_before.isoformat())
        if at >= self.not_after:
            return _problem(self.secret, "expired", date=self.not_after.isoformat())
        return None


def read(secret: SecretDoc) -> KeyPair | Finding:
    """The key pair of a TLS Secret, or why it is none (always `tls-secret-invalid`)."""
    if secret.spec.type != TLS_TYPE:
        return _problem(secret, "type", type=secret.spec.type)
    pem = {name: _value(secret, name) for name in ("tls.crt", "tls.key")}
    for name, value in pem.items():
        if not value or len(value) > _MAX_BYTES:
            return _problem(secret, "missing-value", key=name)
    chain = read_chain(pem["tls.crt"] or b"")
    key = _key(pem["tls.key"] or b"")
    if chain is None or len(chain) > _MAX_CHAIN:
        return _problem(secret, "chain")
    if key is None:
        return _problem(secret, "key")
    if not _belongs(chain[0], key):
        return _problem(secret, "other-key")
    unfit = _unfit(chain[0], signs=isinstance(key, ec.EllipticCurvePrivateKey))
    if unfit:
        return _problem(secret, "unfit", why=unfit)
    return KeyPair(
        secret=secret,
        chain=write_chain(chain),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
        names=_names(chain[0]),
        not_before=chain[0].not_valid_before_utc,
        not_after=chain[0].not_valid_after_utc,
    )


def _problem(secret: SecretDoc, case: str, **values: object) -> Finding:
    return describe(f"tls-secret-invalid.{case}", secret=secret.ref, **values)


def _value(secret: SecretDoc, name: str) -> bytes | None:
    text = secret.spec.string_data.get(name)
    if text is not None:
        return text.encode()
    try:
        return base64.b64decode("".join(secret.spec.data.get(name, "").split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def read_chain(pem: bytes) -> list[x509.Certificate] | None:
    """The certificates of a PEM text, at least one; None when it is none, or not all can be read."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
        for certificate in chain:
            _ = certificate.subject, certificate.issuer  # read when asked for, by Envoy at once
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        return None
    return chain or None


def write_chain(chain: list[x509.Certificate]) -> str:
    """PEM, and nothing else that stood around it."""
    return "".join(c.public_bytes(serialization.Encoding.PEM).decode() for c in chain)


def _unfit(leaf: x509.Certificate, *, signs: bool) -> str:
    """Why Envoy would not serve with this certificate, or "". signs: its key can do nothing else."""
    try:
        extensions = leaf.extensions
    except _UNREADABLE:
        return "has extensions that cannot be read"
    for extension in extensions:
        value = extension.value
        if signs and isinstance(value, x509.KeyUsage) and not value.digital_signature:
            return "lacks the key usage digitalSignature"
        if isinstance(value, x509.TLSFeature) and x509.TLSFeatureType.status_request in value:
            return "requires a stapled OCSP response, which a gate does not send"
    return ""


def _key(pem: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, rsa.RSAPrivateKey):
        return key if key.key_size >= _MIN_RSA_BITS else None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key if isinstance(key.curve, _CURVES) else None
    return None


def _belongs(leaf: x509.Certificate, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bool:
    try:
        public = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return public == key.public_key()


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(sorted({name.lower() for name in names.get_values_for_type(x509.DNSName)}))
