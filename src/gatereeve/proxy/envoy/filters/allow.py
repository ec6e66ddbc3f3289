"""Admits what an allow rule of the route admits, and nothing else (P3)."""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    """Without a route no caller is admitted."""
    return (
        HttpFilter(name=names.ALLOW, config=rbac.filter_config(engines.write_closed_allowance())),
    )
