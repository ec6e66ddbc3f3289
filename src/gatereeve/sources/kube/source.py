"""A cluster as a source of Worlds, with the face of a watched folder (`sources.watch.Watch`).

One reflector per kind (and namespace, when only some are watched) fills one store. The first World
comes when every kind is listed and every Secret that is named is read: never from a part. After
that the last documents stay when the API server fails, and `is_stale` says that they may be
old. A kind that the cluster does not have counts as listed and empty, and is looked for again.

    event → reflector → `objects.read` → store → (what came together) → World → apply
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import cast

from gatereeve.api import registry
from gatereeve.api.world import GateDoc, World
from gatereeve.core import findings, protocols, refs
from gatereeve.core.report import describe
from gatereeve.sources.folder import named_files
from gatereeve.sources.folder.folder_source import Retrieved
from gatereeve.sources.kube import api_json, objects, resources
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.objects import Key, StoredObject
from gatereeve.sources.kube.references import Referring, secrets_of
from gatereeve.sources.kube.reflector import Change, Pace, Reflector
from gatereeve.sources.kube.secrets import KIND as SECRET
from gatereeve.sources.kube.secrets import SecretReader
from gatereeve.sources.store import DocumentStore, KindKey

_INLINE = 32
"""So many objects are read at once on the loop; more of them in a thread beside it."""

_REFERRING: dict[str, KindKey] = {
    "gates": ("gatereeve.dev", "Gate"),
    "ingresses": ("networking.k8s.io", "Ingress"),
    "ingress_classes": ("networking.k8s.io", "IngressClass"),
    "gateways": ("gateway.networking.k8s.io", "Gateway"),
    "gateway_classes": ("gateway.networking.k8s.io", "GatewayClass"),
    "reference_grants": ("gateway.networking.k8s.io", "ReferenceGrant"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeSettings:
    """namespaces: watched ones, () for all; cluster kinds are watched in any case.

    files: the mounted directory of files that Gates name; None: there are none. Times in seconds:
    quiet, burst: hold-off after a change, and at most. secret_wait: how long a World waits for the
    content of a Secret that is named newly. resync: a World this often although nothing changed.
    files_look: how often the directory is looked at. stale: silence of the API server after which
    the documents count as old; above the minute between bookmarks.
    """

    namespaces: tuple[str, ...] = ()
    files: Path | None = None
    quiet: float = 0.025
    burst: float = 0.5
    secret_wait: float = 0.5
    resync: float = 600.0
    files_look: float = 5.0
    stale: float = 180.0
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class KindMirror:
    """How one kind is mirrored, for status pages and metrics.

    last_event_age_s: since the server last said anything of it, None before it ever did. relists:
    full lists after the first. problem: why the newest may be lacking, "" when nothing is wrong.
    """

    kind: str
    namespace: str
    synced: bool
    missing: bool
    last_event_age_s: float | None
    relists: int
    failures: int
    objects: int
    problem: str
    hint: str


class KubeSource:
    """Watches one cluster. Used from one event loop; `run` or `worlds` once at a time.

    retrieved: key sets that came over the network, as for `FolderSource`; never blocks.
    """

    def __init__(
        self,
        client: ApiClient,
        clock: protocols.Clock,
        settings: KubeSettings | None = None,
        *,
        retrieved: Callable[[], Retrieved] = Retrieved,
    ) -> None:
        self._client = client
        self._clock = clock
        self._settings = KubeSettings() if settings is None else settings
        self._retrieved = retrieved
        self._store = DocumentStore()
        self._secrets = SecretReader(client, self._store, self._note)
        self._library = named_files.Library(self._settings.files) if self._settings.files else None
        self._files = named_files.NamedFiles()
        self._reading_files = asyncio.Lock()
        self._referring: Referring | None = None
        self._unwatched: tuple[findings.Finding, ...] = ()
        self._event = asyncio.Event()
        self._woken = False
        self._complete = False
        self._shown: tuple[object, ...] = ()
        self._burst_until = 0.0
        self._sinks: dict[KindKey, list[_KindSink]] = {}
        self._reflectors = tuple(self._make_reflectors())

    @property
    def synced(self) -> bool:
        """Whether a World was ever complete, so that what is served is not a part of the truth."""
        return self._complete

    @property
    def is_stale(self) -> bool:
        """Whether the documents may be older than `stale`, because the API server does not answer."""
        return any(self._is_old(r) for r in self._reflectors)

    @property
    def missing(self) -> tuple[str, ...]:
        """Kinds that the cluster does not have."""
        return tuple(sorted({r.name for r in self._reflectors if r.health.missing}))

    def mirrors(self) -> tuple[KindMirror, ...]:
        """How every kind is doing."""
        return tuple(
            KindMirror(
                kind=r.name, namespace=r.namespace, synced=r.health.synced,
                missing=r.health.missing, last_event_age_s=r.last_event_age_s,
                relists=r.health.relists, failures=r.health.failures, objects=r.objects,
                problem=r.health.problem, hint=r.health.hint,
            )
            for r in self._reflectors
        )  # fmt: skip

    def observed(self, resource: resources.ApiResource, key: Key) -> kube.Object | None:
        """An object as the watch showed it last: uid, resourceVersion and status; None for none.

        It may be older than what is there: write with its resourceVersion.
        """
        sinks = self._sinks.get((resource.group, resource.kind), ())
        return next((seen for sink in sinks if (seen := sink.observed(key)) is not None), None)

    def wake(self) -> None:
        """A World is wanted soon although no object changed: time went on, or a key set arrived."""
        self._woken = True
        self._event.set()

    async def run(self, apply: Callable[[World], Awaitable[None]]) -> None:
        """Gives every World to `apply`, one after the other. Never returns.

        The first comes as soon as it is complete, which takes as long as the API server is away.
        Raises what `apply` raises.
        """
        async with contextlib.aclosing(self.worlds()) as worlds:
            async for world in worlds:
                await apply(world)

    async def worlds(self) -> AsyncGenerator[World, None]:
        """The World when it is complete, then each that differs, or was asked for.

        While the caller is busy with one World, changes are gathered for the next. Close the
        iterator (`contextlib.aclosing`) to stop watching. May be called again afterwards.
        """
        tasks = [
            asyncio.create_task(r.run(), name=f"reflector {r.name} {r.namespace}".strip())
            for r in self._reflectors
        ]
        if self._library is not None:
            tasks.append(asyncio.create_task(self._look_at_files(), name="files"))
        for task in tasks:
            task.add_done_callback(lambda _: self._event.set())
        try:
            await self._completed(tasks)
            yield self._world()
            while True:
                await self._something()
                _raise_failures(tasks)
                world = await self._next()
                if world is not None:
                    yield world
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._secrets.aclose()

    def _make_reflectors(self) -> list[Reflector]:
        made = []
        for kind in registry.KINDS:
            namespaces = self._settings.namespaces if kind.namespaced else ()
            for namespace in namespaces or ("",):
                sink = self._secrets if kind is SECRET else _KindSink(kind, self._store, self._note)
                made.append(
                    Reflector(
                        self._client, kind.kind, partial(self._client.find, kind), sink,
                        self._clock, namespace=namespace, metadata_only=kind is SECRET,
                        pace=self._settings.pace, on_health=self._note,
                    )
                )  # fmt: skip
        return made

    async def _completed(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Returns when every kind is listed and every Secret that is named is read."""
        while not all(r.health.synced for r in self._reflectors):
            self._event.clear()
            await self._event.wait()
            _raise_failures(tasks)
        await self._follow_references()
        await self._secrets.settled(surely=True)
        self._complete = True

    async def _something(self) -> None:
        """Returns when there is a reason to make a World."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._settings.resync):
                await self._event.wait()
        except TimeoutError:
            self._woken = True
            return
        start = loop.time()
        while start < self._burst_until and loop.time() - start < self._settings.burst:
            self._event.clear()
            try:
                async with asyncio.timeout(self._settings.quiet):
                    await self._event.wait()
            except TimeoutError:
                break

    async def _next(self) -> World | None:
        """The World now; None when it would say the same and was not asked for."""
        self._event.clear()
        woken, self._woken = self._woken, False
        await self._follow_references()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.secret_wait):
                await self._secrets.settled()
        if not woken and self._shown == self._showing():
            return None
        changed = self._shown[:1] != (self._store.revision,)
        if changed:
            self._burst_until = asyncio.get_running_loop().time() + self._settings.burst
        return self._world()

    def _showing(self) -> tuple[object, ...]:
        """What a World is made of, besides its instant; equal when nothing differs."""
        return (
            self._store.revision, self._files.files, self._files.geo, self._files.found,
            self._unwatched, self._secrets.found, self.missing, self._retrieved(),
        )  # fmt: skip

    def _world(self) -> World:
        self._shown = self._showing()
        retrieved = self._retrieved()
        return self._store.world(
            at=self._clock.now(),
            files=self._files.files,
            jwks=retrieved.jwks,
            geo=self._files.geo,
            found=(
                *self._files.found,
                *self._unwatched,
                *self._secrets.found,
                *map(_not_served, self._missing_of_ours()),
                *retrieved.found,
            ),
        )

    def _missing_of_ours(self) -> tuple[registry.Kind, ...]:
        return tuple(kind for kind in registry.KINDS if kind.ours and kind.kind in self.missing)

    async def _follow_references(self) -> None:
        """Reads what is named: Secrets from the API server, files from the directory."""
        documents = Referring(**{name: self._store.table(k) for name, k in _REFERRING.items()})  # type: ignore[arg-type]  # a table per kind, by `document`
        if self._referring is None or not _is_same(documents, self._referring):
            gates_changed = self._referring is None or self._referring.gates is not documents.gates
            self._referring = documents
            origins = secrets_of(documents)
            watched = self._settings.namespaces
            self._unwatched = tuple(
                _unwatched(key, origins.pop(key))
                for key in sorted(origins)
                if watched and key[0] not in watched
            )
            self._secrets.want(origins)
            if gates_changed:
                await self._read_files()

    async def _read_files(self) -> bool:
        """Reads the files that Gates name; whether they differ from before."""
        gates = tuple(cast("Iterable[GateDoc]", self._store.table(_REFERRING["gates"]).values()))
        async with self._reading_files:
            before = self._files
            if self._library is None:
                self._files = named_files.NamedFiles(found=[*map(_no_files, named_in(gates))])
            else:
                self._files = await asyncio.to_thread(self._library.read, gates)
            return before != self._files

    async def _look_at_files(self) -> None:
        """A mounted directory changes without a word: it is looked at now and then."""
        while True:
            await asyncio.sleep(self._settings.files_look)
            if self._files.named and await self._read_files():
                self._note()

    def _note(self) -> None:
        self._event.set()

    def _is_old(self, reflector: Reflector) -> bool:
        age_s = reflector.last_event_age_s
        return age_s is None or age_s > self._settings.stale


class _KindSink:
    """Reads what one reflector sees into the store."""

    def __init__(
        self,
        kind: registry.Kind,
        store: DocumentStore,
        on_change: Callable[[], None],
    ) -> None:
        self._kind = kind
        self._store = store
        self._on_change = on_change
        self._entries: dict[Key, StoredObject] = {}
        self._observed: dict[Key, tuple[api_json.ObjectMeta, bytes]] = {}

    def observed(self, key: Key) -> kube.Object | None:
        """The object as it was last seen, without what is read of it: metadata in part, and status."""
        seen = self._observed.get(key)
        if seen is None:
            return None
        meta, status = seen
        metadata: kube.Object = {"uid": meta.uid, "resourceVersion": meta.resource_version}
        return {"metadata": metadata, "status": api_json.plain(status)}

    async def take(self, changes: Sequence[Change], *, complete: bool) -> None:
        if len(changes) > _INLINE:
            entries = await asyncio.to_thread(self._read, changes)
        else:
            entries = self._read(changes)
        if complete:
            listed = {key for key, _ in entries}
            entries += [(key, None) for key in self._entries if key not in listed]
            self._observed = {}
        for change in changes:
            if change.item is None:
                self._observed.pop(change.key, None)
            else:
                self._observed[change.key] = (change.item.meta, bytes(change.item.status))
        is_shown = False
        for key, entry in entries:
            is_shown |= self._put(key, entry)
        if is_shown:
            self._on_change()

    def _put(self, key: Key, entry: StoredObject | None) -> bool:
        """Whether a World shows the difference."""
        if entry is self._entries.get(key):
            return False
        if entry is None:
            del self._entries[key]
        else:
            self._entries[key] = entry
        return self._store.put({objects.holder(self._kind, key): entry})

    def _read(self, changes: Sequence[Change]) -> list[tuple[Key, StoredObject | None]]:
        """What every changed object became, in this order. Only looks at what is known."""
        latest: dict[Key, StoredObject | None] = {}
        entries = []
        for key, item in ((change.key, change.item) for change in changes):
            before = latest[key] if key in latest else self._entries.get(key)
            latest[key] = None if item is None else objects.read(self._kind, item, before)
            entries.append((key, latest[key]))
        return entries


def _is_same(one: Referring, other: Referring) -> bool:
    return all(getattr(one, f.name) is getattr(other, f.name) for f in fields(Referring))


def _raise_failures(tasks: Sequence[asyncio.Task[None]]) -> None:
    """A reflector only ends by a defect, which the caller must see."""
    for task in tasks:
        if task.done():
            task.result()


def _not_served(kind: registry.Kind) -> findings.Finding:
    return describe("kind-not-served", kind=kind.kind, crd=f"{kind.plural}.{kind.group}")


def _unwatched(key: Key, origin: refs.Origin) -> findings.Finding:
    return describe("secret-unreadable.namespace", origin, secret="/".join(key), namespace=key[0])


def _no_files(place: tuple[GateDoc, named_files.Naming]) -> findings.Finding:
    doc, naming = place
    return describe("missing-file.no-folder", doc.origin(naming.path), file=naming.file)


def named_in(gates: Iterable[GateDoc]) -> Iterator[tuple[GateDoc, named_files.Naming]]:
    """Every file that Gates name, with the Gate that does."""
    return ((doc, naming) for doc in gates for naming in named_files.namings(doc.spec))
