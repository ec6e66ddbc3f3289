"""One host of one listener as a `VirtualHost`: guards, rows, and what its rows share.

Guards come first and refuse what must not be looked at any further: a name in letters that would
miss its exact host, several labels where a wildcard stands for one, a connection for another host,
TRACE. What most routes configure is configured once, on the host; Envoy takes the most specific level
whole, so a route that differs has its own configuration. Built as bytes (`wire`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from envoy.config.route.v3 import route_components_pb2 as route_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import refs
from gatereeve.ir import access, header_access, routes
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import actions, invariants, matches, names, wire
from gatereeve.proxy.envoy import routes as route_builder
from gatereeve.proxy.envoy.engines import Selection
from gatereeve.proxy.envoy.filters import http_filter, limit
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers
from gatereeve.proxy.envoy.routes import EncodedRoute

NEIGHBOURS: Final = 64
"""The check of the TLS name of a wildcard host excludes at most this number of other hosts beneath it."""

_HOST: Final = r"(?i)[a-z0-9._-]+|\[[0-9a-f:.]+\]"
"""A host as it is looked up: without port, a name or an address."""

_NOWHERE: Final = refs.Origin(refs.Ref("", "", "", ""))

_NAME: Final = wire.number(route_pb2.VirtualHost, "name")
_DOMAINS: Final = wire.number(route_pb2.VirtualHost, "domains")
_ROUTES: Final = wire.number(route_pb2.VirtualHost, "routes")
_PER_FILTER: Final = wire.number(route_pb2.VirtualHost, "typed_per_filter_config")
_RETRY: Final = wire.number(route_pb2.VirtualHost, "retry_policy")

_SHARED_FILTERS: Final = (
    names.STAGES,
    names.NOTES,
    names.ALLOW,
    names.AUTHORIZATION,
    names.JWT,
    names.ENFORCE,
    names.PROTOCOL,
    names.BUFFER,
    names.BODY,
)


_UNSELECTED: Final = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerContext:
    """The listener, as a virtual host sees it. tls_port: where plain HTTP is redirected to."""

    protocol: str
    port: int
    tls_port: int
    max_body_bytes: int
    requests: Requests


def build_virtual_host(
    host: routes.VirtualHost,
    listener: ListenerContext,
    matchers: IdentityMatchers,
    rules: Mapping[str, access.Access],
    neighbours: Sequence[str] = (),
) -> bytes:
    """The serialised `VirtualHost`. Raises PublishError when a model could be reached ungoverned.

    rules: by model, at least those of the host's routes. neighbours: other hosts of the listener
    beneath this one, when it is a wildcard."""
    context = _context(host, listener, matchers, rules)
    encoded = _guards(host, listener, context, neighbours)
    per_host: dict[str, bytes] = {}
    if listener.protocol == "http" and host.tls != "any":
        encoded.append(_over_tls(host, listener, context))
    else:
        for route, selection in zip(host.routes, selections(host.routes), strict=True):
            encoded.extend(route_builder.build_routes(context, route, selection))
        # Without a last route the wildcard hosts would be tried.
        encoded.append(
            route_builder.build_refusal(
                context, "unknown-path", matches.everything(), "unknown-path"
            )
        )
        limited = [rules[model] for model in models_of(host) if model in rules]
        buckets = limit.build_buckets(matchers, limited)
        if buckets is not None:
            per_host[names.LIMIT] = wire.entry(names.LIMIT, wire.serialize(buckets))
        if not any(_chooses(route) for route in host.routes):
            per_host[names.SELECTION] = route_builder.entry(names.SELECTION, http_filter.disabled)
        invariants.raise_problems(invariants.check_limits(host.host, limited, per_host))
    return _write(host.host, host.host, encoded, per_host, context)


def build_unknown_host(listener: ListenerContext, matchers: IdentityMatchers) -> bytes:
    """The host of requests for hosts that no route names."""
    nothing = routes.VirtualHost(
        host="*", single_label=False, tls="any", inspects_body=False, routes=(), origin=_NOWHERE
    )
    context = _context(nothing, listener, matchers, {})
    refusal = route_builder.build_refusal(
        context, "unknown-host", matches.everything(), "unknown-host"
    )
    return _write("unknown-host", "*", [*_unscoped(context), refusal], {}, context)


def models_of(host: routes.VirtualHost) -> list[str]:
    """The models behind the host's routes, sorted."""
    return sorted({r.governance.model for r in host.routes if r.governance is not None})


