"""Statuses of Gates, HostGrants and AccessPolicies, and of documents of ours that cannot be used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from gatereeve.api.world import AccessPolicyDoc, Broken
from gatereeve.compile import hosts
from gatereeve.compile.access import policies_for
from gatereeve.compile.gathering import Shard
from gatereeve.compile.statuses import words
from gatereeve.compile.statuses.facts import GateFacts
from gatereeve.compile.statuses.reading import Reading, status
from gatereeve.core.conditions import (
    AccessPolicyBody,
    BrokenBody,
    Condition,
    GateBody,
    HostGrantBody,
    ObjectStatus,
)
from gatereeve.core.refs import GATEREEVE_GROUP, Ref

_SHOWN = 100


def gates(reading: Reading) -> Iterator[ObjectStatus]:
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
        yield status(doc, body, words.accepted(reading.of(doc)), _programmed(facts))


def _programmed(facts: GateFacts) -> Condition:
    if facts.rejections:
        return words.false("Programmed", "GateRejected", "; ".join(facts.rejections[:5]))
    if not facts.gates:
        return words.false("Programmed", "NoGates", "no gate serves this document yet")
    if facts.ready < facts.gates:
        message = f"{facts.ready} of {facts.gates} gates run what the documents say"
        return words.false("Programmed", "Pending", message)
    return words.true("Programmed", "Programmed", f"{facts.ready} of {facts.gates} gates run it")


def host_grants(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Matched: some namespace may claim its hosts."""
    world = reading.world
    names = {name for _, name in world.namespaces} | {
        namespace
        for table in (world.ingresses, world.http_routes, world.gateways, world.models)
        for namespace, _ in table
    }
    labels = {name: hosts.labels_of(name, world.namespaces.get(("", name))) for name in names}
    for doc in world.host_grants.values():
        found = sorted(name for name in names if hosts.selects(doc, labels[name]))
        body = HostGrantBody(
            digest=doc.digest, namespaces=tuple(found[:_SHOWN]), matched=len(found)
        )
        matched = (
            words.true("Matched", "Matched", f"{len(found)} namespaces")
            if found
            else words.false("Matched", "NoNamespaces", "its selector matches no namespace")
        )
        yield status(doc, body, words.accepted(reading.of(doc)), matched)


def access_policies(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Attached: it speaks of models that exist; Enforced: their answers depend on it."""
    models: defaultdict[Ref, list[str]] = defaultdict(list)
    for shard in reading.outcome.gathered.shards:
        for ref, name in reading.memo.get(("spoken of", shard), partial(_spoken_of, shard)):
            models[ref].append(name)
    for doc in reading.world.access_policies.values():
        found = tuple(sorted(models[doc.ref]))
        make = partial(_access_policy, reading, doc, found)
        yield reading.kept(doc, make, found, bool(reading.gates))


def _spoken_of(shard: Shard) -> tuple[tuple[Ref, str], ...]:
    """Policies, each with a model that it speaks of."""
    return tuple(
        (policy.ref, model.ref.name)
        for key, (model,) in shard.models.docs.items()
        for policy in policies_for(
            model, (*shard.naming.of(key), *shard.selecting.docs.get(key[0], ()))
        )
    )


def _access_policy(reading: Reading, doc: AccessPolicyDoc, models: tuple[str, ...]) -> ObjectStatus:
    return status(
        doc,
        AccessPolicyBody(digest=doc.digest, models=models[:_SHOWN]),
        words.accepted(reading.of(doc)),
        _attached(reading, doc, models),
        _enforced(reading, doc, models),
    )


def _attached(reading: Reading, doc: AccessPolicyDoc, models: tuple[str, ...]) -> Condition:
    if models:
        return words.true("Attached", "Attached", f"to {len(models)} models")
    why = words.of_codes(reading.of(doc), "model-not-found", "policy-matches-nothing")
    if why:
        return words.from_findings("Attached", why)
    return words.false("Attached", "PolicyMatchesNothing", "no Model is named or selected")


def _enforced(reading: Reading, doc: AccessPolicyDoc, models: tuple[str, ...]) -> Condition:
    if doc.spec.mode == "shadow":
        return words.false(
            "Enforced", "Shadow", "its rules change no answer; records say what they would do"
        )
    if not models:
        return words.false("Enforced", "NotAttached", "it speaks of no Model")
    if not reading.gates:
        return words.false("Enforced", "NoGate", "there is no Gate")
    return words.true("Enforced", "Enforced")


def broken(reading: Reading) -> Iterator[ObjectStatus]:
    """Documents of ours that cannot be used and have no last good form."""
    for ref in sorted({one.ref for one in reading.world.broken if _is_ours(one)}):
        found = reading.findings.get(ref, ())
        accepted = (
            words.accepted(found)
            if found
            else words.false("Accepted", "Unreadable", "the document cannot be read")
        )
        if accepted.status == "True":  # whatever was found, it is not used
            accepted = words.from_findings("Accepted", found)
        yield ObjectStatus(ref=ref, uid="", generation=0, conditions=(accepted,), body=BrokenBody())


def _is_ours(one: Broken) -> bool:
    return one.ref.group == GATEREEVE_GROUP and bool(one.ref.name)
