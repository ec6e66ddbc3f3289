"""CONNECT is refused before any other filter: it has no route and no end, so a filter that waits for
a body would wait for ever.
"""

from __future__ import annotations

from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.proxy.envoy import names, packing, rbac
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    method = rbac.header(":method", string_pb2.StringMatcher(exact="CONNECT"))
    config = filter_pb2.RBAC(
        rules=rbac.denying({"connect": rbac.policy(method)}), rules_stat_prefix="connect_"
    )
    return (Placed(name=names.CONNECT, config=packing.pack(config)),)
