"""The plans of all models of one gate: documents judged, and cached by what they read.

Judging one model reads only its own documents (`gathering`), so a whole shard of plans is taken from
the memo when none of them changed, and a single plan otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gatereeve.api.world import (
    AccessPolicyDoc,
    ApprovalDoc,
    Doc,
    GateDoc,
    Key,
    ModelDoc,
    ModelVersionDoc,
    RolloutDoc,
    World,
)
from gatereeve.compile.digests import combine, value_hash
from gatereeve.compile.governance.access import compile_access, policies_for
from gatereeve.compile.governance.index import GovernanceIndex, Part, Shard
from gatereeve.compile.governance.known_values import KnownValues, known_values
from gatereeve.compile.governance.model_policy import (
    Candidate,
    ModelPolicy,
    lawful_classes,
    subject_header,
)
from gatereeve.compile.governance.person_names import Directory
from gatereeve.compile.governance.versions import judge_versions, moments
from gatereeve.compile.report import finding
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import PolicyHash, Ref
from gatereeve.ir.clusters import Endpoint
from gatereeve.ir.identity import Attributes, Identity

Resolve = Callable[[ModelVersionDoc], tuple[Endpoint, ...]]
"""The servers of a version, as far as the World knows them."""

Reads = Callable[[tuple[Key, ...]], tuple[object, ...]]
"""What `Resolve` reads about Services, as part of a memo key."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateScope:
    """What a gate brings to every plan. Equal by identity: take it from `scope_of`."""

    gate: GateDoc
    identity: Identity
    attributes: Attributes
    groups: Mapping[str, tuple[str, ...]]
    known: KnownValues
    directory: Directory


def scope_of(
    world: World,
    gate: GateDoc,
    identity: Identity,
    attributes: Attributes,
    directory: Directory,
    memo: Memo,
) -> GateScope:
    """The same Scope object as long as the Gates, identity, attributes and people are equal."""
    groups = {g.name: tuple(sorted(g.regions)) for g in gate.spec.region_groups}
    gates = tuple(world.gates.values())
    return memo.get(
        ("scope", gate, gates, identity, attributes, directory),
        lambda: GateScope(
            gate=gate, identity=identity, attributes=attributes, groups=groups,
            known=known_values(gate.spec, attributes, [one.spec for one in gates]),
            directory=directory,
        ),
    )  # fmt: skip


def compile_model_policies(
    world: World,
    scope: GateScope,
    gathered: GovernanceIndex,
    *,
    resolve: Resolve,
    reads: Reads,
    memo: Memo,
) -> dict[Key, ModelPolicy]:
    """The plan of every model on this gate, by key."""
    plans: dict[Key, ModelPolicy] = {}
    for number, shard in enumerate(gathered.shards):
        if not shard.models.docs:
            continue
        services, deadlines = memo.get(
            ("plans.outside", shard.versions, shard.approvals),
            partial(_outside, shard.versions, shard.approvals),
        )
        key = (
            "plans.shard",
            scope,
            shard,
            gathered.doubts,
            reads(services),
            tuple(deadline <= world.at for deadline in deadlines),
        )
        work = _ModelEvaluation(
            scope=scope,
            gathered=gathered,
            at=world.at,
            resolve=resolve,
            memo=memo.part(("plans", scope.gate.ref.name, number)),
        )
        plans.update(memo.get(key, partial(work.plans, shard)))
    return plans


