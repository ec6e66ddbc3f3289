"""Refuses every request that the stages did not let pass, on whatever route, and without one.

The same rule for all routes; a route may only add shadow rules to it.
"""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    return (HttpFilter(name=names.ENFORCE, config=rbac.filter_config(engines.write_enforcement())),)
