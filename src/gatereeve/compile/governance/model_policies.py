"""The `ModelPolicy` of every model on one gate, from the documents that name the model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from gatereeve.api.world import (
    AccessPolicyDoc,
    ApprovalDoc,
    Doc,
    GateDoc,
    Key,
    ModelDoc,
    ModelVersionDoc,
    RolloutDoc,
)
from gatereeve.compile.digests import combine, value_hash
from gatereeve.compile.governance.access import compile_access, policies_for
from gatereeve.compile.governance.identity import compile_attributes, compile_identity
from gatereeve.compile.governance.index import GovernanceIndex
from gatereeve.compile.governance.known_values import KnownValues, known_values
from gatereeve.compile.governance.model_policy import (
    Candidate,
    ModelPolicy,
    lawful_classes,
    subject_header,
)
from gatereeve.compile.governance.person_names import Directory
from gatereeve.compile.governance.versions import judge_versions, moments
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core.derived import Computed, Derived, Reader, Stage, Table
from gatereeve.core.findings import Finding
from gatereeve.core.refs import PolicyHash, Ref
from gatereeve.core.report import finding
from gatereeve.ir.clusters import Endpoint
from gatereeve.ir.identity import Attributes, Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class GateScope:
    """What a gate brings to the policies of all its models."""

    gate: GateDoc
    identity: Identity
    attributes: Attributes
    groups: Mapping[str, tuple[str, ...]]
    known: KnownValues
    directory: Directory


class Identified(NamedTuple):
    """How a gate identifies callers, and what is wrong with its documents."""

    identity: Identity
    attributes: Attributes
    findings: tuple[Finding, ...]


class GatePolicies(Stage):
    """The governance tables of one gate.

    policies: by model. endpoints: the usable servers of a ModelVersion. Findings stand in the rows.
    """

    def __init__(
        self,
        name: str,
        world: WorldTables,
        index: GovernanceIndex,
        endpoints: Table[Key, tuple[Endpoint, ...]],
    ) -> None:
        self._gate = ("", name)
        self._world = world
        self._index = index
        self._endpoints = endpoints
        self.identified = Computed(self._identify)
        self.scope = Computed(self._scope)
        self.policies = Derived(self._evaluate)

    def update(self) -> None:
        """Follow the World; the Gate must be in it."""
        self.identified.update()
        self.scope.update()
        self.policies.update(self._world.models)

    def _identify(self, read: Reader) -> Identified:
        gate, world = read.row(self._world.gates, self._gate), self._world.read(read)
        identity, findings = compile_identity(world, gate)
        attributes, more = compile_attributes(world, gate)
        return Identified(identity, attributes, (*findings, *more))

    def _scope(self, read: Reader) -> GateScope:
        gate, identified = read.row(self._world.gates, self._gate), read.value(self.identified)
        gates = [doc.spec for doc in read.all(self._world.gates).values()]
        return GateScope(
            gate=gate,
            identity=identified.identity,
            attributes=identified.attributes,
            groups={g.name: tuple(sorted(g.regions)) for g in gate.spec.region_groups},
            known=known_values(gate.spec, identified.attributes, gates),
            directory=read.value(self._index.people).directory,
        )

    def _evaluate(self, key: Key, read: Reader) -> ModelPolicy:
        index = self._index
        model = read.row(self._world.models, key)
        versions = read.get(index.versions, key) or ()
        approvals = [
            approval
            for version in versions
            for approval in read.get(index.approvals, (key[0], version.ref.name)) or ()
        ]
        candidates = (
            *(read.get(index.policies, key) or ()),
            *(read.get(index.selecting, key[0]) or ()),
        )
        unreadable = read.row(index.unreadable_about, key)
        names = [(key[0], version.ref.name) for version in versions]
        inputs = Inputs(
            model=model,
            versions=versions,
            servers=tuple(read.row(self._endpoints, name) for name in names),
            approvals=tuple(sorted(approvals, key=attrgetter("ref"))),
            policies=policies_for(model, candidates),
            rollouts=read.get(index.rollouts, key) or (),
            broken=unreadable.model,
            more=unreadable.versions,
            doubted=tuple(read.row(index.unreadable_versions, name) for name in names),
        )
        at = self._world.pass_moments(
            read, (moment for approval in approvals for moment in moments(approval))
        )
        return _evaluate(key, read.value(self.scope), inputs, at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Every document that decides about one model. servers and doubted go with versions.

    broken: why a document that cannot be read may concern the model. more: why it may have another
    version, which matters without a Rollout. doubted: names of documents that cannot be read and may
    reject the version.
    """

    model: ModelDoc
    versions: tuple[ModelVersionDoc, ...]
    servers: tuple[tuple[Endpoint, ...], ...]
    approvals: tuple[ApprovalDoc, ...]
    policies: tuple[AccessPolicyDoc, ...]
    rollouts: tuple[RolloutDoc, ...]
    broken: str | None
    more: str | None
    doubted: tuple[str | None, ...]


