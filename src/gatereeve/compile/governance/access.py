"""AccessPolicies to one `Access` per model: rules in order, region groups expanded.

Rules of all policies that name the model count together: first every deny rule, then every allow
rule, by policy name and position. A policy that cannot be read is not here; `doubts` closes its
models, and so does a deny rule of which a part can match nothing. Nothing is admitted by default.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.api import governance as api
from gatereeve.api.world import AccessPolicyDoc, ModelDoc
from gatereeve.compile.governance.known_values import KnownValues
from gatereeve.compile.governance.regions import expand_regions, group_match
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report, finding
from gatereeve.ir import access as ir
from gatereeve.ir.identity import Attributes, Identity

PROTOCOL_OPERATIONS: dict[str, frozenset[str]] = {
    "openai": frozenset({"infer", "stream", "embeddings", "metadata"}),
    "kserve-v1": frozenset({"infer", "metadata"}),
    "kserve-v2": frozenset({"infer", "stream", "metadata", "health"}),
    "json": frozenset({"infer"}),
}


def policies_for(
    model: ModelDoc, policies: tuple[AccessPolicyDoc, ...]
) -> tuple[AccessPolicyDoc, ...]:
    """The policies of the model's namespace that name it or whose selector matches it, by name."""
    matching = []
    for policy in policies:
        selector = policy.spec.selector
        if policy.spec.models is not None:
            named = model.ref.name in policy.spec.models
        else:
            labels = model.meta.labels
            named = selector is not None and (
                selector.all or all(labels.get(k) == v for k, v in selector.match_labels.items())
            )
        if named:
            matching.append(policy)
    return tuple(sorted(matching, key=lambda p: p.ref))


def compile_access(
    model: ModelDoc,
    policies: tuple[AccessPolicyDoc, ...],
    *,
    identity: Identity,
    attributes: Attributes,
    groups: Mapping[str, tuple[str, ...]],
    known: KnownValues,
) -> tuple[ir.Access, tuple[Finding, ...]]:
    """Return all rules about one model.

    policies: the result of `policies_for`. groups: region group to its regions. The model has to be
    refused when `deny-matches-nothing` is among the findings.
    """
    findings: list[Finding] = []
    rules: dict[tuple[str, str], list[ir.Rule]] = {
        (mode, verb): [] for mode in ("enforce", "shadow") for verb in ("deny", "allow")
    }
    for policy in policies:
        report = Report(policy, findings)
        if not policy.spec.deny and not policy.spec.allow:
            report("policy-empty", "spec")
        both: tuple[tuple[str, tuple[api.DenyRule | api.AllowRule, ...]], ...] = (
            ("deny", policy.spec.deny),
            ("allow", policy.spec.allow),
        )
        for verb, policy_rules in both:
            for index, rule in enumerate(policy_rules):
                if verb == "deny" and policy.spec.mode == "enforce":
                    findings.extend(_unmatched(model, policy, index, rule, known))
                compiled = _rule(model, report, verb, index, rule, identity, attributes, groups)
                if compiled is not None:
                    rules[policy.spec.mode, verb].append(compiled)
    access = ir.Access(
        model=model.ref.short,
        deny=tuple(rules["enforce", "deny"]),
        allow=tuple(rules["enforce", "allow"]),
        shadow_deny=tuple(rules["shadow", "deny"]),
        shadow_allow=tuple(rules["shadow", "allow"]),
    )
    if not access.allow:
        findings.append(finding(model, "no-allow-rule", model=model.ref.short))
    return access, tuple(findings)


