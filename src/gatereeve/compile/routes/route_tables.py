"""All route documents of a World: what each of them asks for, on which host of which listener set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from gatereeve.api.world import GatewayDoc, Key, ServiceDoc
from gatereeve.compile.routes import classes, listener_sets
from gatereeve.compile.routes.classes import Classes
from gatereeve.compile.routes.gateways import Binding, bind
from gatereeve.compile.routes.host_grants import GrantTables, labels_of
from gatereeve.compile.routes.http_routes import compile_http_route, parents_of
from gatereeve.compile.routes.ingresses import compile_ingress
from gatereeve.compile.routes.requests import CertificateRequest, HostRoute, RouteDocument
from gatereeve.compile.routes.route_order import DocumentOrder
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core.derived import Computed, Derived, Grouped, Reader, Stage
from gatereeve.core.findings import Finding

ListenerSetKey = tuple[str, Key | None]
"""A gate, and the Gateway whose own listener set it is; None for that of the Gate."""


class RouteTables(Stage):
    """Tables of routes.

    gateways: a Binding, or why the Gateway is not ours. ingresses, http_routes: what each asks for, or
    why the Ingress is not ours. host_routes: by gate, Gateway and host, oldest first.
    """

    def __init__(self, world: WorldTables, grants: GrantTables) -> None:
        self._world = world
        self._grants = grants
        self.classes: Computed[Classes] = Computed(
            lambda read: classes.classes_of(world.read(read))
        )
        self.ports = Computed(self._give_ports)
        self.gateways = Derived(self._bind)
        self.ingresses = Derived(self._compile_ingress)
        self.http_routes = Derived(self._compile_http_route)
        self._by_ingress = Grouped(self.ingresses, _host_routes, _age)
        self._by_http_route = Grouped(self.http_routes, _host_routes, _age)
        self._certificates: tuple[Grouped[ListenerSetKey, CertificateRequest], ...] = (
            Grouped(self.ingresses, _certificates),
            Grouped(self.http_routes, _certificates),
            Grouped(self.gateways, _certificates),
        )
        self.host_routes = Derived(self._merge)
        self.hosts: dict[ListenerSetKey, set[str]] = {}
        self._documents: tuple[RouteDocument, ...] | None = None

    def begin(self) -> None:
        super().begin()
        for table in self._certificates:
            table.begin()

    def update(self) -> None:
        """Follow the World."""
        self.classes.update()
        self.ports.update()
        self.gateways.update(self._world.gateways)
        self.ingresses.update(self._world.ingresses)
        self.http_routes.update(self._world.http_routes)
        self._by_ingress.update()
        self._by_http_route.update()
        for certificates in self._certificates:
            certificates.update()
        if self._by_ingress.changed or self._by_http_route.changed:
            self.host_routes.update(self._by_ingress.rows.keys() | self._by_http_route.rows.keys())
        for gate, gateway, host in self.host_routes.changed:
            hosts = self.hosts.setdefault((gate, gateway), set())
            if (gate, gateway, host) in self.host_routes.rows:
                hosts.add(host)
            else:
                hosts.discard(host)

    def has_changed(self) -> bool:
        """Whether hosts or certificates are asked for otherwise than before."""
        return bool(self.host_routes.changed) or any(t.changed for t in self._certificates)

    def documents(self) -> tuple[RouteDocument, ...]:
        """What every Ingress and HTTPRoute of ours asks for, by kind and key."""
        if self._documents is None or self.ingresses.changed or self.http_routes.changed:
            self._documents = tuple(
                row
                for table in (self.ingresses, self.http_routes)
                for key in sorted(table.rows)
                if isinstance(row := table.rows[key], RouteDocument)
            )
        return self._documents

    def bindings(self) -> Mapping[Key, Binding]:
        """Our Gateways."""
        rows = sorted(self.gateways.rows.items())
        return {key: row for key, row in rows if isinstance(row, Binding)}

    def certificates(self, read: Reader, key: ListenerSetKey) -> tuple[CertificateRequest, ...]:
        """Everything that is to be shown on one listener set."""
        parts = (read.get(table, key) or () for table in self._certificates)
        return tuple(request for part in parts for request in part)

    def _service(self, read: Reader, doc: GatewayDoc) -> tuple[str, ServiceDoc] | None:
        """The gate of a Gateway, and the Service that gives it ports of its own."""
        name = read.value(self.classes).gateway.get(doc.spec.gateway_class_name)
        gate = None if name is None else read.get(self._world.gates, ("", name))
        if name is None or gate is None:
            return None
        service = listener_sets.service_of(
            read.mapping(self._world.services), gate, (doc.ref.namespace, doc.ref.name)
        )
        return None if service is None else (name, service)

    def _give_ports(self, read: Reader) -> Mapping[Key, tuple[tuple[int, int], ...]]:
        """The ports that Gateways with addresses of their own were assigned."""
        services: defaultdict[str, list[tuple[Key, ServiceDoc]]] = defaultdict(list)
        for key, doc in read.all(self._world.gateways).items():
            pair = self._service(read, doc)
            if pair is not None:
                services[pair[0]].append((key, pair[1]))
        return {
            key: tuple(sorted(ports.items()))
            for name, pairs in services.items()
            for key, ports in listener_sets.assigned_ports(
                read.row(self._world.gates, ("", name)), pairs
            ).items()
        }

    def _bind(self, key: Key, read: Reader) -> Binding | Finding:
        doc = read.row(self._world.gateways, key)
        name = read.value(self.classes).gateway.get(doc.spec.gateway_class_name)
        if name is None:
            return classes.unknown_class(doc, doc.spec.gateway_class_name)
        gate = read.row(self._world.gates, ("", name))
        ports = read.value(self.ports).get(key, ())
        return bind(doc, gate, read.row(self._grants.grants, key[0]), ports)

    def _compile_ingress(self, key: Key, read: Reader) -> RouteDocument | Finding:
        doc = read.row(self._world.ingresses, key)
        gate = classes.gate_of_ingress(doc, read.value(self.classes))
        if isinstance(gate, Finding):
            return gate
        return compile_ingress(doc, gate, read.row(self._grants.grants, key[0]))

    def _compile_http_route(self, key: Key, read: Reader) -> RouteDocument | Finding:
        doc = read.row(self._world.http_routes, key)
        namespace = read.get(self._world.namespaces, ("", key[0]))
        grants = read.row(self._grants.grants, key[0])
        parents = parents_of(doc, read.mapping(self.gateways))
        return compile_http_route(doc, parents, grants, labels_of(key[0], namespace))

    def _merge(self, key: tuple[str, Key | None, str], read: Reader) -> tuple[HostRoute, ...]:
        ingresses = read.get(self._by_ingress, key) or ()
        http_routes = read.get(self._by_http_route, key) or ()
        if not ingresses or not http_routes:
            return ingresses or http_routes
        return tuple(sorted((*ingresses, *http_routes), key=_age))


def _age(route: HostRoute) -> DocumentOrder:
    return route.route_request.place


def _host_routes(
    row: RouteDocument | Finding,
) -> list[tuple[tuple[str, Key | None, str], HostRoute]]:
    entries = row.entries if isinstance(row, RouteDocument) else ()
    return [((entry.gate, entry.gateway, entry.host), entry) for entry in entries]


def _certificates(
    row: RouteDocument | Binding | Finding,
) -> list[tuple[ListenerSetKey, CertificateRequest]]:
    requests = () if isinstance(row, Finding) else row.certificates
    return [((request.gate, request.gateway), request) for request in requests]
