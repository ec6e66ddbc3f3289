"""CONNECT is refused before any other filter: it has no route and no end, so a filter that waits for
a body would wait for ever.
"""

from __future__ import annotations

from envoy.type.matcher.v3 import string_pb2

from gatereeve.proxy.envoy import names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    method = rbac.header(":method", string_pb2.StringMatcher(exact="CONNECT"))
    rules = rbac.rules(rbac.DENY, {"connect": rbac.policy(method)})
    config = rbac.filter_config(rbac.config("connect_", rules))
    return (HttpFilter(name=names.CONNECT, config=config),)
