"""The part of a World that a document touches, as a small World that compiles in milliseconds.

A review must not compile ten thousand models to judge one. `WorldIndex` indexes a World once, off the hot
path; `subset_for` then gathers what the compiler's readers look at for one document: its gates and
grants, the routes on its hosts, the models and Services it names and what belongs to those. Only
which documents are looked at is decided here; what they mean is the compiler's. Who else names an
address (`address-taken`) is not looked at: that may be anybody, and the compiler refuses it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from gatereeve.api import gate, governance, kube, registry
from gatereeve.api.assemble import Table, world_of
from gatereeve.api.world import (
    AccessPolicyDoc,
    AnyDoc,
    Doc,
    GateDoc,
    HostGrantDoc,
    Key,
    Meta,
    ModelDoc,
    World,
)
from gatereeve.compile.backends import addresses, services
from gatereeve.compile.backends.shared_servers import Shared
from gatereeve.compile.compiler import CompilerTables
from gatereeve.compile.governance.access import policies_for
from gatereeve.compile.routes import host_grants
from gatereeve.compile.routes.grammar import is_under
from gatereeve.compile.routes.route_order import age
from gatereeve.core.refs import GATEREEVE_GROUP, Ref

D = TypeVar("D")

MOST = 64
"""Routes and models that one review looks at; what lies beyond is judged by the compiler alone."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorldIndex:
    """One World, indexed. routes: by host, with the paths that they claim there. models: documents by the model that they speak of.

    sharing: by model, the others of its servers. attached: HTTPRoutes by the Gateway that they name. thin: the gates without their callers' keys and certificates, which no review but a Gate's needs.
    """

    world: World
    services: services.ServiceIndex
    grants: host_grants.GrantIndex
    routes: Mapping[str, tuple[tuple[str, AnyDoc], ...]]
    models: Mapping[Key, tuple[AnyDoc, ...]]
    selecting: Mapping[str, tuple[AnyDoc, ...]]
    sharing: Mapping[Key, frozenset[Key]]
    attached: Mapping[Key, tuple[AnyDoc, ...]]
    thin: Mapping[Key, GateDoc]
    everywhere: tuple[HostGrantDoc, ...]


def index_world(world: World, tables: CompilerTables | None = None) -> WorldIndex:
    """Index a World. tables: kept from World to World by the caller; without them it takes longer."""
    tables = tables or CompilerTables()
    tables.begin()
    tables.update_documents(world)
    routes: defaultdict[str, list[tuple[str, AnyDoc]]] = defaultdict(list)
    for claimed in tables.routes.documents():
        for entry in claimed.entries:
            routes[entry.host].append((entry.claim.path.value, entry.claim.doc))
    attached: defaultdict[Key, list[AnyDoc]] = defaultdict(list)
    for route in world.http_routes.values():
        for parent in route.spec.parent_refs:
            attached[parent.namespace or route.ref.namespace, parent.name].append(route)
    models: defaultdict[Key, list[AnyDoc]] = defaultdict(list)
    selecting: defaultdict[str, list[AnyDoc]] = defaultdict(list)
    for doc in _about_models(world):
        for name in spoken_of(doc, world):
            models[doc.ref.namespace, name].append(doc)
        if isinstance(doc.spec, governance.AccessPolicySpec) and doc.spec.selector is not None:
            selecting[doc.ref.namespace].append(doc)
    return WorldIndex(
        world=world,
        services=tables.backends.snapshot(),
        grants=tables.grants.index.value,
        routes={host: tuple(claims) for host, claims in routes.items()},
        models={key: tuple(docs) for key, docs in models.items()},
        selecting={name: tuple(docs) for name, docs in selecting.items()},
        sharing=_sharing(tables.backends.versions.value.shared),
        attached={key: tuple(docs) for key, docs in attached.items()},
        thin={key: _without_keys(doc) for key, doc in world.gates.items()},
        everywhere=tuple(
            doc
            for doc in world.host_grants.values()
            if doc.spec.namespace_selector.all and not doc.spec.namespace_selector.match_labels
        ),
    )


