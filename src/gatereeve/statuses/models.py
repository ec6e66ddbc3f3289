"""Statuses of Models, ModelVersions, Approvals and Rollouts: may it be served, and is it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from gatereeve.api.world import ApprovalDoc, ModelDoc, ModelVersionDoc, RolloutDoc
from gatereeve.compile.governance.model_policy import ModelPolicy
from gatereeve.compile.governance.versions import moments, objection
from gatereeve.core.conditions import (
    ApprovalBody,
    Condition,
    ModelBody,
    ModelVersionBody,
    ObjectStatus,
    RolloutBody,
)
from gatereeve.core.findings import Finding
from gatereeve.statuses import conditions
from gatereeve.statuses.index import Served, StatusIndex, status

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


_Plans: TypeAlias = tuple[ModelPolicy, ...]


def derive_model(reading: StatusIndex, doc: ModelDoc) -> ObjectStatus:
    """Accepted; Routed: some route reaches it; Served: some version answers."""
    key = (doc.ref.namespace, doc.ref.name)
    return _model(
        reading, doc, reading.policies(key), reading.routed(key), reading.serving(doc.ref.short)
    )


def _model(
    reading: StatusIndex,
    doc: ModelDoc,
    model_policies: _Plans,
    gates: tuple[str, ...],
    serving: Served,
) -> ObjectStatus:
    known = {version for model_policy in model_policies for version in model_policy.known}
    served = tuple(version for version, _ in serving if version in known)
    eligible = {c.version for model_policy in model_policies for c in model_policy.candidates}
    return status(
        doc,
        ModelBody(digest=doc.digest, gates=gates, eligible=tuple(sorted(eligible)), served=served),
        conditions.accepted(reading.of(doc)),
        _routed(model_policies, gates),
        _answers(reading, doc, model_policies, gates, served),
    )


def _routed(model_policies: _Plans, gates: tuple[str, ...]) -> Condition:
    if gates:
        return conditions.true("Routed", "Routed", f"on {', '.join(gates)}")
    why = "NoGate" if not model_policies else "ModelUnrouted"  # every gate plans every model
    return conditions.false("Routed", why, "no route reaches it")


def _answers(
    reading: StatusIndex,
    doc: ModelDoc,
    model_policies: _Plans,
    gates: tuple[str, ...],
    served: tuple[str, ...],
) -> Condition:
    if served:
        return conditions.true("Served", "Served", f"versions {', '.join(served)}")
    refused = next(
        (model_policy.refuse for model_policy in model_policies if model_policy.refuse is not None),
        None,
    )
    if refused is not None:
        return conditions.false(
            "Served", conditions.reason(refused), conditions.text(reading.of(doc))
        )
    if not gates:
        return conditions.false("Served", "NotRouted", "no route reaches it")
    return conditions.false(
        "Served", "NoEligibleVersion", "no version of it may be served and answers"
    )


def derive_version(reading: StatusIndex, doc: ModelVersionDoc) -> ObjectStatus:
    """Accepted; Approved: all required approvals are there; Eligible: nothing is against serving it;
    Served: it answers requests on some gate."""
    key = (doc.ref.namespace, doc.spec.model)
    return _version(
        reading,
        doc,
        reading.world.models.get(key),
        reading.policies(key),
        bool(reading.routed(key)),
        reading.serving(f"{key[0]}/{key[1]}"),
    )


def _version(
    reading: StatusIndex,
    doc: ModelVersionDoc,
    model: ModelDoc | None,
    model_policies: _Plans,
    routed: bool,  # noqa: FBT001 - whether a route reaches the model
    serving: Served,
) -> ObjectStatus:
    gates = dict(serving).get(doc.spec.version, ()) if _is_candidate(doc, model_policies) else ()
    approved = _approved(reading, doc, model, model_policies)
    eligible = _eligible(reading, doc, model_policies, approved)
    return status(
        doc,
        ModelVersionBody(digest=doc.digest, gates=gates),
        conditions.accepted(
            reading.of(doc), *_APPROVAL_CODES, "residency-unlawful", "no-endpoints"
        ),
        approved,
        eligible,
        _serves(reading, doc, gates, eligible, routed=routed),
    )


def _is_candidate(doc: ModelVersionDoc, model_policies: _Plans) -> bool:
    return any(c.doc is doc for model_policy in model_policies for c in model_policy.candidates)


def _approved(
    reading: StatusIndex, doc: ModelVersionDoc, model: ModelDoc | None, model_policies: _Plans
) -> Condition:
    if model is None:
        message = f"there is no Model {doc.ref.namespace}/{doc.spec.model}"
        return conditions.false("Approved", "ModelNotFound", message)
    if not model_policies:
        return conditions.unknown("Approved", "NoGate", _NO_GATE)
    if _is_candidate(doc, model_policies):
        return conditions.true("Approved", "Approved")
    why = conditions.of_codes(reading.of(doc), "version-duplicate", *_APPROVAL_CODES)
    if why:
        return conditions.from_findings("Approved", why)
    message = f"{model.ref.short} is of risk class {model.spec.risk_class}"
    return conditions.false("Approved", "ModelProhibited", message)


def _eligible(
    reading: StatusIndex, doc: ModelVersionDoc, model_policies: _Plans, approved: Condition
) -> Condition:
    if approved.status != "True":
        message = "it is not approved" if approved.status == "False" else approved.message
        return replace(approved, type="Eligible", message=message)
    lawful = {
        v for model_policy in model_policies for c in model_policy.classes for v in c.versions
    }
    if doc.spec.version not in lawful:
        why = conditions.of_codes(reading.of(doc), "residency-unlawful")
        message = conditions.text(why) or f"it stands in {doc.spec.region}"
        return conditions.false("Eligible", "ResidencyUnlawful", message)
    refused = next(
        (model_policy.refuse for model_policy in model_policies if model_policy.refuse is not None),
        None,
    )
    if refused is not None:
        return conditions.false(
            "Eligible", conditions.reason(refused), f"Model {doc.spec.model} is refused"
        )
    return conditions.true("Eligible", "Eligible")


def _serves(
    reading: StatusIndex,
    doc: ModelVersionDoc,
    gates: tuple[str, ...],
    eligible: Condition,
    *,
    routed: bool,
) -> Condition:
    if gates:
        return conditions.true("Served", "Served", f"on {', '.join(gates)}")
    if eligible.status != "True":
        return conditions.false("Served", "NotEligible", "it is not eligible")
    if not routed:
        return conditions.false(
            "Served", "ModelUnrouted", f"no route reaches Model {doc.spec.model}"
        )
    why = conditions.of_codes(reading.of(doc), "no-endpoints")
    if why:
        return conditions.from_findings("Served", why)
    return conditions.false(
        "Served", "NotInRollout", "the Rollout of its model gives it no traffic"
    )


def derive_approval(reading: StatusIndex, doc: ApprovalDoc) -> ObjectStatus:
    """Accepted; InForce: it counts for the version as it is now."""
    version = reading.world.model_versions.get((doc.ref.namespace, doc.spec.subject.name))
    against = None
    if version is not None:
        reading.note_moments(*moments(doc))
        against = objection(version, doc, reading.world.at, reading.directory)
    return _approval(reading, doc, version, against)


def _approval(
    reading: StatusIndex, doc: ApprovalDoc, version: ModelVersionDoc | None, against: Finding | None
) -> ObjectStatus:
    return status(
        doc,
        ApprovalBody(digest=doc.digest, subject="" if version is None else version.digest),
        conditions.accepted(
            reading.of(doc), *_IN_FORCE, "approval-self", "person-refused", "version-not-found"
        ),
        _in_force(reading, doc, version, against),
    )


def _in_force(
    reading: StatusIndex, doc: ApprovalDoc, version: ModelVersionDoc | None, against: Finding | None
) -> Condition:
    name = f"{doc.ref.namespace}/{doc.spec.subject.name}"
    if version is None:
        return conditions.false("InForce", "VersionNotFound", f"there is no ModelVersion {name}")
    if against is not None:
        why = _IN_FORCE.get(against.code, conditions.reason(against.code))
        return conditions.false("InForce", why, conditions.text([against]))
    if doc.spec.break_glass is not None:
        return _emergency(reading, doc, name)
    what = "approves" if doc.spec.decision == "approve" else "rejects"
    return conditions.true("InForce", conditions.reason(what), f"{doc.spec.approver} {what} {name}")


def _emergency(reading: StatusIndex, doc: ApprovalDoc, name: str) -> Condition:
    """`InForce` of a break-glass Approval without an objection to itself. Gates may differ: one may
    admit it, another refuse it."""
    findings = reading.of(doc)
    if conditions.of_codes(findings, "break-glass-active"):
        return conditions.true(
            "InForce", "BreakGlass", f"{doc.spec.approver} broke the glass for {name}"
        )
    refused = conditions.of_codes(findings, "break-glass-refused")
    if refused:
        return conditions.from_findings("InForce", refused)
    return conditions.false(
        "InForce", "NotNeeded", f"{name} lacks no approval that this stands in for"
    )


def derive_rollout(reading: StatusIndex, doc: RolloutDoc) -> ObjectStatus:
    """Accepted; Effective: it decides which version of its model answers."""
    return _rollout(reading, doc, reading.policies((doc.ref.namespace, doc.spec.model)))


def _rollout(reading: StatusIndex, doc: RolloutDoc, model_policies: _Plans) -> ObjectStatus:
    chosen = [model_policy for model_policy in model_policies if model_policy.rollout is doc]
    named = {split.version for split in doc.spec.split}
    candidate_versions = {
        c.version for model_policy in chosen for c in model_policy.candidates
    } & named
    return status(
        doc,
        RolloutBody(digest=doc.digest, versions=tuple(sorted(candidate_versions))),
        conditions.accepted(reading.of(doc)),
        _effective(reading, doc, chosen, candidate_versions),
    )


def _effective(
    reading: StatusIndex, doc: RolloutDoc, chosen: list[ModelPolicy], versions: set[str]
) -> Condition:
    if not reading.gates:
        return conditions.unknown("Effective", "NoGate", _NO_GATE)
    why = conditions.of_codes(
        reading.of(doc), "model-not-found", "rollout-conflict", "rollout-no-candidate"
    )
    if not chosen or not versions:
        if why:
            return conditions.from_findings("Effective", why)
        return conditions.false("Effective", "RolloutNoCandidate", "no version of it may be served")
    if any(model_policy.refuse is not None for model_policy in chosen):
        return conditions.false("Effective", "ModelRefused", f"Model {doc.spec.model} is refused")
    return conditions.true("Effective", "Effective", f"versions {', '.join(sorted(versions))}")
