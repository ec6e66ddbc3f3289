"""Models that share a server: a body may choose between them only when their policies are equal.

The gate reads the model's name in a body as strict JSON, the last of two equal keys. A server may
read the first, or `Model`, and then another of its models answers than the one that was governed
(docs/decisions/0058). So models that share a server with an OpenAI model are held to one policy.
Models of other protocols are told apart by the path, which has one meaning (`core.plain_values`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from gatereeve.api.world import Key, ModelVersionDoc
from gatereeve.compile.backends import addresses
from gatereeve.compile.digests import combine
from gatereeve.compile.governance.model_policy import ModelPolicy
from gatereeve.compile.report import finding
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import PolicyHash
from gatereeve.ir.access import Rule

Shared = Mapping[tuple[str, addresses.Server], tuple[ModelVersionDoc, ...]]
"""Servers, by namespace, behind which versions of several models stand, ready or not, with those versions."""


def separate(
    plans: Mapping[Key, ModelPolicy], shared: Shared, memo: Memo
) -> dict[Key, ModelPolicy]:
    """The plans, where models that share a server with unequal policies refuse every request.

    A model that has versions there and no readable Model document has no policy that could be equal.
    Findings: shared-server, of each such model.
    """
    others: defaultdict[Key, set[tuple[str, str]]] = defaultdict(set)
    for (_, (address, port)), versions in shared.items():
        standing = [(plans[key], v) for v in versions if (key := _model(v)) in plans]
        if all(plan.protocol != "openai" for plan, _ in standing):
            continue
        policies = {_policy(plan, version) for plan, version in standing}
        if len(policies) == 1 and len(standing) == len(versions):
            continue
        names = sorted({"/".join(_model(version)) for version in versions})
        for plan, _ in standing:
            rest = ", ".join(name for name in names if name != plan.doc.ref.short)
            others[plan.key].add((f"{address}:{port}", rest))
    found = dict(plans)
    for key, reasons in others.items():
        plan, (place, rest) = plans[key], min(reasons)
        found[key] = memo.get(("sharing", plan, place, rest), partial(_refused, plan, place, rest))
    return found


def _model(version: ModelVersionDoc) -> Key:
    return version.ref.namespace, version.spec.model


def _policy(plan: ModelPolicy, version: ModelVersionDoc) -> tuple[object, ...]:
    """Everything that must be equal: who may do what, what is recorded, where, and whether at all."""
    access, spec = plan.access, plan.doc.spec
    sides = (access.deny, access.allow, access.shadow_deny, access.shadow_allow)
    return (
        tuple(tuple(_rule(rule) for rule in rules) for rules in sides),
        plan.refuse,
        spec.risk_class,
        spec.audit,
        spec.residency,
        version.spec.region,
        any(candidate.doc is version for candidate in plan.candidates),
    )


def _rule(rule: Rule) -> tuple[object, ...]:
    return rule.subjects, rule.regions, rule.purposes, rule.operations, rule.limit


def _refused(plan: ModelPolicy, place: str, rest: str) -> ModelPolicy:
    problem: Finding = finding(
        plan.doc, "shared-server", "spec",
        f"{plan.doc.ref.short} shares the server {place} with {rest}, and their policies differ: "
        "a request for one may be answered by the other",
        "give each model a server of its own, or give them equal rules, audit, residency, risk class and approved versions",
    )  # fmt: skip
    return replace(
        plan,
        refuse=plan.refuse or "no-eligible-version",
        policy=PolicyHash(combine([plan.policy, "shared-server"])),
        findings=(*plan.findings, problem),
    )
