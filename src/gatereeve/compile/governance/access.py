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
from gatereeve.core.findings import Finding, FindingCode
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
    found = []
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
            found.append(policy)
    return tuple(sorted(found, key=lambda p: p.ref))


def compile_access(
    model: ModelDoc,
    policies: tuple[AccessPolicyDoc, ...],
    *,
    identity: Identity,
    attributes: Attributes,
    groups: Mapping[str, tuple[str, ...]],
    known: KnownValues,
) -> tuple[ir.Access, tuple[Finding, ...]]:
    """All rules about one model.

    policies: as `policies_for` gives them. groups: region group to its regions. The model has to be
    refused when `deny-matches-nothing` is among the findings.
    """
    findings: list[Finding] = []
    rules: dict[tuple[str, str], list[ir.Rule]] = {
        (mode, verb): [] for mode in ("enforce", "shadow") for verb in ("deny", "allow")
    }
    for policy in policies:
        if not policy.spec.deny and not policy.spec.allow:
            findings.append(
                _finding(policy, "policy-empty", "spec", "the policy has neither deny nor allow rules",
                         "say who may do what, or delete the policy")
            )  # fmt: skip
        both: tuple[tuple[str, tuple[api.DenyRule | api.AllowRule, ...]], ...] = (
            ("deny", policy.spec.deny),
            ("allow", policy.spec.allow),
        )
        for verb, given in both:
            for index, rule in enumerate(given):
                if verb == "deny" and policy.spec.mode == "enforce":
                    findings.extend(_unmatched(model, policy, index, rule, known))
                compiled = _rule(
                    model, policy, verb, index, rule, identity, attributes, groups, findings
                )
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
        findings.append(
            _finding_model(model, "no-allow-rule", f"no enforced allow rule names {model.ref.short}",
                           "add an AccessPolicy with an allow rule; until then every request gets 403")
        )  # fmt: skip
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
        _finding(policy, "deny-matches-nothing", place, f"{why}, so this deny rule does not match as it is meant",
                 f"correct or remove it; until then {model.ref.short} is refused to everybody")
        for place, why in parts
        if why
    ]  # fmt: skip


def _rule(
    model: ModelDoc,
    policy: AccessPolicyDoc,
    verb: str,
    index: int,
    rule: api.AllowRule | api.DenyRule,
    identity: Identity,
    attributes: Attributes,
    groups: Mapping[str, tuple[str, ...]],
    findings: list[Finding],
) -> ir.Rule | None:
    path = f"spec.{verb}[{index}]"
    subjects = _subjects(policy, path, rule.subjects, identity, findings)
    if rule.subjects is not None and not subjects:
        return None
    if rule.regions is not None and not attributes.region:
        findings.append(
            _finding(policy, "region-unknown", f"{path}.regions", "the Gate has no source of regions, so this rule matches nobody",
                     "give the Gate spec.attributes.region")
        )  # fmt: skip
    known = PROTOCOL_OPERATIONS[model.spec.protocol]
    strange = [op for op in rule.operations or () if op not in known]
    if strange:
        findings.append(
            _finding(policy, "operation-not-in-protocol", f"{path}.operations",
                     f"{model.ref.short} speaks {model.spec.protocol}, which has no {', '.join(strange)}",
                     f"it has: {', '.join(sorted(known))}")
        )  # fmt: skip
    apart = {"infer", "stream"} & set(rule.operations or ())
    if model.spec.protocol == "openai" and len(apart) == 1:
        findings.append(
            _finding(policy, "stream-told-by-body", f"{path}.operations",
                     f"only `stream` in the body of a request to {model.ref.short} tells {apart.pop()} from the other; a server that reads the first of two is not held to the rule",
                     "name `infer` and `stream` both, or let the server itself refuse what it must not do")
        )  # fmt: skip
    if verb == "allow" and any(isinstance(s, ir.IsAnonymous) for s in subjects or ()):
        findings.append(
            _finding(policy, "anonymous-allowed", f"{path}.subjects", f"{model.ref.short} answers callers without a credential",
                     "remove `anonymous: true` unless that is meant")
        )  # fmt: skip
    limit = None
    if isinstance(rule, api.AllowRule) and rule.limits is not None and rule.limits.requests:
        limit = ir.RequestLimit(
            count=rule.limits.requests.count, seconds=rule.limits.requests.seconds
        )
    return ir.Rule(
        name=f"{policy.ref.short}/{rule.name or f'{verb}[{index}]'}",
        subjects=subjects,
        regions=None if rule.regions is None else expand_regions(rule.regions, groups),
        purposes=None
        if rule.purposes is None
        else tuple(sorted({p.lower() for p in rule.purposes})),
        operations=None if rule.operations is None else tuple(sorted(set(rule.operations))),
        limit=limit,
        origin=policy.origin(path),
    )


def _subjects(
    policy: AccessPolicyDoc,
    path: str,
    subjects: tuple[api.Subject, ...] | None,
    identity: Identity,
    findings: list[Finding],
) -> tuple[ir.SubjectMatch, ...] | None:
    if subjects is None:
        return None
    found: list[ir.SubjectMatch] = []
    for index, subject in enumerate(subjects):
        match = _subject(subject)
        provider = None if isinstance(match, ir.IsAnonymous) else match.provider
        if provider is not None and identity.method(provider) is None:
            findings.append(
                _finding(policy, "provider-unknown", f"{path}.subjects[{index}]",
                         f"the Gate has no identity provider {provider!r}",
                         "write provider/id with a provider of the Gate; until then nobody is meant")
            )  # fmt: skip
            continue
        found.append(match)
    return tuple(found)


def _subject(subject: api.Subject) -> ir.SubjectMatch:
    if subject.principal is not None:
        provider, _, name = subject.principal.partition("/")
        return ir.IsPrincipal(provider=provider, id=name)
    if subject.group is not None:
        return group_match(subject.group)
    if subject.provider is not None:
        return ir.FromProvider(provider=subject.provider)
    return ir.IsAnonymous()


def _finding(doc: AccessPolicyDoc, code: str, path: str, message: str, hint: str) -> Finding:
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=doc.origin(path),
        where=doc.where(path),
    )


def _finding_model(doc: ModelDoc, code: str, message: str, hint: str) -> Finding:
    return Finding(
        code=FindingCode(code), message=message, hint=hint, origin=doc.origin(), where=doc.where()
    )
