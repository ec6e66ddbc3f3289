"""What statuses are derived from: documents, what they compiled to, and what is known of the gates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import TypeAlias, TypeVar

from gatereeve.api.world import (
    AnyDoc,
    EndpointSliceDoc,
    Held,
    Key,
    ModelVersionDoc,
    ReferenceGrantDoc,
    ServiceDoc,
    World,
)
from gatereeve.compile import tls
from gatereeve.compile.backends.address_owners import Rights
from gatereeve.compile.backends.services import ServiceIndex, Versions
from gatereeve.compile.compiler import Compiled, Outcome
from gatereeve.compile.governance.index import Check
from gatereeve.compile.governance.model_policy import ModelPolicies, ModelPolicy
from gatereeve.compile.governance.person_names import Directory
from gatereeve.compile.routes.classes import Classes
from gatereeve.compile.routes.gateways import Binding
from gatereeve.compile.routes.listener_sets import ListenerSet
from gatereeve.compile.routes.requests import RouteDocument
from gatereeve.compile.virtual_hosts.certificates import Secrets
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core import findings
from gatereeve.core.conditions import Body, Condition, ObjectStatus
from gatereeve.core.derived import Reader, Source, Stage, Table, Value, Values
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Ref
from gatereeve.statuses.facts import GateFacts, RuntimeFacts

Served: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Versions of one model, each with the gates on which it answers."""

V = TypeVar("V")

Findings: TypeAlias = tuple[Finding, ...]


class StatusInputs(Stage):
    """Everything that statuses are derived from, as tables.

    findings: by document, errors first. at_listener_sets: findings of hosts, by gate, Gateway (None: the
    Gate's own addresses) and document. served: model as `namespace/name` to its versions that answer.
    routed: models to the gates on which a route reaches them. hashes: of gates, by name.
    """

    def __init__(self) -> None:
        self.world = WorldTables()
        self.findings = Values[Ref, Findings]()
        self.at_listener_sets = Values[tuple[str, Key | None, Ref], Findings]()
        self.served = Values[str, Served]()
        self.routed = Values[Key, tuple[str, ...]]()
        self.answering = Values[tuple[str, Ref], bool]()
        self.hashes = Values[str, str]()
        self.own_listener_sets = Values[str, ListenerSet]()
        self.documents = Source[Ref, RouteDocument]()
        self.checks = Source[Key, Check]()
        self.bindings = Values[Key, Binding]()
        self.classes = Value[Classes]()
        self.directory = Value[Directory]()
        self.gate_facts = Values[str, GateFacts]()
        self.gateway_addresses = Values[Key, tuple[str, ...]]()
        self.services = Source[Key, ServiceDoc]()
        self.slices = Source[Key, tuple[EndpointSliceDoc, ...]]()
        self.behind = Source[Key, tuple[ModelVersionDoc, ...]]()
        self.rights = Source[str, Rights]()
        self.versions = Source[str, Versions]()
        self.held = Source[Key, Held]()
        self.hiding = Source[str, Mapping[str, str]]()
        self.grants = Source[str, tuple[ReferenceGrantDoc, ...]]()
        self.key_pairs = Source[Key, tls.KeyPair | Finding]()
        self.policies: dict[str, Source[Key, ModelPolicy]] = {}

    def begin(self) -> None:
        super().begin()
        self.world.begin()
        for table in self.policies.values():
            table.begin()

    def update(self, world: World, compiled: Compiled, facts: RuntimeFacts) -> None:
        """Follow a World, what it compiled to, and what is known of the gates."""
        outcome = compiled.outcome
        self.world.update(world)
        self.hashes.update({gate.name: gate.hash for gate in compiled.ir.gates})
        self.documents.update({document.doc.ref: document for document in outcome.documents})
        self.checks.update(outcome.policies)
        self.bindings.update(outcome.bindings)
        self.classes.update(outcome.classes)
        self.directory.update(outcome.people.directory)
        self.gate_facts.update(facts.gates)
        self.gateway_addresses.update(facts.gateways)
        for name in (
            "services",
            "slices",
            "behind",
            "rights",
            "versions",
            "held",
            "hiding",
            "grants",
        ):
            getattr(self, name).update(getattr(outcome.services, name))
        self.key_pairs.update(outcome.secrets.key_pairs)
        self._update_findings(compiled, facts)
        self._update_gates(outcome)

    def _update_findings(self, compiled: Compiled, facts: RuntimeFacts) -> None:
        by_document: defaultdict[Ref, list[Finding]] = defaultdict(list)
        for finding in (*facts.rejected, *compiled.findings):
            if finding.origin is not None:
                by_document[finding.origin.ref].append(finding)
        self.findings.update({ref: tuple(problems) for ref, problems in by_document.items()})

    def _update_gates(self, outcome: Outcome) -> None:
        served: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(
            lambda: defaultdict(list)
        )
        routed: defaultdict[Key, list[str]] = defaultdict(list)
        at_sets: defaultdict[tuple[str, Key | None, Ref], list[Finding]] = defaultdict(list)
        answering: dict[tuple[str, Ref], bool] = {}
        own: dict[str, ListenerSet] = {}
        for name, gate in sorted(outcome.gates.items()):
            self.policies.setdefault(name, Source()).update(gate.policies)
            own[name] = gate.listener_sets[0].listener_set
            for key in gate.models:
                routed[key].append(name)
            for listener_set in gate.listener_sets:
                answering.update(((name, ref), True) for ref in listener_set.served)
                for finding in findings.order(listener_set.findings):
                    if finding.origin is not None:
                        gateway = listener_set.listener_set.gateway
                        at_sets[name, gateway, finding.origin.ref].append(finding)
            answers = {a for s in gate.listener_sets for h in s.hosts.values() for a in h.answers}
            for model, version in answers:
                served[model][version].append(name)
        for name in self.policies.keys() - outcome.gates.keys():
            self.policies[name].update({})
        self.own_listener_sets.update(own)
        self.answering.update(answering)
        self.routed.update({key: tuple(names) for key, names in routed.items()})
        self.at_listener_sets.update({key: tuple(problems) for key, problems in at_sets.items()})
        self.served.update(
            {
                model: tuple((version, tuple(names)) for version, names in sorted(versions.items()))
                for model, versions in served.items()
            }
        )

    def read(self, read: Reader) -> StatusIndex:
        """The tables through a reader."""
        return StatusIndex(self, read)


