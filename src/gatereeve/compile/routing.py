"""All routes of a World, then one gate's share of them: listeners, virtual hosts, clusters.

`index_world` reads every route document once and says what it claims on which front of which gate;
`route_gate` resolves the claims of one gate against its models' plans, front by front, in shards of
hosts (`hosts`). Both take what did not change from the memo.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from gatereeve.api.world import (
    GateDoc,
    GatewayDoc,
    HTTPRouteDoc,
    IngressDoc,
    Key,
    ModelVersionDoc,
    NamespaceDoc,
    ServiceDoc,
    World,
)
from gatereeve.compile.backends import reference_grants, services
from gatereeve.compile.governance.model_policy import ModelPolicies
from gatereeve.compile.routes import classes, host_grants, listener_sets
from gatereeve.compile.routes.classes import Classes
from gatereeve.compile.routes.gateways import Binding, bind
from gatereeve.compile.routes.host_grants import GrantIndex, Grants
from gatereeve.compile.routes.http_routes import compile_http_route, parents_of
from gatereeve.compile.routes.ingresses import compile_ingress
from gatereeve.compile.routes.listener_sets import ListenerPort, ListenerSet
from gatereeve.compile.routes.requests import RouteDocument
from gatereeve.compile.virtual_hosts import certificates, hosts
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import Ref
from gatereeve.ir.clusters import Cluster, Endpoint
from gatereeve.ir.gates import Listener


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """What all route documents claim, and what their backends are looked up in.

    parts: the claims, by front. bindings: our Gateways.
    """

    claimed: tuple[RouteDocument, ...]
    parts: Mapping[tuple[str, Key | None], hosts.Part]
    bindings: Mapping[Key, Binding]
    grants: GrantIndex
    classes: Classes
    services: services.ServiceIndex
    secrets: certificates.Secrets
    memo: Memo
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedGate:
    """listeners: those of the Gate first, https before http; then those of Gateways, by name.

    clusters: by name. models: those that some route reaches, sorted. shards: the same virtual hosts
    and clusters in parts that keep their identity while unchanged. fronts: the same, front by front.
    """

    listeners: tuple[Listener, ...]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    shards: tuple[hosts.Routed, ...]
    fronts: tuple[RoutedFront, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RoutedFront:
    """One front of a gate. served: documents of which some row answers requests there."""

    front: ListenerSet
    listeners: tuple[Listener, ...]
    shards: tuple[hosts.Routed, ...]
    served: frozenset[Ref]
    findings: tuple[Finding, ...]


def index_world(world: World, memo: Memo) -> Index:
    """One pass over every route, Service and grant.

    Findings: of classes, grants, gateways, routes and the servers of versions.
    """
    found = services.index(world, memo)
    reader = _Reader(world, memo)
    routes = reader.http_routes()
    read = (reader.ingresses(), routes)
    claimed = tuple(one for part in read for one in part.claimed)
    shown = tuple(one for binding in routes.bindings.values() for one in binding.certificates)
    return Index(
        claimed=claimed,
        parts=memo.get(
            ("shards.by_front", claimed, shown), partial(hosts.by_front, claimed, shown)
        ),
        bindings=routes.bindings,
        grants=reader.grants,
        classes=reader.classes,
        services=found,
        secrets=certificates.Secrets(
            secrets=world.secrets,
            grants=reference_grants.index(world, memo),
            at=world.at,
            memo=memo,
        ),
        memo=memo,
        findings=(
            *reader.classes.findings,
            *reader.grants.findings,
            *(finding for part in read for finding in part.findings),
            *found.versions.findings,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Read:
    """All documents of one kind of route, and the Gateways that they may name."""

    claimed: tuple[RouteDocument, ...]
    bindings: Mapping[Key, Binding]
    findings: tuple[Finding, ...]


class _Reader:
    """One reading of a World's route documents, kind by kind; each kind is a memo entry."""

    def __init__(self, world: World, memo: Memo) -> None:
        self._world = world
        self._memo = memo
        self.classes = classes.classes_of(world, memo)
        self.grants = host_grants.index(world, memo)

    def _key(self, kind: str, *documents: tuple[object, ...]) -> tuple[object, ...]:
        namespaces = tuple(self._world.namespaces.values())
        return (kind, self.classes, self.grants, namespaces, *documents)

    def ingresses(self) -> _Read:
        docs = tuple(self._world.ingresses.values())
        key = self._key("routing.ingresses", docs)
        return self._memo.get(key, lambda: self._ingresses(docs))

    def _ingresses(self, docs: tuple[IngressDoc, ...]) -> _Read:
        memo = self._memo.part("routing.ingresses")
        namespaces = _Namespaces(self._world, self.grants, memo)
        claimed, findings = [], []
        for doc in sorted(docs, key=attrgetter("ref")):
            gate = classes.gate_of_ingress(doc, self.classes)
            if isinstance(gate, Finding):
                findings.append(gate)
                continue
            grants = namespaces.grants(doc.ref.namespace)
            make = partial(compile_ingress, doc, gate, grants)
            one = memo.get(("ingress", doc, gate, grants), make)
            claimed.append(one)
            findings += one.findings
        return _Read(claimed=tuple(claimed), bindings={}, findings=tuple(findings))

    def http_routes(self) -> _Read:
        docs = tuple(self._world.http_routes.values())
        gateways = tuple(self._world.gateways.values())
        services = tuple(self._services(gateways))
        key = self._key("routing.http_routes", docs, gateways, services)
        return self._memo.get(key, lambda: self._http_routes(docs, gateways))

    def _http_routes(
        self, docs: tuple[HTTPRouteDoc, ...], gateways: tuple[GatewayDoc, ...]
    ) -> _Read:
        memo = self._memo.part("routing.http_routes")
        namespaces = _Namespaces(self._world, self.grants, memo)
        findings: list[Finding] = []
        bindings, foreign = self._bindings(gateways, namespaces, memo, findings)
        claimed = []
        for doc in sorted(docs, key=attrgetter("ref")):
            parents = parents_of(doc, bindings, foreign)
            name = doc.ref.namespace
            namespace, grants = namespaces.doc(name), namespaces.grants(name)
            make = partial(
                compile_http_route, doc, parents, grants, host_grants.labels_of(name, namespace)
            )
            one = memo.get(("http_route", doc, parents, grants, namespace), make)
            claimed.append(one)
            findings += one.findings
        return _Read(claimed=tuple(claimed), bindings=bindings, findings=tuple(findings))

    def _services(self, docs: tuple[GatewayDoc, ...]) -> Iterator[ServiceDoc]:
        """The Services that lead to Gateways with addresses of their own."""
        for doc in docs:
            name = self.classes.gateway.get(doc.spec.gateway_class_name)
            if name is not None:
                key = (doc.ref.namespace, doc.ref.name)
                service = listener_sets.service_of(self._world, self._world.gates["", name], key)
                if service is not None:
                    yield service

    def _ports(self, docs: tuple[GatewayDoc, ...]) -> Mapping[Key, Mapping[int, int]]:
        """The ports that Gateways with addresses of their own were given."""
        given: defaultdict[str, list[tuple[Key, ServiceDoc]]] = defaultdict(list)
        for doc in docs:
            key = (doc.ref.namespace, doc.ref.name)
            name = self.classes.gateway.get(doc.spec.gateway_class_name, "")
            gate = self._world.gates.get(("", name))
            service = None if gate is None else listener_sets.service_of(self._world, gate, key)
            if service is not None:
                given[name].append((key, service))
        found: dict[Key, Mapping[int, int]] = {}
        for name, pairs in given.items():
            found.update(listener_sets.given_ports(self._world.gates["", name], pairs))
        return found

    def _bindings(
        self,
        docs: tuple[GatewayDoc, ...],
        namespaces: _Namespaces,
        memo: Memo,
        findings: list[Finding],
    ) -> tuple[Mapping[Key, Binding], frozenset[Key]]:
        """Our Gateways, and the keys of those of other classes."""
        bindings: dict[Key, Binding] = {}
        foreign = set()
        ports = self._ports(docs)
        for doc in sorted(docs, key=attrgetter("ref")):
            key = (doc.ref.namespace, doc.ref.name)
            name = self.classes.gateway.get(doc.spec.gateway_class_name)
            if name is None:
                foreign.add(key)
                findings.append(classes.unknown_class(doc, doc.spec.gateway_class_name))
                continue
            gate = self._world.gates["", name]
            grants = namespaces.grants(doc.ref.namespace)
            given = tuple(sorted(ports.get(key, {}).items()))
            make = partial(bind, doc, gate, grants, given)
            bindings[key] = memo.get(("gateway", doc, gate, grants, given), make)
            findings += bindings[key].findings
        return bindings, frozenset(foreign)