def _sharing(shared: Shared) -> dict[Key, frozenset[Key]]:
    found: defaultdict[Key, set[Key]] = defaultdict(set)
    for versions in shared.values():
        models = {(version.ref.namespace, version.spec.model) for version in versions}
        for model in models:
            found[model] |= models - {model}
    return {model: frozenset(others) for model, others in found.items()}


def _about_models(world: World) -> Iterable[AnyDoc]:
    for table in (
        world.model_versions, world.approvals, world.access_policies, world.rollouts,
    ):  # fmt: skip
        yield from cast("Mapping[Key, AnyDoc]", table).values()


def spoken_of(doc: AnyDoc, world: World) -> tuple[str, ...]:
    """Names of the models that a document of governance speaks of by name."""
    spec = doc.spec
    if isinstance(spec, governance.ModelSpec):
        return (doc.ref.name,)
    if isinstance(spec, governance.ModelVersionSpec | governance.RolloutSpec):
        return (spec.model,)
    if isinstance(spec, governance.AccessPolicySpec):
        return tuple(spec.models or ())
    if isinstance(spec, governance.ApprovalSpec):
        version = world.model_versions.get((doc.ref.namespace, spec.subject.name))
        return () if version is None else (version.spec.model,)
    return ()


def _without_keys(doc: GateDoc) -> GateDoc:
    """The names of identity providers stay, because policies name them."""
    identity = doc.spec.identity
    keys, mtls = identity.api_keys, identity.mtls
    nothing = gate.FileOrSecretKey(file="none")
    thin = identity.model_copy(
        update={
            "jwt": tuple(
                p.model_copy(update={"jwks": gate.Jwks(inline='{"keys": []}')})
                for p in identity.jwt
            ),
            "api_keys": keys and keys.model_copy(update={"keys": ()}),
            "mtls": mtls and mtls.model_copy(update={"ca": nothing, "identities": ()}),
        }
    )
    return dataclasses.replace(doc, spec=doc.spec.model_copy(update={"identity": thin}))


@dataclass(slots=True)
class _SubsetBuilder:
    """A small World while it is put together: the documents of each kind, by key."""

    seen: WorldIndex
    tables: dict[str, dict[Key, AnyDoc]] = field(default_factory=dict)

    def add(self, doc: AnyDoc | None) -> bool:
        """Whether it is new here."""
        if doc is None:
            return False
        kind = registry.BY_KIND[doc.ref.group, doc.ref.kind]
        table = self.tables.setdefault(kind.world, {})
        key = (doc.ref.namespace, doc.ref.name)
        if key in table:
            return False
        table[key] = doc
        return True

    def find(self, table: Mapping[Key, Doc[D]], key: Key) -> Doc[D] | None:
        doc = table.get(key)
        self.add(doc)
        return doc

    def model(self, key: Key) -> None:
        """A model with everything that decides about it, and those that share a server with it."""
        for one in (key, *sorted(self.seen.sharing.get(key, ()))):
            self._model(one)

    def _model(self, key: Key) -> None:
        """One model.

        With a policy come the other Models that it names, and a policy comes only with a Model that
        it selects: else it would speak of none here, and that closes models (`compile.governance.unreadable`).
        """
        world = self.seen.world
        self.find(world.models, key)
        there = cast("ModelDoc | None", self.tables.get("models", {}).get(key))
        for doc in (*self.seen.models.get(key, ()), *self.seen.selecting.get(key[0], ())):
            policy = cast("AccessPolicyDoc", doc)
            if isinstance(doc.spec, governance.AccessPolicySpec):
                if there is not None and not policies_for(there, (policy,)):
                    continue
                for name in doc.spec.models or ():
                    self.find(world.models, (key[0], name))
            if self.add(doc) and isinstance(doc.spec, governance.ModelVersionSpec):
                self.version(doc.ref.namespace, doc.spec)

    def version(self, namespace: str, spec: governance.ModelVersionSpec) -> None:
        if spec.backend is not None:
            self.service((namespace, spec.backend.service))

    def service(self, key: Key) -> None:
        found = self.seen.services
        self.namespace(key[0])
        self.find(self.seen.world.services, key)
        for doc in found.slices.get(key, ()):
            self.add(doc)

    def namespace(self, name: str) -> None:
        doc = self.find(self.seen.world.namespaces, ("", name))
        labels = host_grants.labels_of(name, doc)
        for label in labels.items():
            for grant in self.seen.grants.by_label.get(label, ()):
                self.add(grant)
        for grant in self.seen.everywhere:
            self.add(grant)

    def references(self, namespace: str) -> None:
        for (place, _), doc in self.seen.world.reference_grants.items():
            if place == namespace:
                self.add(doc)


