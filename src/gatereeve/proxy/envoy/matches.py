"""`ir.Match` to `RouteMatch`, and the guards that stand in front of governed rows.

A row that asks for groups of several methods becomes several Envoy routes, since a route match is
a conjunction. Only ordinary routes match by pattern; header patterns see one value at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from envoy.config.route.v3 import route_components_pb2 as route_pb2
from envoy.type.matcher.v3 import filter_state_pb2, metadata_pb2, string_pb2, value_pb2

from gatereeve.core import plain_values
from gatereeve.ir import access, record_fields, routes
from gatereeve.proxy.envoy import names, rbac, wire
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers

_ANYTHING: Final = ".*"
_PATH: Final = wire.number(route_pb2.RouteMatch, "path")


def write_matches(matchers: IdentityMatchers, match: routes.Match) -> list[bytes]:
    """The serialised route matches of one route: at least one, unless it asks for groups that no
    caller can have."""
    path = _write_path(match.path)
    body = _write_body(match.body_model, match.body_stream)
    conditions = _write_conditions(
        matchers, match.methods, match.headers, match.query, match.groups, match.regions
    )
    return [path + condition + body for condition in conditions]


@lru_cache(maxsize=16384)
def _write_conditions(
    matchers: IdentityMatchers,
    methods: tuple[str, ...],
    headers: tuple[routes.ValueMatch, ...],
    query: tuple[routes.ValueMatch, ...],
    groups: tuple[access.InGroup, ...],
    regions: tuple[str, ...],
) -> tuple[bytes, ...]:
    """Everything but path and body; most routes of most models ask for the same."""
    base = route_pb2.RouteMatch()
    if methods:
        base.headers.append(_method(methods))
    base.headers.extend(_header(header) for header in headers)
    base.query_parameters.extend(_query(parameter) for parameter in query)
    if regions:
        base.filter_state.append(_region(regions))
    shared = wire.serialize(base)
    if not groups:
        return (shared,)
    return tuple(
        shared + wire.serialize(route_pb2.RouteMatch(headers=guards, dynamic_metadata=[condition]))
        for guards, condition in _groups(matchers, groups)
    )


@lru_cache(maxsize=4096)
def _write_body(model: tuple[str, ...] | None, stream: bool | None) -> bytes:  # noqa: FBT001 - as in Match
    if model is None and stream is None:
        return b""
    return wire.serialize(
        route_pb2.RouteMatch(headers=[_unencoded()], dynamic_metadata=_body_metadata(model, stream))
    )


def _write_path(path: routes.PathMatch) -> bytes:
    if path.kind == "exact":
        return wire.text(_PATH, path.value)
    made = route_pb2.RouteMatch()
    _set_path(made, path)
    return wire.serialize(made)


def build_static_match(match: routes.Match) -> route_pb2.RouteMatch:
    """What is known before identity: path, method, headers, query."""
    made = route_pb2.RouteMatch()
    _set_path(made, match.path)
    if match.methods:
        made.headers.append(_method(match.methods))
    made.headers.extend(_header(header) for header in match.headers)
    made.query_parameters.extend(_query(query) for query in match.query)
    return made


def build_odd_path_match(match: routes.Match) -> route_pb2.RouteMatch | None:
    """The same requests with a path of two meanings (`core.plain_values`), with any query; None when
    an exact path is plain."""
    if match.path.kind == "exact" and plain_values.is_governed_path(match.path.value):
        return None
    made = build_static_match(match)
    text = string_pb2.StringMatcher(
        safe_regex={"regex": rf"{plain_values.GOVERNED_PATH}(?:\?\C*)?"}
    )
    made.headers.add(name=":path", string_match=text, invert_match=True)
    return made


def everything() -> route_pb2.RouteMatch:
    return route_pb2.RouteMatch(prefix="/")


def by_header(
    name: str, text: string_pb2.StringMatcher, *, otherwise: bool = False, or_missing: bool = False
) -> route_pb2.RouteMatch:
    """Every path, when a header's value is taken by a StringMatcher.

    otherwise: when it is not. or_missing: a missing header counts as an empty one; else a missing
    header never matches.
    """
    matcher = route_pb2.HeaderMatcher(
        name=name,
        string_match=text,
        invert_match=otherwise,
        treat_missing_header_as_empty=or_missing,
    )
    return route_pb2.RouteMatch(prefix="/", headers=[matcher])


def _set_path(made: route_pb2.RouteMatch, path: routes.PathMatch) -> None:
    if path.kind == "exact":
        made.path = path.value
    elif path.kind == "regex":
        made.safe_regex.regex = path.value
    elif path.value == "/":
        made.prefix = "/"
    else:
        made.path_separated_prefix = path.value


def _method(methods: Sequence[str]) -> route_pb2.HeaderMatcher:
    if len(methods) == 1:
        text = string_pb2.StringMatcher(exact=methods[0])
    else:
        text = string_pb2.StringMatcher(safe_regex={"regex": "|".join(map(re.escape, methods))})
    return route_pb2.HeaderMatcher(name=":method", string_match=text)


def _unencoded() -> route_pb2.HeaderMatcher:
    """An encoded body is not what its bytes say, and the model would read another one: it names no
    model (`decide.bodies`)."""
    text = string_pb2.StringMatcher(safe_regex={"regex": "(?i)(?:identity)?"})
    return route_pb2.HeaderMatcher(
        name="content-encoding", string_match=text, treat_missing_header_as_empty=True
    )


def _header(header: routes.ValueMatch) -> route_pb2.HeaderMatcher:
    if header.kind == "regex" and header.value == _ANYTHING:  # bytes that are no UTF-8, too
        return route_pb2.HeaderMatcher(name=header.name, present_match=True)
    return route_pb2.HeaderMatcher(name=header.name, string_match=_text(header))


def _query(query: routes.ValueMatch) -> route_pb2.QueryParameterMatcher:
    return route_pb2.QueryParameterMatcher(name=query.name, string_match=_text(query))


def _text(value: routes.ValueMatch) -> string_pb2.StringMatcher:
    if value.kind == "regex":
        return string_pb2.StringMatcher(safe_regex={"regex": value.value})
    return string_pb2.StringMatcher(exact=value.value)


def _body_metadata(
    model: tuple[str, ...] | None,
    stream: bool | None,  # noqa: FBT001 - as in Match
) -> list[metadata_pb2.MetadataMatcher]:
    """`stream` is written as false when it is absent or no JSON (`filters.body`)."""
    conditions = []
    if model is not None:
        wanted = rbac.one_of([rbac.exact(name) for name in model])
        conditions.append(_metadata(names.BODY_NAMESPACE, ("model",), wanted))
    if stream is not None:
        wanted = value_pb2.ValueMatcher(bool_match=stream)
        conditions.append(_metadata(names.BODY_NAMESPACE, ("stream",), wanted))
    return conditions


def _region(regions: Sequence[str]) -> filter_state_pb2.FilterStateMatcher:
    if len(regions) == 1:
        text = string_pb2.StringMatcher(exact=regions[0], ignore_case=True)
    else:
        pattern = "(?i)(?:" + "|".join(map(re.escape, regions)) + ")"
        text = string_pb2.StringMatcher(safe_regex={"regex": pattern})
    return filter_state_pb2.FilterStateMatcher(key=names.REGION_KEY, string_match=text)


def _groups(
    matchers: IdentityMatchers, groups: Sequence[access.InGroup]
) -> list[tuple[list[route_pb2.HeaderMatcher], metadata_pb2.MetadataMatcher]]:
    """Per place where groups stand: headers that must hold, and the metadata condition."""
    by_place: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for group in groups:
        place = _group_place(matchers, group)
        if place is not None:
            by_place.setdefault(place, []).append(group.group)
    alternatives = []
    for (namespace, path), wanted in by_place.items():
        inside = rbac.one_of([rbac.listed(group) for group in wanted])
        alternatives.append((_precedence(matchers, namespace), _metadata(namespace, path, inside)))
    return alternatives


def _group_place(
    matchers: IdentityMatchers, group: access.InGroup
) -> tuple[str, tuple[str, ...]] | None:
    method = matchers.identity.method(group.provider)
    if method == "jwt":
        provider = next(p for p in matchers.identity.jwt if p.name == group.provider)
        if provider.groups_claim is None:
            return None
        return record_fields.JWT_NAMESPACE, (provider.name, *provider.groups_claim)
    if method == "apikey":
        return record_fields.APIKEY_NAMESPACE, ("groups",)
    return None if method is None else (record_fields.MTLS_NAMESPACE, ("groups",))


def _precedence(matchers: IdentityMatchers, namespace: str) -> list[route_pb2.HeaderMatcher]:
    """The credentials that count before this one were not presented."""
    guards = []
    if namespace != record_fields.JWT_NAMESPACE and matchers.identity.jwt:
        guards.append(
            route_pb2.HeaderMatcher(name="authorization", present_match=True, invert_match=True)
        )
    if namespace == record_fields.MTLS_NAMESPACE and matchers.identity.api_keys is not None:
        guards.append(
            route_pb2.HeaderMatcher(
                name=matchers.identity.api_keys.header, present_match=True, invert_match=True
            )
        )
    return guards


def _metadata(
    namespace: str, path: Sequence[str], value: value_pb2.ValueMatcher, *, otherwise: bool = False
) -> metadata_pb2.MetadataMatcher:
    return metadata_pb2.MetadataMatcher(
        filter=namespace,
        path=[metadata_pb2.MetadataMatcher.PathSegment(key=key) for key in path],
        value=value,
        invert=otherwise,
    )
