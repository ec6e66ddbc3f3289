"""One gate as a `Snapshot`: from the IR to named bytes.

The parts are tables (`core.derived`), each computed again only where the IR objects that it read are
others than before. So one changed host costs that host and the route configuration it is in. A new
builder gives the same bytes, slower.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from operator import attrgetter, is_not
from typing import TypeVar

from gatereeve.core.derived import Computed, Derived, Grouped, Reader, Source, Stage, Value, Values
from gatereeve.core.refs import ConfigHash
from gatereeve.ir import gates, routes
from gatereeve.ir.access import Access
from gatereeve.ir.clusters import Cluster
from gatereeve.proxy.envoy import (
    clusters,
    endpoints,
    filters,
    hcm,
    listeners,
    names,
    route_configurations,
    secrets,
    virtual_hosts,
)
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers
from gatereeve.proxy.envoy.virtual_hosts import ListenerContext
from gatereeve.proxy.envoy.wiring import Wiring
from gatereeve.proxy.xds.snapshot import (
    CDS,
    ECDS,
    EDS,
    LDS,
    RDS,
    SDS,
    SRDS,
    Resource,
    ResourceError,
    Resources,
    Snapshot,
    TypeUrl,
    resource_of,
    resource_of_bytes,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _EncodedHost:
    """configuration: the name of the route configuration that holds the host."""

    configuration: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _EncodedListener:
    """listener: None without a certificate to serve. filters: those that it finds by ECDS."""

    listener: Resource | None
    filters: tuple[Resource, ...]


class SnapshotBuilder(Stage):
    """Builds the snapshots of one gate. Used by one thread at a time.

    Hosts and scopes are keyed by `names.scope_key`, exact hosts apart from wildcards.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._is_complete = True
        self._frame = Value[gates.Gate]()
        self._listeners = Values[str, gates.Listener]()
        self._contexts = Values[str, ListenerContext]()
        self._host_names = Values[str, tuple[str, ...]]()
        self._access = Source[str, Access]()
        self._clusters = Source[str, Cluster]()
        self._certificates = Values[str, gates.Certificate]()
        self._hosts = Source[str, routes.VirtualHost]()
        self._wildcards = Source[str, routes.VirtualHost]()
        self._served: Mapping[str, tuple[routes.VirtualHost, ...]] = {}

        self._matchers = Computed(self._make_matchers)
        self._cluster_resources = Derived(self._make_cluster)
        self._endpoint_resources = Derived(self._make_endpoints)
        self._certificate_resources = Derived(self._make_certificate)
        self._encoded_listeners = Derived(self._make_listener)
        self._scopes = Derived(self._make_scope)
        self._wildcard_scopes = Derived[str, Resource](
            lambda listener, _read: _scope(listener, "*")
        )
        self._scope_parts: tuple[Resources, Resources] = ({}, {})
        self._scopes_served: Resources = {}
        self._encoded_hosts = Derived(self._make_host)
        self._encoded_wildcards = Derived(self._make_wildcard)
        self._by_configuration = Grouped(self._encoded_hosts, _configuration_of)
        self._wildcards_by_configuration = Grouped(self._encoded_wildcards, _configuration_of)
        self._configurations = Derived(self._make_configuration)
        self._wildcard_configurations = Derived(self._make_wildcard_configuration)

    def build(self, gate: gates.Gate) -> Snapshot:
        """All that `gate` is to run, under its hash.

        Raises PublishError when a route would reach a model without its policy.
        """
        if self._is_complete:  # else what changed then was not all computed
            self.begin()
        self._is_complete = False
        self._read(gate)
        self._derive()
        resources = self._resources(gate)
        self._is_complete = True
        return Snapshot(version=gate.hash, resources=resources)

    def _read(self, gate: gates.Gate) -> None:
        self._frame.update(replace(gate, hash=ConfigHash(""), listeners=(), access=(), clusters=()))
        self._listeners.update({x.name: replace(x, hosts=()) for x in gate.listeners})
        self._contexts.update({x.name: _context_of(gate, x) for x in gate.listeners})
        self._access.update(_by(attrgetter("model"), gate.access))
        self._clusters.update(_by(attrgetter("name"), gate.clusters))
        self._certificates.update({c.name: c for x in gate.listeners for c in x.certificates})
        self._read_hosts({x.name: x.hosts for x in gate.listeners})
        if self._wildcards.rows:  # only they read the names
            self._host_names.update(
                {x.name: tuple(h.host for h in x.hosts) for x in gate.listeners}
            )

    def _read_hosts(self, served: Mapping[str, tuple[routes.VirtualHost, ...]]) -> None:
        """Take over the hosts of each listener."""
        replaced = _replaced(self._served, served)
        if replaced is not None:
            self._hosts.patch({key: h for key, h in replaced.items() if h.host[0] != "*"})
            self._wildcards.patch({key: h for key, h in replaced.items() if h.host[0] == "*"})
        else:
            hosts = {names.scope_key(name, h.host): h for name, hs in served.items() for h in hs}
            wildcards = {key: host for key, host in hosts.items() if host.host[0] == "*"}
            for key in wildcards:
                del hosts[key]
            self._hosts.update(hosts)
            self._wildcards.update(wildcards)
        self._served = served

    def _derive(self) -> None:
        self._matchers.update()
        self._cluster_resources.update(self._clusters)
        self._endpoint_resources.update(self._clusters)
        self._certificate_resources.update(self._certificates)
        self._encoded_listeners.update(self._listeners)
        self._scopes.update(self._hosts)
        self._encoded_hosts.update(self._hosts)
        self._encoded_wildcards.update(self._wildcards)
        self._by_configuration.update()
        self._wildcards_by_configuration.update()
        self._configurations.update(self._by_configuration)
        self._wildcard_configurations.update(self._listeners)
        self._wildcard_scopes.update(self._listeners)

    def _resources(self, gate: gates.Gate) -> Mapping[TypeUrl, Resources]:
        encoded = self._encoded_listeners.rows.values()
        discovered = [
            *(_gate_filter(gate, self._matchers.value) if gate.listeners else ()),
            *(one for listener in encoded for one in listener.filters),
        ]
        served = [*self._certificate_resources.rows.values()]
        if gate.identity.mtls is not None:
            served.append(resource_of(secrets.build_client_ca(gate.identity.mtls)))
        wildcards = self._wildcard_configurations.rows
        return {
            CDS: self._cluster_resources.snapshot(),
            EDS: self._endpoint_resources.snapshot(),
            SDS: {resource.name: resource for resource in served},
            LDS: {x.listener.name: x.listener for x in encoded if x.listener is not None},
            ECDS: {resource.name: resource for resource in discovered},
            SRDS: self._all_scopes(),
            RDS: {
                **self._configurations.snapshot(),
                **{resource.name: resource for resource in wildcards.values()},
            },
        }

    def _all_scopes(self) -> Resources:
        """The same object as long as no host comes or goes."""
        parts = (self._scopes.snapshot(), self._wildcard_scopes.snapshot())
        if any(map(is_not, parts, self._scope_parts)):
            self._scope_parts = parts
            scopes, wildcards = parts
            self._scopes_served = {**scopes, **{r.name: r for r in wildcards.values()}}
        return self._scopes_served

    def _make_matchers(self, read: Reader) -> IdentityMatchers:
        gate = read.value(self._frame)
        return IdentityMatchers(identity=gate.identity, attributes=gate.attributes)

    def _make_cluster(self, name: str, read: Reader) -> Resource:
        with _making(CDS, name):
            return resource_of(clusters.build_cluster(read.row(self._clusters, name)))

    def _make_endpoints(self, name: str, read: Reader) -> Resource:
        with _making(CDS, name):
            cluster = read.row(self._clusters, name)
            return resource_of(endpoints.build_endpoints(cluster.endpoints))

    def _make_certificate(self, name: str, read: Reader) -> Resource:
        with _making(SDS, name):
            return resource_of(secrets.build_certificate(read.row(self._certificates, name)))

    def _make_listener(self, name: str, read: Reader) -> _EncodedListener:
        """None of a listener's hosts is in it, and of the filters it finds by ECDS only the names."""
        gate = read.value(self._frame)
        listener = read.row(self._listeners, name)
        context = FilterContext(gate=gate, matchers=read.value(self._matchers), listener=name)
        chain = tuple(one for module in filters.ORDER for one in module.build(context))
        manager = hcm.build_hcm(gate, listener, chain, self._wiring)
        made = listeners.build_listener(
            listener, manager, client_ca=listeners.authority(gate.identity.mtls)
        )
        resource = None
        if made is not None:
            resource = replace(resource_of(made), terms=listeners.terms(gate, listener))
        return _EncodedListener(resource, _discovered(chain[1:]))

    def _make_scope(self, key: str, read: Reader) -> Resource:
        host = read.row(self._hosts, key).host
        return _scope(key[: -len(host) - 1], host)

    def _make_host(self, key: str, read: Reader) -> _EncodedHost:
        host = read.row(self._hosts, key)
        listener = key[: -len(host.host) - 1]
        configuration = names.route_configuration_of(listener, host.host)
        return self._encode(configuration, listener, host, (), read)

    def _make_wildcard(self, key: str, read: Reader) -> _EncodedHost:
        host = read.row(self._wildcards, key)
        listener = key[: -len(host.host) - 1]
        neighbours = _neighbours(host.host, read.row(self._host_names, listener))
        configuration = names.wildcard_configuration_of(listener)
        return self._encode(configuration, listener, host, neighbours, read)

    def _encode(
        self,
        configuration: str,
        listener: str,
        host: routes.VirtualHost,
        neighbours: tuple[str, ...],
        read: Reader,
    ) -> _EncodedHost:
        context = read.row(self._contexts, listener)
        matchers = read.value(self._matchers)
        by_model = {model: read.get(self._access, model) for model in virtual_hosts.models_of(host)}
        rules = {model: access for model, access in by_model.items() if access is not None}
        with _making(RDS, configuration):
            body = virtual_hosts.build_virtual_host(host, context, matchers, rules, neighbours)
        return _EncodedHost(configuration, body)

    def _make_configuration(self, name: str, read: Reader) -> Resource:
        bodies = [host.body for host in read.row(self._by_configuration, name)]
        requests = read.value(self._frame).requests
        return _route_configuration(name, bodies, requests, exact=True)

    def _make_wildcard_configuration(self, listener: str, read: Reader) -> Resource:
        name = names.wildcard_configuration_of(listener)
        hosts = read.get(self._wildcards_by_configuration, name) or ()
        bodies = [host.body for host in hosts]
        if read.get(self._wildcards, names.scope_key(listener, "*")) is None:
            context, matchers = read.row(self._contexts, listener), read.value(self._matchers)
            bodies.append(virtual_hosts.build_unknown_host(context, matchers))
        requests = read.value(self._frame).requests
        return _route_configuration(name, bodies, requests, exact=False)


