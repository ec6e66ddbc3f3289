"""Services and EndpointSlices: which servers stand behind a name, and which of them are models'.

These tables also know every address of every model version, so that a route to an ordinary Service
that reaches one is found (P1), and what stood behind models before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from gatereeve.api.world import (
    EndpointSliceDoc,
    Held,
    Key,
    Memory,
    ModelVersionDoc,
    ServiceDoc,
    World,
)
from gatereeve.compile.backends import addresses, unlocated_servers
from gatereeve.compile.backends import endpoint_slices as slice_facts
from gatereeve.compile.backends.address_owners import (
    Owners,
    Rights,
    SliceAddresses,
    Sources,
    find_owners,
    read_slice,
)
from gatereeve.compile.backends.addresses import Server
from gatereeve.compile.backends.endpoint_slices import SERVICE_LABEL
from gatereeve.compile.backends.model_addresses import (
    ModelAddresses,
    note_orphan,
    note_service,
    orphans,
)
from gatereeve.compile.backends.reference_grants import ReferenceGrants
from gatereeve.compile.backends.servers import (
    Servers,
    Slices,
    VettedEndpoints,
    resolve_port,
    vet_endpoints,
)
from gatereeve.compile.backends.shared_servers import ModelPlace, Place, Shared, by_model
from gatereeve.compile.governance.unreadable import ANYWHERE
from gatereeve.compile.routes.host_grants import GrantTables
from gatereeve.compile.world_tables import WorldTables, by_namespace, group_by
from gatereeve.core.derived import Computed, Derived, Grouped, Reader, Source, Stage
from gatereeve.core.findings import Finding
from gatereeve.core.report import place
from gatereeve.ir.clusters import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """What the ModelVersions of a World say about servers.

    standing: all that reaches servers of models. closed: all that reaches what stood behind models
    before. shared: servers of a namespace that versions of several models give, with those versions
    by name; another namespace's are not its own (`address_owners`). findings: about backends and
    endpoints of versions.
    """

    standing: ModelAddresses
    closed: ModelAddresses
    shared: Shared
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceIndex:
    """What a route looks up about Services.

    behind: the versions that a Service stands behind. rights: by namespace. versions: one row, "".
    held: Services that stood behind models before. hiding: one row, "": namespaces in which it is not
    known where a model's servers are, with why; ANYWHERE stands for every namespace. grants: of
    references. is_past: whether a moment is over.
    """

    services: Mapping[Key, ServiceDoc]
    slices: Slices
    behind: Mapping[Key, tuple[ModelVersionDoc, ...]]
    rights: Mapping[str, Rights]
    versions: Mapping[str, Versions]
    held: Mapping[Key, Held]
    hiding: Mapping[str, Mapping[str, str]]
    grants: ReferenceGrants
    is_past: Callable[[datetime], bool]

    def hiding_in(self, namespace: str) -> str | None:
        """Why any Service of the namespace may lead to a model, if so: the beginning of a sentence
        that goes on with the Service."""
        hiding = self.hiding[""]
        return hiding.get(namespace) or hiding.get(ANYWHERE)

    def is_released(self, held: Held, released: datetime | None) -> bool:
        """Whether a grant that says `released` opens what stood behind a model."""
        return (
            held.until is not None
            and released is not None
            and held.until <= released
            and self.is_past(released)
        )

    def is_server_released(
        self, namespace: str, held: Held, server: Server, released: datetime | None
    ) -> bool:
        """Whether a server that stood behind a model may be reached by a route again.

        released: what the grant of the Service says.
        """
        if self.is_released(held, released):
            return True
        granted = self.rights[namespace].granted(*server)
        return granted is not None and self.is_released(held, granted.released)

    def resolve(self, namespace: str, name: str, port: int | str | None) -> Servers | Finding:
        """The servers of one port of a Service; see `servers.resolve_port`."""
        key = (namespace, name)
        return resolve_port(
            key, port, self.services.get(key), self.slices.get(key, ()),
            lambda: self.rights[namespace],
        )  # fmt: skip


class Backends(Stage):
    """Tables of Services and what stands behind them.

    endpoints: the usable servers of each ModelVersion. shared: servers that models share, with the
    versions behind them. shared_places: those of each model.
    """

    def __init__(self, world: WorldTables, grants: GrantTables) -> None:
        self._world = world
        self._grants = grants
        self.slices = Grouped(world.endpoint_slices, _service_of)
        self._lone = Grouped(world.endpoint_slices, _lone)
        self.behind = group_by(world.model_versions, _backend_of)
        self.reference_grants = by_namespace(world.reference_grants)
        self._read_slices = Derived(self._read_slice)
        self._strays = Computed(lambda read: unlocated_servers.versions(world.read(read)))
        self.hiding = Computed(self._find_hiding)
        self.owners = Computed(self._find_owners)
        self._namespaces = Source[str, bool]()
        self.rights = Derived(self._rights)
        self.held = Computed(self._find_held)
        self._held_rows = Source[Key, Held]()
        self.versions = Computed(self._find_versions)
        self.shared = Source[Place, tuple[ModelVersionDoc, ...]]()
        self.shared_places: Grouped[Key, ModelPlace] = Grouped(
            self.versions, lambda versions: by_model(versions.shared)
        )
        self._remembered = Computed(self._remember)
        self._has_servers = Derived(self._find_servers)
        self._all_servers = Derived(self._find_all_servers)
        self._vetted = Derived(self._vet)
        self.endpoints = Derived(self._find_endpoints)
        self._version_findings = Derived(self._find_problems)

    def update(self) -> None:
        """Follow the World."""
        world = self._world
        for grouped in (self.slices, self._lone, self.behind, self.reference_grants):
            grouped.update()
        self._read_slices.update(world.endpoint_slices)
        self._has_servers.update(self.slices)
        self._strays.update()
        self.hiding.update()
        self.owners.update()
        if world.services.changed or world.model_versions.changed:
            names = {
                key[0] for table in (world.services, world.model_versions) for key in table.rows
            }
            self._namespaces.update(dict.fromkeys(names, True))
        self.rights.update(self._namespaces)
        self._all_servers.update(world.model_versions)
        self._vetted.update(world.model_versions)
        self._version_findings.update(world.model_versions)
        self.endpoints.update(world.model_versions)
        self.held.update()
        self._held_rows.update(self.held.value)
        self.versions.update()
        self.shared.update(self.versions.value.shared)
        self.shared_places.update()
        self._remembered.update()

    def read(self, read: Reader) -> ServiceIndex:
        """The tables through a reader."""
        return ServiceIndex(
            services=read.mapping(self._world.services),
            slices=read.mapping(self.slices),
            behind=read.mapping(self.behind),
            rights=read.mapping(self.rights),
            versions=read.mapping(self.versions),
            held=read.mapping(self._held_rows),
            hiding=read.mapping(self.hiding),
            grants=read.mapping(self.reference_grants),
            is_past=lambda moment: read.is_past(self._world.clock, moment),
        )

    def snapshot(self) -> ServiceIndex:
        """The tables as they are now."""
        at = self._world.at
        return ServiceIndex(
            services=self._world.services.snapshot(),
            slices=self.slices.snapshot(),
            behind=self.behind.snapshot(),
            rights=self.rights.snapshot(),
            versions=self.versions.snapshot(),
            held=self._held_rows.snapshot(),
            hiding=self.hiding.snapshot(),
            grants=self.reference_grants.snapshot(),
            is_past=lambda moment: moment <= at,
        )

    def remember(self) -> Memory:
        """The memory of the World, brought up to date: what stands behind a model in it, and what did.

        The same object as the World's when nothing is new.
        """
        return self._remembered.value

    def _remember(self, read: Reader) -> Memory:
        memory, at = read.value(self._world.memory), self._world.at
        services = {
            key: Held(model=f"{key[0]}/{versions[0].spec.model}")
            for key, versions in read.all(self.behind).items()
        }
        servers = {
            (namespace, *server): Held(model=model)
            for (namespace, server), model in read.value(self.owners).held.items()
        }
        fresh = Memory(
            services=_bring_up(memory.services, services, at),
            servers=_bring_up(memory.servers, servers, at),
        )
        return memory if fresh == memory else fresh

    def _read_slice(self, key: Key, read: Reader) -> tuple[Key, SliceAddresses]:
        doc = read.row(self._world.endpoint_slices, key)
        its = (doc.ref.namespace, doc.meta.labels.get(SERVICE_LABEL, ""))
        return its, read_slice(doc, read.get(self._world.services, its))

    def _find_hiding(self, read: Reader) -> Mapping[str, str]:
        return unlocated_servers.namespaces_with_unlocated_servers(
            self._world.read(read, memory=True), read.mapping(self._has_servers)
        )

    def _find_owners(self, read: Reader) -> Owners:
        world = self._world.read(read, memory=True)
        granted = read.mapping(self._grants.selecting)
        self._world.pass_moments(read, _released(world))
        return find_owners(
            Sources(
                services=world.services,
                slices=(
                    slice_addresses
                    for _, slice_addresses in sorted(read.all(self._read_slices).items())
                ),
                versions=tuple(world.model_versions.values()),
                strays=read.value(self._strays),
                unsure=unlocated_servers.namespaces(world, read.value(self.hiding)),
                unread_grants=any(broken.ref.kind in ("HostGrant", "") for broken in world.broken),
                selecting=lambda namespace: granted.get(namespace, ()),
                memory=world.memory,
                at=world.at,
            )
        )

    def _rights(self, namespace: str, read: Reader) -> Rights:
        owners = read.value(self.owners)
        return owners.rights(namespace, read.get(self._grants.selecting, namespace) or ())

    def _find_held(self, read: Reader) -> Mapping[Key, Held]:
        services = read.value(self._world.memory).services
        if not services:
            return {}
        behind = read.all(self.behind)
        return {key: held for key, held in services.items() if key not in behind}

    def _find_versions(self, read: Reader) -> Versions:
        work = _Versions(
            services=read.mapping(self._world.services),
            slices=read.mapping(self.slices),
            lone=read.get(self._lone, "") or (),
            held=read.value(self.held),
            memory=read.value(self._world.memory),
            all_servers=read.all(self._all_servers),
            findings=read.all(self._version_findings),
        )
        docs = tuple(read.all(self._world.model_versions).values())
        return work.versions(docs, read.value(self._strays))

    def _find_servers(self, key: Key, read: Reader) -> bool:
        """Whether a Service is there and some EndpointSlice of it has an address."""
        slices = read.row(self.slices, key)
        service = read.get(self._world.services, key)
        return service is not None and slice_facts.has_addresses(slices)

    def _find_all_servers(self, key: Key, read: Reader) -> frozenset[Server]:
        """Every server that a version gives, ready or not."""
        version = read.row(self._world.model_versions, key)
        backend = _backend_of(version)
        if backend is None:
            return frozenset(
                addresses.server(endpoint.address, endpoint.port)
                for endpoint in version.spec.endpoints or ()
            )
        service, slices = read.get(self._world.services, backend), read.get(self.slices, backend)
        return slice_facts.all_servers(service, slices or ())

    def _vet(self, key: Key, read: Reader) -> VettedEndpoints | Servers | Finding:
        """What a version's backend, or its own endpoints, resolve to."""
        version = read.row(self._world.model_versions, key)
        if version.spec.backend is None:
            return vet_endpoints(version, read.row(self.rights, key[0]))
        backend = version.spec.backend
        return self.read(read).resolve(key[0], backend.service, backend.port)

    def _find_endpoints(self, key: Key, read: Reader) -> tuple[Endpoint, ...]:
        vetted = read.row(self._vetted, key)
        if isinstance(vetted, Finding):
            return ()
        return vetted.endpoints if isinstance(vetted, Servers) else vetted[0]

    def _find_problems(self, key: Key, read: Reader) -> tuple[Finding, ...]:
        """What is wrong with a version's backend or endpoints, apart from readiness."""
        vetted = read.row(self._vetted, key)
        if isinstance(vetted, Finding):
            return (place(read.row(self._world.model_versions, key), "spec.backend", vetted),)
        if isinstance(vetted, Servers):
            return tuple(finding for finding in vetted.findings if finding.code != "no-endpoints")
        return vetted[1]


