"""What the statuses are read from, looked up once: findings by document, versions by who serves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.compile.compiler import Compiled, GateOutcome, HostOutcome
from gatereeve.compile.routes.listener_sets import ListenerSet
from gatereeve.compile.virtual_hosts import hosts
from gatereeve.core import findings
from gatereeve.core.conditions import Body, Condition, ObjectStatus
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import Ref
from gatereeve.ir.routes import Forward
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
    def outcome(self) -> HostOutcome:
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
        for model, version in _served(outcome, memo):
            served[model][version].append(name)
        for key in outcome.routed.models:
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


def _by_front(outcome: HostOutcome) -> Mapping[tuple[str, Key | None, Ref], tuple[Finding, ...]]:
    found: defaultdict[tuple[str, Key | None, Ref], list[Finding]] = defaultdict(list)
    for name, gate in outcome.gates.items():
        for front in gate.routed.fronts:
            for one in findings.order(front.findings):
                if one.origin is not None:
                    found[name, front.front.gateway, one.origin.ref].append(one)
    return {key: tuple(some) for key, some in found.items()}


def _served(outcome: GateOutcome, memo: Memo) -> set[tuple[str, str]]:
    """Model and version of everything that answers requests on one gate."""
    found: set[tuple[str, str]] = set()
    for front in outcome.routed.fronts:
        for shard in front.shards:
            make = partial(_served_by, front.front, shard)
            found |= memo.get(("served", front.front, shard), make)
    return found


def _served_by(front: ListenerSet, shard: hosts.Routed) -> frozenset[tuple[str, str]]:
    """Versions with servers that some row leads to; a mirror, or a host without TLS, answers nobody."""
    used = {
        share.cluster
        for door in front.doors
        for host in shard.hosts[door.name]
        if door.protocol == "https" or host.tls == "any"
        for row in host.routes
        if row.governance is not None and isinstance(row.action, Forward)
        for share in row.action.shares
    }
    return frozenset(
        (cluster.model, group.version)
        for cluster in shard.clusters
        if cluster.model and cluster.name in used
        for group in cluster.endpoints.groups
        if group.endpoints
    )


def status(doc: AnyDoc, body: Body, *conditions: Condition) -> ObjectStatus:
    """The status of one document."""
    return ObjectStatus(
        ref=doc.ref,
        uid=doc.meta.uid,
        generation=doc.meta.generation,
        conditions=conditions,
        body=body,
    )
