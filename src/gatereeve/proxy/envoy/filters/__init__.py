"""The filter chain: one file per filter, and `ORDER`, the one place that says in which order.

Entry, identity, attributes, body, the last word on the route, then enforcement: stages, allow,
limits; then what models do not get is taken off, and the router. Nothing after `selection` may clear the route cache: the request would meet a route
whose rules were never asked. Every module has `build(context) -> tuple[HttpFilter, ...]`.
"""

from __future__ import annotations

from gatereeve.proxy.envoy.filters import (
    api_keys,
    attributes,
    authorization,
    body,
    buffer,
    client_certificates,
    connect,
    enforcement,
    gate,
    jwt,
    limit,
    notes,
    protocol,
    removal,
    router,
    selection,
    wildcard,
)

ORDER = (
    gate,
    connect,
    wildcard,
    protocol,
    authorization,
    jwt,
    api_keys,
    client_certificates,
    attributes,
    buffer,
    body,
    selection,
    notes,
    enforcement,
    limit,
    removal,
    router,
)

PARTS = ("matching", "http_filter")
"""Modules in this folder that are no filters."""
