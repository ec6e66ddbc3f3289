"""The caller of a request: one principal, an anonymous caller, or an invalid credential.

Every configured method may identify the caller. One invalid credential makes the gate refuse the
request, even if another one is valid. Of several valid ones the JWT's principal is used, then the API
key's, then the client certificate's. Access is decided in `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from gatereeve.core.plain_values import is_plain_claim
from gatereeve.core.refs import Origin
from gatereeve.decide import tokens
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.decide.principals import AssumedIdentity, Claims, Principal
from gatereeve.decide.tokens import Invalid
from gatereeve.ir.identity import (
    ApiKeyProvider,
    Attributes,
    ClaimSource,
    Identity,
    JwtProvider,
    MtlsProvider,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifiedCaller:
    """principal: None for an anonymous caller. claims: of the verified token; empty without one.

    proved: the principal of a lower method, if a credential above it is invalid; rules do not see it.
    invalid: the credential that does not verify; the gate answers 401. bad_token: whether it is the
    Authorization header; such a request is refused before its body is read.
    """

    principal: Principal | None = None
    proved: Principal | None = None
    claims: Claims = field(default_factory=lambda: MappingProxyType({}))
    invalid: Invalid | None = None
    bad_token: bool = False
    origin: Origin | None = None


def identify(
    identity: Identity, attributes: Attributes, entry: CanonicalRequest, *, now: datetime
) -> IdentifiedCaller:
    """Return the caller of `entry`. now: the time at which tokens must be valid."""
    token_caller = _identify_by_token(identity.jwt, attributes, entry, now)
    if token_caller.bad_token:
        return token_caller
    others = (
        _identify_by_key(identity.api_keys, entry),
        _identify_by_certificate(identity.mtls, entry),
    )
    proved = next((o.principal for o in others if o.principal is not None), None)
    if token_caller.invalid is not None:
        return replace(token_caller, proved=proved)
    for other in others:
        if other.invalid is not None:
            return IdentifiedCaller(
                principal=token_caller.principal,
                proved=proved,
                claims=token_caller.claims,
                invalid=other.invalid,
                origin=other.origin,
            )
    return next((c for c in (token_caller, *others) if c.principal is not None), IdentifiedCaller())


def assume_caller(identity: Identity, assumed: AssumedIdentity) -> IdentifiedCaller:
    """Return the caller that `assumed` names, with the groups that the gate knows."""
    method = identity.method(assumed.provider)
    if method == "jwt":
        provider = next(p for p in identity.jwt if p.name == assumed.provider)
        groups = assumed.groups or _read_groups(provider, assumed.claims)
        principal = Principal(
            provider=provider.name,
            id=assumed.id,
            method="jwt",
            issuer=provider.issuer,
            groups=groups,
        )
        return IdentifiedCaller(principal=principal, claims=assumed.claims, origin=provider.origin)
    known: tuple[tuple[str, tuple[str, ...], Origin], ...] = ()
    if method == "apikey" and identity.api_keys is not None:
        known = tuple((k.id, k.groups, k.origin) for k in identity.api_keys.keys)
    if method == "mtls" and identity.mtls is not None:
        known = tuple((i.id, i.groups, i.origin) for i in identity.mtls.identities)
    for name, groups, origin in known:
        if name == assumed.id:
            principal = Principal(
                provider=assumed.provider,
                id=name,
                method="apikey" if method == "apikey" else "mtls",
                groups=assumed.groups or groups,
            )
            return IdentifiedCaller(principal=principal, origin=origin)
    return IdentifiedCaller(
        invalid=Invalid(why=f"this gate has no identity {assumed.provider}/{assumed.id}")
    )


def _identify_by_token(
    providers: tuple[JwtProvider, ...],
    attributes: Attributes,
    entry: CanonicalRequest,
    now: datetime,
) -> IdentifiedCaller:
    if not providers:
        return IdentifiedCaller()
    header = entry.joined("authorization")
    if header is None:
        return IdentifiedCaller()
    token = tokens.parse_bearer(header)
    if isinstance(token, Invalid):
        return IdentifiedCaller(invalid=token, bad_token=True)
    verified = tokens.verify(token, providers, now=now)
    if isinstance(verified, Invalid):
        return IdentifiedCaller(invalid=verified, bad_token=True)
    provider, claims = verified.provider, verified.claims
    name = tokens.read_claim(claims, provider.id_claim)
    if not isinstance(name, str) or not name:
        return IdentifiedCaller(
            invalid=Invalid(
                why=f"the token has no string in the claim {'.'.join(provider.id_claim)}"
            ),
            origin=provider.origin,
        )
    principal = Principal(
        provider=provider.name,
        id=name,
        method="jwt",
        issuer=provider.issuer,
        groups=_read_groups(provider, claims),
    )
    why = ""
    if verified.extension is not None:
        why = f"the token has the header {verified.extension!r}, which gates do not support"
    elif not is_plain_claim(name):
        why = (
            f"the claim {'.'.join(provider.id_claim)} has control characters, or spaces at its ends"
        )
    elif (path := _find_unusable_claim(attributes, provider, claims)) is not None:
        why = f"the claim {'.'.join(path)}, which rules use, is not a string, or has control characters or spaces at its ends"
    return IdentifiedCaller(
        principal=principal,
        claims=claims,
        invalid=Invalid(why=why) if why else None,
        origin=provider.origin,
    )


def _find_unusable_claim(
    attributes: Attributes, provider: JwtProvider, claims: Claims
) -> tuple[str, ...] | None:
    """Return the first claim that rules use and that is not plain text. Groups may be a list."""
    sources = (*attributes.region, *attributes.purpose)
    for path in (
        s.claim for s in sources if isinstance(s, ClaimSource) and s.provider == provider.name
    ):
        if is_unusable_claim(tokens.read_claim(claims, path)):
            return tuple(path)
    groups = provider.groups_claim
    if groups is None:
        return None
    value = tokens.read_claim(claims, groups)
    return tuple(groups) if isinstance(value, str) and is_unusable_claim(value) else None


def is_unusable_claim(value: object) -> bool:
    """Whether a claim has a value that is not plain text. Absent, null and "" are no value."""
    if isinstance(value, str):
        return value != "" and not is_plain_claim(value)
    return value is not None


def _read_groups(provider: JwtProvider, claims: Claims) -> tuple[str, ...]:
    """Return the strings of a list claim, or of a string claim, in order and without duplicates."""
    if provider.groups_claim is None:
        return ()
    value = tokens.read_claim(claims, provider.groups_claim)
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(v for v in values if isinstance(v, str)))


def _identify_by_key(provider: ApiKeyProvider | None, entry: CanonicalRequest) -> IdentifiedCaller:
    if provider is None:
        return IdentifiedCaller()
    value = entry.joined(provider.header)
    if value is None:
        return IdentifiedCaller()
    for key in provider.keys:
        if key.secret == value:
            principal = Principal(
                provider=provider.name, id=key.id, method="apikey", groups=key.groups
            )
            return IdentifiedCaller(principal=principal, origin=key.origin)
    return IdentifiedCaller(
        invalid=Invalid(why=f"the header {provider.header} has no known key, or is repeated"),
        origin=provider.origin,
    )


def _identify_by_certificate(
    provider: MtlsProvider | None, entry: CanonicalRequest
) -> IdentifiedCaller:
    """Identify by the single URI name, else by the single DNS name of the client certificate. Several
    names of one type identify no caller, because the gate cannot know which one is meant."""
    certificate = entry.certificate
    if provider is None or certificate is None or entry.scheme != "https":
        return IdentifiedCaller()
    uri = certificate.uris[0] if len(certificate.uris) == 1 else None
    dns = certificate.dns[0] if len(certificate.dns) == 1 else None
    matches = [i for i in provider.identities if i.uri is not None and i.uri == uri]
    if dns is not None and dns.isascii():  # RFC 4343: DNS names have no case
        matches += [i for i in provider.identities if i.dns == dns.lower()]
    if not matches:
        return IdentifiedCaller(
            invalid=Invalid(why="the client certificate has no name that this gate knows"),
            origin=provider.origin,
        )
    match = matches[0]
    principal = Principal(provider=provider.name, id=match.id, method="mtls", groups=match.groups)
    return IdentifiedCaller(principal=principal, origin=match.origin)
