"""Who may do what from where, for one model: deny rules, then allow rules, then limits.

Rules are in order; the first match names the rule. Groups of regions are already expanded. A rule
with `operations` None is for every operation. Shadow rules never change an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.core.refs import Origin

Operation = Literal["infer", "stream", "embeddings", "metadata", "health"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsPrincipal:
    provider: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InGroup:
    provider: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FromProvider:
    provider: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IsAnonymous:
    """A caller who presented no credential at all."""


SubjectMatch: TypeAlias = IsPrincipal | InGroup | FromProvider | IsAnonymous


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimit:
    """A token bucket of `count` tokens per principal, refilled with `count` every `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """name: `namespace/policy/allow[0]` or `…/name`, unique within the Access.

    subjects, regions, purposes, operations: None asks nothing; otherwise any of them must match.
    regions and purposes in lower case.
    """

    name: str
    subjects: tuple[SubjectMatch, ...] | None
    regions: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    operations: tuple[Operation, ...] | None
    limit: RequestLimit | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """All rules about one model. `model` is `namespace/name`.

    allow empty: everybody is refused. shadow_deny, shadow_allow: what policies in shadow mode say.
    """

    model: str
    deny: tuple[Rule, ...]
    allow: tuple[Rule, ...]
    shadow_deny: tuple[Rule, ...] = ()
    shadow_allow: tuple[Rule, ...] = ()

    @property
    def admits_anonymous(self) -> bool:
        """Whether some allow rule admits callers without a credential, in so many words."""
        return any(
            isinstance(subject, IsAnonymous)
            for rule in self.allow
            for subject in rule.subjects or ()
        )
