"""Whether an access rule matches a request, and if not, which condition fails.

Deny, allow and shadow rules match alike: all conditions of a rule must hold, and one entry of a
condition is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatereeve.decide.principals import Principal
from gatereeve.ir.access import (
    FromProvider,
    InGroup,
    IsAnonymous,
    IsPrincipal,
    Operation,
    Rule,
    SubjectMatch,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleInput:
    """What rules match on, in lower case. principal: None for an anonymous caller."""

    principal: Principal | None
    region: str | None
    purpose: str | None
    operation: Operation


def find_first_match(rules: Iterable[Rule], rule_input: RuleInput) -> Rule | None:
    """Return the first rule that matches, or None."""
    return next((rule for rule in rules if find_mismatch(rule, rule_input) is None), None)


def find_mismatch(rule: Rule, rule_input: RuleInput) -> str | None:
    """Return why `rule` does not match, or None if it matches."""
    if rule.subjects is not None and not any(
        is_subject(s, rule_input.principal) for s in rule.subjects
    ):
        return f"{rule_input.principal or 'an anonymous caller'} is not {_any_of(map(format_subject, rule.subjects))}"
    if rule.regions is not None and rule_input.region not in rule.regions:
        return f"{_known('region', rule_input.region)} is not {_any_of(rule.regions)}"
    if rule.purposes is not None and rule_input.purpose not in rule.purposes:
        return f"{_known('purpose', rule_input.purpose)} is not {_any_of(rule.purposes)}"
    if rule.operations is not None and rule_input.operation not in rule.operations:
        return f"{rule_input.operation} is not {_any_of(rule.operations)}"
    return None


def is_subject(subject: SubjectMatch, principal: Principal | None) -> bool:
    """Whether `subject` matches `principal` (None: an anonymous caller)."""
    if principal is None:
        return isinstance(subject, IsAnonymous)
    if isinstance(subject, IsAnonymous) or subject.provider != principal.provider:
        return False
    if isinstance(subject, IsPrincipal):
        return subject.id == principal.id
    return isinstance(subject, FromProvider) or subject.group in principal.groups


def format_subject(subject: SubjectMatch) -> str:
    """Return the subject as documents write it."""
    if isinstance(subject, IsPrincipal):
        return f"principal {subject.provider}/{subject.id}"
    if isinstance(subject, InGroup):
        return f"group {subject.provider}/{subject.group}"
    if isinstance(subject, FromProvider):
        return f"provider {subject.provider}"
    return "anonymous"


def _known(what: str, value: str | None) -> str:
    return f"unknown {what}" if value is None else f"{what} {value}"


def _any_of(values: Iterable[str]) -> str:
    texts = tuple(values)
    shown = ", ".join(texts[:6]) + (", …" if len(texts) > 6 else "")
    return shown if len(texts) == 1 else f"one of {shown}"
