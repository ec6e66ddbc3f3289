"""The plans of all models of one gate: documents gathered, judged, and cached by what they read.

Gathering is one pass over the World; judging one model reads only its own documents, so a plan is
taken from the memo when none of them changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

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
from gatereeve.compile.access import compile_access, policies_for
from gatereeve.compile.digests import combine, value_hash
from gatereeve.compile.models import Candidate, ModelPlan, lawful_classes, subject_header
from gatereeve.compile.versions import judge_versions
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.memo import Memo
from gatereeve.core.refs import PolicyHash
from gatereeve.ir.clusters import Endpoint
from gatereeve.ir.identity import Attributes, Identity

_K = TypeVar("_K")
_V = TypeVar("_V")

Resolve = Callable[[ModelVersionDoc], tuple[Endpoint, ...]]
"""The servers of a version, as far as the World knows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """Documents of governance by the model they speak of. Lists are in key order.

    naming: policies that name the model. selecting: those with a selector, by namespace; only they
    must be held against every model.
    """

    versions: Mapping[Key, tuple[ModelVersionDoc, ...]]
    approvals: Mapping[Key, tuple[ApprovalDoc, ...]]
    naming: Mapping[Key, tuple[AccessPolicyDoc, ...]]
    selecting: Mapping[str, tuple[AccessPolicyDoc, ...]]
    rollouts: Mapping[Key, tuple[RolloutDoc, ...]]
    broken: Mapping[Key, str]
    broken_everywhere: Mapping[str, str]
    findings: tuple[Finding, ...]


def gather(world: World) -> Gathered:
    """One pass over the documents of governance.

    approvals are keyed by (namespace, model) through the version they name.
    Findings: model-not-found and version-not-found for documents that speak of nothing.
    """
    findings: list[Finding] = []
    versions: defaultdict[Key, list[ModelVersionDoc]] = defaultdict(list)
    model_of: dict[Key, Key] = {}
    for (namespace, name), version in world.model_versions.items():
        key = (namespace, version.spec.model)
        versions[key].append(version)
        model_of[namespace, name] = key
        if key not in world.models:
            findings.append(_missing_model(version, "spec.model", version.spec.model))
    approvals: defaultdict[Key, list[ApprovalDoc]] = defaultdict(list)
    for (namespace, _), approval in world.approvals.items():
        target = model_of.get((namespace, approval.spec.subject.name))
        if target is None:
            findings.append(
                _finding(approval, "version-not-found", "spec.subject.name",
                         f"there is no ModelVersion {namespace}/{approval.spec.subject.name}",
                         "an approval stands in the namespace of the version it names")
            )  # fmt: skip
            continue
        approvals[target].append(approval)
    rollouts: defaultdict[Key, list[RolloutDoc]] = defaultdict(list)
    for (namespace, _), rollout in world.rollouts.items():
        key = (namespace, rollout.spec.model)
        rollouts[key].append(rollout)
        if key not in world.models:
            findings.append(_missing_model(rollout, "spec.model", rollout.spec.model))
    naming: defaultdict[Key, list[AccessPolicyDoc]] = defaultdict(list)
    selecting: defaultdict[str, list[AccessPolicyDoc]] = defaultdict(list)
    for (namespace, _), policy in world.access_policies.items():
        if policy.spec.models is None:
            selecting[namespace].append(policy)
        for name in dict.fromkeys(policy.spec.models or ()):
            naming[namespace, name].append(policy)
        findings.extend(
            _missing_model(policy, f"spec.models[{index}]", name)
            for index, name in enumerate(policy.spec.models or ())
            if (namespace, name) not in world.models
        )
    findings.extend(_idle_selectors(world))
    broken, everywhere = _broken(world)
    return Gathered(
        versions=_frozen(versions),
        approvals=_frozen(approvals),
        naming=_frozen(naming),
        selecting=_frozen(selecting),
        rollouts=_frozen(rollouts),
        broken=broken,
        broken_everywhere=everywhere,
        findings=tuple(findings),
    )


