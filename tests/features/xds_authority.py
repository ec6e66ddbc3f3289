"""A certificate authority for one test: gates, servers, and strangers."""

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gatereeve.proxy.xds import peers, server


class Authority:
    """Issues certificates for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        builder = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.pem = _pem(builder.sign(self._key, hashes.SHA256()))

    def issue(self, *sans: x509.GeneralName) -> tuple[bytes, bytes]:
        """(private key, certificate), both PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
        builder = self._builder(subject, key.public_key())
        if sans:
            builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return private, _pem(builder.sign(self._key, hashes.SHA256()))

    def for_gate(self, gate: str) -> tuple[bytes, bytes]:
        return self.issue(x509.UniformResourceIdentifier(f"{peers.GATE_URI}{gate}"))

    def server_tls(self) -> server.MutualTls:
        key, chain = self.issue(x509.DNSName("localhost"))
        return server.MutualTls(certificate_chain=chain, private_key=key, client_authority=self.pem)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=1))
            .not_valid_after(now + dt.timedelta(hours=1))
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
