"""Certificates and the client CA, by SDS: a renewal changes a secret and no connection.

The only module through which private keys pass; `dumps` redacts what it builds.
"""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2

from gatereeve.ir.gates import Certificate
from gatereeve.ir.identity import MtlsProvider

CLIENT_CA: Final = "client-ca"


def certificate_name(certificate: Certificate) -> str:
    """Names of certificates hold a namespace, so none of them is CLIENT_CA."""
    return certificate.name


def build_certificate(certificate: Certificate) -> secret_pb2.Secret:
    return secret_pb2.Secret(
        name=certificate_name(certificate),
        tls_certificate=common_pb2.TlsCertificate(
            certificate_chain=base_pb2.DataSource(inline_string=certificate.chain),
            private_key=base_pb2.DataSource(inline_string=certificate.key),
        ),
    )


def build_client_ca(provider: MtlsProvider) -> secret_pb2.Secret:
    return secret_pb2.Secret(
        name=CLIENT_CA,
        validation_context=common_pb2.CertificateValidationContext(
            trusted_ca=base_pb2.DataSource(inline_string=provider.ca)
        ),
    )
