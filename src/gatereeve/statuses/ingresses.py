"""Statuses of Ingresses: the addresses of the gate, for those of which some path is served."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gatereeve.core.conditions import IngressBody, ObjectStatus
from gatereeve.statuses.index import StatusIndex, status


def derive_ingresses(reading: StatusIndex) -> Iterator[ObjectStatus]:
    """Every Ingress of our classes. Addresses stay while gates take over a change: whoever makes DNS
    of them must not see them go and come again."""
    for one in reading.outcome.documents:
        if one.gate is None:
            continue
        facts = reading.facts.gate(one.gate)
        served = any(one.doc.ref in s.served for s in reading.gates[one.gate].listener_sets)
        addresses = facts.addresses if served and facts.running else ()
        make = partial(status, one.doc, IngressBody(addresses=addresses))
        yield reading.kept(one.doc, make, addresses)
