"""The documents of a World that one document affects, as a small World that compiles in milliseconds.

`WorldIndex` indexes a World once. `subset_for` then collects what the compiler reads for one document:
gates, grants, routes on its hosts, and the models and Services that it names. Other documents with the
same address (`address-taken`) are not collected; the full compilation reports them.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from gatereeve.api import gate, governance, kube, registry
from gatereeve.api.tables import Table, world_of
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

MAX_DOCUMENTS = 64
"""The number of routes or models in one review; the full compilation checks the others."""

_MAX_SHARING = 8
"""The number of models in one review that share a server with a model: unequal policies only warn."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorldIndex:
    """Indexes of one World.

    routes: by host, with their paths. models: governance documents by the model that they name.
    selecting: policies with a selector by namespace. sharing: by model, the models of each server
    that it shares.
    attached: HTTPRoutes by Gateway. gates: without the callers' keys and certificates, which only the
    review of a Gate needs. everywhere: HostGrants for all namespaces.
    """

    world: World
    services: services.ServiceIndex
    grants: host_grants.GrantIndex
    routes: Mapping[str, tuple[tuple[str, AnyDoc], ...]]
    models: Mapping[Key, tuple[AnyDoc, ...]]
    selecting: Mapping[str, tuple[AnyDoc, ...]]
    sharing: Mapping[Key, list[tuple[Key, ...]]]
    attached: Mapping[Key, tuple[AnyDoc, ...]]
    gates: Mapping[Key, GateDoc]
    everywhere: tuple[HostGrantDoc, ...]


def index_world(world: World, tables: CompilerTables | None = None) -> WorldIndex:
    """Index a World. tables: of the previous World, for speed."""
    tables = tables or CompilerTables()
    tables.begin()
    tables.update_documents(world)
    routes: defaultdict[str, list[tuple[str, AnyDoc]]] = defaultdict(list)
    for document in tables.routes.documents():
        for host_route in document.entries:
            request = host_route.route_request
            routes[host_route.host].append((request.path.value, request.doc))
    attached: defaultdict[Key, list[AnyDoc]] = defaultdict(list)
    for route in world.http_routes.values():
        for parent in route.spec.parent_refs:
            attached[parent.namespace or route.ref.namespace, parent.name].append(route)
    models: defaultdict[Key, list[AnyDoc]] = defaultdict(list)
    selecting: defaultdict[str, list[AnyDoc]] = defaultdict(list)
    for doc in (*world.model_versions.values(), *world.approvals.values(), *world.access_policies.values(),
                *world.rollouts.values()):  # fmt: skip
        for name in models_of(doc, world):
            models[doc.ref.namespace, name].append(doc)
        if isinstance(doc.spec, governance.AccessPolicySpec) and doc.spec.selector is not None:
            selecting[doc.ref.namespace].append(doc)
    return WorldIndex(
        world=world,
        services=tables.backends.snapshot(),
        grants=tables.grants.index.value,
        routes={host: tuple(paths) for host, paths in routes.items()},
        models={key: tuple(docs) for key, docs in models.items()},
        selecting={name: tuple(docs) for name, docs in selecting.items()},
        sharing=_index_sharing(tables.backends.versions.value.shared),
        attached={key: tuple(docs) for key, docs in attached.items()},
        gates={key: _without_keys(doc) for key, doc in world.gates.items()},
        everywhere=tuple(
            doc
            for doc in world.host_grants.values()
            if doc.spec.namespace_selector.all and not doc.spec.namespace_selector.match_labels
        ),
    )


def _index_sharing(shared: Shared) -> dict[Key, list[tuple[Key, ...]]]:
    sharing: defaultdict[Key, list[tuple[Key, ...]]] = defaultdict(list)
    for versions in shared.values():
        names = {(version.ref.namespace, version.spec.model) for version in versions}
        models = tuple(sorted(names))
        for model in models:
            sharing[model].append(models)
    return dict(sharing)


def models_of(doc: AnyDoc, world: World) -> tuple[str, ...]:
    """Return the names of the models that a governance document names."""
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
    """Return a Gate without keys and certificates; policies need only the names of its providers."""
    identity = doc.spec.identity
    keys, mtls = identity.api_keys, identity.mtls
    empty = gate.FileOrSecretKey(file="none")
    identity = identity.model_copy(
        update={
            "jwt": tuple(
                p.model_copy(update={"jwks": gate.Jwks(inline='{"keys": []}')})
                for p in identity.jwt
            ),
            "api_keys": keys and keys.model_copy(update={"keys": ()}),
            "mtls": mtls and mtls.model_copy(update={"ca": empty, "identities": ()}),
        }
    )
    return dataclasses.replace(doc, spec=doc.spec.model_copy(update={"identity": identity}))


