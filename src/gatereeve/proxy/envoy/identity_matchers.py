"""Conditions of access rules as RBAC principals: who a caller proved to be, where from, what for.

A credential is believed where a stable filter wrote what it verified: jwt_authn's payload, and the
namespaces of API keys and client certificates. Of several valid credentials the JWT's principal
counts, then the API key's, then the certificate's (`ir.identity`), hence the guards: an identity
counts only when nothing above it was presented. Conditions are shared, so they must not be changed.
The stages refuse what was presented and does not verify before these conditions are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from envoy.config.rbac.v3 import rbac_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from gatereeve.core import plain_values
from gatereeve.ir import access, record_fields
from gatereeve.ir import identity as ids
from gatereeve.proxy.envoy import names, rbac

_APIKEY: Final = record_fields.APIKEY_NAMESPACE
_MTLS: Final = record_fields.MTLS_NAMESPACE
_JWT: Final = record_fields.JWT_NAMESPACE

_PLAIN_OR_NOTHING: Final = rbac.one_of(
    [
        value_pb2.ValueMatcher(
            string_match=string_pb2.StringMatcher(
                safe_regex={"regex": f"(?:{plain_values.CLAIM})?"}
            )
        ),
        value_pb2.ValueMatcher(null_match={}),
    ]
)

Source: TypeAlias = ids.ClaimSource | ids.HeaderSource | ids.CidrSource


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IdentityMatchers:
    """What one gate's rules can ask about. Equal by identity, so it can be a key of caches."""

    identity: ids.Identity
    attributes: ids.Attributes


def token_header(provider: str) -> str:
    """The key in jwt_authn's metadata under which the JOSE header of a provider's token stands; no
    name of a provider has a dot."""
    return f"{provider}.header"


@lru_cache(maxsize=1)
def presents_token() -> rbac_pb2.Principal:
    """An Authorization header: one that is no bearer token was refused before (`authorization`)."""
    return rbac.has_header("authorization")


@lru_cache(maxsize=16)
def has_token(matchers: IdentityMatchers) -> rbac_pb2.Principal:
    """A verified token that names its bearer in plain text."""
    named = value_pb2.ValueMatcher(
        string_match=string_pb2.StringMatcher(safe_regex={"regex": plain_values.CLAIM})
    )
    return rbac.any_of(
        [rbac.metadata(_JWT, (p.name, *p.id_claim), named) for p in matchers.identity.jwt]
    )


@lru_cache(maxsize=16)
def is_identified(matchers: IdentityMatchers) -> rbac_pb2.Principal:
    """The caller proved an identity, by any method."""
    methods = [rbac.is_text(_JWT, (p.name, *p.id_claim)) for p in matchers.identity.jwt]
    if matchers.identity.api_keys is not None:
        methods.append(rbac.is_present(_APIKEY, ("id",)))
    if matchers.identity.mtls is not None:
        methods.append(rbac.is_present(_MTLS, ("id",)))
    return rbac.any_of(methods)


@lru_cache(maxsize=16)
def invalid_credentials(matchers: IdentityMatchers) -> tuple[tuple[str, rbac_pb2.Principal], ...]:
    """What was presented and proves nothing, by name of the method."""
    conditions: list[tuple[str, rbac_pb2.Principal]] = []
    known = matchers.identity
    if known.jwt:
        bearer = rbac.all_of([presents_token(), rbac.negate(has_token(matchers))])
        conditions.append(("bearer-token", bearer))
        unknown = rbac.any_of(_extensions(matchers))
        conditions.append(("token-extension", unknown))
        odd = _odd_claims(matchers)
        if odd:
            conditions.append(("claim", rbac.any_of(odd)))
    if known.api_keys is not None:
        unknown = rbac.negate(rbac.is_present(_APIKEY, ("id",)))
        conditions.append(
            ("api-key", rbac.all_of([rbac.has_header(known.api_keys.header), unknown]))
        )
    if known.mtls is not None:
        unknown = rbac.negate(rbac.is_present(_MTLS, ("id",)))
        conditions.append(("client-certificate", rbac.all_of([rbac.has_certificate(), unknown])))
    return tuple(conditions)


def _extensions(matchers: IdentityMatchers) -> list[rbac_pb2.Principal]:
    """JOSE headers that change what a token means and that the gate does not understand: `crit`
    (RFC 7515 section 4.1.11), and `b64` (RFC 7797), which no JWT may have."""
    return [
        rbac.is_present(_JWT, (token_header(provider.name), name))
        for provider in matchers.identity.jwt
        for name in ("crit", "b64")
    ]


