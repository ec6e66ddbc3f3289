"""Refuses every request that the stages did not let pass, on whatever route, and without one.

The same rule for all routes; a route may only add shadow rules to it.
"""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    return (Placed(name=names.ENFORCE, config=packing.pack(engines.build_enforcement())),)
