"""What refuses before the allow rules, in order: malformed, invalid credential, nobody, deny rules,
the check of the choice by region. Speaks only; `enforce` right behind it refuses. See `engines`."""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    """Without a route everything is refused."""
    return (Placed(name=names.STAGES, config=packing.pack(engines.build_closed_stages())),)
