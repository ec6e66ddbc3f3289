"""Who may prove to be whom, and where attributes come from, as a gate must do it.

A principal is always `provider/id`. Precedence when several valid credentials are presented:
JWT, then API key, then client certificate. No key set here is unchecked: compile vetted them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatereeve.core.refs import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtProvider:
    """Bearer tokens of one issuer. The Authorization header is exactly one token, or it is refused.

    jwks: vetted key set as canonical JSON text; an empty key set admits no caller.
    id_claim, groups_claim: path into the payload. leeway_s: clock skew for exp and nbf, seconds.
    """

    name: str
    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    id_claim: tuple[str, ...]
    groups_claim: tuple[str, ...] | None
    leeway_s: int
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """secret is the key itself: never printed, redacted in every dump."""

    id: str
    groups: tuple[str, ...]
    secret: str = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeyProvider:
    """header in lower case. Keys are unique."""

    name: str
    header: str
    keys: tuple[ApiKey, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateIdentity:
    """One SAN. Exactly one of uri and dns is not None."""

    id: str
    groups: tuple[str, ...]
    uri: str | None
    dns: str | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class MtlsProvider:
    """ca: PEM bundle, vetted. A certificate that it did not sign fails the handshake."""

    name: str
    ca: str
    identities: tuple[CertificateIdentity, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    jwt: tuple[JwtProvider, ...] = ()
    api_keys: ApiKeyProvider | None = None
    mtls: MtlsProvider | None = None

    def method(self, provider: str) -> str | None:
        """jwt, apikey or mtls; None for a provider that is not there."""
        if any(p.name == provider for p in self.jwt):
            return "jwt"
        if self.api_keys is not None and self.api_keys.name == provider:
            return "apikey"
        if self.mtls is not None and self.mtls.name == provider:
            return "mtls"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSource:
    """An attribute from a verified token of `provider`. Null and "" say nothing; what is there and
    is no text makes the token invalid: no weaker source may stand in for it."""

    provider: str
    claim: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSource:
    """An attribute from a header (lower-case name), believed only from peers in `trusted` (CIDRs).

    The peer is the direct address of the connection, before X-Forwarded-For.
    """

    name: str
    trusted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CidrSource:
    """A region by client address (after trusted X-Forwarded-For hops): (CIDR, region).

    Longest prefix wins; no CIDR stands twice; sorted by network.
    """

    entries: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """The first source that yields a value decides. Values are compared without regard to case."""

    region: tuple[ClaimSource | HeaderSource | CidrSource, ...] = ()
    purpose: tuple[ClaimSource | HeaderSource, ...] = ()