def _idle_selectors(world: World) -> Iterable[Finding]:
    """Policies whose selector matches no Model of their namespace."""
    by_namespace: defaultdict[str, list[ModelDoc]] = defaultdict(list)
    for (namespace, _), model in world.models.items():
        by_namespace[namespace].append(model)
    for (namespace, _), policy in world.access_policies.items():
        if policy.spec.selector is None:
            continue
        if not any(policies_for(model, (policy,)) for model in by_namespace[namespace]):
            yield _finding(policy, "policy-matches-nothing", "spec.selector",
                           f"the selector matches no Model in namespace {namespace}",
                           "label a Model so, or correct the selector; until then the policy says nothing")  # fmt: skip


def _frozen(found: Mapping[_K, list[_V]]) -> Mapping[_K, tuple[_V, ...]]:
    return {key: tuple(values) for key, values in found.items()}


def _broken(world: World) -> tuple[dict[Key, str], dict[str, str]]:
    """Models whose policy or rollout cannot be read, and namespaces where it is not known whose."""
    by_model: dict[Key, str] = {}
    everywhere: dict[str, str] = {}
    for item in world.broken:
        if item.ref.kind not in ("AccessPolicy", "Rollout"):
            continue
        if item.models is None:
            everywhere.setdefault(item.ref.namespace, str(item.ref))
        else:
            for name in item.models:
                by_model.setdefault((item.ref.namespace, name), str(item.ref))
    return by_model, everywhere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """What a gate brings to every plan. Equal by identity: take it from `scope_of`."""

    gate: GateDoc
    identity: Identity
    attributes: Attributes
    groups: Mapping[str, tuple[str, ...]]


def scope_of(gate: GateDoc, identity: Identity, attributes: Attributes, memo: Memo) -> Scope:
    """The same Scope object as long as gate, identity and attributes are equal."""
    groups = {g.name: tuple(sorted(g.regions)) for g in gate.spec.region_groups}
    return memo.get(
        ("scope", gate, identity, attributes),
        lambda: Scope(gate=gate, identity=identity, attributes=attributes, groups=groups),
    )


