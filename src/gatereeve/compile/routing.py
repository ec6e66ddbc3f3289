"""All routes of a World, then one gate's share of them: listeners, virtual hosts, clusters.

`index_world` reads every route document once and says what it claims on which gate; `route_gate`
resolves the claims of one gate against its models' plans, in shards of hosts (`shards`). Both take
what did not change from the memo.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    World,
)
from gatereeve.compile import certificates, classes, hosts, references, services, shards
from gatereeve.compile.backends import Plans
from gatereeve.compile.claims import Claimed, Protocol
from gatereeve.compile.classes import Classes
from gatereeve.compile.gateways import Binding, bind
from gatereeve.compile.hosts import GrantIndex, Grants
from gatereeve.compile.httproutes import compile_http_route, parents_of
from gatereeve.compile.ingress import compile_ingress
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.ir.clusters import Cluster, Endpoint
from gatereeve.ir.gates import Listener


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """What all route documents claim, and what their backends are looked up in."""

    claimed: tuple[Claimed, ...]
    classes: Classes
    services: services.ServiceIndex
    secrets: certificates.Secrets
    memo: Memo
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedGate:
    """listeners: https first. clusters: by name. models: those that some route reaches, sorted.

    shards: the same virtual hosts and clusters in parts that keep their identity while unchanged.
    """

    listeners: tuple[Listener, ...]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    shards: tuple[shards.Routed, ...]
    findings: tuple[Finding, ...]


def index_world(world: World, memo: Memo) -> Index:
    """One pass over every route, Service and grant.

    Findings: of classes, grants, gateways, routes and the servers of versions.
    """
    found = services.index(world, memo)
    reader = _Reader(world, memo)
    read = (reader.ingresses(), reader.http_routes())
    return Index(
        claimed=tuple(one for part in read for one in part.claimed),
        classes=reader.classes,
        services=found,
        secrets=certificates.Secrets(
            secrets=world.secrets, grants=references.index(world, memo), at=world.at, memo=memo
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
    """All documents of one kind of route."""

    claimed: tuple[Claimed, ...]
    findings: tuple[Finding, ...]


class _Reader:
    """One reading of a World's route documents, kind by kind; each kind is a memo entry."""

    def __init__(self, world: World, memo: Memo) -> None:
        self._world = world
        self._memo = memo
        self.classes = classes.classes_of(world, memo)
        self.grants = hosts.index(world, memo)

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
        return _Read(claimed=tuple(claimed), findings=tuple(findings))

    def http_routes(self) -> _Read:
        docs = tuple(self._world.http_routes.values())
        gateways = tuple(self._world.gateways.values())
        key = self._key("routing.http_routes", docs, gateways)
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
                compile_http_route, doc, parents, grants, hosts.labels_of(name, namespace)
            )
            one = memo.get(("http_route", doc, parents, grants, namespace), make)
            claimed.append(one)
            findings += one.findings
        return _Read(claimed=tuple(claimed), findings=tuple(findings))

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
        for doc in sorted(docs, key=attrgetter("ref")):
            key = (doc.ref.namespace, doc.ref.name)
            name = self.classes.gateway.get(doc.spec.gateway_class_name)
            if name is None:
                foreign.add(key)
                findings.append(classes.unknown_class(doc, doc.spec.gateway_class_name))
                continue
            gate = self._world.gates["", name]
            grants = namespaces.grants(doc.ref.namespace)
            make = partial(bind, doc, gate, grants)
            bindings[key] = memo.get(("gateway", doc, gate, grants), make)
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
            found = hosts.grants_of(self._grants, namespace, self.doc(namespace), self._memo)
            self._found[namespace] = found
        return found


def resolve_version(index: Index, version: ModelVersionDoc) -> tuple[Endpoint, ...]:
    """The usable servers of a version, sorted; the same tuple as long as nothing changed."""
    return services.version_endpoints(index.services, version)


def route_gate(index: Index, gate: GateDoc, plans: Plans) -> RoutedGate:
    """Everything that `gate` serves. plans: of every Model, for this gate.

    Findings: of backends, certificates and conflicts; tls-unavailable.
    """
    name = gate.ref.name
    claims = index.memo.get(
        ("shards.split", name, index.claimed),
        lambda: shards.split(name, index.claimed, index.memo.part(("shards.split", name))),
    )
    chosen = certificates.choose(gate, claims.https_hosts, claims.certificates, index.secrets)
    lookup = shards.Lookup(
        gate=gate,
        opened=frozenset(p for g, p in index.classes.opened if g == name),
        plans=plans,
        services=index.services,
        grants=index.secrets.grants,
        chosen=chosen,
        memo=index.memo,
    )
    routed = tuple(shards.route(shard, lookup) for shard in claims.shards)
    clusters = {cluster.name: cluster for one in routed for cluster in one.clusters}
    listeners = (_listener(gate, protocol, routed, chosen, lookup) for protocol in _PROTOCOLS)
    return RoutedGate(
        listeners=tuple(listener for listener in listeners if listener is not None),
        clusters=tuple(clusters[cluster] for cluster in sorted(clusters)),
        models=tuple(sorted({model for one in routed for model in one.models})),
        shards=routed,
        findings=(*claims.findings, *chosen.findings, *(f for one in routed for f in one.findings)),
    )


_PROTOCOLS: tuple[Protocol, ...] = ("https", "http")


def _listener(
    gate: GateDoc,
    protocol: Protocol,
    routed: tuple[shards.Routed, ...],
    chosen: certificates.Chosen,
    lookup: shards.Lookup,
) -> Listener | None:
    """The listener of one address, if the gate has it to itself."""
    address = gate.spec.https if protocol == "https" else gate.spec.http
    if address is None or protocol not in lookup.opened:
        return None
    found = [vhost for one in routed for vhost in getattr(one, protocol)]
    return Listener(
        name=protocol,
        protocol=protocol,
        address=address.host,
        port=address.port,
        tls_min=gate.spec.tls.min_version,
        certificates=chosen.certificates if protocol == "https" else (),
        hosts=tuple(sorted(found, key=attrgetter("host"))),
        origin=gate.origin(f"spec.{protocol}"),
    )
