"""Virtual hosts of the listener sets of one gate.

Governed hosts are served over TLS only: one without a certificate is not served at all, and over
plain HTTP every governed host redirects or refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from operator import attrgetter

from gatereeve.api.world import GateDoc, HostGrantDoc, Key
from gatereeve.compile import digests
from gatereeve.compile.backends.resolution import resolve
from gatereeve.compile.backends.services import Backends, ServiceIndex
from gatereeve.compile.governance.model_policy import ModelPolicies, ModelPolicy
from gatereeve.compile.routes.listener_sets import ListenerPort, ListenerSet
from gatereeve.compile.routes.requests import HostRoute, RouteRequest
from gatereeve.compile.routes.route_tables import ListenerSetKey, RouteTables
from gatereeve.compile.virtual_hosts.certificates import ChosenCertificate, SecretTables, choose
from gatereeve.compile.virtual_hosts.ordering import OrderedRoutes, Tls, lost_to, order_routes
from gatereeve.compile.virtual_hosts.route_requests import CompiledRoutes, compile_route_request
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core.derived import Computed, Derived, Grouped, Reader, Source, Stage, Table, Value
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Ref
from gatereeve.core.report import finding
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.routes import Forward, VirtualHost


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedHost:
    """One host of a listener set.

    virtual_hosts: by listener port. served: documents of which some route answers requests here, other
    than by asking for TLS. models: those that some route reaches. answers: (model, version) of
    versions with servers that some route leads to; a mirror, or a host without TLS, answers nothing.
    """

    virtual_hosts: Mapping[str, VirtualHost]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    served: frozenset[Ref]
    answers: frozenset[tuple[str, str]]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ListenerSetOutcome:
    """What became of the hosts of one listener set. hosts: by name."""

    listener_set: ListenerSet
    hosts: Mapping[str, ServedHost]
    findings: tuple[Finding, ...]

    @cached_property
    def served(self) -> frozenset[Ref]:
        """Documents of which some route answers requests here."""
        return frozenset().union(*(host.served for host in self.hosts.values()))


class ListenerSetHosts(Stage):
    """The hosts of one listener set. names: in order. in_order: the hosts, likewise."""

    def __init__(
        self,
        key: ListenerSetKey,
        world: WorldTables,
        routes: RouteTables,
        backends: Backends,
        secrets: SecretTables,
        policies: Table[Key, ModelPolicy],
    ) -> None:
        self._key = key
        self._world = world
        self._routes = routes
        self._backends = backends
        self._secrets = secrets
        self._policies = policies
        self.listener_set = Value[ListenerSet]()
        self._https_hosts = Value[tuple[str, ...]]()
        self.chosen = Computed(self._choose)
        self._certified = Source[str, bool]()
        self._has_default = Value[bool]()
        self.hosts = Derived(self._serve)
        self.hashes = Derived(self._hash)
        self.models: Grouped[Key, str] = Grouped(self.hosts, _models_of)
        self.clusters: Grouped[str, Cluster] = Grouped(self.hosts, _clusters_of)
        self._outcome: ListenerSetOutcome | None = None
        self.names: tuple[str, ...] = ()
        self.in_order: tuple[ServedHost, ...] = ()

    def update(self, listener_set: ListenerSet) -> None:
        """Follow the tables. listener_set: with the ports that it has now."""
        self.listener_set.update(listener_set)
        hosts = self._routes.hosts.get(self._key, set())
        if self._routes.has_changed() or not self._https_hosts.rows:
            self._https_hosts.update(tuple(sorted(self._find_https_hosts(hosts))))
        self.chosen.update()
        if self.chosen.changed:
            self._certified.update(dict.fromkeys(self.chosen.value.own, True))
            self._has_default.update(self.chosen.value.default)
        self.hosts.update(hosts)
        self.hashes.update(self.hosts)
        self.models.update()
        self.clusters.update()
        if self.hosts.changed:
            if len(self.names) != len(hosts) or not hosts.issuperset(self.names):
                self.names = tuple(sorted(hosts))
            self.in_order = tuple(map(self.hosts.rows.__getitem__, self.names))

    def clusters_by_name(self) -> dict[str, Cluster]:
        """The clusters of all hosts, by name; of one that several have, that of the last host."""
        return {name: clusters[-1] for name, clusters in self.clusters.rows.items()}

    def outcome(self) -> ListenerSetOutcome:
        """What became of the hosts, as it is now."""
        hosts = self.hosts.snapshot()
        if self._outcome is None or self._outcome.hosts is not hosts or self.chosen.changed:
            self._outcome = ListenerSetOutcome(
                listener_set=self.listener_set.value,
                hosts=hosts,
                findings=(
                    *self.chosen.value.findings,
                    *chain.from_iterable(map(attrgetter("findings"), self.in_order)),
                ),
            )
        return self._outcome

    def _find_https_hosts(self, hosts: Collection[str]) -> set[str]:
        """The hosts that are asked for over TLS."""
        rows = self._routes.host_routes.rows
        requests = self._routes.certificates(Reader(), self._key)
        own = {one.host for one in requests if one.gateway is not None and one.host != "*"}
        return own | {
            host
            for host in hosts
            if any("https" in route.protocols for route in rows[*self._key, host])
        }

    def _choose(self, read: Reader) -> ChosenCertificate:
        return choose(
            read.row(self._world.gates, ("", self._key[0])),
            read.value(self._https_hosts),
            self._routes.certificates(read, self._key),
            self._secrets.read(read),
        )

    def _serve(self, host: str, read: Reader) -> ServedHost:
        routes = read.row(self._routes.host_routes, (*self._key, host))
        findings: list[Finding] = []
        certified = read.value(self._has_default) or read.get(self._certified, host) is not None
        work = _HostCompiler(
            host=host,
            routes=_settle_wildcards(host, routes, findings),
            gate=read.row(self._world.gates, ("", self._key[0])),
            listener_set=read.value(self.listener_set),
            policies=read.mapping(self._policies),
            services=self._backends.read(read),
            certified=certified,
            findings=findings,
        )
        return work.serve()

    def _hash(self, host: str, read: Reader) -> str:
        served = read.row(self.hosts, host)
        access = tuple(read.row(self._policies, key).access for key in served.models)
        return digests.value_hash((served.virtual_hosts, served.clusters, access))


def _models_of(host: ServedHost) -> list[tuple[Key, str]]:
    return [(model, "") for model in host.models]


def _clusters_of(host: ServedHost) -> list[tuple[str, Cluster]]:
    return [(cluster.name, cluster) for cluster in host.clusters]


def _settle_wildcards(
    name: str, routes: tuple[HostRoute, ...], findings: list[Finding]
) -> tuple[HostRoute, ...]:
    """`*.suffix` means one label to an Ingress and any number to an HTTPRoute: the oldest decides,
    since one name of a proxy can only mean one of them. Findings: route-conflict."""
    first = routes[0]
    if not name.startswith("*."):
        return routes
    kept = []
    for route in routes:
        if route.single_label == first.single_label:
            kept.append(route)
        else:
            findings.append(
                lost_to(route.route_request, first.route_request, f"the wildcard {name}")
            )
    return tuple(kept)


class _HostCompiler:
    """The work on one host."""

    def __init__(
        self,
        *,
        host: str,
        routes: tuple[HostRoute, ...],
        gate: GateDoc,
        listener_set: ListenerSet,
        policies: ModelPolicies,
        services: ServiceIndex,
        certified: bool,
        findings: list[Finding],
    ) -> None:
        self._host = host
        self._routes = routes
        self._gate = gate
        self._listener_set = listener_set
        self._policies = policies
        self._services = services
        self._certified = certified
        self._findings = findings
        self._compiled: dict[tuple[RouteRequest, tuple[HostGrantDoc, ...]], CompiledRoutes] = {}
        self._hosts: dict[str, VirtualHost] = {}
        self._served: set[Ref] = set()

    def serve(self) -> ServedHost:
        """The host at every port of the listener set. Findings: of backends and conflicts;
        tls-unavailable."""
        self._serve()
        found = self._compiled.values()
        clusters = {cluster.name: cluster for rows in found for cluster in rows.clusters}
        in_order = tuple(clusters[name] for name in sorted(clusters))
        return ServedHost(
            virtual_hosts=self._hosts,
            clusters=in_order,
            models=tuple(sorted({model for rows in found for model in rows.models})),
            served=frozenset(self._served),
            answers=self._answers(in_order),
            findings=tuple(dict.fromkeys(self._findings)),
        )

    def _answers(self, clusters: tuple[Cluster, ...]) -> frozenset[tuple[str, str]]:
        used = {
            share.cluster
            for listener_port in self._listener_set.listener_ports
            if (host := self._hosts.get(listener_port.name)) is not None
            if listener_port.protocol == "https" or host.tls == "any"
            for route in host.routes
            if route.governance is not None and isinstance(route.action, Forward)
            for share in route.action.shares
        }
        return frozenset(
            (cluster.model, group.version)
            for cluster in clusters
            if cluster.model and cluster.name in used
            for group in cluster.endpoints.groups
            if group.endpoints
        )

    def _serve(self) -> None:
        rows = {entry: self._compile(entry) for entry in self._routes}
        governed = any(found.governed for found in rows.values())
        listener_ports, certified = self._listener_set.listener_ports, self._certified
        secure = {
            listener_port.name
            for listener_port in listener_ports
            if listener_port.protocol == "https" and certified
        }
        over_tls = _at(rows, secure)
        self._report_unserved(rows, secure, governed=governed)
        tls: Tls = "any"
        if governed:  # plain HTTP never serves it; the rows there only say what there is
            tls = self._gate.spec.plain_http if over_tls else "refuse"
        for listener_port in listener_ports:
            found = _at(rows, {listener_port.name})
            if listener_port.protocol == "https":
                if found and certified:
                    self._open(listener_port, found, tls)
            elif governed:
                found = over_tls or found or tuple(rows.values())
                self._open(listener_port, found, tls)
            elif found:
                self._open(listener_port, found, tls)

    def _compile(self, entry: HostRoute) -> CompiledRoutes:
        route_request = entry.route_request
        found = self._compiled.get((route_request, entry.grants))
        if found is None:
            backends = [
                *route_request.rule.backends,
                *(mirror.backend for mirror in route_request.rule.mirrors),
            ]
            resolved = tuple(
                resolve(
                    route_request.doc,
                    one,
                    entry.grants,
                    model_policies=self._policies,
                    found=self._services,
                )
                for one in backends
            )
            count = len(route_request.rule.backends)
            found = compile_route_request(route_request, resolved[:count], resolved[count:])
            self._compiled[route_request, entry.grants] = found
            self._findings += found.findings
        return found

    def _report_unserved(
        self,
        rows: Mapping[HostRoute, CompiledRoutes],
        secure: set[str],
        *,
        governed: bool,
    ) -> None:
        """tls-unavailable for every route request that needs TLS and does not get it."""
        listener_set = self._listener_set
        there = {listener_port.name for listener_port in listener_set.listener_ports}
        over_tls = bool(_at(rows, secure))
        for entry in rows:
            if not secure.isdisjoint(entry.listener_ports):
                continue
            if not governed and entry.protocols != ("https",):
                continue
            if listener_set.gateway is not None and there.isdisjoint(entry.listener_ports):
                continue  # gateway-pending says it
            route_request = entry.route_request
            self._findings.append(
                finding(
                    route_request.doc,
                    "tls-unavailable" if over_tls else "tls-unavailable.certificate",
                    route_request.where,
                    host=self._host,
                )
            )

    def _open(
        self, listener_port: ListenerPort, rows: tuple[CompiledRoutes, ...], tls: Tls
    ) -> None:
        single_label = self._routes[0].single_label
        made: OrderedRoutes = order_routes(self._host, rows, single_label=single_label, tls=tls)
        self._findings += made.findings
        self._hosts[listener_port.name] = made.vhost
        if listener_port.protocol == "https" or tls == "any":
            self._served |= made.served


def _at(
    rows: Mapping[HostRoute, CompiledRoutes], listener_ports: set[str]
) -> tuple[CompiledRoutes, ...]:
    """The rows of the route requests that are made at one of these ports."""
    return tuple(
        found
        for entry, found in rows.items()
        if not listener_ports.isdisjoint(entry.listener_ports)
    )