@lru_cache(maxsize=16384)
def _odd_claims(matchers: IdentityMatchers) -> list[rbac_pb2.Principal]:
    """Claims that rules ask about and that say something other than plain text."""
    sources = (*matchers.attributes.region, *matchers.attributes.purpose)
    conditions = []
    for source in sources:
        if isinstance(source, ids.ClaimSource):
            at = (_JWT, (source.provider, *source.claim))
            text = rbac.metadata(*at, _PLAIN_OR_NOTHING)
            conditions.append(rbac.all_of([rbac.is_present(*at), rbac.negate(text)]))
    for provider in matchers.identity.jwt:
        if provider.groups_claim is not None:  # a list of groups is passed on as JSON
            at = (_JWT, (provider.name, *provider.groups_claim))
            plain_text = rbac.metadata(*at, _PLAIN_OR_NOTHING)
            conditions.append(rbac.all_of([rbac.is_text(*at), rbac.negate(plain_text)]))
    return conditions


def is_subject(
    matchers: IdentityMatchers, subjects: tuple[access.SubjectMatch, ...]
) -> rbac_pb2.Principal:
    """Whether the caller is one of `subjects`; anonymous ones are not asked here."""
    by_method: dict[str, list[rbac_pb2.Principal]] = {"jwt": [], "apikey": [], "mtls": []}
    for subject in subjects:
        if isinstance(subject, access.IsAnonymous):
            continue
        method = matchers.identity.method(subject.provider)
        condition = None if method is None else _condition(matchers, method, subject)
        if method is not None and condition is not None:
            by_method[method].append(condition)
    return rbac.any_of(
        [
            rbac.all_of([*_guards(matchers, method), rbac.any_of(conditions)])
            for method, conditions in by_method.items()
            if conditions
        ]
    )


def _condition(
    matchers: IdentityMatchers,
    method: str,
    subject: access.IsPrincipal | access.InGroup | access.FromProvider,
) -> rbac_pb2.Principal | None:
    if method == "jwt":
        provider = next(p for p in matchers.identity.jwt if p.name == subject.provider)
        at = (provider.name, *provider.id_claim)
        if isinstance(subject, access.IsPrincipal):
            return rbac.metadata(_JWT, at, rbac.exact(subject.id))
        if isinstance(subject, access.FromProvider):
            return rbac.is_text(_JWT, at)
        if provider.groups_claim is None:
            return None
        groups = (provider.name, *provider.groups_claim)
        return rbac.metadata(_JWT, groups, rbac.listed(subject.group))
    namespace = _APIKEY if method == "apikey" else _MTLS
    if isinstance(subject, access.IsPrincipal):
        return rbac.metadata(namespace, ("id",), rbac.exact(subject.id))
    if isinstance(subject, access.FromProvider):
        return rbac.is_present(namespace, ("id",))
    return rbac.metadata(namespace, ("groups",), rbac.listed(subject.group))


def _guards(matchers: IdentityMatchers, method: str) -> list[rbac_pb2.Principal]:
    """Nothing with precedence over this method was presented."""
    guards = []
    if method != "jwt" and matchers.identity.jwt:
        guards.append(rbac.negate(presents_token()))
    if method == "mtls" and matchers.identity.api_keys is not None:
        guards.append(rbac.negate(rbac.has_header(matchers.identity.api_keys.header)))
    return guards


@lru_cache(maxsize=4096)
def is_from(matchers: IdentityMatchers, regions: tuple[str, ...]) -> rbac_pb2.Principal:
    """The caller's region is one of these (lower case; compared without regard to case)."""
    return _has_attribute("region", matchers.attributes.region, regions)


@lru_cache(maxsize=4096)
def is_for(matchers: IdentityMatchers, purposes: tuple[str, ...]) -> rbac_pb2.Principal:
    """The stated purpose is one of these (lower case; compared without regard to case)."""
    return _has_attribute("purpose", matchers.attributes.purpose, purposes)


def _has_attribute(
    attribute: str, sources: Sequence[Source], values: Sequence[str]
) -> rbac_pb2.Principal:
    """The first source that yields a value yields one of `values`."""
    wanted = rbac.one_of([rbac.exact(value, any_case=True) for value in values])
    alternatives: list[rbac_pb2.Principal] = []
    silent: list[rbac_pb2.Principal] = []
    for number, source in enumerate(sources):
        at = place(attribute, number, source)
        alternatives.append(rbac.all_of([*silent, rbac.metadata(*at, wanted)]))
        says = rbac.is_text if isinstance(source, ids.ClaimSource) else rbac.is_present
        silent.append(rbac.negate(says(*at)))
    return rbac.any_of(alternatives)


def place(attribute: str, number: int, source: Source) -> tuple[str, tuple[str, ...]]:
    """Where the value of one source stands in dynamic metadata: namespace and path."""
    if isinstance(source, ids.ClaimSource):
        return _JWT, (source.provider, *source.claim)
    return names.attribute_filter(attribute, number), ("value",)