def plan_models(
    world: World, scope: Scope, gathered: Gathered, *, resolve: Resolve, memo: Memo
) -> dict[Key, ModelPlan]:
    """The plan of every model on this gate, by key."""
    plans: dict[Key, ModelPlan] = {}
    for key, model in world.models.items():
        candidates = (*gathered.naming.get(key, ()), *gathered.selecting.get(key[0], ()))
        approvals = gathered.approvals.get(key, ())
        versions = gathered.versions.get(key, ())
        inputs = Inputs(
            model=model,
            versions=versions,
            servers=tuple(resolve(version) for version in versions),
            approvals=approvals,
            expired=tuple(
                a.spec.expires is not None and a.spec.expires <= world.at for a in approvals
            ),
            policies=memo.get(
                ("policies", model, candidates), partial(policies_for, model, candidates)
            ),
            rollouts=gathered.rollouts.get(key, ()),
            broken=gathered.broken.get(key) or gathered.broken_everywhere.get(key[0]),
        )
        plans[key] = memo.get(("plan", scope, inputs), partial(_plan, key, scope, inputs, world.at))
    return plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Every document one plan reads; servers and expired go with versions and approvals."""

    model: ModelDoc
    versions: tuple[ModelVersionDoc, ...]
    servers: tuple[tuple[Endpoint, ...], ...]
    approvals: tuple[ApprovalDoc, ...]
    expired: tuple[bool, ...]
    policies: tuple[AccessPolicyDoc, ...]
    rollouts: tuple[RolloutDoc, ...]
    broken: str | None


def _plan(key: Key, scope: Scope, inputs: Inputs, at: datetime) -> ModelPlan:
    model, versions, rollouts = inputs.model, inputs.versions, inputs.rollouts
    judged = judge_versions(model, versions, inputs.approvals, at)
    access, findings = compile_access(
        model,
        inputs.policies,
        identity=scope.identity,
        attributes=scope.attributes,
        groups=scope.groups,
    )
    servers = dict(zip(versions, inputs.servers, strict=True))
    candidates = tuple(
        Candidate(version=v.spec.version, region=v.spec.region, doc=v, endpoints=servers[v])
        for v in judged.eligible
    )
    rollout = min(rollouts, key=lambda r: r.ref) if rollouts else None
    refuse, problems = _refusal(model, versions, inputs.broken)
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
    return ModelPlan(
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


def _refusal(
    model: ModelDoc, versions: tuple[ModelVersionDoc, ...], broken: str | None
) -> tuple[str | None, list[Finding]]:
    """A code with which everything is refused, and why."""
    if model.spec.risk_class == "prohibited":
        return "no-eligible-version", [
            _finding(model, "model-prohibited", "spec.riskClass", f"{model.ref.short} is of risk class prohibited",
                     "withdraw its routes; a prohibited practice is not served")
        ]  # fmt: skip
    if broken is not None:
        return "policy-broken", [
            _finding(model, "policy-broken", "", f"{broken} cannot be read and may speak of {model.ref.short}",
                     "mend that document; until then nobody is admitted")
        ]  # fmt: skip
    if model.spec.audit == "strict":
        return "strict-recording-unavailable", [
            _finding(model, "strict-audit-unavailable", "spec.audit", f"{model.ref.short} must not be served unrecorded, and this gate has no durable recorder",
                     "use audit: recorded, or wait for the recorder")
        ]  # fmt: skip
    if not versions:
        return None, [
            _finding(model, "model-unversioned", "", f"{model.ref.short} has no ModelVersion",
                     "add a ModelVersion that names it")
        ]  # fmt: skip
    return None, []


def _rollout_findings(
    model: ModelDoc, rollouts: tuple[RolloutDoc, ...], candidates: tuple[Candidate, ...]
) -> list[Finding]:
    if not rollouts:
        if len(candidates) > 1:
            return [
                _finding(model, "rollout-missing", "", f"{model.ref.short} has {len(candidates)} eligible versions and no Rollout says which answers",
                         "add a Rollout; until then requests that name no version answer 503")
            ]  # fmt: skip
        return []
    chosen, *others = sorted(rollouts, key=lambda r: r.ref)
    findings = [
        _finding(other, "rollout-conflict", "spec.model", f"{chosen.ref.short} already says which version of {model.ref.short} answers",
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
        _finding(chosen, "rollout-version-dropped", path, f"version {version} of {model.ref.short} is not eligible and gets no traffic",
                 "approve it, or take it out of the rollout")
        for path, version in named
        if version not in eligible
    ]  # fmt: skip
    if not any(s.weight and s.version in eligible for s in chosen.spec.split):
        findings.append(
            _finding(chosen, "rollout-no-candidate", "spec.split", f"no version in the split of {model.ref.short} is eligible",
                     "approve a version, or name one that is approved")
        )  # fmt: skip
    if chosen.spec.sticky_by.attribute == "subject" and subject_header(model) is None:
        findings.append(
            _finding(chosen, "rollout-sticky-body", "spec.stickyBy", f"{model.ref.short} has no field of role subject in a request header",
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
                _finding(model, "residency-nowhere", f"spec.residency[{index}]", f"no eligible version of {model.ref.short} stands where these callers' data may be processed",
                         "run a version there, or change the residency")
            )  # fmt: skip
    lawful_somewhere = {v for c in classes for v in c.versions}
    findings += [
        _finding(v, "residency-unlawful", "spec.region", f"version {v.spec.version} stands in {v.spec.region}, which is lawful for nobody",
                 "run it in a lawful region")
        for v in versions
        if any(c.doc is v for c in candidates) and v.spec.version not in lawful_somewhere
    ]  # fmt: skip
    return findings


def _endpoint_findings(candidates: Iterable[Candidate]) -> list[Finding]:
    return [
        _finding(c.doc, "no-endpoints", "spec.backend", f"version {c.version} has no ready endpoint",
                 "start its pods; until then its requests go to the fallback or answer 503")
        for c in candidates
        if not c.endpoints
    ]  # fmt: skip


def _missing_model(doc: Doc[object], path: str, name: str) -> Finding:
    return _finding(doc, "model-not-found", path, f"there is no Model {doc.ref.namespace}/{name}",
                    "create the Model in the same namespace, or correct the name")  # fmt: skip


def _finding(doc: Doc[object], code: str, path: str, message: str, hint: str) -> Finding:
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=doc.origin(path),
        where=doc.where(path),
    )
