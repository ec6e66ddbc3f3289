"""Whose an address is, and which addresses a namespace may name by hand.

Three things prove that an address belongs to a namespace: its pods answer there (an EndpointSlice
that the cluster's own controller made of pods that a Service selects), the API server gave it to a
Service of the namespace, or the platform says so (`HostGrant.spec.addresses`). Whatever else a
document names, in `endpoints` of a ModelVersion or in an EndpointSlice written by hand, is refused.
Of two namespaces that name one server, the one with pods there has it; else the one with the
narrower grant. With equal grants, as soon as a model is behind it for one of them, the one whose
model was there before has it, and neither when that is not remembered.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import NamedTuple, TypeAlias

from gatereeve.api import kube
from gatereeve.api.governance import AddressGrant
from gatereeve.api.world import (
    EndpointSliceDoc,
    Held,
    HostGrantDoc,
    Key,
    Memory,
    ModelVersionDoc,
    ServiceDoc,
)
from gatereeve.compile import addresses, hosts
from gatereeve.compile.addresses import Server
from gatereeve.core import addresses as ip
from gatereeve.core.memo import Memo

SERVICE_LABEL = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_CONTROLLER = "endpointslice-controller.k8s.io"
_API_SERVER = ("default", "kubernetes")

Rank: TypeAlias = tuple[int, bool, bool]
"""How narrow a grant of an address is: bits of its network, whether it names ports, and whether it
names the namespace."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)


