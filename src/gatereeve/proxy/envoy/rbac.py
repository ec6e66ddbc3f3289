"""Words of Envoy's RBAC: conditions over headers and metadata, policies, engines.

Only exact, prefix and presence matchers on what a client sends: a pattern over bytes that are no
UTF-8 does not match, and a deny rule that does not match is open (knowledge: Envoy 8). Patterns
stand on values of verified tokens, which are UTF-8, and on paths: what does not match is refused
there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.type.matcher.v3 import metadata_pb2, path_pb2, string_pb2, value_pb2

_TEXT = value_pb2.ValueMatcher(
    string_match=string_pb2.StringMatcher(safe_regex={"regex": "(?s).+"})
)
_PRESENT = value_pb2.ValueMatcher(present_match=True)


def anybody() -> Any:
    return rbac_pb2.Principal(any=True)


def negate(condition: Any) -> Any:
    return rbac_pb2.Principal(not_id=condition)


def all_of(conditions: Sequence[Any]) -> Any:
    """Every one of `conditions`; of none, everybody."""
    if not conditions:
        return anybody()
    if len(conditions) == 1:
        return conditions[0]
    return rbac_pb2.Principal(and_ids=rbac_pb2.Principal.Set(ids=conditions))


def any_of(conditions: Sequence[Any]) -> Any:
    """Any one of `conditions`; of none, nobody."""
    if not conditions:
        return negate(anybody())
    if len(conditions) == 1:
        return conditions[0]
    return rbac_pb2.Principal(or_ids=rbac_pb2.Principal.Set(ids=conditions))


def metadata(namespace: str, path: Iterable[str], value: Any) -> Any:
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


def is_present(namespace: str, path: Iterable[str]) -> Any:
    return metadata(namespace, path, _PRESENT)


def is_text(namespace: str, path: Iterable[str]) -> Any:
    """The value there is a text that is not empty."""
    return metadata(namespace, path, _TEXT)


def exact(text: str, *, any_case: bool = False) -> Any:
    """A value that is exactly this text."""
    return value_pb2.ValueMatcher(
        string_match=string_pb2.StringMatcher(exact=text, ignore_case=any_case)
    )


def beginning(text: str) -> Any:
    """A value that begins with this text."""
    return value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(prefix=text))


def one_of(values: Sequence[Any]) -> Any:
    """A value that one of the matchers takes."""
    if len(values) == 1:
        return values[0]
    return value_pb2.ValueMatcher(or_match=value_pb2.OrMatcher(value_matchers=values))


def listed(text: str) -> Any:
    """A list that holds this text, or the text itself."""
    inside = value_pb2.ListMatcher(one_of=exact(text))
    return one_of([value_pb2.ValueMatcher(list_match=inside), exact(text)])


def has_header(name: str) -> Any:
    return rbac_pb2.Principal(
        header=route_components_pb2.HeaderMatcher(name=name, present_match=True)
    )


def header(name: str, text: Any) -> Any:
    """A header one of whose values a StringMatcher takes."""
    return rbac_pb2.Principal(
        header=route_components_pb2.HeaderMatcher(name=name, string_match=text)
    )


def has_certificate() -> Any:
    """The client presented a certificate, which TLS has verified.

    The header is Envoy's own: the connection manager removes what clients send under this name.
    (`Principal.authenticated` without a name holds for every TLS connection, certificate or none.)
    """
    return has_header("x-forwarded-client-cert")


def everything() -> Any:
    return rbac_pb2.Permission(any=True)


def path_like(pattern: str) -> Any:
    """A path, without its query, that the RE2 pattern takes as a whole."""
    text = string_pb2.StringMatcher(safe_regex={"regex": pattern})
    return rbac_pb2.Permission(url_path=path_pb2.PathMatcher(path=text))


def path_unlike(pattern: str) -> Any:
    """A path, without its query, that the RE2 pattern does not take as a whole."""
    return rbac_pb2.Permission(not_rule=path_like(pattern))


def either(*permissions: Any) -> Any:
    """At least one of the permissions."""
    return rbac_pb2.Permission(or_rules=rbac_pb2.Permission.Set(rules=permissions))


def of_route(namespace: str, key: str, value: Any) -> Any:
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


def policy(*principals: Any, permission: Any | None = None) -> Any:
    """Matches when one principal and the permission do."""
    return rbac_pb2.Policy(
        permissions=[permission if permission is not None else everything()],
        principals=principals,
    )


def denying(policies: Mapping[str, Any]) -> Any:
    """Rules that refuse what a policy matches; they are tried in the order of their names."""
    return rbac_pb2.RBAC(action="DENY", policies=policies)


def allowing(policies: Mapping[str, Any]) -> Any:
    """Rules that refuse what no policy matches; they are tried in the order of their names."""
    return rbac_pb2.RBAC(action="ALLOW", policies=policies)


def per_route(config: Any) -> Any:
    """The same filter configuration, for one route."""
    return filter_pb2.RBACPerRoute(rbac=config)
