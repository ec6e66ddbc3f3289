"""One host of one listener as a `VirtualHost`: guards, rows, and what its rows share.

Guards come first and refuse what must not be looked at any further: a name in letters that would
miss its exact host, several labels where a wildcard stands for one, a connection for another host,
TRACE. What most rows say is said once for the host; Envoy takes the most specific level whole, so a
row that differs says so itself. Built as bytes (`wire`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from envoy.config.route.v3 import route_components_pb2 as route_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import refs
from gatereeve.ir import access, header_access, routes
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import actions, matches, names, wire
from gatereeve.proxy.envoy import routes as route_builder
from gatereeve.proxy.envoy.engines import Selection
from gatereeve.proxy.envoy.filters import limit, placed
from gatereeve.proxy.envoy.proofs import Proofs

NEIGHBOURS: Final = 64
"""So many other hosts beneath a wildcard are told apart from it when the TLS name is checked."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The listener, as a virtual host sees it. tls_port: where plain HTTP is redirected to."""

    protocol: str
    port: int
    tls_port: int
    max_body_bytes: int
    requests: Requests


def build_virtual_host(
    host: routes.VirtualHost,
    door: Door,
    proofs: Proofs,
    rules: Mapping[str, access.Access],
    neighbours: Sequence[str] = (),
) -> bytes:
    """The serialised `VirtualHost`.

    rules: by model, at least those of the host's rows. neighbours: other hosts of the listener
    beneath this one, when it is a wildcard."""
    place = _place(host, door, proofs, rules)
    rows = _guards(host, door, place, neighbours)
    per_host: dict[str, bytes] = {}
    if door.protocol == "http" and host.tls != "any":
        rows.append(_over_tls(host, door, place))
    else:
        for row, selection in zip(host.routes, selections(host.routes), strict=True):
            rows.extend(route_builder.build_routes(place, row, selection))
        # Without a last row there would be no route, and the wildcard hosts would be tried.
        rows.append(
            route_builder.build_refusing(
                place, "unknown-path", matches.everything(), "unknown-path"
            )
        )
        per_host |= _buckets(host, proofs, rules)
        if not any(_chooses(row) for row in host.routes):
            per_host[names.SELECTION] = _asleep(names.SELECTION)
    return _write(host.host, host.host, rows, per_host)


def build_unknown_host(door: Door, proofs: Proofs) -> bytes:
    """Whatever nobody claims."""
    nothing = routes.VirtualHost(
        host="*", single_label=False, tls="any", inspects_body=False, routes=(), origin=_NOWHERE
    )
    place = _place(nothing, door, proofs, {})
    refusal = route_builder.build_refusing(
        place, "unknown-host", matches.everything(), "unknown-host"
    )
    return _write("unknown-host", "*", [*_unscoped(place), refusal], {})


def _write(
    name: str, domain: str, rows: Sequence[route_builder.Row], per_host: Mapping[str, bytes]
) -> bytes:
    shared = {**_shared(rows), **per_host}
    overrides: dict[int, bytes] = {}
    parts = [wire.text(_NAME, name), wire.text(_DOMAINS, domain)]
    for row in rows:
        key = id(row.per_filter)
        if key not in overrides:
            overrides[key] = route_builder.overrides_of(row.per_filter, shared)
        parts.append(wire.field(_ROUTES, route_builder.write(row, overrides[key])))
    parts += [wire.field(_PER_FILTER, shared[name]) for name in sorted(shared)]
    parts.append(wire.field(_RETRY, _retry_policy()))
    return b"".join(parts)


def selections(rows: Sequence[routes.Route]) -> list[Selection]:
    """What reaching each row says about the caller's region.

    A row asks for its own regions. And it is reached from none of the regions of an earlier row
    that, but for regions, takes everything this one takes: those callers are served there. Checked
    again by RBAC, since the choice itself rests on an alpha filter.
    """
    found = []
    for number, row in enumerate(rows):
        outside: set[str] = set()
        if row.governance is not None:
            for earlier in rows[:number]:
                if earlier.match.regions and _takes_all_of(earlier.match, row.match):
                    outside.update(earlier.match.regions)
        outside -= set(row.match.regions)
        found.append(Selection(within=row.match.regions, outside=tuple(sorted(outside))))
    return found


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


def _place(
    host: routes.VirtualHost, door: Door, proofs: Proofs, rules: Mapping[str, access.Access]
) -> route_builder.Place:
    governed = {r.governance.protocol for r in host.routes if r.governance is not None}
    read = header_access.read_headers(proofs.attributes, host.routes)
    return route_builder.Place(
        proofs=proofs,
        access=rules,
        max_body_bytes=door.max_body_bytes,
        requests=door.requests,
        protocol=door.protocol,
        port=door.port,
        reads_body=frozenset(
            row.match.path
            for row in host.routes
            if row.match.body_model is not None or row.match.body_stream is not None
        ),
        openai=governed == {"openai"},
        read=read,
        parameters=header_access.read_parameters(host.routes),
        notes=bool(read) or any(route_builder.is_noted(row) for row in host.routes),
        wild=host.host.startswith("*"),
    )


