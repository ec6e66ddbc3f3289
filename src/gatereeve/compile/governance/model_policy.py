"""What governance decides about one model on one gate: `ModelPolicy`, the row of the governance table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gatereeve.api.world import Key, ModelDoc, ModelVersionDoc, RolloutDoc
from gatereeve.compile.governance.regions import expand_regions
from gatereeve.core.findings import Finding
from gatereeve.core.refs import PolicyHash
from gatereeve.ir.access import Access
from gatereeve.ir.clusters import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An eligible version with its servers."""

    version: str
    region: str
    doc: ModelVersionDoc
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LawfulClass:
    """Callers from `regions` (lower case; empty: everybody else) may meet `versions`."""

    regions: tuple[str, ...]
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelPolicy:
    """All that is decided about one model on one gate. Equal by identity, so it can be a memo key.

    refuse: a code with which every operation is refused, or None. known: every version that
    exists, eligible or not. classes: residency classes in order; the first that fits decides.
    """

    key: tuple[str, str]
    protocol: str
    doc: ModelDoc
    served_name: str
    access: Access
    policy: PolicyHash
    refuse: str | None
    known: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    classes: tuple[LawfulClass, ...]
    rollout: RolloutDoc | None
    region_groups: Mapping[str, tuple[str, ...]]
    next_change: datetime | None
    findings: tuple[Finding, ...]


ModelPolicies: TypeAlias = Mapping[Key, ModelPolicy]


def lawful_classes(
    model: ModelDoc, candidates: tuple[Candidate, ...], groups: Mapping[str, tuple[str, ...]]
) -> tuple[LawfulClass, ...]:
    """Residency as classes of callers; without residency one class for everybody.

    Callers that no entry names may be served nowhere (P3), hence the last, empty class.
    """
    if not model.spec.residency:
        return (LawfulClass(regions=(), versions=tuple(c.version for c in candidates)),)
    classes: list[LawfulClass] = []
    for entry in model.spec.residency:
        process = set(expand_regions(entry.process, groups))
        lawful = tuple(c.version for c in candidates if c.region in process)
        named = tuple(region for region in entry.from_ if region != "*")
        if named:
            classes.append(LawfulClass(regions=expand_regions(named, groups), versions=lawful))
        if "*" in entry.from_:
            return (*classes, LawfulClass(regions=(), versions=lawful))
    return (*classes, LawfulClass(regions=(), versions=()))


def subject_header(model: ModelDoc) -> str | None:
    """The request header that names the data subject, in lower case, if the Model has one."""
    for field in model.spec.fields:
        if field.role == "subject" and field.location == "request-header":
            return field.path.lower()
    return None
