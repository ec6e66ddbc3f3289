"""A compiled gate as what its Envoy gets: the way into the builders for everybody outside.

Builds snapshots, prints them with secrets redacted, and leads from a resource back to the document
that caused it. Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable

from gatereeve.core.refs import Origin
from gatereeve.ir.gates import Gate, Listener
from gatereeve.proxy import bootstrap
from gatereeve.proxy.envoy import dumps, names, snapshots
from gatereeve.proxy.envoy.wiring import Wiring
from gatereeve.proxy.xds import snapshot as snap

WIRING = Wiring(access_log_cluster=bootstrap.ACCESS_LOG_CLUSTER)


class Builder(snapshots.SnapshotBuilder):
    """Builds the snapshots of one gate; a change costs what it touches."""

    def __init__(self) -> None:
        super().__init__(WIRING)


def dump(gate: Gate) -> str:
    """The gate's xDS resources as YAML, secrets redacted."""
    return dumps.to_yaml(Builder().build(gate), gate)


def origin_of(gate: Gate, type_url: snap.TypeUrl, resources: Iterable[str]) -> Origin | None:
    """The document behind the first of the named resources that has one.

    A route configuration holds several hosts: its origin is that of the first of them.
    """
    for name in resources:
        found = _origin(gate, type_url, name)
        if found is not None:
            return found
    return None


def _origin(gate: Gate, type_url: snap.TypeUrl, name: str) -> Origin | None:
    if type_url in (snap.CDS, snap.EDS):
        return next((c.origin for c in gate.clusters if c.name == name), None)
    for listener in gate.listeners:
        if type_url == snap.LDS and listener.name == name:
            return listener.origin
        if type_url == snap.SDS:
            for certificate in listener.certificates:
                if certificate.name == name:
                    return certificate.origin
        if type_url in (snap.RDS, snap.SRDS):
            found = _host_origin(listener, name)
            if found is not None:
                return found
    return None


def _host_origin(listener: Listener, name: str) -> Origin | None:
    for host in listener.hosts:
        own = (
            names.wildcard_configuration_of(listener.name)
            if host.host.startswith("*")
            else names.route_configuration_of(listener.name, host.host)
        )
        if name in (own, names.scope_key(listener.name, host.host)):
            return host.origin
    return None
