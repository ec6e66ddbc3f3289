"""Fronts: the sets of ports at which one gate is met, and which port of the gate each of them is.

Every gate has the listener set of its Gate document: `https` and `http`, for Ingresses, and for Gateways as
long as they share it. Where the Gate says `gateways`, each Gateway has a listener set of its own: a Service
leads its ports to ports of the gate that are for it alone, so that what comes in through one Gateway
meets the routes of that Gateway only.

The Services are the allocation. It is read from the World like any document, so every replica, and a
replica that starts again, gives every Gateway the same ports; `gateway_services` says which Services
there should be. Decision 0024 says what else was considered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatereeve.api.gate import Address
from gatereeve.api.world import GateDoc, GatewayDoc, Key, ServiceDoc
from gatereeve.compile.routes.requests import Protocol
from gatereeve.compile.routes.route_order import age

GATE_LABEL = "gatereeve.dev/gate"
"""On the Service of a Gateway: the gate that it leads to."""

GATEWAY_ANNOTATION = "gatereeve.dev/gateway"
"""On the Service of a Gateway: `namespace/name` of the Gateway."""

_SLUG = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerPort:
    """One port of a listener set. name: of the IR listener, unique in the gate. port: where the gate binds.

    shown: the port that callers use; None where it is `port` itself.
    """

    name: str
    protocol: Protocol
    address: str
    port: int
    shown: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerSet:
    """gateway: whose own listener set it is; None for that of the Gate document. listener_ports: https first."""

    gate: str
    gateway: Key | None
    listener_ports: tuple[ListenerPort, ...]


def shared_listener_set(gate: GateDoc, opened: frozenset[tuple[str, str]]) -> ListenerSet:
    """The addresses of the Gate document. opened: (gate, protocol) that no other gate has."""
    listener_ports = []
    if gate.spec.https is not None and (gate.ref.name, "https") in opened:
        listener_ports.append(_listener_port("https", gate.spec.https))
    if gate.spec.http is not None and (gate.ref.name, "http") in opened:
        listener_ports.append(_listener_port("http", gate.spec.http))
    return ListenerSet(gate=gate.ref.name, gateway=None, listener_ports=tuple(listener_ports))


def _listener_port(protocol: Protocol, at: Address) -> ListenerPort:
    return ListenerPort(
        name=protocol, protocol=protocol, address=at.host, port=at.port, shown=at.public_port
    )


def own_listener_set(
    gate: GateDoc, gateway: GatewayDoc, protocols: Mapping[int, Protocol], ports: Mapping[int, int]
) -> ListenerSet:
    """The listener set of one Gateway.

    protocols: of the ports that its listeners serve. ports: those of the gate that it was given; a
    port that is not among them is not met yet.
    """
    key = (gateway.ref.namespace, gateway.ref.name)
    listener_ports = [
        ListenerPort(
            name=listener_port_name(gate.ref.name, key, port),
            protocol=protocol,
            address=_address(gate),
            port=ports[port],
            shown=port,
        )
        for port, protocol in protocols.items()
        if port in ports
    ]
    return ListenerSet(
        gate=gate.ref.name,
        gateway=key,
        listener_ports=tuple(
            sorted(
                listener_ports,
                key=lambda listener_port: (
                    listener_port.protocol == "http",
                    listener_port.shown or 0,
                ),
            )
        ),
    )


def _address(gate: GateDoc) -> str:
    """Where own ports are bound: where the Gate binds its own."""
    address = gate.spec.https or gate.spec.http
    return address.host if address is not None else "0.0.0.0"  # noqa: S104 - a gate faces the world


def listener_port_name(gate: str, gateway: Key, port: int) -> str:
    """The IR listener of one port of a Gateway. No `.` and no `:`: Envoy's statistics part and
    change names there."""
    return f"{service_name(gate, gateway)}/{port}"


def service_name(gate: str, gateway: Key) -> str:
    """The Service of a Gateway: a DNS label, another one for every (gate, namespace, name)."""
    text = "/".join((gate, *gateway))
    slug = re.sub(r"[^a-z0-9]+", "-", gateway[1].lower())[:_SLUG].strip("-")
    return f"gateway-{slug}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def service_of(
    services: Mapping[Key, ServiceDoc], gate: GateDoc, gateway: Key
) -> ServiceDoc | None:
    """The Service that gives `gateway` its ports on `gate`, in the namespace of the gate's pods."""
    if gate.spec.gateways is None:
        return None
    service = services.get((gate.spec.gateways.namespace, service_name(gate.ref.name, gateway)))
    if service is None or service.meta.labels.get(GATE_LABEL) != gate.ref.name:
        return None
    return service


def assigned_ports(
    gate: GateDoc, services: Iterable[tuple[Key, ServiceDoc]]
) -> dict[Key, dict[int, int]]:
    """Gateway to its ports: the port of the Gateway to the port of the gate.

    services: of the Gateways of `gate`. Where two have the same port, the older Service keeps it.
    """
    assigned: dict[Key, dict[int, int]] = {}
    taken: set[int] = set()
    for gateway, service in sorted(services, key=lambda item: age(item[1])):
        assigned[gateway] = {}
        for port in service.spec.ports:
            target = port.target_port
            if isinstance(target, int) and target in port_range(gate) and target not in taken:
                taken.add(target)
                assigned[gateway].setdefault(port.port, target)
    return assigned


def port_range(gate: GateDoc) -> range:
    """The ports of the gate that its Gateways may be assigned."""
    settings = gate.spec.gateways
    return (
        range(0)
        if settings is None
        else range(settings.first_port, settings.first_port + settings.ports)
    )
