"""Documents in, what every gate must do out, with all findings.

A `Compiler` follows one World after the other: its tables compute again only what a change touches
(`core.derived`). `compile` is a Compiler that is used once. Wrong documents become findings and drop
out as refusals; nothing here raises for what a user wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gatereeve.api.gate import GateRequests
from gatereeve.api.world import GateDoc, Key, Memory, ModelDoc, World
from gatereeve.compile import digests
from gatereeve.compile.backends.services import Backends, ServiceIndex
from gatereeve.compile.backends.shared_servers import SeparatedPolicies
from gatereeve.compile.governance.index import Check, GovernanceIndex
from gatereeve.compile.governance.model_policies import GatePolicies
from gatereeve.compile.governance.model_policy import ModelPolicies
from gatereeve.compile.governance.people import People
from gatereeve.compile.governance.unreadable import Unreadable
from gatereeve.compile.routes.classes import Classes
from gatereeve.compile.routes.gateways import Binding
from gatereeve.compile.routes.host_grants import GrantIndex, GrantTables
from gatereeve.compile.routes.listener_sets import ListenerSet, shared_listener_set
from gatereeve.compile.routes.requests import RouteDocument
from gatereeve.compile.routes.route_tables import RouteTables
from gatereeve.compile.virtual_hosts.certificates import Secrets, SecretTables
from gatereeve.compile.virtual_hosts.hosts import ListenerSetHosts, ListenerSetOutcome
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core import findings, trusted_headers
from gatereeve.core.derived import Computed, Derived, Ordered, Reader, Source, Stage, Table
from gatereeve.core.refs import ConfigHash
from gatereeve.core.report import describe, finding
from gatereeve.ir.access import Access
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.gates import Gate, Ir, Listener, Requests
from gatereeve.ir.routes import VirtualHost


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """ir: what the gates must do. findings: all diagnoses, errors first.

    next_change: the next instant at which the same documents compile to something else (an
    approval expires), or None. outcome: what became of each document, for `statuses`.
    """

    ir: Ir
    findings: tuple[findings.Finding, ...]
    next_change: datetime | None
    outcome: Outcome = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateOutcome:
    """What was decided for one gate. models: those that some route reaches, sorted."""

    doc: GateDoc
    policies: ModelPolicies
    models: tuple[Key, ...]
    listener_sets: tuple[ListenerSetOutcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """What one compilation knew and the IR does not say. gates: by name, as in the World.

    documents: what Ingresses and HTTPRoutes ask for. bindings: our Gateways. policies: AccessPolicies
    with the models that they name or select.
    """

    documents: tuple[RouteDocument, ...]
    bindings: Mapping[Key, Binding]
    classes: Classes
    grants: GrantIndex
    services: ServiceIndex
    secrets: Secrets
    people: People
    policies: Mapping[Key, Check]
    unreadable: Unreadable
    gates: Mapping[str, GateOutcome]


def compile(world: World) -> Compiled:  # noqa: A001 - the field's word
    """Compile a World. Deterministic: equal documents in any order give equal bytes."""
    return Compiler().compile(world)


class Compiler:
    """Compiles Worlds one after the other. What a change does not touch is the same object as before.

    One caller at a time. After an exception the next World is compiled from scratch.
    """

    def __init__(self) -> None:
        self._tables: CompilerTables | None = None

    def compile(self, world: World) -> Compiled:
        """Compile a World with the memory that it has."""
        tables, self._tables = self._tables or CompilerTables(), None
        tables.begin()
        tables.update_documents(world)
        return self._finish(tables, world)

    def compile_remembering(self, world: World) -> tuple[Compiled, Memory]:
        """Compile a World with its memory brought up to date, and that memory.

        What stands behind a model in `world` is in the memory; what did before stays in it.
        """
        tables, self._tables = self._tables or CompilerTables(), None
        tables.begin()
        tables.update_documents(world)
        memory = tables.backends.remember()
        if memory is not world.memory:
            world = replace(world, memory=memory)
            tables.update_documents(world)
        return self._finish(tables, world), memory

    def _finish(self, tables: CompilerTables, world: World) -> Compiled:
        compiled = tables.compile(world)
        self._tables = tables
        return compiled


class CompilerTables:
    """The tables of all stages, in the order in which they read each other."""

    def __init__(self) -> None:
        self.world = WorldTables()
        self.index = GovernanceIndex(self.world)
        self.grants = GrantTables(self.world)
        self.routes = RouteTables(self.world, self.grants)
        self.backends = Backends(self.world, self.grants)
        self.secrets = SecretTables(self.world, self.backends)
        self._gates: dict[str, GateTables] = {}
        self._findings = FindingTable()

    def begin(self) -> None:
        """Start the next revision."""
        stages = (self.world, self.index, self.grants, self.routes, self.backends, self.secrets)
        for stage in (*stages, *self._gates.values()):
            stage.begin()

    def update_routes(self, world: World) -> None:
        """Follow the documents, as far as it takes to know what routes ask for."""
        self.world.update(world)
        self.grants.update()
        self.routes.update()

    def update_documents(self, world: World) -> None:
        """Follow the documents, as far as they do not depend on a gate."""
        self.update_routes(world)
        self.index.update()
        self.backends.update()
        self.secrets.update()

    def compile(self, world: World) -> Compiled:
        """Compile every gate."""
        names = {name for _, name in self.world.gates.rows}
        for name in self._gates.keys() - names:
            del self._gates[name]
        gates: list[Gate] = []
        outcomes: dict[str, GateOutcome] = {}
        for doc in world.gates.values():
            name = doc.ref.name
            if name not in self._gates:
                self._gates[name] = GateTables(name, self)
            gate, outcomes[name] = self._gates[name].compile(doc)
            gates.append(gate)
        policies = [p for tables in self._gates.values() for p in tables.policies.rows.values()]
        return Compiled(
            ir=Ir(gates=tuple(gates)),
            findings=self._collect(world),
            next_change=min((p.next_change for p in policies if p.next_change), default=None),
            outcome=Outcome(
                documents=self.routes.documents(),
                bindings=self.routes.bindings(),
                classes=self.routes.classes.value,
                grants=self.grants.index.value,
                services=self.backends.snapshot(),
                secrets=self.secrets.snapshot(),
                people=self.index.people.value,
                policies=self.index.checked_policies.snapshot(),
                unreadable=self.index.unreadable.value.unreadable,
                gates=outcomes,
            ),
        )

    def _collect(self, world: World) -> tuple[findings.Finding, ...]:
        index, routes = self.index, self.routes
        tables: list[Table[Any, Any]] = [
            index.checked_versions, index.checked_approvals, index.checked_policies,
            index.checked_rollouts, index.unreadable, index.people, routes.classes,
            self.grants.index, routes.gateways, routes.ingresses, routes.http_routes,
            self.backends.versions,
        ]  # fmt: skip
        for gate in self._gates.values():
            tables += gate.with_findings()
        more = list(world.findings)
        has_gate = bool(world.gates) or any(broken.ref.kind == "Gate" for broken in world.broken)
        if not has_gate and (world.ingresses or world.http_routes):
            more.append(_no_gate())
        return self._findings.in_order(tables, more)


class FindingTable:
    """The findings in the rows of many tables, in order."""

    def __init__(self) -> None:
        self._pieces: dict[Table[Any, Any], dict[object, tuple[findings.Finding, ...]]] = {}
        self._more: list[findings.Finding] = []
        self._in_order: tuple[findings.Finding, ...] = ()

    def in_order(
        self, tables: Iterable[Table[Any, Any]], more: list[findings.Finding]
    ) -> tuple[findings.Finding, ...]:
        """Every finding of the rows, and `more`, as `findings.order` has them."""
        before, self._pieces = self._pieces, {}
        has_changed = more != self._more
        for table in tables:
            pieces = self._pieces[table] = before.pop(table, {})
            for key in table.changed:
                row = table.rows.get(key)
                piece = (
                    (row,) if isinstance(row, findings.Finding) else getattr(row, "findings", ())
                )
                if pieces.get(key, ()) != piece:
                    has_changed = True
                    pieces[key] = piece
                    if not piece:
                        del pieces[key]
        if has_changed or any(before.values()):
            rows = (piece for pieces in self._pieces.values() for piece in pieces.values())
            every = (finding for piece in rows for finding in piece)
            self._in_order = findings.order((*every, *more))
            self._more = more
        return self._in_order


@dataclass(frozen=True, slots=True)
class Findings:
    """A row that is only findings."""

    findings: tuple[findings.Finding, ...] = ()


class GateTables(Stage):
    """The tables of one gate: its policies, and the hosts of its listener sets."""

    def __init__(self, name: str, tables: CompilerTables) -> None:
        self._name = name
        self._tables = tables
        self._governance = GatePolicies(name, tables.world, tables.index, tables.backends.endpoints)
        self._separated = SeparatedPolicies(
            self._governance.policies, tables.backends.shared, tables.backends.shared_places
        )
        self.policies = self._separated.policies
        self._listener_sets: dict[Key | None, ListenerSetHosts] = {}
        self._listeners: dict[str, _ListenerHosts] = {}
        self._models: tuple[Key, ...] = ()
        self._access = Ordered[Key, Access](lambda key: self.policies.rows[key].access)
        self._clusters: tuple[Cluster, ...] = ()
        self._reached = Source[Key, bool]()
        self._of_gate = Computed(self._find_of_gate)
        self._of_models = Derived(self._find_of_model)

    def begin(self) -> None:
        super().begin()
        for stage in (self._governance, self._separated, *self._listener_sets.values()):
            stage.begin()

    def with_findings(self) -> list[Table[Any, Any]]:
        """The tables whose rows have findings."""
        of_hosts = (t for one in self._listener_sets.values() for t in (one.chosen, one.hosts))
        return [self.policies, self._of_gate, self._of_models, *of_hosts]

    def compile(self, doc: GateDoc) -> tuple[Gate, GateOutcome]:
        """The gate as it is to be, and what was decided about its documents."""
        self._governance.update()
        self._separated.update()
        sets = {one.gateway: one for one in self._find_listener_sets(doc)}
        others = sets.keys() != self._listener_sets.keys()
        for gateway in self._listener_sets.keys() - sets.keys():
            del self._listener_sets[gateway]
        tables = self._tables
        for gateway, listener_set in sets.items():
            if gateway not in self._listener_sets:
                self._listener_sets[gateway] = ListenerSetHosts(
                    (self._name, gateway), tables.world, tables.routes, tables.backends,
                    tables.secrets, self.policies,
                )  # fmt: skip
            self._listener_sets[gateway].update(listener_set)
        served = [self._listener_sets[gateway] for gateway in sets]
        if others or any(one.models.changed for one in served):
            self._models = tuple(sorted(set[Key]().union(*(one.models.rows for one in served))))
            self._reached.update(dict.fromkeys(self._models, True))
        if others or any(one.clusters.changed for one in served):
            clusters: dict[str, Cluster] = {}
            for one in served:
                clusters.update(one.clusters_by_name())
            self._clusters = tuple(clusters[name] for name in sorted(clusters))
        self._access.update(self._models, self.policies.changed)
        self._of_gate.update()
        self._of_models.update(self.policies)
        outcome = GateOutcome(
            doc=doc,
            policies=self.policies.snapshot(),
            models=self._models,
            listener_sets=tuple(one.outcome() for one in served),
        )
        return self._assemble(doc, served), outcome

    def _find_listener_sets(self, doc: GateDoc) -> list[ListenerSet]:
        """That of the Gate, then those of its Gateways by namespace and name."""
        routes = self._tables.routes
        own = [
            binding.listener_set
            for _, binding in sorted(routes.bindings().items())
            if binding.gate == self._name and binding.listener_set is not None
        ]
        return [shared_listener_set(doc, routes.classes.value.opened), *own]

    def _assemble(self, doc: GateDoc, served: list[ListenerSetHosts]) -> Gate:
        identified = self._governance.identified.value
        listeners = tuple(x for one in served for x in self._make_listeners(doc, one))
        for name in self._listeners.keys() - {listener.name for listener in listeners}:
            del self._listeners[name]
        gate = Gate(
            name=self._name,
            region=doc.spec.region,
            hash=ConfigHash(""),
            listeners=listeners,
            identity=identified.identity,
            attributes=identified.attributes,
            access=self._access.values,
            clusters=self._clusters,
            trusted_hops=doc.spec.trusted_hops,
            max_body_bytes=doc.spec.max_body_bytes,
            requests=_requests(doc.spec.requests),
            origin=doc.origin(),
        )
        return replace(gate, hash=_hash_gate(gate, served))

    def _make_listeners(self, doc: GateDoc, hosts: ListenerSetHosts) -> Iterator[Listener]:
        listener_set, chosen = hosts.listener_set.value, hosts.chosen.value
        gateway = listener_set.gateway
        origin = None if gateway is None else self._tables.routes.gateways.rows[gateway]
        for port in listener_set.listener_ports:
            known = self._listeners.get(port.name)
            if known is None or known.of is not hosts:
                known = self._listeners[port.name] = _ListenerHosts(hosts, port.name)
            known.update()
            yield Listener(
                name=port.name,
                protocol=port.protocol,
                address=port.address,
                port=port.port,
                tls_min=doc.spec.tls.min_version,
                certificates=chosen.certificates if port.protocol == "https" else (),
                hosts=known.hosts,
                shown_port=port.shown,
                tls_port=_tls_port(listener_set)
                if gateway is not None and port.protocol == "http"
                else None,
                origin=origin.doc.origin()
                if isinstance(origin, Binding)
                else doc.origin(f"spec.{port.protocol}"),
            )

    def _find_of_gate(self, read: Reader) -> Findings:
        doc = read.row(self._tables.world.gates, ("", self._name))
        return Findings((*read.value(self._governance.identified).findings, *_weak_tls(doc)))

    def _find_of_model(self, key: Key, read: Reader) -> Findings:
        doc = read.row(self.policies, key).doc
        gate = read.row(self._tables.world.gates, ("", self._name))
        headers = _requests(gate.spec.requests).identity_headers
        unrouted = () if read.get(self._reached, key) else (_unrouted(doc),)
        return Findings((*unrouted, *_removed_fields(doc, headers)))


class _ListenerHosts:
    """The virtual hosts of one listener. of: the tables that they come from."""

    def __init__(self, of: ListenerSetHosts, port: str) -> None:
        self.of = of
        self.hosts: tuple[VirtualHost, ...] = ()
        rows = of.hosts.rows
        self._at_port = Ordered[str, VirtualHost | None](
            lambda host: rows[host].virtual_hosts.get(port)
        )

    def update(self) -> None:
        """Follow the tables."""
        before = self._at_port.values
        self._at_port.update(self.of.names, self.of.hosts.changed)
        if self._at_port.values is not before:
            self.hosts = tuple(filter(None, self._at_port.values))


def _tls_port(listener_set: ListenerSet) -> int | None:
    return next(
        (port.shown for port in listener_set.listener_ports if port.protocol == "https"), None
    )


def _requests(spec: GateRequests) -> Requests:
    return Requests(
        plain_ordinary_paths=spec.ordinary_paths == "unambiguous",
        identity_headers=tuple(sorted({name.lower() for name in spec.identity_headers})),
    )


def _hash_gate(gate: Gate, served: Iterable[ListenerSetHosts]) -> ConfigHash:
    """The content hash of everything in `gate` but its hash; that of hosts is in their table."""
    parts = [digests.value_hash((gate.name, gate.region, gate.identity, gate.attributes,
                                 gate.trusted_hops, gate.max_body_bytes, gate.requests))]  # fmt: skip
    parts.extend(digests.value_hash(replace(listener, hosts=())) for listener in gate.listeners)
    for one in served:
        parts.extend(one.names)
        parts.extend(map(one.hashes.rows.__getitem__, one.names))
    return ConfigHash(digests.combine(parts))


def _weak_tls(doc: GateDoc) -> tuple[findings.Finding, ...]:
    if doc.spec.tls.min_version in ("1.2", "1.3"):
        return ()
    path = "spec.tls.minVersion"
    return (finding(doc, "weak-tls", path, version=doc.spec.tls.min_version),)


def _unrouted(model: ModelDoc) -> findings.Finding:
    return finding(model, "model-unrouted", model=model.ref.short)


def _removed_fields(model: ModelDoc, identity_headers: tuple[str, ...]) -> list[findings.Finding]:
    """Fields of the model that callers send in vain (`core.trusted_headers`)."""
    found = []
    for number, one in enumerate(model.spec.fields):
        name = one.path.lower()
        asked = one.location == "request-header"
        if asked and trusted_headers.removed(identity_headers, [name]):
            path = f"spec.fields[{number}].path"
            found.append(
                finding(model, "field-header-removed", path, header=one.path, model=model.ref.short)
            )
    return found


def _no_gate() -> findings.Finding:
    return describe("no-gate")
