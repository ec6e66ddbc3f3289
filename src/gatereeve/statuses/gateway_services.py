"""The Services of Gateways with addresses of their own: which there should be, and with which ports.

Pure. The leading controller writes what `wanted` says and deletes what `orphans` says; every
controller reads the result back with the World (`listener_sets`). A port that was given is never taken away
while its Gateway asks for it, so no allocation moves because another Gateway comes or goes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api.world import GateDoc, Key, ServiceDoc, World
from gatereeve.compile.compiler import Compiled
from gatereeve.compile.routes.gateways import Binding
from gatereeve.compile.routes.listener_sets import (
    GATE_LABEL,
    GATEWAY_ANNOTATION,
    assigned_ports,
    port_range,
    service_name,
    service_of,
)
from gatereeve.compile.routes.route_order import age
from gatereeve.core.canonical import Json
from gatereeve.core.refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayService:
    """One Service. gateway: whose it is. ports: (port of the Gateway, port of the gate), sorted."""

    ref: Ref
    gate: str
    gateway: Key
    type: str
    ports: tuple[tuple[int, int], ...]


def wanted(world: World, compiled: Compiled) -> tuple[GatewayService, ...]:
    """The Service of every Gateway that has a listener set of its own, by gate and Gateway.

    Ports that are given stay; the others are given in the order of the Gateways' age, each the first
    free one from a place that its name decides. A Gateway of which no port is served, or for which
    none is left, has no Service, or one with fewer ports.
    """
    return tuple(
        service for gate in world.gates.values() for service in _of_gate(world, compiled, gate)
    )


def orphans(world: World, compiled: Compiled) -> tuple[Ref, ...]:
    """Services of ours whose Gateway is gone, in the namespaces of gates that have such Services."""
    wanted_refs = {service.ref for service in wanted(world, compiled)}
    places = {
        gate.spec.gateways.namespace
        for gate in world.gates.values()
        if gate.spec.gateways is not None
    }
    return tuple(
        doc.ref
        for doc in world.services.values()
        if doc.ref.namespace in places
        and GATEWAY_ANNOTATION in doc.meta.annotations
        and GATE_LABEL in doc.meta.labels
        and doc.ref not in wanted_refs
    )


def document(service: GatewayService) -> dict[str, Json]:
    """The Service as it is applied: its address leads to the gate's pods, port by port.

    The pods of a gate carry the label that the Service selects.
    """
    ports: list[Json] = [
        {"name": f"port-{port}", "protocol": "TCP", "port": port, "targetPort": target}
        for port, target in service.ports
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.ref.name,
            "namespace": service.ref.namespace,
            "labels": {GATE_LABEL: service.gate},
            "annotations": {GATEWAY_ANNOTATION: "/".join(service.gateway)},
        },
        "spec": {"type": service.type, "selector": {GATE_LABEL: service.gate}, "ports": ports},
    }


def _of_gate(world: World, compiled: Compiled, gate: GateDoc) -> Iterator[GatewayService]:
    settings = gate.spec.gateways
    if settings is None:
        return
    bindings = sorted(
        (b for b in compiled.outcome.bindings.values() if b.gate == gate.ref.name),
        key=lambda binding: age(binding.doc),
    )
    ports = _ports(gate, bindings, list(_services(world, gate, bindings)))
    for binding in sorted(bindings, key=_key):
        key = _key(binding)
        if ports[key]:
            yield GatewayService(
                ref=Ref("", "Service", settings.namespace, service_name(gate.ref.name, key)),
                gate=gate.ref.name,
                gateway=key,
                type=settings.service_type,
                ports=tuple(sorted(ports[key].items())),
            )


def _key(binding: Binding) -> Key:
    return binding.doc.ref.namespace, binding.doc.ref.name


def _services(
    world: World, gate: GateDoc, bindings: list[Binding]
) -> Iterator[tuple[Key, ServiceDoc]]:
    for binding in bindings:
        service = service_of(world.services, gate, _key(binding))
        if service is not None:
            yield _key(binding), service


def _ports(
    gate: GateDoc, bindings: list[Binding], services: list[tuple[Key, ServiceDoc]]
) -> dict[Key, dict[int, int]]:
    """Every Gateway's ports: those it has and new ones. A port that it no longer serves is free."""
    before = assigned_ports(gate, services)
    wanted_ports = {_key(b): sorted({listener.port for listener in b.listeners}) for b in bindings}
    assigned = {
        key: {port: before[key][port] for port in ports if port in before.get(key, {})}
        for key, ports in wanted_ports.items()
    }
    taken = {target for ports in assigned.values() for target in ports.values()}
    for key, ports in wanted_ports.items():
        for port in ports:
            if port not in assigned[key]:
                target = _free(gate, key, port, taken)
                if target is not None:
                    assigned[key][port] = target
                    taken.add(target)
    return assigned


def _free(gate: GateDoc, gateway: Key, port: int, taken: set[int]) -> int | None:
    """The first free port, beginning at a port that the name decides; None when all are taken."""
    targets = port_range(gate)
    start = zlib.crc32(f"{gateway[0]}/{gateway[1]}:{port}".encode()) % len(targets)
    turns = (targets[(start + step) % len(targets)] for step in range(len(targets)))
    return next((target for target in turns if target not in taken), None)
