"""One gate as a `Snapshot`: the whole way from IR to named bytes, in order of a table of contents.

Everything is built from the Gate each time; what did not change is taken from the memo by the
identity of its IR objects, so one changed document costs one virtual host and its shard. Equal
gates give equal bytes, whatever the memo holds.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from envoy.config.route.v3 import route_components_pb2

from gatereeve.core import errors
from gatereeve.core.memo import Memo, Same
from gatereeve.ir import access, gates, routes
from gatereeve.ir import clusters as ir_clusters
from gatereeve.proxy.envoy import (
    clusters,
    coverage,
    endpoints,
    filters,
    hcm,
    listeners,
    names,
    route_configurations,
    secrets,
    virtual_hosts,
)
from gatereeve.proxy.envoy.filters.placed import Ground, Placed
from gatereeve.proxy.envoy.proofs import Proofs
from gatereeve.proxy.envoy.virtual_hosts import Door
from gatereeve.proxy.envoy.wiring import Wiring
from gatereeve.proxy.xds.snapshot import (
    CDS,
    LDS,
    RDS,
    SDS,
    Resource,
    ResourceError,
    Snapshot,
    TypeUrl,
    resource_of,
    resource_of_bytes,
    type_url_of,
)

_Typed = tuple[TypeUrl, Resource]
_Group = tuple[TypeUrl, Mapping[str, Resource]]

_CLUSTERS_AT_ONCE = 64


class AllSame:
    """As `Same`, for many values at once: ten thousand of them are compared in a millisecond."""

    __slots__ = ("_ids", "values")

    def __init__(self, values: Sequence[object]) -> None:
        self.values = tuple(values)
        self._ids = tuple(map(id, self.values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AllSame) and other._ids == self._ids

    def __hash__(self) -> int:
        return hash(self._ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """One built virtual host, serialised."""

    host: str
    body: bytes


def build_snapshot(gate: gates.Gate, wiring: Wiring, memo: Memo) -> Snapshot:
    """All that `gate` is to run, under its hash.

    memo: what earlier builds of this gate made; it belongs to this gate and is swept here. Raises PublishError when the result would break the law of `coverage`.
    """
    proofs = memo.get(
        ("proofs", Same(gate.identity), Same(gate.attributes)),
        lambda: Proofs(identity=gate.identity, attributes=gate.attributes),
    )
    build = _Build(gate, wiring, memo, proofs)
    found: dict[TypeUrl, dict[str, Resource]] = defaultdict(dict)
    for groups in (
        build.of_clusters(),
        build.of_secrets(),
        build.of_listeners(),
        build.of_routes(),
    ):
        for type_url, resources in groups:
            found[type_url].update(resources)
    memo.sweep()
    return Snapshot(version=gate.hash, resources=dict(found))


class _Build:
    """One build: the parts of a snapshot, each as resources by type and name.

    What is many (hosts, clusters) is made in parts. A part is one memo entry, and has a memo of its
    own (`Memo.part`) for what is in it, so that a changed part costs what changed in it.
    """

    def __init__(self, gate: gates.Gate, wiring: Wiring, memo: Memo, proofs: Proofs) -> None:
        self._gate = gate
        self._wiring = wiring
        self._memo = memo
        self._proofs = proofs
        self._rules = {rules.model: rules for rules in gate.access}

    def of_clusters(self) -> Iterator[_Group]:
        every = self._gate.clusters
        for start in range(0, len(every), _CLUSTERS_AT_ONCE):
            some = every[start : start + _CLUSTERS_AT_ONCE]
            part = self._memo.part(("clusters", start))
            yield from self._memo.get(("clusters", AllSame(some)), partial(_clusters, some, part))

    def of_secrets(self) -> Iterator[_Group]:
        built = set()
        for listener in self._gate.listeners:
            for certificate in listener.certificates:
                if certificate.name not in built:
                    built.add(certificate.name)
                    yield self._memo.get(
                        ("certificate", Same(certificate)),
                        partial(_certificate, certificate),
                    )
        if self._gate.identity.mtls is not None:
            yield _alone(secrets.build_client_ca(self._gate.identity.mtls))

    def of_listeners(self) -> Iterator[_Group]:
        """Listeners, and the filters that they find by ECDS, each once."""
        discovered: dict[str, Placed] = {}
        for listener in self._gate.listeners:
            chain = self._chain(listener.name)
            discovered.update({one.name: one for one in chain if one.discovered})
            bare = dataclasses.replace(listener, hosts=(), certificates=())
            yield from self._memo.get(
                ("listener", bare, Same(listener.certificates), Same(self._proofs),
                 self._gate.trusted_hops, self._gate.max_body_bytes),
                partial(self._listener, listener, chain),
            )  # fmt: skip
        for one in discovered.values():
            yield self._memo.get(("filter", Same(one)), partial(_discovered, one))

    def _listener(self, listener: gates.Listener, chain: tuple[Placed, ...]) -> tuple[_Group, ...]:
        """None of a listener's hosts is in it, and of the filters it finds by ECDS only the names."""
        manager = hcm.build_hcm(self._gate, listener, chain, self._wiring)
        made = listeners.build_listener(
            listener, manager, client_ca=listeners.authority(self._gate.identity.mtls)
        )
        if made is None:
            return ()
        _hold(coverage.check_governed([made]))
        kept = listeners.terms(self._gate, listener)
        return ((LDS, {made.name: dataclasses.replace(resource_of(made), terms=kept)}),)

    def _chain(self, listener: str) -> tuple[Placed, ...]:
        """`filters.ORDER` for one listener; only the first filter changes with every hash."""
        ground = Ground(gate=self._gate, proofs=self._proofs, listener=listener)
        key = (Same(self._proofs), listener, self._gate.max_body_bytes)
        kept = self._memo.get(
            ("chain", *key),
            lambda: tuple(p for module in filters.ORDER[1:] for p in module.build(ground)),
        )
        return (*filters.ORDER[0].build(ground), *kept)

    def of_routes(self) -> Iterator[_Group]:
        for listener in self._gate.listeners:
            door = self._door(listener)
            exact = [h for h in listener.hosts if not h.host.startswith("*")]
            wild = [h for h in listener.hosts if h.host.startswith("*")]
            yield from self._shards(listener.name, door, exact)
            yield from _groups((self._wild(listener, door, wild), _scope(listener.name, "*")))

    def _door(self, listener: gates.Listener) -> Door:
        return Door(
            protocol=listener.protocol,
            port=listener.public_port,
            tls_port=self._gate.tls_port(listener),
            max_body_bytes=self._gate.max_body_bytes,
            requests=self._gate.requests,
        )

    def _shards(
        self, listener: str, door: Door, hosts: Iterable[routes.VirtualHost]
    ) -> Iterator[_Group]:
        """One route configuration for each shard of hosts, and a scope for each host.

        A host's identity stands for its models' rules as well: rows carry the policy's hash.
        """
        shards: defaultdict[str, list[routes.VirtualHost]] = defaultdict(list)
        for host in hosts:
            shards[names.shard_of(listener, host.host)].append(host)
        for name in sorted(shards):
            its_hosts = shards[name]
            part = self._memo.part(("routes", name))
            yield from self._memo.get(
                ("routes", name, door, Same(self._proofs), AllSame(its_hosts)),
                partial(self._shard, listener, name, door, its_hosts, part),
            )

    def _shard(
        self,
        listener: str,
        name: str,
        door: Door,
        hosts: Sequence[routes.VirtualHost],
        memo: Memo,
    ) -> tuple[_Group, ...]:
        with _making(RDS, name):
            built = [self._host(host, door, memo) for host in hosts]
        scopes = (
            memo.get(("scope", host.host), partial(_scope, listener, host.host)) for host in hosts
        )
        return _groups((_route_configuration(name, built, door.requests, exact=True), *scopes))

    def _wild(
        self, listener: gates.Listener, door: Door, hosts: Iterable[routes.VirtualHost]
    ) -> _Typed:
        others = sorted(h.host for h in listener.hosts) if hosts else []
        memo = self._memo.part(("routes", names.wild_of(listener.name)))
        with _making(RDS, names.wild_of(listener.name)):
            built = [self._host(h, door, memo, _neighbours(h.host, others)) for h in hosts]
        if not any(one.host == "*" for one in built):
            unknown = virtual_hosts.build_unknown_host(door, self._proofs)
            built.append(_Host(host="*", body=unknown))
        return _route_configuration(names.wild_of(listener.name), built, door.requests, exact=False)

    def _host(
        self, host: routes.VirtualHost, door: Door, memo: Memo, neighbours: tuple[str, ...] = ()
    ) -> _Host:
        rules = tuple(self._rules[model] for model in _models(host) if model in self._rules)
        return memo.get(
            ("host", Same(host), door, Same(self._proofs), neighbours, *map(Same, rules)),
            partial(_build_host, host, door, self._proofs, rules, neighbours),
        )