class Objection(NamedTuple):
    """Why an address may not be named by hand: a finding without its place."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rights:
    """What one namespace may name by hand. Equal by identity: a memo key.

    reserved: addresses of the API server. taken: servers that it names and that are another
    namespace's, with why.
    """

    namespace: str
    grants: tuple[HostGrantDoc, ...]
    reserved: frozenset[str]
    taken: Mapping[Server, str]

    def granted(self, address: str, port: int) -> Granted | None:
        """The platform's grant of an address, as `addresses.server` writes it."""
        text = "127.0.0.1" if address == addresses.LOOPBACK else address
        return grant_of(self.grants, self.reserved, text, port)

    def objection(self, text: str, port: int) -> Objection | None:
        """Why `text` (an address in any spelling) and `port` may not be named, if so."""
        granted = grant_of(self.grants, self.reserved, text, port)
        if granted is None:
            return Objection(
                "address-not-granted",
                f"no HostGrant lets namespace {self.namespace} name {text}:{port}, which no Service's selector produced",
                f"let the platform add to the spec of a HostGrant that selects {self.namespace}: addresses: [{{cidr: {_single(text)}, ports: [{port}]}}]",
            )
        why = self.taken.get(addresses.server(text, port))
        if why is None:
            return None
        return Objection(
            "address-taken",
            f"{text}:{port} {why}",
            "route to the owner's Service with a ReferenceGrant, or let the platform grant the server to one namespace by a narrower CIDR, with ports",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Owners:
    """Everything about addresses that documents of one World name by hand.

    taken: by namespace. held: servers of models that were named by hand with a grant:
    (namespace, server) to the model. selecting: the HostGrants of a namespace.
    """

    selecting: Callable[[str], tuple[HostGrantDoc, ...]]
    reserved: frozenset[str]
    taken: Mapping[str, tuple[tuple[Server, str], ...]]
    held: Mapping[tuple[str, Server], str]
    memo: Memo

    def rights(self, namespace: str) -> Rights:
        """The same object as long as nothing about the namespace changed."""
        grants, taken = self.selecting(namespace), self.taken.get(namespace, ())
        key = ("owners.rights", namespace, grants, self.reserved, taken)
        return self.memo.get(key, lambda: Rights(namespace=namespace, grants=grants,
                                                 reserved=self.reserved, taken=dict(taken)))  # fmt: skip


class Granted(NamedTuple):
    """That the platform grants an address. released: the latest moment that such a grant says."""

    rank: Rank
    released: datetime | None = None

    def and_also(self, other: Granted | None) -> Granted:
        """Both together."""
        if other is None:
            return self
        moments = [one for one in (self.released, other.released) if one is not None]
        return Granted(max(self.rank, other.rank), max(moments, default=None))


def grant_of(
    grants: tuple[HostGrantDoc, ...], reserved: frozenset[str], text: str, port: int
) -> Granted | None:
    """The narrowest grant of an address; each address that a packet to it may end at needs one.

    grants: of the namespace that names it.
    """
    address = ip.parse(text)
    if address is None or ip.is_forbidden(address):
        return None
    found = []
    for meaning in ip.meanings(address):
        granted = _best(grants, reserved, meaning, port)
        if granted is None:
            return None
        found.append(granted)
    return min(found, key=lambda one: one.rank)


def _best(
    grants: tuple[HostGrantDoc, ...], reserved: frozenset[str], address: ip.Ip, port: int
) -> Granted | None:
    best: Granted | None = None
    for doc in grants:
        for one in doc.spec.addresses:
            if _covers(one, reserved, address, port):
                named = hosts.NAME_LABEL in doc.spec.namespace_selector.match_labels
                rank = (_bits(_network(one.cidr)), one.ports is not None, named)
                best = Granted(rank, one.released).and_also(best)
    return best


def _covers(one: AddressGrant, reserved: frozenset[str], address: ip.Ip, port: int) -> bool:
    """Whether a grant means this address; loopback and the API server only in so many words."""
    network = _network(one.cidr)
    if address not in network or (one.ports is not None and port not in one.ports):
        return False
    if address.is_loopback and not any(_is_inside(network, wide) for wide in _LOOPBACK):
        return False
    return network.num_addresses == 1 or str(address) not in reserved


@lru_cache(maxsize=4096)
def _network(cidr: str) -> Network:
    return ipaddress.ip_network(cidr)


def _bits(network: Network) -> int:
    return network.prefixlen + (128 - network.max_prefixlen)


def _is_inside(network: Network, wide: Network) -> bool:
    return (
        network.version == wide.version
        and network.network_address in wide
        and network.broadcast_address in wide
    )


def _single(text: str) -> str:
    address = ip.parse(text)
    return f'"{text}/128"' if address is not None and address.version == 6 else f"{text}/32"


def is_produced(doc: EndpointSliceDoc, service: ServiceDoc | None) -> bool:
    """Whether the cluster's own controller made the slice of pods that its Service selects.

    In a folder there is no such controller: every slice is by hand.
    """
    return (
        service is not None
        and not (doc.file or service.file)
        and bool(service.spec.selector)
        and doc.meta.labels.get(_MANAGED_BY) == _CONTROLLER
    )


def is_pod(doc: EndpointSliceDoc, endpoint: kube.SliceEndpoint) -> bool:
    """Whether an endpoint names a pod of the slice's namespace."""
    target = endpoint.target_ref
    return target is not None and target.kind == "Pod" and target.namespace == doc.ref.namespace


def all_ports(service: ServiceDoc | None, doc: EndpointSliceDoc) -> tuple[int, ...]:
    """Every port that the slice or, where the slice leaves it open, the Service names."""
    given = {port.port for port in doc.spec.ports if port.port is not None}
    if service is not None:
        given |= {p.target_port for p in service.spec.ports if isinstance(p.target_port, int)}
        if any(port.port is None for port in doc.spec.ports):
            given |= {p.port for p in service.spec.ports}
    return tuple(sorted(given))


def virtual_addresses(service: ServiceDoc) -> tuple[str, ...]:
    """Addresses of the Service itself: of the cluster, external, of a load balancer."""
    spec = service.spec
    given = (spec.cluster_ip, *spec.cluster_ips, *spec.external_ips, spec.load_balancer_ip)
    return tuple(dict.fromkeys(text for text in given if text and text != "None"))


class _Slice(NamedTuple):
    """What one slice says: servers by hand (text and port), and addresses of pods."""

    by_hand: tuple[tuple[str, int], ...]
    pods: tuple[str, ...]


def _read(doc: EndpointSliceDoc, service: ServiceDoc | None) -> _Slice:
    if doc.spec.address_type == "FQDN":
        return _Slice((), ())
    produced = is_produced(doc, service)
    ports = all_ports(service, doc)
    by_hand: list[tuple[str, int]] = []
    pods: list[str] = []
    for endpoint in doc.spec.endpoints:
        if produced and is_pod(doc, endpoint):
            pods += (addresses.server(text, 0)[0] for text in endpoint.addresses)
        else:
            by_hand += ((text, port) for text in endpoint.addresses for port in ports)
    return _Slice(tuple(by_hand), tuple(pods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What ownership is read from. selecting: the HostGrants of a namespace.

    services, slices, versions: of the World. at: the World's instant.
    """

    services: Mapping[Key, ServiceDoc]
    slices: tuple[EndpointSliceDoc, ...]
    versions: tuple[ModelVersionDoc, ...]
    selecting: Callable[[str], tuple[HostGrantDoc, ...]]
    memory: Memory
    at: datetime


def index(sources: Sources, memo: Memo) -> Owners:
    """One pass over everything that has addresses."""
    work = _Work(sources)
    for doc in sources.slices:
        key = (doc.ref.namespace, doc.meta.labels.get(SERVICE_LABEL, ""))
        service = sources.services.get(key)
        found = memo.get(("owners.slice", doc, service), partial(_read, doc, service))
        work.add_slice(key, found)
    reserved = frozenset(work.reserved())
    work.add_claims(reserved)
    taken = {namespace: tuple(sorted(found)) for namespace, found in work.taken().items()}
    lost = {(namespace, server) for namespace, found in taken.items() for server, _ in found}
    return Owners(
        selecting=sources.selecting,
        reserved=reserved,
        taken=taken,
        held={key: model for key, model in sorted(work.models.items()) if key not in lost},
        memo=memo,
    )


class _Work:
    """The work on one World. models: (namespace, server) named by hand with a grant, to the model."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._held: defaultdict[Server, dict[str, Held]] = defaultdict(dict)
        for (namespace, address, port), one in sources.memory.servers.items():
            self._held[address, port][namespace] = one
        self._by_hand: defaultdict[Key, list[tuple[str, int]]] = defaultdict(list)
        self._pods: defaultdict[str, set[str]] = defaultdict(set)
        self._claims: defaultdict[Server, dict[str, Granted]] = defaultdict(dict)
        self.models: dict[tuple[str, Server], str] = {}

    def add_slice(self, key: Key, found: _Slice) -> None:
        """key: namespace and Service."""
        for address in found.pods:
            self._pods[address].add(key[0])
        if found.by_hand:
            self._by_hand[key] += found.by_hand

    def reserved(self) -> Iterator[str]:
        """Addresses of the API server, as far as a cluster's own documents say them."""
        service = self._sources.services.get(_API_SERVER)
        if service is None or service.file:
            return
        yield from virtual_addresses(service)
        for text, _ in self._by_hand.get(_API_SERVER, ()):
            yield text

    def add_claims(self, reserved: frozenset[str]) -> None:
        """Note who names what with a grant, and which of it is a model's."""
        for namespace, text, port, model in self._named():
            granted = grant_of(self._sources.selecting(namespace), reserved, text, port)
            if granted is None:
                continue
            server = addresses.server(text, port)
            claims = self._claims[server]
            claims[namespace] = granted.and_also(claims.get(namespace))
            if model is not None:
                self.models[namespace, server] = f"{namespace}/{model}"

    def _named(self) -> Iterator[tuple[str, str, int, str | None]]:
        """Everything that is named by hand: namespace, address, port, model."""
        behind = {
            (version.ref.namespace, version.spec.backend.service): version.spec.model
            for version in self._sources.versions
            if version.spec.backend is not None
        }
        for key, servers in self._by_hand.items():
            for text, port in servers:
                yield key[0], text, port, behind.get(key)
        for version in self._sources.versions:
            for endpoint in version.spec.endpoints or ():
                yield version.ref.namespace, endpoint.address, endpoint.port, version.spec.model

    def taken(self) -> Mapping[str, list[tuple[Server, str]]]:
        """By namespace, the servers that it names and that are another's, with why."""
        found: defaultdict[str, list[tuple[Server, str]]] = defaultdict(list)
        given = self._given()
        for server, claims in self._claims.items():
            owners = self._pods.get(server[0], set()) | given.get(server[0], set())
            if owners:
                why = f"belongs to namespace {min(owners)}"
                losers = dict.fromkeys(claims.keys() - owners, why)
            else:
                losers = self._losers(server, claims)
            for namespace, why in losers.items():
                found[namespace].append((server, why))
        return found

    def _given(self) -> Mapping[str, set[str]]:
        """Addresses that an API server gave to Services, by namespace. A file proves nothing."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for (namespace, _), service in self._sources.services.items():
            spec = service.spec
            for text in () if service.file else (spec.cluster_ip, *spec.cluster_ips):
                if text and text != "None":
                    found[addresses.server(text, 0)[0]].add(namespace)
        return found

    def _losers(self, server: Server, claims: Mapping[str, Granted]) -> dict[str, str]:
        """Of the namespaces that are granted a server, those that do not get it, with why."""
        lost = {
            namespace: f"stood behind a model of namespace {min(before)}, and was not released"
            for namespace, granted in claims.items()
            if (before := self._before(server, claims, granted))
        }
        rivals = {name: granted for name, granted in claims.items() if name not in lost}
        if len(rivals) < 2:
            return lost
        top = max(granted.rank for granted in rivals.values())
        first = sorted(name for name, granted in rivals.items() if granted.rank == top)
        lost |= {
            name: f"is granted to namespace {first[0]} more narrowly"
            for name in rivals
            if name not in first
        }
        if len(first) > 1 and any(self._is_model(name, server) for name in rivals):
            before = [name for name in first if name in self._held.get(server, {})]
            lost |= {
                name: f"is granted to namespace {first[first[0] == name]} just as much, and a model answers there"
                for name in first
                if [name] != before
            }
        return lost

    def _before(self, server: Server, claims: Mapping[str, Granted], granted: Granted) -> list[str]:
        """Namespaces whose models had the server before and that do not name it any more."""
        return [
            namespace
            for namespace, held in self._held.get(server, {}).items()
            if namespace not in claims and not held.is_released(granted.released, self._sources.at)
        ]

    def _is_model(self, namespace: str, server: Server) -> bool:
        return (namespace, server) in self.models or namespace in self._held.get(server, {})
