"""Last: to the servers. Adds and believes no `x-envoy-` header."""

from __future__ import annotations

from envoy.extensions.filters.http.router.v3 import router_pb2

from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    config = router_pb2.Router(suppress_envoy_headers=True)
    return (Placed(name=names.ROUTER, config=packing.pack(config)),)
