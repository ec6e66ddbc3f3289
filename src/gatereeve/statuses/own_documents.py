"""Statuses of Gates, HostGrants and AccessPolicies, and of documents of ours that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gatereeve.api.world import AccessPolicyDoc, Broken
from gatereeve.compile.routes import host_grants
from gatereeve.core.conditions import (
    AccessPolicyBody,
    BrokenBody,
    Condition,
    GateBody,
    HostGrantBody,
    ObjectStatus,
)
from gatereeve.core.refs import GATEREEVE_GROUP
from gatereeve.statuses import conditions
from gatereeve.statuses.facts import GateFacts
from gatereeve.statuses.index import StatusIndex, status

_SHOWN = 100


def derive_gates(reading: StatusIndex) -> Iterator[ObjectStatus]:
    """Accepted; Programmed: every gate was proved to run what the documents say."""
    hashes = {gate.name: gate.hash for gate in reading.compiled.ir.gates}
    for doc in reading.world.gates.values():
        facts = reading.facts.gate(doc.ref.name)
        body = GateBody(
            digest=doc.digest,
            wanted=hashes[doc.ref.name],
            active=facts.active,
            ready=facts.ready,
            gates=facts.gates,
            addresses=facts.addresses,
        )
        yield status(doc, body, conditions.accepted(reading.of(doc)), _programmed(facts))


def _programmed(facts: GateFacts) -> Condition:
    if facts.rejections:
        return conditions.false("Programmed", "GateRejected", "; ".join(facts.rejections[:5]))
    if not facts.gates:
        return conditions.false("Programmed", "NoGates", "no gate serves this document yet")
    if facts.ready < facts.gates:
        message = f"{facts.ready} of {facts.gates} gates run what the documents say"
        return conditions.false("Programmed", "Pending", message)
    return conditions.true(
        "Programmed", "Programmed", f"{facts.ready} of {facts.gates} gates run it"
    )


def derive_host_grants(reading: StatusIndex) -> Iterator[ObjectStatus]:
    """Accepted; Matched: some namespace may claim its hosts."""
    world = reading.world
    names = {name for _, name in world.namespaces} | {
        namespace
        for table in (world.ingresses, world.http_routes, world.gateways, world.models)
        for namespace, _ in table
    }
    labels = {name: host_grants.labels_of(name, world.namespaces.get(("", name))) for name in names}
    for doc in world.host_grants.values():
        found = sorted(name for name in names if host_grants.selects(doc, labels[name]))
        body = HostGrantBody(
            digest=doc.digest, namespaces=tuple(found[:_SHOWN]), matched=len(found)
        )
        matched = (
            conditions.true("Matched", "Matched", f"{len(found)} namespaces")
            if found
            else conditions.false("Matched", "NoNamespaces", "its selector matches no namespace")
        )
        yield status(doc, body, conditions.accepted(reading.of(doc)), matched)


def derive_access_policies(reading: StatusIndex) -> Iterator[ObjectStatus]:
    """Accepted; Attached: it speaks of models that exist; Enforced: their answers depend on it."""
    for key, doc in reading.world.access_policies.items():
        found = tuple(sorted(set(reading.outcome.policies[key].models)))
        make = partial(_access_policy, reading, doc, found)
        yield reading.kept(doc, make, found, bool(reading.gates))


def _access_policy(
    reading: StatusIndex, doc: AccessPolicyDoc, models: tuple[str, ...]
) -> ObjectStatus:
    return status(
        doc,
        AccessPolicyBody(digest=doc.digest, models=models[:_SHOWN]),
        conditions.accepted(reading.of(doc)),
        _attached(reading, doc, models),
        _enforced(reading, doc, models),
    )


def _attached(reading: StatusIndex, doc: AccessPolicyDoc, models: tuple[str, ...]) -> Condition:
    if models:
        return conditions.true("Attached", "Attached", f"to {len(models)} models")
    why = conditions.of_codes(reading.of(doc), "model-not-found", "policy-matches-nothing")
    if why:
        return conditions.from_findings("Attached", why)
    return conditions.false("Attached", "PolicyMatchesNothing", "no Model is named or selected")


def _enforced(reading: StatusIndex, doc: AccessPolicyDoc, models: tuple[str, ...]) -> Condition:
    if doc.spec.mode == "shadow":
        return conditions.false(
            "Enforced", "Shadow", "its rules change no answer; records say what they would do"
        )
    if not models:
        return conditions.false("Enforced", "NotAttached", "it speaks of no Model")
    if not reading.gates:
        return conditions.false("Enforced", "NoGate", "there is no Gate")
    return conditions.true("Enforced", "Enforced")


def derive_broken(reading: StatusIndex) -> Iterator[ObjectStatus]:
    """Documents of ours that cannot be used and have no last good form."""
    for ref in sorted({one.ref for one in reading.world.broken if _is_ours(one)}):
        found = reading.findings.get(ref, ())
        accepted = (
            conditions.accepted(found)
            if found
            else conditions.false("Accepted", "Unreadable", "the document cannot be read")
        )
        if accepted.status == "True":  # whatever was found, it is not used
            accepted = conditions.from_findings("Accepted", found)
        yield ObjectStatus(ref=ref, uid="", generation=0, conditions=(accepted,), body=BrokenBody())


def _is_ours(one: Broken) -> bool:
    return one.ref.group == GATEREEVE_GROUP and bool(one.ref.name)