def _evaluate(key: Key, scope: GateScope, inputs: Inputs, at: datetime) -> ModelPolicy:
    model, versions, rollouts = inputs.model, inputs.versions, inputs.rollouts
    doubts = zip(versions, inputs.doubted, strict=True)
    judged = judge_versions(
        model,
        versions,
        inputs.approvals,
        at,
        doubted={version.ref.name: doubt for version, doubt in doubts if doubt is not None},
        emergency=scope.gate.spec.governance.break_glass,
        directory=scope.directory,
    )
    access, findings = compile_access(
        model,
        inputs.policies,
        identity=scope.identity,
        attributes=scope.attributes,
        groups=scope.groups,
        known=scope.known,
    )
    servers = dict(zip(versions, inputs.servers, strict=True))
    candidates = tuple(
        Candidate(version=v.spec.version, region=v.spec.region, doc=v, endpoints=servers[v])
        for v in judged.eligible
    )
    rollout = min(rollouts, key=lambda r: r.ref) if rollouts else None
    refuse, problems = _refusal(model, versions, _find_closed(inputs, findings))
    classes = lawful_classes(model, candidates, scope.groups)
    read: tuple[Doc[object], ...] = (
        scope.gate,
        model,
        *versions,
        *inputs.approvals,
        *inputs.policies,
        *rollouts,
    )
    eligible = ",".join(c.version for c in candidates)
    policy = combine([d.digest for d in read] + [value_hash(access), eligible, refuse or ""])
    return ModelPolicy(
        key=key,
        protocol=model.spec.protocol,
        doc=model,
        served_name=model.spec.served_name or model.ref.name,
        access=access,
        policy=PolicyHash(policy),
        refuse=refuse,
        known=tuple(sorted({v.spec.version for v in versions})),
        candidates=candidates,
        classes=classes,
        rollout=rollout,
        region_groups=scope.groups,
        next_change=judged.next_change,
        findings=(
            *judged.findings,
            *findings,
            *problems,
            *_rollout_findings(model, rollouts, candidates),
            *_residency_findings(model, candidates, versions, scope.groups),
            *_endpoint_findings(candidates),
        ),
    )


def _find_closed(inputs: Inputs, findings: Iterable[Finding]) -> str | None:
    """Why a policy of the model may say more than what was read of it."""
    if inputs.broken:
        return inputs.broken
    if inputs.more and not inputs.rollouts:
        return inputs.more
    shadows = {policy.ref for policy in inputs.policies if policy.spec.mode == "shadow"}
    astray = next((f for f in findings if _says_less_than_meant(f, shadows)), None)
    return f"{astray.origin} denies nothing" if astray is not None else None


def _says_less_than_meant(finding: Finding, shadows: Collection[Ref]) -> bool:
    """A deny rule that can match nothing, and a policy without rules: its file may be cut off."""
    about = finding.origin.ref if finding.origin is not None else None
    return finding.code in ("deny-matches-nothing", "policy-empty") and about not in shadows


def _refusal(
    model: ModelDoc, versions: tuple[ModelVersionDoc, ...], closed: str | None
) -> tuple[str | None, list[Finding]]:
    """A code with which everything is refused, and why."""
    if model.spec.risk_class == "prohibited":
        return "no-eligible-version", [
            finding(model, "model-prohibited", "spec.riskClass", model=model.ref.short)
        ]
    if closed is not None:
        return "policy-broken", [finding(model, "policy-broken", why=closed, model=model.ref.short)]
    if model.spec.audit == "strict":
        return "strict-recording-unavailable", [
            finding(model, "strict-audit-unavailable", "spec.audit", model=model.ref.short)
        ]
    if not versions:
        return None, [finding(model, "model-unversioned", model=model.ref.short)]
    return None, []


def _rollout_findings(
    model: ModelDoc, rollouts: tuple[RolloutDoc, ...], candidates: tuple[Candidate, ...]
) -> list[Finding]:
    if not rollouts:
        if len(candidates) > 1:
            return [
                finding(model, "rollout-missing", model=model.ref.short, number=len(candidates))
            ]
        return []
    chosen, *others = sorted(rollouts, key=lambda r: r.ref)
    findings = [
        finding(
            other, "rollout-conflict", "spec.model", rollout=chosen.ref.short, model=model.ref.short
        )
        for other in others
    ]
    eligible = {c.version for c in candidates}
    named = [(f"spec.split[{i}]", s.version) for i, s in enumerate(chosen.spec.split) if s.weight]
    named += [(f"spec.match[{i}]", m.version) for i, m in enumerate(chosen.spec.match)]
    if chosen.spec.fallback is not None:
        named.append(("spec.fallback", chosen.spec.fallback))
    if chosen.spec.mirror is not None:
        named.append(("spec.mirror", chosen.spec.mirror.version))
    findings += [
        finding(chosen, "rollout-version-dropped", path, version=version, model=model.ref.short)
        for path, version in named
        if version not in eligible
    ]
    if not any(s.weight and s.version in eligible for s in chosen.spec.split):
        findings.append(
            finding(chosen, "rollout-no-candidate", "spec.split", model=model.ref.short)
        )
    if chosen.spec.sticky_by.attribute == "subject" and subject_header(model) is None:
        findings.append(
            finding(chosen, "rollout-sticky-body", "spec.stickyBy", model=model.ref.short)
        )
    return findings


def _residency_findings(
    model: ModelDoc,
    candidates: tuple[Candidate, ...],
    versions: tuple[ModelVersionDoc, ...],
    groups: Mapping[str, tuple[str, ...]],
) -> list[Finding]:
    if not model.spec.residency or not candidates:
        return []
    classes = lawful_classes(model, candidates, groups)
    findings = []
    for index, lawful in enumerate(classes[: len(model.spec.residency)]):
        if not lawful.versions:
            findings.append(
                finding(
                    model, "residency-nowhere", f"spec.residency[{index}]", model=model.ref.short
                )
            )
    lawful_somewhere = {v for c in classes for v in c.versions}
    findings += [
        finding(
            v, "residency-unlawful", "spec.region", version=v.spec.version, region=v.spec.region
        )
        for v in versions
        if any(c.doc is v for c in candidates) and v.spec.version not in lawful_somewhere
    ]
    return findings


def _endpoint_findings(candidates: Iterable[Candidate]) -> list[Finding]:
    return [
        finding(c.doc, "no-endpoints.version", "spec.backend", version=c.version)
        for c in candidates
        if not c.endpoints
    ]