class StatusIndex:
    """What the status of one object is derived from; every look is noted by the reader."""

    def __init__(self, inputs: StatusInputs, read: Reader) -> None:
        self._inputs = inputs
        self._read = read

    @cached_property
    def world(self) -> World:
        """The documents."""
        return self._inputs.world.read(self._read)

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the Gates, in order."""
        return tuple(sorted(self._read.all(self._inputs.hashes)))

    def hash(self, gate: str) -> str:
        """What the documents compile to, for one gate."""
        return self._read.row(self._inputs.hashes, gate)

    def of(self, doc: AnyDoc) -> Findings:
        """What was found about a document."""
        return self.of_ref(doc.ref)

    def of_ref(self, ref: Ref) -> Findings:
        """As `of`, by reference."""
        return self._read.get(self._inputs.findings, ref) or ()

    def at_listener_set(self, gate: str, gateway: Key | None, doc: AnyDoc) -> Findings:
        """What was found about a route where it is served on one listener set."""
        return self._read.get(self._inputs.at_listener_sets, (gate, gateway, doc.ref)) or ()

    def serving(self, model: str) -> Served:
        """The versions of a model (`namespace/name`) that answer requests."""
        return self._read.get(self._inputs.served, model) or ()

    def routed(self, model: Key) -> tuple[str, ...]:
        """The gates on which a route reaches a model."""
        return self._read.get(self._inputs.routed, model) or ()

    def is_answering(self, gate: str, doc: AnyDoc) -> bool:
        """Whether some route of a document answers requests on a gate."""
        return self._read.get(self._inputs.answering, (gate, doc.ref)) is not None

    def policies_on(self, gate: str) -> ModelPolicies:
        """The policies of all models on one gate."""
        return self._read.mapping(self._inputs.policies[gate])

    def policies(self, model: Key) -> tuple[ModelPolicy, ...]:
        """The policies of one model, one for each gate."""
        every = (self._read.get(self._inputs.policies[gate], model) for gate in self.gates)
        return tuple(policy for policy in every if policy is not None)

    def check(self, policy: Key) -> Check:
        """The models that an AccessPolicy names or selects."""
        return self._read.row(self._inputs.checks, policy)

    def facts(self, gate: str) -> GateFacts:
        """What is known of a gate; nothing, when nothing is."""
        return self._read.get(self._inputs.gate_facts, gate) or GateFacts()

    def gateway_addresses(self, gateway: Key) -> tuple[str, ...]:
        """Where a Gateway with an address of its own is met."""
        return self._read.get(self._inputs.gateway_addresses, gateway) or ()

    def own_listener_set(self, gate: str) -> ListenerSet:
        """The listener set of a Gate's own addresses."""
        return self._read.row(self._inputs.own_listener_sets, gate)

    def document(self, ref: Ref) -> RouteDocument:
        """What a route asks for."""
        return self._read.row(self._inputs.documents, ref)

    @property
    def documents(self) -> Mapping[Ref, RouteDocument]:
        """What every route of ours asks for."""
        return self._read.mapping(self._inputs.documents)

    @property
    def bindings(self) -> Mapping[Key, Binding]:
        """Our Gateways."""
        return self._read.mapping(self._inputs.bindings)

    @property
    def classes(self) -> Classes:
        """Which gate serves which class."""
        return self._read.value(self._inputs.classes)

    @property
    def directory(self) -> Directory:
        """Who is who."""
        return self._read.value(self._inputs.directory)

    @property
    def services(self) -> ServiceIndex:
        """What a route looks up about Services."""
        read, inputs = self._read, self._inputs
        return ServiceIndex(
            services=read.mapping(inputs.services),
            slices=read.mapping(inputs.slices),
            behind=read.mapping(inputs.behind),
            rights=read.mapping(inputs.rights),
            versions=read.mapping(inputs.versions),
            held=read.mapping(inputs.held),
            hiding=read.mapping(inputs.hiding),
            grants=read.mapping(inputs.grants),
            is_past=lambda moment: read.is_past(inputs.world.clock, moment),
        )

    @property
    def secrets(self) -> Secrets:
        """Where key pairs come from."""
        read, inputs = self._read, self._inputs
        return Secrets(
            key_pairs=read.mapping(inputs.key_pairs),
            grants=read.mapping(inputs.grants),
            at=inputs.world.at,
            is_past=lambda moment: read.is_past(inputs.world.clock, moment),
        )

    def read(self, table: Table[str, V]) -> V:
        """The only row of another table."""
        return self._read.value(table)

    def note_moments(self, *moments: datetime) -> None:
        """The status depends on whether these moments are over."""
        self._inputs.world.pass_moments(self._read, moments)


def status(doc: AnyDoc, body: Body, *conditions: Condition) -> ObjectStatus:
    """The status of one document."""
    return ObjectStatus(
        ref=doc.ref,
        uid=doc.meta.uid,
        generation=doc.meta.generation,
        conditions=conditions,
        body=body,
    )
