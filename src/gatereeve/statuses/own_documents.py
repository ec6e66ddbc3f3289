"""Statuses of Gates, HostGrants and AccessPolicies, and of documents of ours that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.api.world import AccessPolicyDoc, Broken, GateDoc, HostGrantDoc, World
from gatereeve.compile.routes import host_grants
from gatereeve.core.conditions import (
    AccessPolicyBody,
    BrokenBody,
    Condition,
    GateBody,
    HostGrantBody,
    ObjectStatus,
)
from gatereeve.core.findings import Finding
from gatereeve.core.refs import GATEREEVE_GROUP, Ref
from gatereeve.statuses import conditions
from gatereeve.statuses.facts import GateFacts
from gatereeve.statuses.index import StatusIndex, status

_SHOWN = 100


def derive_gate(reading: StatusIndex, doc: GateDoc) -> ObjectStatus:
    """Accepted; Programmed: every gate was proved to run what the documents say."""
    facts = reading.facts(doc.ref.name)
    body = GateBody(
        digest=doc.digest,
        wanted=reading.hash(doc.ref.name),
        active=facts.active,
        ready=facts.ready,
        gates=facts.gates,
        addresses=facts.addresses,
    )
    return status(doc, body, conditions.accepted(reading.of(doc)), _programmed(facts))


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


def find_namespaces(world: World) -> Mapping[str, Mapping[str, str]]:
    """The labels of every namespace in which something may claim a host."""
    names = {name for _, name in world.namespaces} | {
        namespace
        for table in (world.ingresses, world.http_routes, world.gateways, world.models)
        for namespace, _ in table
    }
    return {name: host_grants.labels_of(name, world.namespaces.get(("", name))) for name in names}


def derive_host_grant(
    reading: StatusIndex, doc: HostGrantDoc, namespaces: Mapping[str, Mapping[str, str]]
) -> ObjectStatus:
    """Accepted; Matched: some namespace may claim its hosts. namespaces: of `find_namespaces`."""
    selected = sorted(name for name in namespaces if host_grants.selects(doc, namespaces[name]))
    body = HostGrantBody(
        digest=doc.digest, namespaces=tuple(selected[:_SHOWN]), matched=len(selected)
    )
    matched = (
        conditions.true("Matched", "Matched", f"{len(selected)} namespaces")
        if selected
        else conditions.false("Matched", "NoNamespaces", "its selector matches no namespace")
    )
    return status(doc, body, conditions.accepted(reading.of(doc)), matched)


def derive_access_policy(reading: StatusIndex, doc: AccessPolicyDoc) -> ObjectStatus:
    """Accepted; Attached: it names Models that exist; Enforced: their answers depend on it."""
    models = tuple(sorted(set(reading.check((doc.ref.namespace, doc.ref.name)).models)))
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


def derive_broken(reading: StatusIndex) -> tuple[ObjectStatus, ...]:
    """Documents of ours that cannot be used and have no last good form."""
    refs = sorted({broken.ref for broken in reading.world.broken if _is_ours(broken)})
    return tuple(_derive_broken(reading.of_ref(ref), ref) for ref in refs)


def _derive_broken(findings: tuple[Finding, ...], ref: Ref) -> ObjectStatus:
    accepted = (
        conditions.accepted(findings)
        if findings
        else conditions.false("Accepted", "Unreadable", "the document cannot be read")
    )
    if accepted.status == "True":  # it is not used, even if no finding says so
        accepted = conditions.from_findings("Accepted", findings)
    return ObjectStatus(ref=ref, uid="", generation=0, conditions=(accepted,), body=BrokenBody())


def _is_ours(broken: Broken) -> bool:
    return broken.ref.group == GATEREEVE_GROUP and bool(broken.ref.name)