def _build_host(
    host: routes.VirtualHost,
    door: Door,
    proofs: Proofs,
    rules: tuple[access.Access, ...],
    neighbours: tuple[str, ...],
) -> _Host:
    by_model: Mapping[str, access.Access] = {one.model: one for one in rules}
    body = virtual_hosts.build_virtual_host(host, door, proofs, by_model, neighbours)
    made = route_components_pb2.VirtualHost.FromString(body)
    _hold(coverage.check_virtual_host(made, verifies_tokens=bool(proofs.identity.jwt)))
    return _Host(host=host.host, body=body)


def _clusters(some: Iterable[ir_clusters.Cluster], memo: Memo) -> tuple[_Group, ...]:
    return _groups(
        typed
        for cluster in some
        for typed in memo.get(("cluster", Same(cluster)), partial(_cluster, cluster))
    )


def _cluster(cluster: ir_clusters.Cluster) -> tuple[_Typed, _Typed]:
    with _making(CDS, cluster.name):
        return (
            _typed(clusters.build_cluster(cluster)),
            _typed(endpoints.build_endpoints(cluster.endpoints)),
        )


def _certificate(certificate: gates.Certificate) -> _Group:
    with _making(SDS, certificate.name):
        return _alone(secrets.build_certificate(certificate))


