"""Statuses in tests: facts as if every gate ran what the documents say, and statuses as short YAML."""

from __future__ import annotations

from dataclasses import fields

import yaml

from gatereeve.compile.compiler import Compiled
from gatereeve.core.conditions import Condition, GatewayBody, ObjectStatus, RouteBody
from gatereeve.statuses import GateFacts, RuntimeFacts, gateway_services
from gatereeve.statuses.gateway_services import GatewayService

GATE_ADDRESS = "192.0.2.1"


def settled(compiled: Compiled) -> RuntimeFacts:
    """One Envoy for each gate, which runs what was compiled and is met at GATE_ADDRESS; Gateways
    with an address of their own at 198.51.100.1 and on, in order."""
    own = [key for key, b in compiled.outcome.bindings.items() if b.listener_set is not None]
    return RuntimeFacts(
        gates={
            gate.name: GateFacts(
                active=gate.hash, running=1, ready=1, gates=1, addresses=(GATE_ADDRESS,)
            )
            for gate in compiled.ir.gates
        },
        gateways={key: (f"198.51.100.{n}",) for n, key in enumerate(own, start=1)},
    )


def written(services: tuple[GatewayService, ...]) -> str:
    """The Services as documents: what is there once somebody wrote them."""
    return yaml.safe_dump_all([gateway_services.document(service) for service in services])


def find(statuses: tuple[ObjectStatus, ...], kind: str, name: str) -> ObjectStatus:
    """The one status of `namespace/name`, or of a cluster-wide name."""
    (found,) = [s for s in statuses if s.ref.kind == kind and s.ref.short == name]
    return found


def said(conditions: tuple[Condition, ...]) -> dict[str, str]:
    """Type to `Status Reason`."""
    return {one.type: f"{one.status} {one.reason}" for one in conditions}


def dump(statuses: tuple[ObjectStatus, ...]) -> str:
    """For people: conditions as `Status Reason: message`; empty things and hashes left out."""
    return yaml.safe_dump(
        [_plain(one) for one in statuses], sort_keys=False, width=120, allow_unicode=True
    )


def _plain(status: ObjectStatus) -> dict[str, object]:
    found: dict[str, object] = {"object": str(status.ref)}
    if status.generation:
        found["generation"] = status.generation
    if status.conditions:
        found["conditions"] = _conditions(status.conditions)
    body = status.body
    if isinstance(body, RouteBody):
        found["parents"] = [
            {
                "name": parent.name,
                **({"section": parent.section} if parent.section else {}),
                "conditions": _conditions(parent.conditions),
            }
            for parent in body.parents
        ]
    elif isinstance(body, GatewayBody):
        found["addresses"] = list(body.addresses)
        found["listeners"] = [
            {
                "name": listener.name,
                "kinds": [kind for _, kind in listener.kinds],
                "attached": listener.attached,
                "conditions": _conditions(listener.conditions),
            }
            for listener in body.listeners
        ]
    else:
        for field in fields(body):
            value = getattr(body, field.name)
            if field.name not in {"digest", "wanted", "active", "features"}:
                found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def _conditions(conditions: tuple[Condition, ...]) -> dict[str, str]:
    return {
        one.type: f"{one.status} {one.reason}" + (f": {one.message}" if one.message else "")
        for one in conditions
    }