def _service_of(doc: EndpointSliceDoc) -> list[tuple[Key, EndpointSliceDoc]]:
    name = doc.meta.labels.get(SERVICE_LABEL)
    return [((doc.ref.namespace, name), doc)] if name else []


def _lone(doc: EndpointSliceDoc) -> list[tuple[str, EndpointSliceDoc]]:
    return [] if doc.meta.labels.get(SERVICE_LABEL) else [("", doc)]


def _backend_of(version: ModelVersionDoc) -> Key | None:
    backend = version.spec.backend
    return None if backend is None else (version.ref.namespace, backend.service)


def _released(world: World) -> Iterator[datetime | None]:
    """The moments of release in HostGrants."""
    if not world.memory.services and not world.memory.servers:
        return
    for doc in world.host_grants.values():
        yield from (address_grant.released for address_grant in doc.spec.addresses)


_K = TypeVar("_K")


def _bring_up(before: Mapping[_K, Held], now: Mapping[_K, Held], at: datetime) -> Mapping[_K, Held]:
    gone = {
        key: held if held.until is not None else Held(model=held.model, until=at)
        for key, held in before.items()
        if key not in now
    }
    return {**gone, **now}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Versions:
    """The work on all ModelVersions of one World."""

    services: Mapping[Key, ServiceDoc]
    slices: Slices
    lone: tuple[EndpointSliceDoc, ...]
    held: Mapping[Key, Held]
    memory: Memory
    all_servers: Mapping[Key, frozenset[Server]]
    findings: Mapping[Key, tuple[Finding, ...]]

    def versions(
        self,
        docs: tuple[ModelVersionDoc, ...],
        strays: tuple[unlocated_servers.UnlocatedServer, ...],
    ) -> Versions:
        named = set(self.held)
        standing = ModelAddresses()
        findings: list[Finding] = []
        sharing: defaultdict[tuple[str, Server], list[ModelVersionDoc]] = defaultdict(list)
        for version in sorted(docs, key=lambda d: d.ref):
            namespace = version.ref.namespace
            key = (namespace, version.ref.name)
            for server in self.all_servers[key]:
                sharing[namespace, server].append(version)
            held = Held(model=f"{namespace}/{version.spec.model}")
            if version.spec.backend is not None:
                named.add((namespace, version.spec.backend.service))
                self._note(standing, (namespace, version.spec.backend.service), held)
            self._note_endpoints(standing, version, namespace)
            findings += self.findings[key]
        for version, namespace in strays:
            self._note_stray(standing, version, namespace)
        for doc in orphans(self.services, self.slices, self.lone, named):
            note_orphan(standing, doc)
        return Versions(
            standing=standing,
            closed=self._closed(standing),
            shared={
                place: tuple(versions)
                for place, versions in sharing.items()
                if len({version.spec.model for version in versions}) > 1
            },
            findings=tuple(findings),
        )

    def _note_stray(
        self, standing: ModelAddresses, version: ModelVersionDoc, namespace: str
    ) -> None:
        """What a version stands on if it is meant for `namespace`."""
        if version.spec.backend is not None:
            held = Held(model=f"{namespace}/{version.spec.model}")
            self._note(standing, (namespace, version.spec.backend.service), held)
        self._note_endpoints(standing, version, namespace)

    def _note_endpoints(
        self, standing: ModelAddresses, version: ModelVersionDoc, namespace: str
    ) -> None:
        held = Held(model=f"{namespace}/{version.spec.model}")
        for endpoint in version.spec.endpoints or ():
            server = addresses.server(endpoint.address, endpoint.port)
            standing.servers.setdefault((namespace, server), held)

    def _note(self, standing: ModelAddresses, key: Key, held: Held) -> None:
        note_service(standing, key[0], self.services.get(key), self.slices.get(key, ()), held)

    def _closed(self, standing: ModelAddresses) -> ModelAddresses:
        """What stood behind models before and does not now."""
        closed = ModelAddresses()
        for key, held in self.held.items():
            self._note(closed, key, held)
        for (namespace, address, port), held in self.memory.servers.items():
            if (namespace, (address, port)) not in standing.servers:
                closed.servers.setdefault((namespace, (address, port)), held)
        return closed