def _route_configuration(
    name: str, built: Iterable[_Host], requests: gates.Requests, *, exact: bool
) -> _Typed:
    hosts = [one.body for one in built]
    body = route_configurations.write_route_configuration(name, hosts, requests, exact=exact)
    return RDS, resource_of_bytes(name, body)


def _scope(listener: str, host: str) -> _Typed:
    wild = host == "*"
    target = names.wild_of(listener) if wild else names.shard_of(listener, host)
    return _typed(route_configurations.build_scope(listener, host, target))


@contextlib.contextmanager
def _making(type_url: TypeUrl, name: str) -> Iterator[None]:
    """Whatever fails is said of this resource, so that only the documents behind it suffer."""
    try:
        yield
    except Exception as error:
        raise ResourceError((type_url, name), f"cannot be made: {error}") from error


def _models(host: routes.VirtualHost) -> tuple[str, ...]:
    found = {row.governance.model for row in host.routes if row.governance is not None}
    return tuple(sorted(found))


def _neighbours(wildcard: str, others: list[str]) -> tuple[str, ...]:
    """Hosts that a wildcard would cover if they were not there; none when there are too many."""
    suffix = wildcard.removeprefix("*")
    found = tuple(h for h in others if h != wildcard and h.endswith(suffix) and h != "*")
    return found if len(found) <= virtual_hosts.NEIGHBOURS else ()


def _discovered(one: Placed) -> _Group:
    return _alone(one.as_resource())


def _alone(message: Any) -> _Group:
    type_url, resource = _typed(message)
    return type_url, {resource.name: resource}


def _groups(several: Iterable[_Typed]) -> tuple[_Group, ...]:
    found: dict[TypeUrl, dict[str, Resource]] = defaultdict(dict)
    for type_url, resource in several:
        found[type_url][resource.name] = resource
    return tuple(found.items())


def _typed(message: Any) -> _Typed:
    return type_url_of(message), resource_of(message)


def _hold(problems: list[str]) -> None:
    """The law of P1, before anything is published."""
    if problems:
        raise errors.PublishError(
            f"the configuration would leave a model ungoverned: {'; '.join(problems)}",
            hint="this is a defect of gatereeve; the last good configuration keeps serving",
        )