def _unmatched(
    model: ModelDoc, policy: AccessPolicyDoc, index: int, rule: api.Conditions, known: KnownValues
) -> list[Finding]:
    """The parts of a deny rule that can match nothing, so that their author meant something else."""
    path = f"spec.deny[{index}]"
    parts: list[tuple[str, str]] = []
    for number, subject in enumerate(rule.subjects or ()):
        match = _subject(subject)
        why = ""
        if isinstance(match, ir.IsPrincipal):
            why = known.misses_id(match.provider, match.id)
        elif isinstance(match, ir.InGroup):
            why = known.misses_group(match.provider, match.group)
        elif isinstance(match, ir.FromProvider) and match.provider not in known.ids:
            why = f"no Gate has an identity provider {match.provider!r}"
        parts.append((f"{path}.subjects[{number}]", why))
    for number, region in enumerate(rule.regions or ()):
        parts.append((f"{path}.regions[{number}]", known.misses_region(region)))
    if rule.purposes is not None:
        parts.append((f"{path}.purposes", known.no_purposes))
    return [
        finding(policy, "deny-matches-nothing", place, why=why, model=model.ref.short)
        for place, why in parts
        if why
    ]


def _rule(
    model: ModelDoc,
    report: Report[AccessPolicyDoc],
    verb: str,
    index: int,
    rule: api.AllowRule | api.DenyRule,
    identity: Identity,
    attributes: Attributes,
    groups: Mapping[str, tuple[str, ...]],
) -> ir.Rule | None:
    path = f"spec.{verb}[{index}]"
    subjects = _subjects(report, path, rule.subjects, identity)
    if rule.subjects is not None and not subjects:
        return None
    if rule.regions is not None and not attributes.region:
        report("region-unknown", f"{path}.regions")
    known = PROTOCOL_OPERATIONS[model.spec.protocol]
    unknown = [op for op in rule.operations or () if op not in known]
    if unknown:
        report(
            "operation-not-in-protocol",
            f"{path}.operations",
            model=model.ref.short,
            protocol=model.spec.protocol,
            operations=unknown,
            known=sorted(known),
        )
    apart = {"infer", "stream"} & set(rule.operations or ())
    if model.spec.protocol == "openai" and len(apart) == 1:
        report(
            "stream-told-by-body",
            f"{path}.operations",
            model=model.ref.short,
            operation=apart.pop(),
        )
    if verb == "allow" and any(isinstance(s, ir.IsAnonymous) for s in subjects or ()):
        report("anonymous-allowed", f"{path}.subjects", model=model.ref.short)
    limit = None
    if isinstance(rule, api.AllowRule) and rule.limits is not None and rule.limits.requests:
        limit = ir.RequestLimit(
            count=rule.limits.requests.count, seconds=rule.limits.requests.seconds
        )
    return ir.Rule(
        name=f"{report.doc.ref.short}/{rule.name or f'{verb}[{index}]'}",
        subjects=subjects,
        regions=None if rule.regions is None else expand_regions(rule.regions, groups),
        purposes=None
        if rule.purposes is None
        else tuple(sorted({p.lower() for p in rule.purposes})),
        operations=None if rule.operations is None else tuple(sorted(set(rule.operations))),
        limit=limit,
        origin=report.doc.origin(path),
    )


def _subjects(
    report: Report[AccessPolicyDoc],
    path: str,
    subjects: tuple[api.Subject, ...] | None,
    identity: Identity,
) -> tuple[ir.SubjectMatch, ...] | None:
    if subjects is None:
        return None
    matches: list[ir.SubjectMatch] = []
    for index, subject in enumerate(subjects):
        match = _subject(subject)
        provider = None if isinstance(match, ir.IsAnonymous) else match.provider
        if provider is not None and identity.method(provider) is None:
            report("provider-unknown", f"{path}.subjects[{index}]", provider=provider)
            continue
        matches.append(match)
    return tuple(matches)


def _subject(subject: api.Subject) -> ir.SubjectMatch:
    if subject.principal is not None:
        provider, _, name = subject.principal.partition("/")
        return ir.IsPrincipal(provider=provider, id=name)
    if subject.group is not None:
        return group_match(subject.group)
    if subject.provider is not None:
        return ir.FromProvider(provider=subject.provider)
    return ir.IsAnonymous()
