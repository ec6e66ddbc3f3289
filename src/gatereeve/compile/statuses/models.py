"""Statuses of Models, ModelVersions, Approvals and Rollouts: may it be served, and is it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from gatereeve.api.world import ApprovalDoc, Key, ModelDoc, ModelVersionDoc, RolloutDoc
from gatereeve.compile.models import ModelPlan
from gatereeve.compile.statuses import words
from gatereeve.compile.statuses.reading import Reading, status
from gatereeve.compile.versions import objection
from gatereeve.core.conditions import (
    ApprovalBody,
    Condition,
    ModelBody,
    ModelVersionBody,
    ObjectStatus,
    RolloutBody,
)

_NO_GATE = "there is no Gate, so nothing is judged"
_APPROVAL_CODES = (
    "approval-broken",
    "version-rejected",
    "version-unapproved",
    "approval-not-independent",
)
"""Why a version is not approved, the gravest first."""

_IN_FORCE = {"version-changed": "Superseded", "approval-expired": "Expired"}


def _plans(reading: Reading, key: Key) -> dict[str, ModelPlan]:
    """The plans of one model, by gate."""
    return {
        name: outcome.plans[key] for name, outcome in reading.gates.items() if key in outcome.plans
    }


def _routing(reading: Reading, key: Key) -> tuple[str, ...]:
    """The gates on which some route reaches the model."""
    return reading.routed.get(key, ())


def models(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Routed: some route reaches it; Served: some version answers."""
    for key, doc in reading.world.models.items():
        plans = _plans(reading, key)
        gates = _routing(reading, key)
        versions = sorted({version for plan in plans.values() for version in plan.known})
        name = doc.ref.short
        served = tuple(version for version in versions if reading.served.get((name, version)))
        eligible = {c.version for plan in plans.values() for c in plan.candidates}
        body = ModelBody(
            digest=doc.digest, gates=gates, eligible=tuple(sorted(eligible)), served=served
        )
        yield status(
            doc,
            body,
            words.accepted(reading.of(doc)),
            _routed(reading, gates),
            _answers(reading, doc, plans, gates, served),
        )


def _routed(reading: Reading, gates: tuple[str, ...]) -> Condition:
    if gates:
        return words.true("Routed", "Routed", f"on {', '.join(gates)}")
    why = "NoGate" if not reading.gates else "ModelUnrouted"
    return words.false("Routed", why, "no route reaches it")


def _answers(
    reading: Reading,
    doc: ModelDoc,
    plans: dict[str, ModelPlan],
    gates: tuple[str, ...],
    served: tuple[str, ...],
) -> Condition:
    if served:
        return words.true("Served", "Served", f"versions {', '.join(served)}")
    refused = next((plan.refuse for plan in plans.values() if plan.refuse is not None), None)
    if refused is not None:
        return words.false("Served", words.reason(refused), words.text(reading.of(doc)))
    if not gates:
        return words.false("Served", "NotRouted", "no route reaches it")
    return words.false("Served", "NoEligibleVersion", "no version of it may be served and answers")


