"""Whose an address is, and which addresses a namespace may name by hand.

Three things prove that an address belongs to a namespace: its pods answer there (an EndpointSlice
that the cluster's own controller made of pods that a Service selects), the API server gave it to a
Service of the namespace, or the platform says so (`HostGrant.spec.addresses`). What else a
document names, in `endpoints` of a ModelVersion or in an EndpointSlice written by hand, is refused.
Of two namespaces that name one server, the one with pods there has it; else the one with the
narrower grant. What cannot be read counts for every namespace that it may mean. With equal grants, as soon as a model is behind it for one of them, the one whose
model was there before has it, and neither when that is not remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gatereeve.api.world import (
    EndpointSliceDoc,
    Held,
    HostGrantDoc,
    Key,
    Memory,
    ModelVersionDoc,
    ServiceDoc,
)
from gatereeve.compile.backends import addresses, endpoint_slices
from gatereeve.compile.backends.address_grants import AddressGrantMatch, grant_of
from gatereeve.compile.backends.addresses import Server
from gatereeve.compile.backends.unlocated_servers import UnlocatedServer
from gatereeve.core import addresses as ip
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe

_API_SERVER = ("default", "kubernetes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What one namespace may name by hand.

    reserved: addresses of the API server. taken: servers that it names and that are another
    namespace's, with why.
    """

    namespace: str
    grants: tuple[HostGrantDoc, ...]
    reserved: frozenset[str]
    taken: Mapping[Server, str]

    def granted(self, address: str, port: int) -> AddressGrantMatch | None:
        """The platform's grant of an address, as `addresses.server` writes it."""
        text = "127.0.0.1" if address == addresses.LOOPBACK else address
        return grant_of(self.grants, self.reserved, text, port)

    def _line(self, entry: str) -> str:
        """Where a HostGrant would say it."""
        names = " or ".join(doc.ref.name for doc in self.grants if doc.spec.addresses)
        if names:
            return f"add to the list addresses of HostGrant {names}: {entry}"
        return f"add to the spec of a HostGrant that selects {self.namespace}: addresses: [{entry}]"

    def objection(self, text: str, port: int) -> Finding | None:
        """Why `text` (an address in any spelling) and `port` may not be named, if so."""
        granted = grant_of(self.grants, self.reserved, text, port)
        if granted is None:
            entry = f"{{cidr: {_single(text)}, ports: [{port}]}}"
            return describe(
                "address-not-granted",
                namespace=self.namespace, address=text, port=port, line=self._line(entry),
            )  # fmt: skip
        why = self.taken.get(addresses.server(text, port))
        return None if why is None else describe("address-taken", address=text, port=port, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Everything about addresses that documents of one World name by hand.

    taken: by namespace. held: servers of models that were named by hand with a grant:
    (namespace, server) to the model.
    """

    reserved: frozenset[str]
    taken: Mapping[str, tuple[tuple[Server, str], ...]]
    held: Mapping[tuple[str, Server], str]

    def rights(self, namespace: str, grants: tuple[HostGrantDoc, ...]) -> Rights:
        """What a namespace may name by hand. grants: the HostGrants that select it."""
        taken = dict(self.taken.get(namespace, ()))
        return Rights(namespace=namespace, grants=grants, reserved=self.reserved, taken=taken)


def _single(text: str) -> str:
    address = ip.parse(text)
    return f'"{text}/128"' if address is not None and address.version == 6 else f"{text}/32"


class SliceAddresses(NamedTuple):
    """What one slice says: servers by hand (text and port), and addresses of pods."""

    by_hand: tuple[tuple[str, int], ...]
    pods: tuple[str, ...]


def read_slice(doc: EndpointSliceDoc, service: ServiceDoc | None) -> SliceAddresses:
    if doc.spec.address_type == "FQDN":
        return SliceAddresses((), ())
    produced = endpoint_slices.is_produced(doc, service)
    ports = endpoint_slices.all_ports(service, doc)
    by_hand: list[tuple[str, int]] = []
    pods: list[str] = []
    for endpoint in doc.spec.endpoints:
        if produced and endpoint_slices.is_pod(doc, endpoint):
            pods += (addresses.server(text, 0)[0] for text in endpoint.addresses)
        else:
            by_hand += ((text, port) for text in endpoint.addresses for port in ports)
    return SliceAddresses(tuple(by_hand), tuple(pods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What ownership is read from. selecting: the HostGrants of a namespace.

    services, versions: of the World. slices: what EndpointSlices say, with the Service they belong to.
    strays: versions that may be meant for another
    namespace, with it. unsure: namespaces in which it is not known where models' servers are, ""
    for all. unread_grants: whether a HostGrant cannot be read. at: the World's instant.
    """

    services: Mapping[Key, ServiceDoc]
    slices: Iterable[tuple[Key, SliceAddresses]]
    versions: tuple[ModelVersionDoc, ...]
    strays: tuple[UnlocatedServer, ...]
    unsure: frozenset[str]
    unread_grants: bool
    selecting: Callable[[str], tuple[HostGrantDoc, ...]]
    memory: Memory
    at: datetime


def find_owners(sources: Sources) -> Owners:
    """Find the owners in one pass over everything that has addresses."""
    work = _Work(sources)
    for key, slice_addresses in sources.slices:
        work.add_slice(key, slice_addresses)
    reserved = frozenset(work.reserved())
    work.add_claims(reserved)
    taken = {namespace: tuple(sorted(servers)) for namespace, servers in work.taken().items()}
    lost = {(namespace, server) for namespace, servers in taken.items() for server, _ in servers}
    return Owners(
        reserved=reserved,
        taken=taken,
        held={key: model for key, model in sorted(work.models.items()) if key not in lost},
    )


class _Work:
    """The work on one World. models: (namespace, server) named by hand with a grant, to the model."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._held: defaultdict[Server, dict[str, Held]] = defaultdict(dict)
        for (namespace, address, port), held in sources.memory.servers.items():
            self._held[address, port][namespace] = held
        self._by_hand: defaultdict[Key, list[tuple[str, int]]] = defaultdict(list)
        self._pods: defaultdict[str, set[str]] = defaultdict(set)
        self._claims: defaultdict[Server, dict[str, AddressGrantMatch]] = defaultdict(dict)
        self._ungranted: defaultdict[Server, set[str]] = defaultdict(set)
        self._reserved: frozenset[str] = frozenset()
        self.models: dict[tuple[str, Server], str] = {}

    def add_slice(self, key: Key, slice_addresses: SliceAddresses) -> None:
        """key: namespace and Service."""
        for address in slice_addresses.pods:
            self._pods[address].add(key[0])
        if slice_addresses.by_hand:
            self._by_hand[key] += slice_addresses.by_hand

    def reserved(self) -> Iterator[str]:
        """Addresses of the API server, as far as a cluster's own documents say them."""
        service = self._sources.services.get(_API_SERVER)
        if service is None or service.file:
            return
        yield from endpoint_slices.virtual_addresses(service)
        for text, _ in self._by_hand.get(_API_SERVER, ()):
            yield text

    def add_claims(self, reserved: frozenset[str]) -> None:
        """Note which namespace names which server with a grant, and which servers are a model's."""
        self._reserved = reserved
        for namespace, text, port, model in self._named():
            granted = grant_of(self._sources.selecting(namespace), reserved, text, port)
            server = addresses.server(text, port)
            if granted is None:
                self._ungranted[server].add(namespace)
                continue
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
        for version, namespace in self._sources.strays:
            for endpoint in version.spec.endpoints or ():
                yield namespace, endpoint.address, endpoint.port, version.spec.model

    def taken(self) -> Mapping[str, list[tuple[Server, str]]]:
        """By namespace, the servers that it names but that another namespace has, with the reason."""
        by_namespace: defaultdict[str, list[tuple[Server, str]]] = defaultdict(list)
        cluster_ips = self._cluster_ips()
        for server, claims in self._claims.items():
            owners = self._pods.get(server[0], set()) | cluster_ips.get(server[0], set())
            if owners:
                why = f"belongs to namespace {min(owners)}"
                losers = dict.fromkeys(claims.keys() - owners, why)
            else:
                losers = self._losers(server, claims) | self._in_doubt(server, claims)
            for namespace, why in losers.items():
                by_namespace[namespace].append((server, why))
        return by_namespace

    def _cluster_ips(self) -> Mapping[str, set[str]]:
        """Addresses that an API server gave to Services, by namespace. A file proves nothing."""
        namespaces: defaultdict[str, set[str]] = defaultdict(set)
        for (namespace, _), service in self._sources.services.items():
            spec = service.spec
            for text in () if service.file else (spec.cluster_ip, *spec.cluster_ips):
                if text and text != "None":
                    namespaces[addresses.server(text, 0)[0]].add(namespace)
        return namespaces

    def _losers(self, server: Server, claims: Mapping[str, AddressGrantMatch]) -> dict[str, str]:
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

    def _in_doubt(self, server: Server, claims: Mapping[str, AddressGrantMatch]) -> dict[str, str]:
        """Namespaces that lose a server which may be another's, by what cannot be read, with why.

        A namespace whose model had it before keeps it.
        """
        lost = {}
        for namespace in claims.keys() - self._held.get(server, {}).keys():
            others = self._ungranted.get(server, set()) - {namespace}
            if self._sources.unread_grants and others:
                lost[namespace] = (
                    f"may be granted to namespace {min(others)} by a HostGrant that cannot be read"
                )
            other = self._may_claim(server, claims, claims[namespace])
            if other is not None:
                lost[namespace] = (
                    f"may belong to namespace {other}, of whose models not all servers are known"
                )
        return lost

    def _may_claim(
        self, server: Server, claims: Mapping[str, AddressGrantMatch], granted: AddressGrantMatch
    ) -> str | None:
        """A namespace that does not name the server, may by a narrower grant, and may mean to."""
        text = "127.0.0.1" if server[0] == addresses.LOOPBACK else server[0]
        for namespace in sorted(self._sources.unsure - claims.keys()):
            own = grant_of(self._sources.selecting(namespace), self._reserved, text, server[1])
            if own is not None and own.rank > granted.rank:
                return namespace
        return None

    def _before(
        self, server: Server, claims: Mapping[str, AddressGrantMatch], granted: AddressGrantMatch
    ) -> list[str]:
        """Namespaces whose models had the server before and that do not name it any more."""
        return [
            namespace
            for namespace, held in self._held.get(server, {}).items()
            if namespace not in claims and not held.is_released(granted.released, self._sources.at)
        ]

    def _is_model(self, namespace: str, server: Server) -> bool:
        return (namespace, server) in self.models or namespace in self._held.get(server, {})
