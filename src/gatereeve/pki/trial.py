"""Certificates for a trial on a laptop, valid for 30 days. The key of the CA is not stored."""

from __future__ import annotations

import contextlib
import ipaddress
from datetime import datetime, timedelta

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import TypeAdapter, ValidationError

from gatereeve.api import spec
from gatereeve.core.errors import SettingsError
from gatereeve.pki.signing import make_key_usage

_VALID = timedelta(days=30)
_HOST: TypeAdapter[str] = TypeAdapter(spec.Host)
_NAME: TypeAdapter[str] = TypeAdapter(spec.Name)
_LABEL: TypeAdapter[str] = TypeAdapter(spec.Label)


def trial_certificate(
    hosts: tuple[str, ...], *, name: str, namespace: str, now: datetime
) -> tuple[str, str]:
    """Return a TLS Secret for `hosts` as YAML, and the PEM of its CA.

    now: the certificate is valid from five minutes before. Raises SettingsError for an invalid host, name
    or namespace.
    """
    _check_names(hosts, name, namespace)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gatereeve trial CA")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    base = x509.CertificateBuilder(
        issuer_name=issuer,
        not_valid_before=now - timedelta(minutes=5),
        not_valid_after=now + _VALID,
    )
    authority = (
        base.subject_name(issuer)
        .public_key(ca_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(make_key_usage(signs_certificates=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        base.subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(make_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": leaf.public_bytes(pem).decode(), "tls.key": private.decode()},
    }
    return yaml.safe_dump(secret, sort_keys=False), authority.public_bytes(pem).decode()


def _check_names(hosts: tuple[str, ...], name: str, namespace: str) -> None:
    wanted = (
        (_HOST, hosts, "host", "write a DNS name in lower case, or `*.` and one: *.example"),
        (_NAME, (name,), "name of a Secret", "use lower-case letters, digits, `-` and `.`"),
        (_LABEL, (namespace,), "namespace", "use lower-case letters, digits and `-`, at most 63"),
    )
    for read, values, what, hint in wanted:
        for value in values:
            try:
                read.validate_python(value)
            except ValidationError:
                raise SettingsError(f"{value[:80]!r} is not a {what}", hint=hint) from None
    for host in hosts:
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            raise SettingsError(
                f"{host} is an address and not a host", hint="write the host that clients use"
            )
