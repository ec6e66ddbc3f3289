"""Words of Envoy's RBAC: conditions over headers and metadata, policies, engines.

Only exact, prefix and presence matchers on what a client sends: a pattern over bytes that are no
UTF-8 does not match, and a deny rule that does not match is open (knowledge: Envoy 8). Patterns
stand on values of verified tokens, which are UTF-8, and on paths: what does not match is refused
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.type.matcher.v3 import metadata_pb2, path_pb2, string_pb2, value_pb2
from google.protobuf import any_pb2

from gatereeve.proxy.envoy import packing, wire

ALLOW: Final = rbac_pb2.RBAC.ALLOW
DENY: Final = rbac_pb2.RBAC.DENY

_TEXT = value_pb2.ValueMatcher(
    string_match=string_pb2.StringMatcher(safe_regex={"regex": "(?s).+"})
)
_PRESENT = value_pb2.ValueMatcher(present_match=True)


def anybody() -> rbac_pb2.Principal:
    return rbac_pb2.Principal(any=True)


def negate(condition: rbac_pb2.Principal) -> rbac_pb2.Principal:
    return rbac_pb2.Principal(not_id=condition)


def all_of(conditions: Sequence[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    """Every one of `conditions`; of none, every caller."""
    if not conditions:
        return anybody()
    if len(conditions) == 1:
        return conditions[0]
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=conditions))


def any_of(conditions: Sequence[rbac_pb2.Principal]) -> rbac_pb2.Principal:
    """Any one of `conditions`; of none, no caller."""
    if not conditions:
        return negate(anybody())
    if len(conditions) == 1:
        return conditions[0]
    return rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=conditions))


def metadata(
    namespace: str, path: Iterable[str], value: value_pb2.ValueMatcher
) -> rbac_pb2.Principal:
    """Dynamic metadata at a path. A missing value matches nothing."""
    return rbac_pb2.Principal(
        sourced_metadata=rbac_pb2.SourcedMetadata(
            metadata_matcher=metadata_pb2.MetadataMatcher(
                filter=namespace,
                path=[metadata_pb2.MetadataMatcher.PathSegment(key=key) for key in path],
                value=value,
            ),
            metadata_source=rbac_pb2.DYNAMIC,
        )
    )


def is_present(namespace: str, path: Iterable[str]) -> rbac_pb2.Principal:
    return metadata(namespace, path, _PRESENT)


def is_text(namespace: str, path: Iterable[str]) -> rbac_pb2.Principal:
    """The value there is a text that is not empty."""
    return metadata(namespace, path, _TEXT)


def exact(text: str, *, any_case: bool = False) -> value_pb2.ValueMatcher:
    """A value that is exactly this text."""
    return value_pb2.ValueMatcher(
        string_match=string_pb2.StringMatcher(exact=text, ignore_case=any_case)
    )


def beginning(text: str) -> value_pb2.ValueMatcher:
    """A value that begins with this text."""
    return value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(prefix=text))


def one_of(values: Sequence[value_pb2.ValueMatcher]) -> value_pb2.ValueMatcher:
    """A value that one of the matchers takes."""
    if len(values) == 1:
        return values[0]
    return value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=values))


def listed(text: str) -> value_pb2.ValueMatcher:
    """A list that holds this text, or the text itself."""
    inside = value_pb2.ListMatcher(one_of=exact(text))
    return one_of([value_pb2.ValueMatcher(list_match=inside), exact(text)])


def has_header(name: str) -> rbac_pb2.Principal:
    return rbac_pb2.Principal(
        header=route_components_pb2.HeaderMatcher(name=name, present_match=True)
    )


def header(name: str, text: string_pb2.StringMatcher) -> rbac_pb2.Principal:
    """A header one of whose values a StringMatcher takes."""
    return rbac_pb2.Principal(
        header=route_components_pb2.HeaderMatcher(name=name, string_match=text)
    )


def has_certificate() -> rbac_pb2.Principal:
    """The client presented a certificate, which TLS has verified.

    The header is Envoy's own: the connection manager removes what clients send under this name.
    (`Principal.authenticated` without a name holds for every TLS connection, certificate or none.)
    """
    return has_header("x-forwarded-client-cert")


def everything() -> rbac_pb2.Permission:
    return rbac_pb2.Permission(any=True)


def path_like(pattern: str) -> rbac_pb2.Permission:
    """A path, without its query, that the RE2 pattern takes as a whole."""
    text = string_pb2.StringMatcher(safe_regex={"regex": pattern})
    return rbac_pb2.Permission(url_path=path_pb2.PathMatcher(path=text))


def path_unlike(pattern: str) -> rbac_pb2.Permission:
    """A path, without its query, that the RE2 pattern does not take as a whole."""
    return rbac_pb2.Permission(not_rule=path_like(pattern))


def either(*permissions: rbac_pb2.Permission) -> rbac_pb2.Permission:
    """At least one of the permissions."""
    return rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=permissions))


def of_route(namespace: str, key: str, value: value_pb2.ValueMatcher) -> rbac_pb2.Permission:
    """A value in the chosen route's own metadata, which no request can touch."""
    return rbac_pb2.Permission(
        sourced_metadata=rbac_pb2.SourcedMetadata(
            metadata_matcher=metadata_pb2.MetadataMatcher(
                filter=namespace,
                path=[metadata_pb2.MetadataMatcher.PathSegment(key=key)],
                value=value,
            ),
            metadata_source=rbac_pb2.ROUTE,
        )
    )


