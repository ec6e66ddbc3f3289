"""Creates and parses keys and certificates: ECDSA over P-256 (RFC 5480), X.509 (RFC 5280).

Leaf certificates are for servers and clients: a controller serves xDS and calls the agents of gates.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidKey, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatereeve.core.errors import PublishError
from gatereeve.pki.certificate_plan import (
    Bundle,
    CertificateFacts,
    CertificatePolicy,
    WantedCertificate,
)

_PEM: Final = serialization.Encoding.PEM
_SPKI: Final = serialization.PublicFormat.SubjectPublicKeyInfo


def create_authority(now: datetime, policy: CertificatePolicy) -> Bundle:
    """Return a self-signed authority that may sign only leaf certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _make_name("Gatereeve authority", now)
    certificate = (
        x509.CertificateBuilder(
            issuer_name=name,
            subject_name=name,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - policy.skew,
            not_valid_after=now + policy.authority_life,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(make_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Bundle(certificate=certificate.public_bytes(_PEM), key=_write_key(key))


def issue(
    now: datetime,
    wanted: WantedCertificate,
    authority: Bundle,
    trust: Iterable[Bundle],
    policy: CertificatePolicy,
) -> Bundle:
    """Return a new key and its certificate, which expires no later than the authority."""
    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise PublishError("the key of the authority is not an ECDSA key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder(
            issuer_name=signer.subject,
            subject_name=_make_name(wanted.name, now),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - policy.skew,
            not_valid_after=min(now + policy.leaf_life, signer.not_valid_after_utc),
        )
        .add_extension(x509.SubjectAlternativeName(list(_make_san(wanted))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(make_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            ),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
        .sign(signing_key, hashes.SHA256())
    )
    pem = certificate.public_bytes(_PEM)
    return Bundle(certificate=pem, key=_write_key(key), trust=join_certificates(trust))


def join_certificates(authorities: Iterable[Bundle]) -> bytes:
    """Return the certificates of authorities as one PEM text."""
    return b"".join(authority.certificate for authority in authorities)


def read_facts(bundle: Bundle) -> CertificateFacts | None:
    """Return the facts of a bundle, or None if it cannot be parsed."""
    try:
        certificate = x509.load_pem_x509_certificate(bundle.certificate)
        key = serialization.load_pem_private_key(bundle.key, None)
        trust = x509.load_pem_x509_certificates(bundle.trust) if bundle.trust.strip() else []
        return CertificateFacts(
            own=_read_own_id(certificate),
            issuer=_read_issuer_id(certificate),
            names=_read_names(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fits=_write_public_key(key.public_key()) == _write_public_key(certificate.public_key()),
            trust=tuple(_read_own_id(authority) for authority in trust),
        )
    except (ValueError, TypeError, InvalidKey, UnsupportedAlgorithm, x509.ExtensionNotFound,
            x509.DuplicateExtension):  # fmt: skip
        return None


def is_whole(bundle: Bundle) -> bool:
    """Whether a bundle of any issuer is complete and its key belongs to the certificate."""
    try:
        certificate = x509.load_pem_x509_certificate(bundle.certificate)
        key = serialization.load_pem_private_key(bundle.key, None)
        public = key.public_key().public_bytes(_PEM, _SPKI)
        own = certificate.public_key().public_bytes(_PEM, _SPKI)
        return public == own and bool(x509.load_pem_x509_certificates(bundle.trust))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def read_expiry(certificate: bytes) -> datetime | None:
    """Return the expiry of the first certificate of a PEM text, or None if it cannot be parsed."""
    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return None


def _read_own_id(certificate: x509.Certificate) -> str:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return extension.value.digest.hex()


def _read_issuer_id(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return _read_own_id(certificate)
    return (extension.value.key_identifier or b"").hex()


def _read_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    names = (
        *san.get_values_for_type(x509.DNSName),
        *san.get_values_for_type(x509.UniformResourceIdentifier),
        *map(str, san.get_values_for_type(x509.IPAddress)),
    )
    return tuple(sorted(names))


def _make_san(wanted: WantedCertificate) -> Iterable[x509.GeneralName]:
    for name in wanted.dns:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)
    for uri in wanted.uris:
        yield x509.UniformResourceIdentifier(uri)


def _make_name(common: str, now: datetime) -> x509.Name:
    """Return a name with the date, so that OpenSSL finds the right one of two authorities by name."""
    text = f"{common[:48]} {now:%Y-%m-%d}"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write_public_key(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("not an ECDSA key")
    return key.public_bytes(_PEM, _SPKI)


def _write_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def make_key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the key usage of an authority or of a leaf."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
