"""Statuses of Models, ModelVersions, Approvals and Rollouts: may it be served, and is it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from gatereeve.api.world import ApprovalDoc, Key, ModelDoc, ModelVersionDoc, RolloutDoc
from gatereeve.compile.models import ModelPlan
from gatereeve.compile.statuses import words
from gatereeve.compile.statuses.reading import Reading, Served, status
from gatereeve.compile.versions import objection
from gatereeve.core.conditions import (
    ApprovalBody,
    Condition,
    ModelBody,
    ModelVersionBody,
    ObjectStatus,
    RolloutBody,
)
from gatereeve.core.findings import Finding

_NO_GATE = "there is no Gate, so nothing is judged"
_APPROVAL_CODES = (
    "approval-broken",
    "person-refused",
    "version-rejected",
    "version-unapproved",
    "approval-not-independent",
)
"""Why a version is not approved, the gravest first."""

_IN_FORCE = {"version-changed": "Superseded", "approval-expired": "Expired"}


_Plans: TypeAlias = tuple[ModelPlan, ...]


def _plans(reading: Reading, key: Key) -> _Plans:
    """The plans of one model, one for each gate."""
    found = (outcome.plans.get(key) for outcome in reading.gates.values())
    return tuple(plan for plan in found if plan is not None)


def _routing(reading: Reading, key: Key) -> tuple[str, ...]:
    """The gates on which some route reaches the model."""
    return reading.routed.get(key, ())


def models(reading: Reading) -> Iterator[ObjectStatus]:
    """Accepted; Routed: some route reaches it; Served: some version answers."""
    for key, doc in reading.world.models.items():
        reads = (_plans(reading, key), _routing(reading, key), reading.serving(doc.ref.short))
        yield reading.kept(doc, partial(_model, reading, doc, *reads), *reads)


def _model(
    reading: Reading, doc: ModelDoc, plans: _Plans, gates: tuple[str, ...], serving: Served
) -> ObjectStatus:
    known = {version for plan in plans for version in plan.known}
    served = tuple(version for version, _ in serving if version in known)
    eligible = {c.version for plan in plans for c in plan.candidates}
    return status(
        doc,
        ModelBody(digest=doc.digest, gates=gates, eligible=tuple(sorted(eligible)), served=served),
        words.accepted(reading.of(doc)),
        _routed(plans, gates),
        _answers(reading, doc, plans, gates, served),
    )


def _routed(plans: _Plans, gates: tuple[str, ...]) -> Condition:
    if gates:
        return words.true("Routed", "Routed", f"on {', '.join(gates)}")
    why = "NoGate" if not plans else "ModelUnrouted"  # every gate plans every model
    return words.false("Routed", why, "no route reaches it")


def _answers(
    reading: Reading,
    doc: ModelDoc,
    plans: _Plans,
    gates: tuple[str, ...],
    served: tuple[str, ...],
) -> Condition:
    if served:
        return words.true("Served", "Served", f"versions {', '.join(served)}")
    refused = next((plan.refuse for plan in plans if plan.refuse is not None), None)
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
        model, plans = reading.world.models.get(key), _plans(reading, key)
        routed, serving = _routing(reading, key), reading.serving(f"{key[0]}/{key[1]}")
        make = partial(_version, reading, doc, model, plans, bool(routed), serving)
        yield reading.kept(doc, make, model, plans, bool(routed), serving)


def _version(
    reading: Reading,
    doc: ModelVersionDoc,
    model: ModelDoc | None,
    plans: _Plans,
    routed: bool,  # noqa: FBT001 - whether a route reaches the model
    serving: Served,
) -> ObjectStatus:
    gates = dict(serving).get(doc.spec.version, ()) if _is_candidate(doc, plans) else ()
    approved = _approved(reading, doc, model, plans)
    eligible = _eligible(reading, doc, plans, approved)
    return status(
        doc,
        ModelVersionBody(digest=doc.digest, gates=gates),
        words.accepted(reading.of(doc), *_APPROVAL_CODES, "residency-unlawful", "no-endpoints"),
        approved,
        eligible,
        _serves(reading, doc, gates, eligible, routed=routed),
    )


def _is_candidate(doc: ModelVersionDoc, plans: _Plans) -> bool:
    return any(c.doc is doc for plan in plans for c in plan.candidates)


def _approved(
    reading: Reading, doc: ModelVersionDoc, model: ModelDoc | None, plans: _Plans
) -> Condition:
    if model is None:
        message = f"there is no Model {doc.ref.namespace}/{doc.spec.model}"
        return words.false("Approved", "ModelNotFound", message)
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
    reading: Reading, doc: ModelVersionDoc, plans: _Plans, approved: Condition
) -> Condition:
    if approved.status != "True":
        message = "it is not approved" if approved.status == "False" else approved.message
        return replace(approved, type="Eligible", message=message)
    lawful = {v for plan in plans for c in plan.classes for v in c.versions}
    if doc.spec.version not in lawful:
        why = words.of_codes(reading.of(doc), "residency-unlawful")
        message = words.text(why) or f"it stands in {doc.spec.region}"
        return words.false("Eligible", "ResidencyUnlawful", message)
    refused = next((plan.refuse for plan in plans if plan.refuse is not None), None)
    if refused is not None:
        return words.false("Eligible", words.reason(refused), f"Model {doc.spec.model} is refused")
    return words.true("Eligible", "Eligible")


def _serves(
    reading: Reading,
    doc: ModelVersionDoc,
    gates: tuple[str, ...],
    eligible: Condition,
    *,
    routed: bool,
) -> Condition:
    if gates:
        return words.true("Served", "Served", f"on {', '.join(gates)}")
    if eligible.status != "True":
        return words.false("Served", "NotEligible", "it is not eligible")
    if not routed:
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
        against = (
            None
            if version is None
            else objection(version, doc, reading.world.at, reading.outcome.people.directory)
        )
        make = partial(_approval, reading, doc, version, against)
        yield reading.kept(doc, make, version, against)


def _approval(
    reading: Reading, doc: ApprovalDoc, version: ModelVersionDoc | None, against: Finding | None
) -> ObjectStatus:
    return status(
        doc,
        ApprovalBody(digest=doc.digest, subject="" if version is None else version.digest),
        words.accepted(
            reading.of(doc), *_IN_FORCE, "approval-self", "person-refused", "version-not-found"
        ),
        _in_force(reading, doc, version, against),
    )


def _in_force(
    reading: Reading, doc: ApprovalDoc, version: ModelVersionDoc | None, against: Finding | None
) -> Condition:
    name = f"{doc.ref.namespace}/{doc.spec.subject.name}"
    if version is None:
        return words.false("InForce", "VersionNotFound", f"there is no ModelVersion {name}")
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
        make = partial(_rollout, reading, doc, plans)
        yield reading.kept(doc, make, plans, bool(reading.gates))


def _rollout(reading: Reading, doc: RolloutDoc, plans: _Plans) -> ObjectStatus:
    chosen = [plan for plan in plans if plan.rollout is doc]
    named = {split.version for split in doc.spec.split}
    found = {c.version for plan in chosen for c in plan.candidates} & named
    return status(
        doc,
        RolloutBody(digest=doc.digest, versions=tuple(sorted(found))),
        words.accepted(reading.of(doc)),
        _effective(reading, doc, chosen, found),
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