def subset_for(seen: WorldIndex, doc: AnyDoc) -> World:
    """A World of `doc`, in the place of whatever has its name, and of what it touches."""
    gathering = _SubsetBuilder(seen)
    gathering.add(doc)
    gathering.namespace(doc.ref.namespace)
    _governance(gathering, doc)
    _route(gathering, doc)
    if isinstance(doc.spec, kube.GatewaySpec):
        _gateway(gathering, doc)
    first = _world(gathering, doc)
    if doc.ref.kind not in ("Ingress", "HTTPRoute"):
        return first
    for other in _rivals(seen, first, doc):
        if gathering.add(other):
            gathering.namespace(other.ref.namespace)
            _route(gathering, other)
    return _world(gathering, doc)


def _rivals(seen: WorldIndex, first: World, doc: AnyDoc) -> list[AnyDoc]:
    """Routes that claim a path of the same host above or beneath one of `doc`, oldest first."""
    found: dict[Ref, AnyDoc] = {}
    tables = CompilerTables()
    tables.update_documents(first)
    for claimed in tables.routes.documents():
        for entry in claimed.entries:
            mine = entry.claim.path.value
            for path, other in seen.routes.get(entry.host, ()):
                if path == mine or is_under(path, mine) or is_under(mine, path):
                    found.setdefault(other.ref, other)
    found.pop(doc.ref, None)
    return sorted(found.values(), key=age)[:MOST]


def _world(gathering: _SubsetBuilder, doc: AnyDoc) -> World:
    """The small World: classes as they are, gates thin unless one is reviewed."""
    world = gathering.seen.world
    whole = doc.ref.kind == "Gate"
    gates = cast("Table", world.gates if whole else gathering.seen.thin)
    always: dict[str, Table] = {
        "gates": gates or {("", _STAND_IN.ref.name): _STAND_IN},
        "ingress_classes": cast("Table", world.ingress_classes),
        "gateway_classes": cast("Table", world.gateway_classes),
        "people": cast("Table", world.people),
    }
    if whole or isinstance(doc.spec, kube.IngressSpec | kube.GatewaySpec | kube.HTTPRouteSpec):
        always["secrets"] = cast("Table", world.secrets)
    tables: dict[tuple[str, str], Table] = {}
    for kind in registry.EVERY:
        came, there = gathering.tables.get(kind.world), always.get(kind.world, {})
        tables[kind.group, kind.kind] = (
            there if came is None else dict(sorted({**there, **came}.items()))
        )
    small = world_of(
        tables, at=world.at, files=world.files, jwks=world.jwks, geo=world.geo, found=(), broken=()
    )
    return dataclasses.replace(small, memory=world.memory)


_STAND_IN: GateDoc = Doc(
    ref=Ref(GATEREEVE_GROUP, "Gate", "", "any"),
    meta=Meta(),
    spec=gate.GateSpec(region="any", http=gate.Address(port=80)),
    digest="",
)
"""Where there is no Gate yet, versions are judged as on any."""


