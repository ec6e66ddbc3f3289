"""Servers behind the gate: one cluster per backend and fallback chain, shared by routes.

Endpoints stand apart from their cluster, so that a change of endpoints travels by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatereeve.core.refs import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointGroup:
    """Servers of one version (or one Service: version ""). Order in `EndpointSet` is priority."""

    version: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSet:
    """groups[0] serves; groups[1] serves when none of groups[0] is healthy; and so on."""

    cluster: str
    groups: tuple[EndpointGroup, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """GET `path` expects 200. Seconds; counts of checks in a row."""

    path: str
    interval_s: int
    timeout_s: int
    unhealthy_after: int
    healthy_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One upstream. model and version are "" for ordinary Services.

    name: unique within the gate, e.g. `model/lending/credit/2.0` or `…/2.0>1.0` with a fallback.
    protocol: how the servers are spoken to. bounds are per gate.
    """

    name: str
    model: str
    version: str
    endpoints: EndpointSet
    protocol: Literal["http1", "http2"]
    health: HealthCheck | None
    max_connections: int
    max_pending: int
    max_requests: int
    origin: Origin
