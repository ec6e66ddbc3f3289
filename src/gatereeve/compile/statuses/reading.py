"""What the statuses are read from, looked up once: findings by document, versions by who serves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.compile.compiler import Compiled, GateOutcome, Outcome
from gatereeve.compile.statuses.facts import Facts
from gatereeve.core import findings
from gatereeve.core.conditions import Body, Condition, ObjectStatus
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Ref
from gatereeve.ir.gates import Gate
from gatereeve.ir.routes import Forward


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """findings: by document, errors first. fronts: findings of routing, by gate, Gateway (None: the
    Gate's own addresses) and document. served: (model as `namespace/name`, version) to the names of
    the gates on which it answers requests. routed: models to the gates on which a route reaches them.
    """

    world: World
    compiled: Compiled
    facts: Facts
    findings: Mapping[Ref, tuple[Finding, ...]]
    fronts: Mapping[tuple[str, Key | None, Ref], tuple[Finding, ...]]
    served: Mapping[tuple[str, str], tuple[str, ...]]
    routed: Mapping[Key, tuple[str, ...]]

    @property
    def outcome(self) -> Outcome:
        return self.compiled.outcome

    @property
    def gates(self) -> Mapping[str, GateOutcome]:
        return self.compiled.outcome.gates

    def of(self, doc: AnyDoc) -> tuple[Finding, ...]:
        """What was found about a document."""
        return self.findings.get(doc.ref, ())

    def at_front(self, gate: str, gateway: Key | None, doc: AnyDoc) -> tuple[Finding, ...]:
        """What was found about a route where it is routed on one front."""
        return self.fronts.get((gate, gateway, doc.ref), ())


def read(world: World, compiled: Compiled, facts: Facts) -> Reading:
    """Everything above, in one pass."""
    found: defaultdict[Ref, list[Finding]] = defaultdict(list)
    for one in compiled.findings:
        if one.origin is not None:
            found[one.origin.ref].append(one)
    served: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for gate in compiled.ir.gates:
        for key in sorted(_served(gate)):
            served[key].append(gate.name)
    routed: defaultdict[Key, list[str]] = defaultdict(list)
    for name, outcome in sorted(compiled.outcome.gates.items()):
        for model in outcome.routed.models:
            routed[model].append(name)
    return Reading(
        world=world,
        compiled=compiled,
        facts=facts,
        findings={ref: tuple(some) for ref, some in found.items()},
        fronts=_by_front(compiled.outcome),
        served={key: tuple(names) for key, names in served.items()},
        routed={key: tuple(names) for key, names in routed.items()},
    )


def _by_front(outcome: Outcome) -> Mapping[tuple[str, Key | None, Ref], tuple[Finding, ...]]:
    found: defaultdict[tuple[str, Key | None, Ref], list[Finding]] = defaultdict(list)
    for name, gate in outcome.gates.items():
        for front in gate.routed.fronts:
            for one in findings.order(front.findings):
                if one.origin is not None:
                    found[name, front.front.gateway, one.origin.ref].append(one)
    return {key: tuple(some) for key, some in found.items()}


def _served(gate: Gate) -> set[tuple[str, str]]:
    """Versions with servers that some row leads to; a mirror, or a host without TLS, answers nobody."""
    used = {
        share.cluster
        for listener in gate.listeners
        for host in listener.hosts
        if listener.protocol == "https" or host.tls == "any"
        for row in host.routes
        if row.governance is not None and isinstance(row.action, Forward)
        for share in row.action.shares
    }
    return {
        (cluster.model, group.version)
        for cluster in gate.clusters
        if cluster.model and cluster.name in used
        for group in cluster.endpoints.groups
        if group.endpoints
    }


def status(doc: AnyDoc, body: Body, *conditions: Condition) -> ObjectStatus:
    """The status of one document."""
    return ObjectStatus(
        ref=doc.ref,
        uid=doc.meta.uid,
        generation=doc.meta.generation,
        conditions=conditions,
        body=body,
    )
