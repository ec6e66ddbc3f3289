"""Builds snapshots in tests and reads the messages back from their bytes."""

from __future__ import annotations

from typing import Any

from gatereeve.ir.gates import Gate
from gatereeve.proxy.envoy import dumps, names, snapshots
from gatereeve.proxy.envoy.wiring import Wiring
from gatereeve.proxy.xds import snapshot as snap


def builder() -> snapshots.SnapshotBuilder:
    return snapshots.SnapshotBuilder(Wiring())


def snapshot(gate: Gate, having_built: snapshots.SnapshotBuilder | None = None) -> snap.Snapshot:
    return (having_built or builder()).build(gate)


def messages(made: snap.Snapshot) -> list[Any]:
    return [
        dumps.parse(type_url, resource.body)
        for type_url in snap.TYPES
        for resource in made.of(type_url).values()
    ]


def message(made: snap.Snapshot, type_url: snap.TypeUrl, name: str) -> Any:
    return dumps.parse(type_url, made.of(type_url)[name].body)


def exact_host(made: snap.Snapshot, host: str, listener: str = "https") -> Any:
    """The VirtualHost message of an exact host."""
    configuration = message(made, snap.RDS, names.route_configuration_of(listener, host))
    return next(one for one in configuration.virtual_hosts if one.name == host)


def wild_host(made: snap.Snapshot, name: str, listener: str = "https") -> Any:
    configuration = message(made, snap.RDS, names.wildcard_configuration_of(listener))
    return next(one for one in configuration.virtual_hosts if one.name == name)


def said(host: Any, route: Any, filter_name: str) -> bytes | None:
    """What is in force for a route: the most specific level, whole."""
    for level in (route.typed_per_filter_config, host.typed_per_filter_config):
        if filter_name in level:
            found: bytes = level[filter_name].value
            return found
    return None
