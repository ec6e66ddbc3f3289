"""Sticky keys to Envoy's hash policies: the first key that is there decides, so all are terminal.

Envoy hashes with xxHash64 (seed 0) and walks the weights in the order of the clusters; the
reference decision computes the same (`decide.sticky_hash`), and tests against the real Envoy hold it.
"""

from __future__ import annotations

from collections.abc import Sequence

from envoy.config.route.v3 import route_components_pb2 as route_pb2

from gatereeve.ir import routes
from gatereeve.proxy.envoy import names


def build_hash_policies(keys: Sequence[routes.StickyKey]) -> list[route_pb2.RouteAction.HashPolicy]:
    return [_policy(key) for key in keys]


def sticky_words(keys: Sequence[routes.StickyKey]) -> list[str]:
    """The same keys as the record names them."""
    words = {
        routes.StickyHeader: "header",
        routes.StickyPrincipal: "principal",
        routes.StickyAddress: "address",
    }
    return [words[type(key)] for key in keys]


def _policy(key: routes.StickyKey) -> route_pb2.RouteAction.HashPolicy:
    kind = route_pb2.RouteAction.HashPolicy
    if isinstance(key, routes.StickyHeader):
        return kind(header=kind.Header(header_name=key.name), terminal=True)
    if isinstance(key, routes.StickyPrincipal):
        return kind(filter_state=kind.FilterState(key=names.PRINCIPAL_KEY), terminal=True)
    by_address = kind.ConnectionProperties(source_ip=True)
    return kind(connection_properties=by_address, terminal=True)