def _by(key: Callable[[T], str], items: Sequence[T]) -> dict[str, T]:
    return dict(zip(map(key, items), items, strict=True))


def _replaced(
    before: Mapping[str, tuple[routes.VirtualHost, ...]],
    after: Mapping[str, tuple[routes.VirtualHost, ...]],
) -> dict[str, routes.VirtualHost] | None:
    """The hosts that are other objects than before; None when their names are not the same."""
    if before.keys() != after.keys():
        return None
    replaced = {}
    for listener, hosts in after.items():
        old = before[listener]
        if len(old) != len(hosts):
            return None
        pairs = zip(old, hosts, strict=True)
        for one, other in compress(pairs, map(is_not, old, hosts)):
            if one.host != other.host:
                return None
            replaced[names.scope_key(listener, other.host)] = other
    return replaced


def _context_of(gate: gates.Gate, listener: gates.Listener) -> ListenerContext:
    return ListenerContext(
        protocol=listener.protocol,
        port=listener.public_port,
        tls_port=gate.tls_port(listener),
        max_body_bytes=gate.max_body_bytes,
        requests=gate.requests,
    )


def _configuration_of(host: _EncodedHost) -> Iterator[tuple[str, _EncodedHost]]:
    yield host.configuration, host


def _gate_filter(gate: gates.Gate, matchers: IdentityMatchers) -> tuple[Resource, ...]:
    """The filter that changes with every hash."""
    context = FilterContext(gate=gate, matchers=matchers, listener="")
    return _discovered(filters.ORDER[0].build(context))


