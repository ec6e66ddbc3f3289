"""Whether an access rule fits a caller, and if not, the first condition that does not.

Deny rules, allow rules and shadow rules are matched alike: every condition that a rule states must
hold, any entry of a condition satisfies it.
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
    """What rules are asked about. principal None: a caller without a credential. Lower case."""

    principal: Principal | None
    region: str | None
    purpose: str | None
    operation: Operation


def first_match(rules: Iterable[Rule], asked: RuleInput) -> Rule | None:
    """The first rule that fits."""
    return next((rule for rule in rules if misfit(rule, asked) is None), None)


def misfit(rule: Rule, asked: RuleInput) -> str | None:
    """Why `rule` does not fit, in words; None when it does."""
    if rule.subjects is not None and not any(is_subject(s, asked.principal) for s in rule.subjects):
        return f"{asked.principal or 'nobody'} is not {_any_of(map(subject_text, rule.subjects))}"
    if rule.regions is not None and asked.region not in rule.regions:
        return f"{_known('region', asked.region)} is not {_any_of(rule.regions)}"
    if rule.purposes is not None and asked.purpose not in rule.purposes:
        return f"{_known('purpose', asked.purpose)} is not {_any_of(rule.purposes)}"
    if rule.operations is not None and asked.operation not in rule.operations:
        return f"{asked.operation} is not {_any_of(rule.operations)}"
    return None


def is_subject(subject: SubjectMatch, principal: Principal | None) -> bool:
    """Whether `principal` (None: nobody) is whom `subject` means."""
    if principal is None:
        return isinstance(subject, IsAnonymous)
    if isinstance(subject, IsAnonymous) or subject.provider != principal.provider:
        return False
    if isinstance(subject, IsPrincipal):
        return subject.id == principal.id
    return isinstance(subject, FromProvider) or subject.group in principal.groups


def subject_text(subject: SubjectMatch) -> str:
    """The way a document would name it."""
    if isinstance(subject, IsPrincipal):
        return f"principal {subject.provider}/{subject.id}"
    if isinstance(subject, InGroup):
        return f"group {subject.provider}/{subject.group}"
    if isinstance(subject, FromProvider):
        return f"provider {subject.provider}"
    return "anonymous"


def _known(what: str, value: str | None) -> str:
    return f"no known {what}" if value is None else f"{what} {value}"


def _any_of(values: Iterable[str]) -> str:
    found = tuple(values)
    shown = ", ".join(found[:6]) + (", …" if len(found) > 6 else "")
    return shown if len(found) == 1 else f"one of {shown}"
