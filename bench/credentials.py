"""Keys, certificates and tokens of the benchmarks: made anew, valid for a month, worth nothing.

One authority, one server certificate for every host, one identity provider, one partner key.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from examples.lending import pki

from bench import documents

KEY_ID = "bench-1"


@dataclass(frozen=True)
class Credentials:
    """What the documents and the callers of one run need."""

    authority: pki.Pair
    server: pki.Pair
    signing_key: ec.EllipticCurvePrivateKey
    api_key: str

    @cached_property
    def token(self) -> str:
        """A JWT (ES256) of PROBE, valid for a day, with groups, a country and a purpose."""
        now = int(time.time())
        claims = {
            "iss": documents.ISSUER,
            "aud": documents.AUDIENCE,
            "sub": documents.PROBE,
            "iat": now,
            "exp": now + 86_400,
            "groups": ["team-0", "team-1"],
            "country": "de",
            "purpose": "purpose-2",
        }
        return pki.sign_token(self.signing_key, KEY_ID, claims)

    def setup(self, *, https: int, backend: int) -> documents.GateSetup:
        """The documents' half. https, backend: ports on 127.0.0.1."""
        return documents.GateSetup(
            https=https,
            certificate=self.server.certificate_pem,
            key=self.server.key_pem,
            jwks=pki.make_jwks(self.signing_key, KEY_ID),
            api_key=self.api_key,
            backend=backend,
        )

    def write_authority(self, file: Path) -> Path:
        """The certificate that callers trust, as PEM."""
        file.write_text(self.authority.certificate_pem, "ascii")
        return file


def make() -> Credentials:
    authority = pki.make_ca("Benchmark CA")
    return Credentials(
        authority=authority,
        server=pki.issue_server(authority, "bench.example", "*.bench.example"),
        signing_key=pki.make_key(),
        api_key=secrets.token_urlsafe(32),
    )
