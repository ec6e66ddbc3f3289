"""What refuses before the allow rules, in order: malformed, invalid credential, no credential, deny rules,
the check of the choice by region. Writes its result only; `enforce` right behind it refuses. See `engines`."""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, rbac
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter


def build(_context: FilterContext) -> tuple[HttpFilter, ...]:
    """Without a route everything is refused."""
    return (
        HttpFilter(name=names.STAGES, config=rbac.filter_config(engines.write_closed_stages())),
    )
