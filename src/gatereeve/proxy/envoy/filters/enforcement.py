"""The filters that refuse and admit, in order; see `engines`. A route brings its own stages and allow rules.

stages: what refuses before the allow rules; it writes its result only. enforce: refuses every request
that the stages did not let pass; a route may only add shadow rules to it. allow: admits what an allow
rule of the route admits, and nothing else (P3).
"""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    """Without a route every request is refused."""
    configs = {
        names.STAGES: engines.write_closed_stages(),
        names.ENFORCE: engines.write_enforcement(),
        names.ALLOW: engines.write_closed_allowance(),
    }
    return tuple(
        HttpFilter(name=name, config=rbac.filter_config(body)) for name, body in configs.items()
    )
