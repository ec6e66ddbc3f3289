"""Statuses of Ingresses: the addresses of the gate, for those of which some path is served."""

from __future__ import annotations

from gatereeve.compile.routes.requests import RouteDocument
from gatereeve.core.conditions import IngressBody, ObjectStatus
from gatereeve.statuses.index import StatusIndex, status


def derive_ingress(reading: StatusIndex, document: RouteDocument, gate: str) -> ObjectStatus:
    """The status of an Ingress of `gate`. Addresses stay while gates take over a change, because DNS
    records are made from them."""
    facts = reading.facts(gate)
    is_served = reading.is_answering(gate, document.doc) and facts.running
    return status(document.doc, IngressBody(addresses=facts.addresses if is_served else ()))