def _governance(gathering: _SubsetBuilder, doc: AnyDoc) -> None:
    """What a document of governance speaks of."""
    world, namespace = gathering.seen.world, doc.ref.namespace
    spec = doc.spec
    if isinstance(spec, governance.ApprovalSpec):
        gathering.find(world.model_versions, (namespace, spec.subject.name))
    if isinstance(spec, governance.ModelVersionSpec):
        gathering.version(namespace, spec)
    for name in spoken_of(doc, world):
        gathering.model((namespace, name))
    if isinstance(spec, governance.AccessPolicySpec) and spec.selector is not None:
        policy = cast("AccessPolicyDoc", doc)
        chosen = (
            key
            for key, model in world.models.items()
            if key[0] == namespace and policies_for(model, (policy,))
        )
        for key in itertools.islice(chosen, MOST):
            gathering.model(key)


def _gateway(gathering: _SubsetBuilder, doc: AnyDoc) -> None:
    """The routes of a Gateway: without one it shows no certificate."""
    for route in gathering.seen.attached.get((doc.ref.namespace, doc.ref.name), ())[:MOST]:
        if gathering.add(route):
            gathering.namespace(route.ref.namespace)
            _route(gathering, route)
    _certificates(gathering, doc)


def _certificates(gathering: _SubsetBuilder, doc: AnyDoc) -> None:
    """Who lets a Gateway use their Secrets."""
    if isinstance(doc.spec, kube.GatewaySpec):
        for listener in doc.spec.listeners:
            for reference in listener.tls.certificate_refs if listener.tls else ():
                if reference.namespace not in (None, doc.ref.namespace):
                    gathering.references(reference.namespace)


def _route(gathering: _SubsetBuilder, doc: AnyDoc) -> None:
    """What a route names: Gateways, models, Services and the models behind those."""
    seen, namespace = gathering.seen, doc.ref.namespace
    if isinstance(doc.spec, kube.HTTPRouteSpec):
        for parent in doc.spec.parent_refs:
            key = (parent.namespace or namespace, parent.name)
            if (gateway := gathering.find(seen.world.gateways, key)) is not None:
                gathering.namespace(gateway.ref.namespace)
                _certificates(gathering, gateway)
    for group, kind, place, name in _backends(doc):
        if place != namespace:
            gathering.references(place)
        if (group, kind) == (GATEREEVE_GROUP, "Model"):
            gathering.model((place, name))
        elif kind == "Service":
            _service(gathering, (place, name))


def _service(gathering: _SubsetBuilder, key: Key) -> None:
    """A Service, the versions it stands behind, and the models whose servers it reaches."""
    found = gathering.seen.services
    gathering.service(key)
    for version in found.behind.get(key, ()):
        gathering.model((key[0], version.spec.model))
        gathering.add(version)
    for doc in found.slices.get(key, ()):
        for address in (a for e in doc.spec.endpoints for a in e.addresses):
            for port in doc.spec.ports:
                server = addresses.server(address, port.port or 0)
                hidden = found.versions[""].standing.of(key[0], (server,), ())
                if hidden is not None:
                    namespace, _, name = hidden[1].model.partition("/")
                    gathering.model((namespace, name))


def _backends(doc: AnyDoc) -> Iterable[tuple[str, str, str, str]]:
    """(group, kind, namespace, name) of everything that a route forwards to."""
    spec, own = doc.spec, doc.ref.namespace
    if isinstance(spec, kube.IngressSpec):
        found = [path.backend for rule in spec.rules if rule.http for path in rule.http.paths]
        for backend in (*found, *([spec.default_backend] if spec.default_backend else [])):
            if backend.service is not None:
                yield "", "Service", own, backend.service.name
            if backend.resource is not None:
                resource = backend.resource
                yield resource.api_group or "", resource.kind, own, resource.name
    if isinstance(spec, kube.HTTPRouteSpec):
        for rule in spec.rules:
            mirrors = (f.request_mirror for f in rule.filters if f.request_mirror is not None)
            for ref in (*rule.backend_refs, *(mirror.backend_ref for mirror in mirrors)):
                yield ref.group, ref.kind, ref.namespace or own, ref.name