def policy(principal: rbac_pb2.Principal, permission: rbac_pb2.Permission | None = None) -> bytes:
    """A serialised `Policy`, which matches when the principal and the permission do."""
    made = rbac_pb2.Policy(
        permissions=[everything() if permission is None else permission], principals=[principal]
    )
    return wire.serialize(made)


def rules(action: int, policies: Mapping[str, bytes]) -> bytes:
    """A serialised `RBAC`: policies by name; they are tried in the order of their names.

    DENY refuses what a policy matches, ALLOW what none matches.
    """
    entries = (wire.field(_POLICIES, wire.entry(name, policies[name])) for name in sorted(policies))
    return _ACTIONS[action] + b"".join(entries)


def config(
    prefix: str = "",
    enforced: bytes | None = None,
    *,
    shadow: bytes | None = None,
    shadow_prefix: str = "",
) -> bytes:
    """A serialised filter configuration. enforced, shadow: of `rules`."""
    return b"".join(
        (
            b"" if enforced is None else wire.field(_RULES, enforced),
            b"" if shadow is None else wire.field(_SHADOW_RULES, shadow),
            wire.text(_SHADOW_PREFIX, shadow_prefix) if shadow_prefix else b"",
            wire.text(_PREFIX, prefix) if prefix else b"",
        )
    )


def filter_config(body: bytes) -> any_pb2.Any:
    """The same as `Any`, for the chain of filters."""
    return packing.pack_bytes(filter_pb2.RBAC, body)


def per_route(body: bytes) -> any_pb2.Any:
    """A filter configuration as the `Any` that gives it to one route."""
    return packing.pack_bytes(filter_pb2.RBACPerRoute, wire.field(_PER_ROUTE, body))


_POLICIES: Final = wire.number(rbac_pb2.RBAC, "policies")
_RULES: Final = wire.number(filter_pb2.RBAC, "rules")
_SHADOW_RULES: Final = wire.number(filter_pb2.RBAC, "shadow_rules")
_PREFIX: Final = wire.number(filter_pb2.RBAC, "rules_stat_prefix")
_SHADOW_PREFIX: Final = wire.number(filter_pb2.RBAC, "shadow_rules_stat_prefix")
_PER_ROUTE: Final = wire.number(filter_pb2.RBACPerRoute, "rbac")
_ACTIONS: Final = {action: wire.serialize(rbac_pb2.RBAC(action=action)) for action in (ALLOW, DENY)}