def _write(
    name: str,
    domain: str,
    encoded: Sequence[EncodedRoute],
    per_host: Mapping[str, bytes],
    context: route_builder.HostContext,
) -> bytes:
    shared = {**_shared(encoded), **per_host}
    invariants.raise_problems(invariants.check_no_bypass(name, encoded, shared, context))
    overrides: dict[int, bytes] = {}
    parts = [wire.text(_NAME, name), wire.text(_DOMAINS, domain)]
    for route in encoded:
        key = id(route.per_filter)
        if key not in overrides:
            overrides[key] = route_builder.overrides_of(route.per_filter, shared)
        parts.append(wire.field(_ROUTES, route_builder.write(route, overrides[key])))
    parts += [wire.field(_PER_FILTER, shared[name]) for name in sorted(shared)]
    parts.append(wire.field(_RETRY, _retry_policy()))
    return b"".join(parts)


def selections(rows: Sequence[routes.Route]) -> list[Selection]:
    """What reaching each row says about the caller's region.

    A row asks for its own regions. And it is reached from none of the regions of an earlier row
    that, but for regions, takes everything this one takes: those callers are served there. Checked
    again by RBAC, since the choice itself rests on an alpha filter.
    """
    if not any(row.match.regions for row in rows):
        return [_UNSELECTED] * len(rows)
    selected = []
    for number, row in enumerate(rows):
        outside: set[str] = set()
        if row.governance is not None:
            for earlier in rows[:number]:
                if earlier.match.regions and _takes_all_of(earlier.match, row.match):
                    outside.update(earlier.match.regions)
        outside -= set(row.match.regions)
        selected.append(Selection(within=row.match.regions, outside=tuple(sorted(outside))))
    return selected


def _takes_all_of(earlier: routes.Match, later: routes.Match) -> bool:
    return (
        not earlier.groups
        and earlier.path == later.path
        and earlier.methods in ((), later.methods)
        and set(earlier.headers) <= set(later.headers)
        and set(earlier.query) <= set(later.query)
        and earlier.body_model in (None, later.body_model)
        and earlier.body_stream in (None, later.body_stream)
    )


def _context(
    host: routes.VirtualHost,
    listener: ListenerContext,
    matchers: IdentityMatchers,
    rules: Mapping[str, access.Access],
) -> route_builder.HostContext:
    governed = {r.governance.protocol for r in host.routes if r.governance is not None}
    read = header_access.read_headers(matchers.attributes, host.routes)
    return route_builder.HostContext(
        matchers=matchers,
        access=rules,
        max_body_bytes=listener.max_body_bytes,
        requests=listener.requests,
        protocol=listener.protocol,
        port=listener.port,
        reads_body=frozenset(
            row.match.path
            for row in host.routes
            if row.match.body_model is not None or row.match.body_stream is not None
        ),
        openai=governed == {"openai"},
        read=read,
        parameters=header_access.read_parameters(host.routes),
        notes=bool(read) or any(route_builder.makes_notes(row) for row in host.routes),
        wild=host.host.startswith("*"),
    )


def _guards(
    host: routes.VirtualHost,
    listener: ListenerContext,
    context: route_builder.HostContext,
    neighbours: Sequence[str],
) -> list[EncodedRoute]:
    guards: list[EncodedRoute] = []
    if context.wild:
        guards += _unscoped(context)
    if host.single_label and host.host.startswith("*."):
        single = string_pb2.StringMatcher(safe_regex={"regex": _one_label(host.host)})
        deeper = matches.by_header(":authority", single, otherwise=True)
        guards.append(route_builder.build_refusal(context, "single-label", deeper, "unknown-host"))
    if listener.protocol == "https":
        guards += [
            route_builder.build_refusal(context, "misdirected", match, "misdirected-request")
            for match in _misdirected(host, neighbours)
        ]
    trace = matches.by_header(":method", string_pb2.StringMatcher(exact="TRACE"))
    guards.append(route_builder.build_refusal(context, "trace", trace, "malformed-request"))
    return guards


