"""Keys and certificates: made, and read. The only place of the runtime that makes keys.

ECDSA over P-256 throughout (RFC 5480), certificates by RFC 5280. Certificates of holders serve and
call: a controller serves xDS and asks gates, a gate reads xDS and answers controllers.
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


def new_authority(now: datetime, policy: CertificatePolicy) -> Bundle:
    """A self-signed authority that may sign leaves and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Gatereeve authority", now)
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
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Bundle(certificate=certificate.public_bytes(_PEM), key=_private(key))


def issue(
    now: datetime,
    wanted: WantedCertificate,
    authority: Bundle,
    trust: Iterable[Bundle],
    policy: CertificatePolicy,
) -> Bundle:
    """A fresh key with its certificate; it does not outlive the authority."""
    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise PublishError("the authority's key is not of the kind that is made here")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder(
            issuer_name=signer.subject,
            subject_name=_name(wanted.name, now),
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - policy.skew,
            not_valid_after=min(now + policy.leaf_life, signer.not_valid_after_utc),
        )
        .add_extension(x509.SubjectAlternativeName(list(_san(wanted))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
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
    return Bundle(certificate=pem, key=_private(key), trust=joined(trust))


def joined(authorities: Iterable[Bundle]) -> bytes:
    """The certificates of authorities as one PEM text."""
    return b"".join(one.certificate for one in authorities)


def facts_of(bundle: Bundle) -> CertificateFacts | None:
    """What a bundle says; None when it cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(bundle.certificate)
        key = serialization.load_pem_private_key(bundle.key, None)
        trust = x509.load_pem_x509_certificates(bundle.trust) if bundle.trust.strip() else []
        return CertificateFacts(
            own=_own_id(certificate),
            issuer=_issuer_id(certificate),
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fits=_public(key.public_key()) == _public(certificate.public_key()),
            trust=tuple(_own_id(one) for one in trust),
        )
    except (ValueError, TypeError, InvalidKey, UnsupportedAlgorithm, x509.ExtensionNotFound,
            x509.DuplicateExtension):  # fmt: skip
        return None


def is_whole(bundle: Bundle) -> bool:
    """Whether a bundle, of whoever issued it, can be used: all parts there, the key its own."""
    try:
        certificate = x509.load_pem_x509_certificate(bundle.certificate)
        key = serialization.load_pem_private_key(bundle.key, None)
        public = key.public_key().public_bytes(_PEM, _SPKI)
        own = certificate.public_key().public_bytes(_PEM, _SPKI)
        return public == own and bool(x509.load_pem_x509_certificates(bundle.trust))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def expiry_of(certificate: bytes) -> datetime | None:
    """When the first certificate of a PEM text ends; None when it cannot be read."""
    try:
        return x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return None


def _own_id(certificate: x509.Certificate) -> str:
    found = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return found.value.digest.hex()


def _issuer_id(certificate: x509.Certificate) -> str:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return _own_id(certificate)
    return (found.value.key_identifier or b"").hex()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(
        sorted(
            (
                *found.get_values_for_type(x509.DNSName),
                *found.get_values_for_type(x509.UniformResourceIdentifier),
                *map(str, found.get_values_for_type(x509.IPAddress)),
            )
        )
    )


def _san(wanted: WantedCertificate) -> Iterable[x509.GeneralName]:
    for name in wanted.dns:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            yield x509.DNSName(name)
    for uri in wanted.uris:
        yield x509.UniformResourceIdentifier(uri)


def _name(common: str, now: datetime) -> x509.Name:
    """Two authorities differ in name too, by the day; OpenSSL looks issuers up by name."""
    text = f"{common[:48]} {now:%Y-%m-%d}"
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _public(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("not a key of the kind that is made here")
    return key.public_bytes(_PEM, _SPKI)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
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
