"""Who calls: credentials of a request to one principal, or to nobody, or to a refusal.

Design section 5.2: any configured method may identify; a presented but invalid credential counts
against the request even if another is valid; of several valid ones the JWT's principal counts, then
the API key's, then the certificate's. Decides nothing about access.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from gatereeve.core.plain_values import is_plain_claim
from gatereeve.core.refs import Origin
from gatereeve.decide import tokens
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.decide.principals import Assumed, Claims, Principal
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
    """principal: None for nobody. claims: of the verified token; empty without one.

    proved: who was proved, if rules hear of nobody since a credential above that one is invalid.
    invalid: the credential that was presented and does not verify; the gate answers 401 for it.
    bad_token: whether that is an Authorization header that holds no token that verifies: it is
    refused before the body is read.
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
    """The caller of `entry`. now: the instant at which tokens are judged."""
    by_token = _by_token(identity.jwt, attributes, entry, now)
    if by_token.bad_token:
        return by_token
    others = (_by_key(identity.api_keys, entry), _by_certificate(identity.mtls, entry))
    proved = next((o.principal for o in others if o.principal is not None), None)
    if by_token.invalid is not None:
        return replace(by_token, proved=proved)
    for other in others:
        if other.invalid is not None:
            return IdentifiedCaller(
                principal=by_token.principal,
                proved=proved,
                claims=by_token.claims,
                invalid=other.invalid,
                origin=other.origin,
            )
    return next((c for c in (by_token, *others) if c.principal is not None), IdentifiedCaller())


def assume_caller(identity: Identity, assumed: Assumed) -> IdentifiedCaller:
    """The caller that `assumed` names, with the groups that the gate would know of."""
    method = identity.method(assumed.provider)
    if method == "jwt":
        provider = next(p for p in identity.jwt if p.name == assumed.provider)
        groups = assumed.groups or _groups(provider, assumed.claims)
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
        invalid=Invalid(why=f"this gate knows no {assumed.provider}/{assumed.id}")
    )


def _by_token(
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
    token = tokens.bearer(header)
    if isinstance(token, Invalid):
        return IdentifiedCaller(invalid=token, bad_token=True)
    verified = tokens.verify(token, providers, now=now)
    if isinstance(verified, Invalid):
        return IdentifiedCaller(invalid=verified, bad_token=True)
    provider, claims = verified.provider, verified.claims
    name = tokens.claim(claims, provider.id_claim)
    if not isinstance(name, str) or not name:
        return IdentifiedCaller(
            invalid=Invalid(why=f"the token has no text in {'.'.join(provider.id_claim)}"),
            origin=provider.origin,
        )
    principal = Principal(
        provider=provider.name,
        id=name,
        method="jwt",
        issuer=provider.issuer,
        groups=_groups(provider, claims),
    )
    why = ""
    if verified.extension is not None:
        why = f"the token has the header {verified.extension!r}, which no gate knows"
    elif not is_plain_claim(name):
        why = f"{'.'.join(provider.id_claim)} holds control characters, or spaces at its ends"
    elif (odd := _odd_claim(attributes, provider, claims)) is not None:
        why = f"the claim {'.'.join(odd)}, which rules ask about, is no text, or one with control characters or spaces at its ends"
    return IdentifiedCaller(
        principal=principal,
        claims=claims,
        invalid=Invalid(why=why) if why else None,
        origin=provider.origin,
    )


def _odd_claim(
    attributes: Attributes, provider: JwtProvider, claims: Claims
) -> tuple[str, ...] | None:
    """The first claim that rules ask about and that is no plain text. Groups may be a list."""
    for path in _asked(attributes, provider):
        if is_odd(tokens.claim(claims, path)):
            return tuple(path)
    groups = provider.groups_claim
    if groups is None:
        return None
    value = tokens.claim(claims, groups)
    return tuple(groups) if isinstance(value, str) and is_odd(value) else None


def is_odd(value: object) -> bool:
    """Whether a claim says something that is no plain text. Nothing, null and "" say nothing."""
    if isinstance(value, str):
        return value != "" and not is_plain_claim(value)
    return value is not None


def _asked(attributes: Attributes, provider: JwtProvider) -> list[tuple[str, ...]]:
    """The claims of a provider's tokens that tell region or purpose."""
    sources = (*attributes.region, *attributes.purpose)
    return [s.claim for s in sources if isinstance(s, ClaimSource) and s.provider == provider.name]


def _groups(provider: JwtProvider, claims: Claims) -> tuple[str, ...]:
    """A list of texts, or one text; anything else is no group. Order kept, doubles removed."""
    if provider.groups_claim is None:
        return ()
    value = tokens.claim(claims, provider.groups_claim)
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(v for v in values if isinstance(v, str)))


def _by_key(provider: ApiKeyProvider | None, entry: CanonicalRequest) -> IdentifiedCaller:
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
        invalid=Invalid(why=f"{provider.header} holds no known key, or is sent twice"),
        origin=provider.origin,
    )


def _by_certificate(provider: MtlsProvider | None, entry: CanonicalRequest) -> IdentifiedCaller:
    """By its one URI name, else by its one DNS name. Several of a kind name nobody: which of them
    was meant is not the gate's to guess."""
    certificate = entry.certificate
    if provider is None or certificate is None or entry.scheme != "https":
        return IdentifiedCaller()
    uri = certificate.uris[0] if len(certificate.uris) == 1 else None
    dns = certificate.dns[0] if len(certificate.dns) == 1 else None
    named = [i for i in provider.identities if i.uri is not None and i.uri == uri]
    named += [i for i in provider.identities if i.dns is not None and i.dns == dns]
    if not named:
        return IdentifiedCaller(
            invalid=Invalid(why="the client certificate holds no name that this gate knows"),
            origin=provider.origin,
        )
    found = named[0]
    principal = Principal(provider=provider.name, id=found.id, method="mtls", groups=found.groups)
    return IdentifiedCaller(principal=principal, origin=found.origin)