def _unscoped(context: route_builder.HostContext) -> list[EncodedRoute]:
    """What Envoy itself checks only for hosts that it finds at first: the host's form, upgrades.

    Exact hosts are found by their one spelling; another one must not fall to a wildcard.
    """
    name = string_pb2.StringMatcher(safe_regex={"regex": _HOST})
    form = matches.by_header(":authority", name, otherwise=True, or_missing=True)
    anything = string_pb2.StringMatcher(safe_regex={"regex": ".*"})
    upgrade = matches.by_header("upgrade", anything)
    upper = string_pb2.StringMatcher(safe_regex={"regex": ".*[A-Z].*"})
    letters = matches.by_header(":authority", upper)
    return [
        route_builder.build_refusal(context, "host-form", form, "malformed-request"),
        route_builder.build_refusal(context, "upgrade", upgrade, "upgrade-refused"),
        route_builder.build_refusal(context, "host-letters", letters, "malformed-request"),
    ]


def _misdirected(host: routes.VirtualHost, neighbours: Sequence[str]) -> list[route_pb2.RouteMatch]:
    """The TLS name leads to another virtual host. A connection without one says nothing."""
    name = names.SNI_HEADER
    if not host.host.startswith("*"):
        same = string_pb2.StringMatcher(exact=host.host, ignore_case=True)
        return [matches.by_header(name, same, otherwise=True)]
    conditions = []
    if host.host.startswith("*."):
        beneath = string_pb2.StringMatcher(suffix=host.host[1:], ignore_case=True)
        if host.single_label:
            beneath = string_pb2.StringMatcher(safe_regex={"regex": _one_label(host.host)})
        conditions.append(matches.by_header(name, beneath, otherwise=True))
    if 0 < len(neighbours) <= NEIGHBOURS:
        pattern = "(?i)(?:" + "|".join(_host_pattern(other) for other in neighbours) + ")"
        other = string_pb2.StringMatcher(safe_regex={"regex": pattern})
        conditions.append(matches.by_header(name, other))
    return conditions


def _one_label(wildcard: str) -> str:
    return "(?i)[^.]+" + re.escape(wildcard[1:])


def _host_pattern(host: str) -> str:
    return ".+" + re.escape(host[1:]) if host.startswith("*.") else re.escape(host)


def _over_tls(
    host: routes.VirtualHost, listener: ListenerContext, context: route_builder.HostContext
) -> EncodedRoute:
    if host.tls == "redirect":
        return route_builder.build_tls_redirect(context, listener.tls_port)
    return route_builder.build_refusal(
        context, "tls-required", matches.everything(), "tls-required"
    )


def _chooses(row: routes.Route) -> bool:
    """Whether who calls, or from where, has a say in which row or which version answers."""
    split = isinstance(row.action, routes.Forward) and len(row.action.shares) > 1
    return bool(row.match.groups or row.match.regions) or split


def _shared(encoded: Sequence[EncodedRoute]) -> dict[str, bytes]:
    """What most routes say, by weight, of filters about which every route says something."""
    weights = Counter(id(route.per_filter) for route in encoded)
    kinds = {id(route.per_filter): route.per_filter for route in encoded}
    shared = {}
    for name in _SHARED_FILTERS:
        if all(name in per_filter for per_filter in kinds.values()):
            counted: Counter[bytes] = Counter()
            for key, per_filter in kinds.items():
                counted[per_filter[name]] += weights[key]
            shared[name] = max(counted, key=lambda entry: (counted[entry] * len(entry), entry))
    return shared


@lru_cache(maxsize=1)
def _retry_policy() -> bytes:
    policy: bytes = actions.build_retry_policy().SerializeToString(deterministic=True)
    return policy