def _guards(
    host: routes.VirtualHost,
    door: Door,
    place: route_builder.Place,
    neighbours: Sequence[str],
) -> list[route_builder.Row]:
    found: list[route_builder.Row] = []
    if place.wild:
        found += _unscoped(place)
    if host.single_label and host.host.startswith("*."):
        single = string_pb2.StringMatcher(safe_regex={"regex": _one_label(host.host)})
        deeper = matches.by_header(":authority", single, otherwise=True)
        found.append(route_builder.build_refusing(place, "single-label", deeper, "unknown-host"))
    if door.protocol == "https":
        found += [
            route_builder.build_refusing(place, "misdirected", match, "misdirected-request")
            for match in _misdirected(host, neighbours)
        ]
    trace = matches.by_header(":method", string_pb2.StringMatcher(exact="TRACE"))
    found.append(route_builder.build_refusing(place, "trace", trace, "malformed-request"))
    return found


def _unscoped(place: route_builder.Place) -> list[route_builder.Row]:
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
        route_builder.build_refusing(place, "host-form", form, "malformed-request"),
        route_builder.build_refusing(place, "upgrade", upgrade, "upgrade-refused"),
        route_builder.build_refusing(place, "host-letters", letters, "malformed-request"),
    ]


def _misdirected(host: routes.VirtualHost, neighbours: Sequence[str]) -> list[Any]:
    """The TLS name leads to another virtual host. A connection without one says nothing."""
    name = names.SNI_HEADER
    if not host.host.startswith("*"):
        same = string_pb2.StringMatcher(exact=host.host, ignore_case=True)
        return [matches.by_header(name, same, otherwise=True)]
    found = []
    if host.host.startswith("*."):
        beneath = string_pb2.StringMatcher(suffix=host.host[1:], ignore_case=True)
        if host.single_label:
            beneath = string_pb2.StringMatcher(safe_regex={"regex": _one_label(host.host)})
        found.append(matches.by_header(name, beneath, otherwise=True))
    if 0 < len(neighbours) <= NEIGHBOURS:
        pattern = "(?i)(?:" + "|".join(_host_pattern(other) for other in neighbours) + ")"
        other = string_pb2.StringMatcher(safe_regex={"regex": pattern})
        found.append(matches.by_header(name, other))
    return found


def _one_label(wildcard: str) -> str:
    return "(?i)[^.]+" + re.escape(wildcard[1:])


def _host_pattern(host: str) -> str:
    return ".+" + re.escape(host[1:]) if host.startswith("*.") else re.escape(host)


def _over_tls(
    host: routes.VirtualHost, door: Door, place: route_builder.Place
) -> route_builder.Row:
    if host.tls == "redirect":
        return route_builder.build_tls_redirect(place, door.tls_port)
    return route_builder.build_refusing(place, "tls-required", matches.everything(), "tls-required")


def _buckets(
    host: routes.VirtualHost, proofs: Proofs, rules: Mapping[str, access.Access]
) -> dict[str, bytes]:
    models = {row.governance.model for row in host.routes if row.governance is not None}
    buckets = limit.build_buckets(proofs, [rules[m] for m in sorted(models) if m in rules])
    if buckets is None:
        return {}
    return {names.LIMIT: wire.entry(names.LIMIT, buckets.SerializeToString(deterministic=True))}


def _chooses(row: routes.Route) -> bool:
    """Whether who calls, or from where, has a say in which row or which version answers."""
    split = isinstance(row.action, routes.Forward) and len(row.action.shares) > 1
    return bool(row.match.groups or row.match.regions) or split


@lru_cache(maxsize=4)
def _asleep(name: str) -> bytes:
    return wire.entry(name, placed.asleep().SerializeToString(deterministic=True))


def _shared(rows: Sequence[route_builder.Row]) -> dict[str, bytes]:
    """What most rows say, by weight, of filters about which every row says something."""
    found = {}
    for name in _SHARED_FILTERS:
        said = [row.per_filter[name] for row in rows if name in row.per_filter]
        if len(said) == len(rows):
            counted = Counter(said)
            found[name] = max(counted, key=lambda value: (counted[value] * len(value), value))
    return found


@lru_cache(maxsize=1)
def _retry_policy() -> bytes:
    policy: bytes = actions.build_retry_policy().SerializeToString(deterministic=True)
    return policy
