"""What the statuses are read from, looked up once: findings by document, versions by who serves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.compile.compiler import Compiled, GateOutcome, Outcome
from gatereeve.core import findings
from gatereeve.core.conditions import Body, Condition, ObjectStatus
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import Ref
from gatereeve.statuses.facts import RuntimeFacts

Served: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Versions of one model, each with the gates on which it answers."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StatusIndex:
    """findings: by document, errors first. fronts: findings of routing, by gate, Gateway (None: the
    Gate's own addresses) and document. served: model as `namespace/name` to its versions that answer
    requests, each with the names of the gates on which it does. routed: models to the gates on which
    a route reaches them.
    """

    world: World
    compiled: Compiled
    facts: RuntimeFacts
    findings: Mapping[Ref, tuple[Finding, ...]]
    fronts: Mapping[tuple[str, Key | None, Ref], tuple[Finding, ...]]
    served: Mapping[str, Served]
    routed: Mapping[Key, tuple[str, ...]]
    memo: Memo

    @property
    def outcome(self) -> Outcome:
        return self.compiled.outcome

    @property
    def gates(self) -> Mapping[str, GateOutcome]:
        return self.compiled.outcome.gates

    def of(self, doc: AnyDoc) -> tuple[Finding, ...]:
        """What was found about a document."""
        return self.findings.get(doc.ref, ())

    def serving(self, model: str) -> Served:
        """The versions of a model that answer requests."""
        return self.served.get(model, ())

    def kept(self, doc: AnyDoc, make: Callable[[], ObjectStatus], *reads: Hashable) -> ObjectStatus:
        """What `make` gives, or gave when it read the same: the document, what was found about it,
        and `reads`, which is everything else."""
        return self.memo.get((doc, self.of(doc), *reads), make)

    def at_front(self, gate: str, gateway: Key | None, doc: AnyDoc) -> tuple[Finding, ...]:
        """What was found about a route where it is routed on one front."""
        return self.fronts.get((gate, gateway, doc.ref), ())


def build_index(world: World, compiled: Compiled, facts: RuntimeFacts, memo: Memo) -> StatusIndex:
    """Everything above, in one pass."""
    found: defaultdict[Ref, list[Finding]] = defaultdict(list)
    for one in (*facts.rejected, *compiled.findings):
        if one.origin is not None:
            found[one.origin.ref].append(one)
    served: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    routed: defaultdict[Key, list[str]] = defaultdict(list)
    for name, outcome in sorted(compiled.outcome.gates.items()):
        answers = {
            a for one in outcome.listener_sets for h in one.hosts.values() for a in h.answers
        }
        for model, version in answers:
            served[model][version].append(name)
        for key in outcome.models:
            routed[key].append(name)
    return StatusIndex(
        world=world,
        compiled=compiled,
        facts=facts,
        findings={ref: tuple(some) for ref, some in found.items()},
        fronts=_by_front(compiled.outcome),
        served={
            model: tuple((version, tuple(names)) for version, names in sorted(versions.items()))
            for model, versions in served.items()
        },
        routed={key: tuple(names) for key, names in routed.items()},
        memo=memo,
    )


def _by_front(outcome: Outcome) -> Mapping[tuple[str, Key | None, Ref], tuple[Finding, ...]]:
    found: defaultdict[tuple[str, Key | None, Ref], list[Finding]] = defaultdict(list)
    for name, gate in outcome.gates.items():
        for listener_set in gate.listener_sets:
            for one in findings.order(listener_set.findings):
                if one.origin is not None:
                    gateway = listener_set.listener_set.gateway
                    found[name, gateway, one.origin.ref].append(one)
    return {key: tuple(some) for key, some in found.items()}


def status(doc: AnyDoc, body: Body, *conditions: Condition) -> ObjectStatus:
    """The status of one document."""
    return ObjectStatus(
        ref=doc.ref,
        uid=doc.meta.uid,
        generation=doc.meta.generation,
        conditions=conditions,
        body=body,
    )