class _Namespaces:
    """What namespaces are granted, looked up once each."""

    def __init__(self, world: World, grants: GrantIndex, memo: Memo) -> None:
        self._world = world
        self._grants = grants
        self._memo = memo
        self._found: dict[str, Grants] = {}

    def doc(self, namespace: str) -> NamespaceDoc | None:
        return self._world.namespaces.get(("", namespace))

    def grants(self, namespace: str) -> Grants:
        found = self._found.get(namespace)
        if found is None:
            found = host_grants.grants_of(self._grants, namespace, self.doc(namespace), self._memo)
            self._found[namespace] = found
        return found


def resolve_version(index: Index, version: ModelVersionDoc) -> tuple[Endpoint, ...]:
    """The usable servers of a version, sorted; the same tuple as long as nothing changed."""
    return services.version_endpoints(index.services, version)


def route_gate(index: Index, gate: GateDoc, plans: ModelPolicies) -> RoutedGate:
    """Everything that `gate` serves. plans: of every Model, for this gate.

    Findings: of backends, certificates and conflicts; tls-unavailable.
    """
    found = [_route_front(index, gate, plans, front) for front in _fronts(index, gate)]
    routed = tuple(shard for one in found for shard in one.shards)
    clusters = {cluster.name: cluster for one in routed for cluster in one.clusters}
    return RoutedGate(
        listeners=tuple(listener for one in found for listener in one.listeners),
        clusters=tuple(clusters[cluster] for cluster in sorted(clusters)),
        models=tuple(sorted({model for one in routed for model in one.models})),
        shards=routed,
        fronts=tuple(found),
        findings=tuple(f for one in found for f in one.findings),
    )