@dataclass(slots=True)
class _SubsetBuilder:
    """Collects the documents of a small World, by kind and key."""

    index: WorldIndex
    tables: dict[str, dict[Key, AnyDoc]] = field(default_factory=dict)

    def add(self, doc: AnyDoc | None) -> bool:
        """Add a document. Returns whether it is new."""
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

    def add_model(self, key: Key) -> None:
        """Add a model, models that share a server with it, and their governance documents."""
        self._add_model(key)
        sharing = (model for models in self.index.sharing.get(key, ()) for model in models)
        for model in itertools.islice(sharing, _MAX_SHARING):
            self._add_model(model)

    def _add_model(self, key: Key) -> None:
        """Add one model with its documents.

        A policy is added only with the Models that it names or selects; a policy without a Model would
        close other models (`compile.governance.unreadable`).
        """
        world = self.index.world
        self.find(world.models, key)
        model = cast("ModelDoc | None", self.tables.get("models", {}).get(key))
        for doc in (*self.index.models.get(key, ()), *self.index.selecting.get(key[0], ())):
            policy = cast("AccessPolicyDoc", doc)
            if isinstance(doc.spec, governance.AccessPolicySpec):
                if model is not None and not policies_for(model, (policy,)):
                    continue
                for name in doc.spec.models or ():
                    self.find(world.models, (key[0], name))
            if self.add(doc) and isinstance(doc.spec, governance.ModelVersionSpec):
                self.add_version(doc.ref.namespace, doc.spec)

    def add_version(self, namespace: str, spec: governance.ModelVersionSpec) -> None:
        if spec.backend is not None:
            self.add_service((namespace, spec.backend.service))

    def add_service(self, key: Key) -> None:
        self.add_namespace(key[0])
        self.find(self.index.world.services, key)
        for doc in self.index.services.slices.get(key, ()):
            self.add(doc)

    def add_namespace(self, name: str) -> None:
        doc = self.find(self.index.world.namespaces, ("", name))
        labels = host_grants.labels_of(name, doc)
        for label in labels.items():
            for grant in self.index.grants.by_label.get(label, ()):
                self.add(grant)
        for grant in self.index.everywhere:
            self.add(grant)

    def add_reference_grants(self, namespace: str) -> None:
        for (owner, _), doc in self.index.world.reference_grants.items():
            if owner == namespace:
                self.add(doc)


def subset_for(index: WorldIndex, doc: AnyDoc) -> World:
    """Return a World with `doc`, in place of the document of that name, and with what it affects."""
    subset = _SubsetBuilder(index)
    subset.add(doc)
    subset.add_namespace(doc.ref.namespace)
    _add_governance(subset, doc)
    _add_route(subset, doc)
    if isinstance(doc.spec, kube.GatewaySpec):
        _add_gateway(subset, doc)
    world = _make_world(subset, doc)
    if doc.ref.kind not in ("Ingress", "HTTPRoute"):
        return world
    for other in _find_conflicting_routes(index, world, doc):
        if subset.add(other):
            subset.add_namespace(other.ref.namespace)
            _add_route(subset, other)
    return _make_world(subset, doc)


def _find_conflicting_routes(index: WorldIndex, world: World, doc: AnyDoc) -> list[AnyDoc]:
    """Return routes with a path above or below a path of `doc` on the same host, oldest first."""
    routes: dict[Ref, AnyDoc] = {}
    tables = CompilerTables()
    tables.update_routes(world)
    for document in tables.routes.documents():
        for host_route in document.entries:
            own = host_route.route_request.path.value
            for path, other in index.routes.get(host_route.host, ()):
                if path == own or is_under(path, own) or is_under(own, path):
                    routes.setdefault(other.ref, other)
    routes.pop(doc.ref, None)
    return sorted(routes.values(), key=age)[:MAX_DOCUMENTS]


def _make_world(subset: _SubsetBuilder, doc: AnyDoc) -> World:
    """Return the small World. Gates have no keys, unless a Gate is reviewed."""
    world = subset.index.world
    is_gate = doc.ref.kind == "Gate"
    gates = cast("Table", world.gates if is_gate else subset.index.gates)
    always: dict[str, Table] = {
        "gates": gates or {("", _DEFAULT_GATE.ref.name): _DEFAULT_GATE},
        "ingress_classes": cast("Table", world.ingress_classes),
        "gateway_classes": cast("Table", world.gateway_classes),
        "people": cast("Table", world.people),
    }
    if is_gate or isinstance(doc.spec, kube.IngressSpec | kube.GatewaySpec | kube.HTTPRouteSpec):
        always["secrets"] = cast("Table", world.secrets)
    tables: dict[tuple[str, str], Table] = {}
    for kind in registry.EVERY:
        added, base = subset.tables.get(kind.world), always.get(kind.world, {})
        tables[kind.group, kind.kind] = (
            base if added is None else dict(sorted({**base, **added}.items()))
        )
    small = world_of(
        tables, at=world.at, files=world.files, jwks=world.jwks, geo=world.geo, found=(), broken=()
    )
    return dataclasses.replace(small, memory=world.memory)


