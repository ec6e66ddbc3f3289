"""Services and EndpointSlices: which servers stand behind a name, and which of them are models'.

Which of them are used is said in `servers`. This index also knows every address of every model
version, so that a route to an ordinary Service that reaches one is found (P1, `standing`), and what
stood behind models before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
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
from gatereeve.compile.backends import address_owners, addresses, unlocated_servers
from gatereeve.compile.backends import endpoint_slices as slice_facts
from gatereeve.compile.backends.address_owners import Owners
from gatereeve.compile.backends.addresses import Server
from gatereeve.compile.backends.endpoint_slices import SERVICE_LABEL
from gatereeve.compile.backends.model_addresses import (
    ModelAddresses,
    note_orphan,
    note_service,
    orphans,
)
from gatereeve.compile.backends.servers import Servers, Slices, lookup, vetted
from gatereeve.compile.backends.shared_servers import Shared
from gatereeve.compile.governance.unreadable import ANYWHERE
from gatereeve.compile.report import Problem
from gatereeve.compile.routes import host_grants
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.memo import Memo, Same
from gatereeve.ir.clusters import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Versions:
    """What the ModelVersions of a World say about servers. Equal by identity: a memo key.

    behind: the versions that a Service stands behind. standing: all that reaches servers of models.
    closed: all that reaches what stood behind models before. shared: servers of a namespace that
    versions of several models give, with those versions by name; another namespace's are not its
    own (`address_owners`). findings: about backends and endpoints of versions.
    """

    behind: Mapping[Key, tuple[ModelVersionDoc, ...]]
    standing: ModelAddresses
    closed: ModelAddresses
    shared: Shared
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServiceIndex:
    """Everything about Services in one World.

    held: Services that stood behind models before. hiding: namespaces in which it is not known where
    a model's servers are, with why; "" stands for every namespace.
    """

    services: Mapping[Key, ServiceDoc]
    slices: Slices
    versions: Versions
    owners: Owners
    held: Mapping[Key, Held]
    hiding: Mapping[str, str]
    at: datetime
    memo: Memo

    def reads(self, key: Key) -> tuple[object, ...]:
        """What `resolve` and the check for models read about one Service, as part of a memo key."""
        return (
            self.services.get(key),
            self.slices.get(key, ()),
            self.versions.behind.get(key),
            self.owners.rights(key[0]),
            self.held.get(key),
            self.hiding_in(key[0]),
        )

    def behind(self, keys: tuple[Key, ...]) -> tuple[object, ...]:
        """What `resolve` reads about several Services, as part of a memo key."""
        return self.memo.get(
            ("services.behind", self, Same(keys)),
            lambda: (
                *map(self.services.get, keys),
                *map(self.slices.get, keys),
                *(self.owners.rights(namespace) for namespace in sorted({k[0] for k in keys})),
            ),
        )

    def hiding_in(self, namespace: str) -> str | None:
        """Why any Service of the namespace may lead to a model, if so: the beginning of a sentence
        that goes on with the Service."""
        return self.hiding.get(namespace) or self.hiding.get(ANYWHERE)

    def is_released(
        self, namespace: str, held: Held, server: Server, released: datetime | None
    ) -> bool:
        """Whether a server that stood behind a model may be reached by a route again.

        released: what the grant of the Service says.
        """
        if held.is_released(released, self.at):
            return True
        granted = self.owners.rights(namespace).granted(*server)
        return granted is not None and held.is_released(granted.released, self.at)


def index(world: World, memo: Memo) -> ServiceIndex:
    """One pass over Services, EndpointSlices and ModelVersions; none where a World shares them, its
    grants and its memory with the one before."""
    read = (
        world.services, world.endpoint_slices, world.model_versions, world.host_grants,
        world.namespaces, world.memory, world.models,
    )  # fmt: skip
    places = (world.ingresses, world.http_routes) if world.broken else ()
    key = (
        "services.index", *map(Same, (*read, *places)), world.broken, unlocated_servers.versions(world), _passed(world),
    )  # fmt: skip
    return memo.get(key, partial(_index, world, memo))


def remember(world: World, memo: Memo) -> Memory:
    """The memory of `world`, brought up to date: what stands behind a model in it, and what did.

    The same object as `world.memory` when nothing is new.
    """
    found = index(world, memo)
    services = {
        key: Held(model=f"{key[0]}/{versions[0].spec.model}")
        for key, versions in found.versions.behind.items()
    }
    servers = {
        (namespace, *server): Held(model=model)
        for (namespace, server), model in found.owners.held.items()
    }
    fresh = Memory(
        services=_brought_up(world.memory.services, services, world.at),
        servers=_brought_up(world.memory.servers, servers, world.at),
    )
    return world.memory if fresh == world.memory else fresh


_K = TypeVar("_K")


def _brought_up(
    before: Mapping[_K, Held], now: Mapping[_K, Held], at: datetime
) -> Mapping[_K, Held]:
    gone = {
        key: held if held.until is not None else Held(model=held.model, until=at)
        for key, held in before.items()
        if key not in now
    }
    return {**gone, **now}


def _passed(world: World) -> tuple[datetime, ...]:
    """The moments of release that are past: they change what is closed."""
    if not world.memory.services and not world.memory.servers:
        return ()
    said = {
        one.released
        for doc in world.host_grants.values()
        for one in (doc.spec.backends.services if doc.spec.backends else ())
    }
    said |= {one.released for doc in world.host_grants.values() for one in doc.spec.addresses}
    return tuple(sorted(moment for moment in said if moment is not None and moment <= world.at))


def _index(world: World, whole: Memo) -> ServiceIndex:
    memo = whole.part("services.index")
    docs = tuple(world.endpoint_slices.values())
    slices, lone = memo.get(("services.slices", docs), lambda: _slices(docs))
    versions = tuple(world.model_versions.values())
    grants = host_grants.index(world, whole)
    strays, hiding = (
        unlocated_servers.versions(world),
        unlocated_servers.namespaces_with_unlocated_servers(world, slices),
    )
    selecting = cache(
        lambda name: host_grants.selecting(grants, name, world.namespaces.get(("", name)))
    )
    found = address_owners.index(
        address_owners.Sources(
            services=world.services,
            slices=docs,
            versions=versions,
            strays=strays,
            unsure=unlocated_servers.namespaces(world, hiding),
            unread_grants=any(one.ref.kind in ("HostGrant", "") for one in world.broken),
            selecting=selecting,
            memory=world.memory,
            at=world.at,
        ),
        memo,
    )
    keys = memo.get(("services.keys", versions), partial(_keys, versions))
    named = set(keys)
    held = {key: one for key, one in world.memory.services.items() if key not in named}
    read = (*map(world.services.get, keys), *map(slices.get, keys))
    again = (*map(world.services.get, held), *map(slices.get, held))
    rights = tuple(found.rights(name) for name in sorted({v.ref.namespace for v in versions}))
    key = ("services.versions", versions, read, again, lone, rights, Same(world.memory), strays)
    return ServiceIndex(
        services=world.services,
        slices=slices,
        versions=memo.get(
            key,
            lambda: _Versions(world, slices, lone, held, found, memo).versions(versions, strays),
        ),
        owners=found,
        held=held,
        hiding=hiding,
        at=world.at,
        memo=whole,
    )


def _keys(versions: tuple[ModelVersionDoc, ...]) -> tuple[Key, ...]:
    """The Services that versions name, one for each version that names one."""
    return tuple(
        (version.ref.namespace, version.spec.backend.service)
        for version in versions
        if version.spec.backend is not None
    )


def _slices(docs: tuple[EndpointSliceDoc, ...]) -> tuple[Slices, tuple[EndpointSliceDoc, ...]]:
    """Slices by Service, and those that name none."""
    found: defaultdict[Key, list[EndpointSliceDoc]] = defaultdict(list)
    lone = []
    for doc in sorted(docs, key=lambda d: d.ref):
        name = doc.meta.labels.get(SERVICE_LABEL)
        if name:
            found[doc.ref.namespace, name].append(doc)
        else:
            lone.append(doc)
    return {key: tuple(slices) for key, slices in found.items()}, tuple(lone)


class _Versions:
    """The work on all ModelVersions of one World."""

    def __init__(
        self,
        world: World,
        slices: Slices,
        lone: tuple[EndpointSliceDoc, ...],
        held: Mapping[Key, Held],
        found: Owners,
        memo: Memo,
    ) -> None:
        self._services = world.services
        self._memory = world.memory
        self._slices = slices
        self._lone = lone
        self._held = held
        self._owners = found
        self._memo = memo

    def versions(
        self,
        docs: tuple[ModelVersionDoc, ...],
        strays: tuple[unlocated_servers.UnlocatedServer, ...],
    ) -> Versions:
        behind: defaultdict[Key, list[ModelVersionDoc]] = defaultdict(list)
        standing = ModelAddresses()
        findings: list[Finding] = []
        given: defaultdict[tuple[str, Server], list[ModelVersionDoc]] = defaultdict(list)
        for version in sorted(docs, key=lambda d: d.ref):
            namespace = version.ref.namespace
            for server in self._given(version):
                given[namespace, server].append(version)
            held = Held(model=f"{namespace}/{version.spec.model}")
            if version.spec.backend is not None:
                behind[namespace, version.spec.backend.service].append(version)
                self._note(standing, (namespace, version.spec.backend.service), held)
            self._note_endpoints(standing, version, namespace)
            findings += self._findings(version)
        for version, namespace in strays:
            self._note_stray(standing, version, namespace)
        named = set(behind)
        for doc in orphans(self._services, self._slices, self._lone, named | self._held.keys()):
            note_orphan(standing, doc)
        return Versions(
            behind={key: tuple(versions) for key, versions in behind.items()},
            standing=standing,
            closed=self._closed(standing),
            shared={
                place: tuple(versions)
                for place, versions in given.items()
                if len({version.spec.model for version in versions}) > 1
            },
            findings=tuple(findings),
        )

    def _given(self, version: ModelVersionDoc) -> frozenset[Server]:
        """Every server that a version gives, ready or not."""
        backend = version.spec.backend
        if backend is None:
            return frozenset(
                addresses.server(one.address, one.port) for one in version.spec.endpoints or ()
            )
        key = (version.ref.namespace, backend.service)
        service, slices = self._services.get(key), self._slices.get(key, ())
        make = partial(slice_facts.all_servers, service, slices)
        return self._memo.get(("services.given", service, slices), make)

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
        note_service(standing, key[0], self._services.get(key), self._slices.get(key, ()), held)

    def _closed(self, standing: ModelAddresses) -> ModelAddresses:
        """What stood behind models before and does not now."""
        closed = ModelAddresses()
        for key, held in self._held.items():
            self._note(closed, key, held)
        for (namespace, address, port), held in self._memory.servers.items():
            if (namespace, (address, port)) not in standing.servers:
                closed.servers.setdefault((namespace, (address, port)), held)
        return closed

    def _findings(self, version: ModelVersionDoc) -> tuple[Finding, ...]:
        """What is wrong with a version's backend or endpoints; that none is ready is said elsewhere."""
        backend, namespace = version.spec.backend, version.ref.namespace
        rights = self._owners.rights(namespace)
        if backend is None:
            return vetted(version, rights, self._memo)[1]
        key = (namespace, backend.service)
        servers = lookup(self._services, self._slices, rights, self._memo, key, backend.port)
        if not isinstance(servers, Problem):
            return tuple(f for f in servers.findings if f.code != "no-endpoints")
        path = "spec.backend"
        return (
            Finding(
                code=FindingCode(servers.code),
                message=servers.message,
                hint=servers.hint,
                origin=version.origin(path),
                where=version.where(path),
            ),
        )


def version_endpoints(found: ServiceIndex, version: ModelVersionDoc) -> tuple[Endpoint, ...]:
    """The usable servers of a version, sorted; the same tuple as long as nothing changed."""
    backend = version.spec.backend
    if backend is None:
        rights = found.owners.rights(version.ref.namespace)
        return vetted(version, rights, found.memo)[0]
    servers = resolve(found, version.ref.namespace, backend.service, backend.port)
    return () if isinstance(servers, Problem) else servers.endpoints


def resolve(
    found: ServiceIndex, namespace: str, name: str, port: int | str | None
) -> Servers | Problem:
    """The servers of one port of a Service.

    port: number or name of a port of the Service; None is allowed when it has only one.
    The same object as long as the Service and its slices are the same.
    """
    rights = found.owners.rights(namespace)
    return lookup(found.services, found.slices, rights, found.memo, (namespace, name), port)