def _fronts(index: Index, gate: GateDoc) -> list[ListenerSet]:
    """That of the Gate, then those of its Gateways by namespace and name."""
    own = [
        binding.front
        for _, binding in sorted(index.bindings.items())
        if binding.gate == gate.ref.name and binding.front is not None
    ]
    return [listener_sets.shared_listener_set(gate, index.classes.opened), *own]


def _route_front(
    index: Index, gate: GateDoc, plans: ModelPolicies, front: ListenerSet
) -> RoutedFront:
    part = index.parts.get((front.gate, front.gateway), hosts.Part())
    name = ("shards.split", front.gate, front.gateway is not None)
    claims = index.memo.get(
        ("shards.split", part), partial(hosts.split, part, index.memo.part(name))
    )
    chosen = certificates.choose(gate, claims.https_hosts, claims.certificates, index.secrets)
    lookup = hosts.Lookup(
        gate=gate,
        front=front,
        plans=plans,
        services=index.services,
        grants=index.secrets.grants,
        chosen=chosen,
        memo=index.memo,
    )
    routed = tuple(hosts.route(shard, lookup) for shard in claims.shards)
    return RoutedFront(
        front=front,
        listeners=tuple(
            _listener(index, gate, front, door, routed, chosen) for door in front.doors
        ),
        shards=routed,
        served=frozenset().union(*(one.served for one in routed)),
        findings=(*claims.findings, *chosen.findings, *(f for one in routed for f in one.findings)),
    )


def _listener(
    index: Index,
    gate: GateDoc,
    front: ListenerSet,
    door: ListenerPort,
    routed: tuple[hosts.Routed, ...],
    chosen: certificates.ChosenCertificate,
) -> Listener:
    """One port of a front."""
    found = [vhost for one in routed for vhost in one.hosts[door.name]]
    own = front.gateway is not None
    return Listener(
        name=door.name,
        protocol=door.protocol,
        address=door.address,
        port=door.port,
        tls_min=gate.spec.tls.min_version,
        certificates=chosen.certificates if door.protocol == "https" else (),
        hosts=tuple(sorted(found, key=attrgetter("host"))),
        shown_port=door.shown,
        tls_port=_tls_port(front) if own and door.protocol == "http" else None,
        origin=index.bindings[front.gateway].doc.origin()
        if front.gateway is not None
        else gate.origin(f"spec.{door.protocol}"),
    )


def _tls_port(front: ListenerSet) -> int | None:
    return next((door.shown for door in front.doors if door.protocol == "https"), None)
