"""Virtual hosts to `RouteConfiguration`s, and the scopes by which Envoy finds them.

Exact hosts live in up to `names.ROUTE_CONFIGURATIONS` route configurations per listener, each host always in the
same one, so that a change touches some five of ten thousand hosts and no other token buckets;
a scope per host leads there. Wildcard hosts share one configuration, with Envoy's own precedence
among them. Why: docs/decisions/0003-route-sharding.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2

from gatereeve.ir import record_fields
from gatereeve.ir.gates import Requests
from gatereeve.proxy.envoy import names, wire
from gatereeve.proxy.envoy.filters import removal, wildcard

_NAME: Final = wire.number(route_pb2.RouteConfiguration, "name")
_VIRTUAL_HOSTS: Final = wire.number(route_pb2.RouteConfiguration, "virtual_hosts")


def write_route_configuration(
    name: str, virtual_hosts: Iterable[bytes], requests: Requests, *, exact: bool
) -> bytes:
    """The serialised `RouteConfiguration` of serialised `VirtualHost`s.

    exact: of exact hosts; what is found there is final, so wildcards are not tried.
    """
    hosts = b"".join(wire.field(_VIRTUAL_HOSTS, host) for host in virtual_hosts)
    return wire.text(_NAME, name) + _frame(requests, exact=exact) + hosts


@lru_cache(maxsize=16)
def _frame(requests: Requests, *, exact: bool) -> bytes:
    made = route_pb2.RouteConfiguration(
        request_headers_to_add=[_client_address()],
        request_headers_to_remove=[names.SCOPE_HEADER, names.SNI_HEADER],
        response_headers_to_remove=[record_fields.CODE_HEADER],
        typed_per_filter_config=(
            wildcard.for_exact_hosts() if exact else wildcard.for_wildcard_hosts()
        ),
    )
    if exact:
        made.typed_per_filter_config[names.REMOVAL].CopyFrom(removal.removing(requests))
    made.validate_clusters.value = False
    return wire.serialize(made)


def _client_address() -> base_pb2.HeaderValueOption:
    """One address, the client's as the gate judged it, in place of what the client or a route wrote there.

    Set here, after the route's own changes: what stood in front of it could be the client's word.
    """
    return base_pb2.HeaderValueOption(
        header=base_pb2.HeaderValue(
            key="x-forwarded-for", value="%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"
        ),
        append_action="OVERWRITE_IF_EXISTS_OR_ADD",
    )


def build_scope(
    listener: str, host: str, route_configuration: str
) -> scoped_route_pb2.ScopedRouteConfiguration:
    """host: an exact name, or `*` for everything without a scope of its own."""
    key = names.scope_key(listener, host)
    return scoped_route_pb2.ScopedRouteConfiguration(
        name=key,
        route_configuration_name=route_configuration,
        key=scoped_route_pb2.ScopedRouteConfiguration.Key(
            fragments=[scoped_route_pb2.ScopedRouteConfiguration.Key.Fragment(string_key=key)]
        ),
    )