_DEFAULT_GATE: GateDoc = Doc(
    ref=Ref(GATEREEVE_GROUP, "Gate", "", "any"),
    meta=Meta(),
    spec=gate.GateSpec(region="any", http=gate.Address(port=80)),
    digest="",
)
"""Versions are reviewed with it while there is no Gate."""


def _add_governance(subset: _SubsetBuilder, doc: AnyDoc) -> None:
    """Add the models and versions that a governance document names or selects."""
    world, namespace = subset.index.world, doc.ref.namespace
    spec = doc.spec
    if isinstance(spec, governance.ApprovalSpec):
        subset.find(world.model_versions, (namespace, spec.subject.name))
    if isinstance(spec, governance.ModelVersionSpec):
        subset.add_version(namespace, spec)
    for name in models_of(doc, world):
        subset.add_model((namespace, name))
    if isinstance(spec, governance.AccessPolicySpec) and spec.selector is not None:
        policy = cast("AccessPolicyDoc", doc)
        selected = (
            key
            for key, model in world.models.items()
            if key[0] == namespace and policies_for(model, (policy,))
        )
        for key in itertools.islice(selected, MAX_DOCUMENTS):
            subset.add_model(key)


def _add_gateway(subset: _SubsetBuilder, doc: AnyDoc) -> None:
    """Add the routes of a Gateway; without routes the compiler does not check its certificates."""
    for route in subset.index.attached.get((doc.ref.namespace, doc.ref.name), ())[:MAX_DOCUMENTS]:
        if subset.add(route):
            subset.add_namespace(route.ref.namespace)
            _add_route(subset, route)
    _add_certificates(subset, doc)


def _add_certificates(subset: _SubsetBuilder, doc: AnyDoc) -> None:
    """Add the ReferenceGrants for the Secrets of a Gateway."""
    if isinstance(doc.spec, kube.GatewaySpec):
        for listener in doc.spec.listeners:
            for reference in listener.tls.certificate_refs if listener.tls else ():
                if reference.namespace not in (None, doc.ref.namespace):
                    subset.add_reference_grants(reference.namespace)


def _add_route(subset: _SubsetBuilder, doc: AnyDoc) -> None:
    """Add what a route names: Gateways, models, Services and the models behind them."""
    index, namespace = subset.index, doc.ref.namespace
    if isinstance(doc.spec, kube.HTTPRouteSpec):
        for parent in doc.spec.parent_refs:
            key = (parent.namespace or namespace, parent.name)
            if (gateway := subset.find(index.world.gateways, key)) is not None:
                subset.add_namespace(gateway.ref.namespace)
                _add_certificates(subset, gateway)
    for group, kind, owner, name in _list_backends(doc):
        if owner != namespace:
            subset.add_reference_grants(owner)
        if (group, kind) == (GATEREEVE_GROUP, "Model"):
            subset.add_model((owner, name))
        elif kind == "Service":
            _add_service(subset, (owner, name))


def _add_service(subset: _SubsetBuilder, key: Key) -> None:
    """Add a Service, the versions that use it, and the models whose servers it reaches."""
    known = subset.index.services
    subset.add_service(key)
    for version in known.behind.get(key, ()):
        subset.add_model((key[0], version.spec.model))
        subset.add(version)
    for doc in known.slices.get(key, ()):
        for address in (a for e in doc.spec.endpoints for a in e.addresses):
            for port in doc.spec.ports:
                server = addresses.server(address, port.port or 0)
                hidden = known.versions[""].standing.of(key[0], (server,), ())
                if hidden is not None:
                    namespace, _, name = hidden[1].model.partition("/")
                    subset.add_model((namespace, name))


def _list_backends(doc: AnyDoc) -> Iterable[tuple[str, str, str, str]]:
    """Yield (group, kind, namespace, name) of every backend of a route."""
    spec, own = doc.spec, doc.ref.namespace
    if isinstance(spec, kube.IngressSpec):
        backends = [path.backend for rule in spec.rules if rule.http for path in rule.http.paths]
        for backend in (*backends, *([spec.default_backend] if spec.default_backend else [])):
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