def _discovered(chain: tuple[HttpFilter, ...]) -> tuple[Resource, ...]:
    return tuple(resource_of(one.as_resource()) for one in chain if one.discovered)


def _route_configuration(
    name: str, bodies: list[bytes], requests: gates.Requests, *, exact: bool
) -> Resource:
    body = route_configurations.write_route_configuration(name, bodies, requests, exact=exact)
    return resource_of_bytes(name, body)


def _scope(listener: str, host: str) -> Resource:
    if host == "*":
        target = names.wildcard_configuration_of(listener)
    else:
        target = names.route_configuration_of(listener, host)
    return resource_of(route_configurations.build_scope(listener, host, target))


@contextlib.contextmanager
def _making(type_url: TypeUrl, name: str) -> Iterator[None]:
    """A failure names this resource, so that only the documents behind it are taken out."""
    try:
        yield
    except Exception as error:
        raise ResourceError((type_url, name), f"cannot be made: {error}") from error


def _neighbours(wildcard: str, others: tuple[str, ...]) -> tuple[str, ...]:
    """Hosts that a wildcard would cover if they did not exist, sorted; none when there are too many."""
    suffix = wildcard.removeprefix("*")
    covered = sorted(h for h in others if h != wildcard and h.endswith(suffix) and h != "*")
    return tuple(covered) if len(covered) <= virtual_hosts.NEIGHBOURS else ()
