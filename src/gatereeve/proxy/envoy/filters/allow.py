"""Admits what an allow rule of the route admits, and nothing else (P3)."""

from __future__ import annotations

from gatereeve.proxy.envoy import engines, names, packing
from gatereeve.proxy.envoy.filters.placed import Ground, Placed


def build(_ground: Ground) -> tuple[Placed, ...]:
    """Without a route nobody is admitted."""
    return (Placed(name=names.ALLOW, config=packing.pack(engines.build_closed_allowance())),)