def _outside(
    versions: Part[ModelVersionDoc], approvals: Part[ApprovalDoc]
) -> tuple[tuple[Key, ...], tuple[datetime, ...]]:
    """What a shard depends on besides its documents: Services, and the ends of approvals.

    A version without a Service depends on what its namespace may name: ("namespace", "").
    """
    services = {
        (doc.ref.namespace, "" if doc.spec.backend is None else doc.spec.backend.service)
        for docs in versions.docs.values()
        for doc in docs
    }
    ends = {moment for docs in approvals.docs.values() for doc in docs for moment in moments(doc)}
    return tuple(sorted(services)), tuple(sorted(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelEvaluation:
    """The work on one shard."""

    scope: GateScope
    gathered: GovernanceIndex
    at: datetime
    resolve: Resolve
    memo: Memo

    def plans(self, shard: Shard) -> Mapping[Key, ModelPolicy]:
        found = {}
        for key, (model,) in shard.models.docs.items():
            inputs = self._inputs(shard, key, model)
            found[key] = self.memo.get(
                ("plan", self.scope, inputs), partial(_plan, key, self.scope, inputs, self.at)
            )
        return found

    def _inputs(self, shard: Shard, key: Key, model: ModelDoc) -> Inputs:
        versions, approvals = shard.versions.of(key), shard.approvals.of(key)
        candidates = (*shard.naming.of(key), *shard.selecting.docs.get(key[0], ()))
        return Inputs(
            model=model,
            versions=versions,
            servers=tuple(self.resolve(version) for version in versions),
            approvals=approvals,
            passed=tuple(
                tuple(moment <= self.at for moment in moments(approval)) for approval in approvals
            ),
            policies=policies_for(model, candidates),
            rollouts=shard.rollouts.of(key),
            broken=self.gathered.doubts.about_model(*key),
            more=self.gathered.doubts.about_more_versions(*key),
            doubted=tuple(self.gathered.doubts.about_version(key[0], v.ref.name) for v in versions),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Every document one plan reads; servers and doubted go with versions, passed with approvals.

    broken: why a document that is not understood may speak of the model. more: why it may have another
    version, which matters without a Rollout. doubted: names of documents
    that cannot be read and may reject the version. passed: which of an approval's moments are over.
    """

    model: ModelDoc
    versions: tuple[ModelVersionDoc, ...]
    servers: tuple[tuple[Endpoint, ...], ...]
    approvals: tuple[ApprovalDoc, ...]
    passed: tuple[tuple[bool, ...], ...]
    policies: tuple[AccessPolicyDoc, ...]
    rollouts: tuple[RolloutDoc, ...]
    broken: str | None
    more: str | None
    doubted: tuple[str | None, ...]


def _plan(key: Key, scope: GateScope, inputs: Inputs, at: datetime) -> ModelPolicy:
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
    shadows = {policy.ref for policy in inputs.policies if policy.spec.mode == "shadow"}
    astray = next((f for f in findings if _says_less_than_meant(f, shadows)), None)
    servers = dict(zip(versions, inputs.servers, strict=True))
    candidates = tuple(
        Candidate(version=v.spec.version, region=v.spec.region, doc=v, endpoints=servers[v])
        for v in judged.eligible
    )
    rollout = min(rollouts, key=lambda r: r.ref) if rollouts else None
    more = None if rollouts else inputs.more
    closed = inputs.broken or more or (f"{astray.origin} denies nothing" if astray else None)
    refuse, problems = _refusal(model, versions, closed)
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
            finding(model, "model-prohibited", "spec.riskClass", f"{model.ref.short} is of risk class prohibited",
                     "withdraw its routes; a prohibited practice is not served")
        ]  # fmt: skip
    if closed is not None:
        return "policy-broken", [
            finding(model, "policy-broken", "", f"{closed}, and it may concern {model.ref.short}",
                     "correct that document; until then every request to the model is refused")
        ]  # fmt: skip
    if model.spec.audit == "strict":
        return "strict-recording-unavailable", [
            finding(model, "strict-audit-unavailable", "spec.audit", f"{model.ref.short} must not be served unrecorded, and this gate has no durable recorder",
                     "use audit: recorded, or wait for the recorder")
        ]  # fmt: skip
    if not versions:
        return None, [
            finding(model, "model-unversioned", "", f"{model.ref.short} has no ModelVersion",
                     "add a ModelVersion that names it")
        ]  # fmt: skip
    return None, []


def _rollout_findings(
    model: ModelDoc, rollouts: tuple[RolloutDoc, ...], candidates: tuple[Candidate, ...]
) -> list[Finding]:
    if not rollouts:
        if len(candidates) > 1:
            return [
                finding(model, "rollout-missing", "", f"{model.ref.short} has {len(candidates)} eligible versions and no Rollout says which answers",
                         "add a Rollout; until then requests that name no version answer 503")
            ]  # fmt: skip
        return []
    chosen, *others = sorted(rollouts, key=lambda r: r.ref)
    findings = [
        finding(other, "rollout-conflict", "spec.model", f"{chosen.ref.short} already says which version of {model.ref.short} answers",
                 "keep one Rollout per model")
        for other in others
    ]  # fmt: skip
    eligible = {c.version for c in candidates}
    named = [(f"spec.split[{i}]", s.version) for i, s in enumerate(chosen.spec.split) if s.weight]
    named += [(f"spec.match[{i}]", m.version) for i, m in enumerate(chosen.spec.match)]
    if chosen.spec.fallback is not None:
        named.append(("spec.fallback", chosen.spec.fallback))
    if chosen.spec.mirror is not None:
        named.append(("spec.mirror", chosen.spec.mirror.version))
    findings += [
        finding(chosen, "rollout-version-dropped", path, f"version {version} of {model.ref.short} is not eligible and gets no traffic",
                 "approve it, or take it out of the rollout")
        for path, version in named
        if version not in eligible
    ]  # fmt: skip
    if not any(s.weight and s.version in eligible for s in chosen.spec.split):
        findings.append(
            finding(chosen, "rollout-no-candidate", "spec.split", f"no version in the split of {model.ref.short} is eligible",
                     "approve a version, or name one that is approved")
        )  # fmt: skip
    if chosen.spec.sticky_by.attribute == "subject" and subject_header(model) is None:
        findings.append(
            finding(chosen, "rollout-sticky-body", "spec.stickyBy", f"{model.ref.short} has no field of role subject in a request header",
                     "add one to spec.fields, or use stickyBy principal; callers are kept by principal until then")
        )  # fmt: skip
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
                finding(model, "residency-nowhere", f"spec.residency[{index}]", f"no eligible version of {model.ref.short} stands where these callers' data may be processed",
                         "run a version there, or change the residency")
            )  # fmt: skip
    lawful_somewhere = {v for c in classes for v in c.versions}
    findings += [
        finding(v, "residency-unlawful", "spec.region", f"version {v.spec.version} stands in {v.spec.region}, which is lawful for nobody",
                 "run it in a lawful region")
        for v in versions
        if any(c.doc is v for c in candidates) and v.spec.version not in lawful_somewhere
    ]  # fmt: skip
    return findings


def _endpoint_findings(candidates: Iterable[Candidate]) -> list[Finding]:
    return [
        finding(c.doc, "no-endpoints", "spec.backend", f"version {c.version} has no ready endpoint",
                 "start its pods; until then its requests go to the fallback or answer 503")
        for c in candidates
        if not c.endpoints
    ]  # fmt: skip
