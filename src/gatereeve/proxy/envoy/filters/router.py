"""Last: to the servers. Adds and believes no `x-envoy-` header."""

from __future__ import annotations

from envoy.extensions.filters.http.router.v3 import router_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    config = router_pb2.Router(suppress_envoy_headers=True)
    return (HttpFilter(name=names.ROUTER, config=packing.pack(config)),)