def versions(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Approved: everybody who must has approved it; Eligible: nothing stands against
    serving it; Served: it answers requests on some gate."""
    for doc in reading.world.model_versions.values():
        key = (doc.ref.namespace, doc.spec.model)
        plans = _plans(reading, key)
        gates = reading.served.get((f"{key[0]}/{key[1]}", doc.spec.version), ())
        approved = _approved(reading, doc, plans)
        eligible = _eligible(reading, doc, plans, approved)
        if not _is_candidate(doc, plans):
            gates = ()
        yield status(
            doc,
            ModelVersionBody(digest=doc.digest, gates=gates),
            words.accepted(reading.of(doc), *_APPROVAL_CODES, "residency-unlawful", "no-endpoints"),
            approved,
            eligible,
            _serves(reading, doc, key, gates, eligible),
        )


def _is_candidate(doc: ModelVersionDoc, plans: dict[str, ModelPlan]) -> bool:
    return any(c.doc is doc for plan in plans.values() for c in plan.candidates)


def _approved(reading: Reading, doc: ModelVersionDoc, plans: dict[str, ModelPlan]) -> Condition:
    key = (doc.ref.namespace, doc.spec.model)
    model = reading.world.models.get(key)
    if model is None:
        return words.false("Approved", "ModelNotFound", f"there is no Model {key[0]}/{key[1]}")
    if not plans:
        return words.unknown("Approved", "NoGate", _NO_GATE)
    if _is_candidate(doc, plans):
        return words.true("Approved", "Approved")
    why = words.of_codes(reading.of(doc), "version-duplicate", *_APPROVAL_CODES)
    if why:
        return words.from_findings("Approved", why)
    message = f"{model.ref.short} is of risk class {model.spec.risk_class}"
    return words.false("Approved", "ModelProhibited", message)


def _eligible(
    reading: Reading, doc: ModelVersionDoc, plans: dict[str, ModelPlan], approved: Condition
) -> Condition:
    if approved.status != "True":
        message = "it is not approved" if approved.status == "False" else approved.message
        return replace(approved, type="Eligible", message=message)
    lawful = {v for plan in plans.values() for c in plan.classes for v in c.versions}
    if doc.spec.version not in lawful:
        why = words.of_codes(reading.of(doc), "residency-unlawful")
        message = words.text(why) or f"it stands in {doc.spec.region}"
        return words.false("Eligible", "ResidencyUnlawful", message)
    refused = next((plan.refuse for plan in plans.values() if plan.refuse is not None), None)
    if refused is not None:
        return words.false("Eligible", words.reason(refused), f"Model {doc.spec.model} is refused")
    return words.true("Eligible", "Eligible")


def _serves(
    reading: Reading, doc: ModelVersionDoc, key: Key, gates: tuple[str, ...], eligible: Condition
) -> Condition:
    if gates:
        return words.true("Served", "Served", f"on {', '.join(gates)}")
    if eligible.status != "True":
        return words.false("Served", "NotEligible", "it is not eligible")
    if not _routing(reading, key):
        return words.false("Served", "ModelUnrouted", f"no route reaches Model {doc.spec.model}")
    why = words.of_codes(reading.of(doc), "no-endpoints")
    if why:
        return words.from_findings("Served", why)
    return words.false("Served", "NotInRollout", "the Rollout of its model gives it no traffic")


def approvals(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; InForce: it counts for the version as it is now."""
    for doc in reading.world.approvals.values():
        key = (doc.ref.namespace, doc.spec.subject.name)
        version = reading.world.model_versions.get(key)
        body = ApprovalBody(digest=doc.digest, subject="" if version is None else version.digest)
        yield status(
            doc,
            body,
            words.accepted(reading.of(doc), *_IN_FORCE, "approval-self", "version-not-found"),
            _in_force(reading, doc, version),
        )


def _in_force(reading: Reading, doc: ApprovalDoc, version: ModelVersionDoc | None) -> Condition:
    name = f"{doc.ref.namespace}/{doc.spec.subject.name}"
    if version is None:
        return words.false("InForce", "VersionNotFound", f"there is no ModelVersion {name}")
    against = objection(version, doc, reading.world.at)
    if against is not None:
        why = _IN_FORCE.get(against.code, words.reason(against.code))
        return words.false("InForce", why, words.text([against]))
    if doc.spec.break_glass is not None:
        return _emergency(reading, doc, name)
    what = "approves" if doc.spec.decision == "approve" else "rejects"
    return words.true("InForce", words.reason(what), f"{doc.spec.approver} {what} {name}")


def _emergency(reading: Reading, doc: ApprovalDoc, name: str) -> Condition:
    """Of a broken glass that nothing speaks against by itself. One gate may admit what others refuse."""
    found = reading.of(doc)
    if words.of_codes(found, "break-glass-active"):
        return words.true(
            "InForce", "BreakGlass", f"{doc.spec.approver} broke the glass for {name}"
        )
    refused = words.of_codes(found, "break-glass-refused")
    if refused:
        return words.from_findings("InForce", refused)
    return words.false("InForce", "NotNeeded", f"{name} lacks no approval that this stands in for")


def rollouts(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Effective: it says which version of its model answers."""
    for doc in reading.world.rollouts.values():
        plans = _plans(reading, (doc.ref.namespace, doc.spec.model))
        chosen = [plan for plan in plans.values() if plan.rollout is doc]
        named = {split.version for split in doc.spec.split}
        found = {c.version for plan in chosen for c in plan.candidates} & named
        body = RolloutBody(digest=doc.digest, versions=tuple(sorted(found)))
        yield status(
            doc, body, words.accepted(reading.of(doc)), _effective(reading, doc, chosen, found)
        )


def _effective(
    reading: Reading, doc: RolloutDoc, chosen: list[ModelPlan], versions: set[str]
) -> Condition:
    if not reading.gates:
        return words.unknown("Effective", "NoGate", _NO_GATE)
    why = words.of_codes(
        reading.of(doc), "model-not-found", "rollout-conflict", "rollout-no-candidate"
    )
    if not chosen or not versions:
        if why:
            return words.from_findings("Effective", why)
        return words.false("Effective", "RolloutNoCandidate", "no version of it may be served")
    if any(plan.refuse is not None for plan in chosen):
        return words.false("Effective", "ModelRefused", f"Model {doc.spec.model} is refused")
    return words.true("Effective", "Effective", f"versions {', '.join(sorted(versions))}")
