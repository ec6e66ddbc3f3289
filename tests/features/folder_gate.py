"""A folder of documents, served: real source, compiler, control plane and xDS server, and one gate.

`FolderGate.write` and `remove` change documents as a person would and return what that changed at
the gate. The gate is a real delta client that takes everything and asks for what it was told of, as
Envoy does; every wait is for versions.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import extension_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from google.protobuf import json_format

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.core.findings import Finding, Severity
from gatereeve.core.records import ChangeRecord
from gatereeve.proxy.xds import events, session
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.snapshot import CDS, ECDS, EDS, LDS, RDS, SDS, SRDS
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.sources.folder.folder_source import FolderSource
from tests.features.xds_client import XdsClient, node
from tests.features.xds_serving import RealClock, short_directory
from tests.recording import MemoryRecorder, StillClock

KINDS: dict[snap.TypeUrl, Any] = {
    CDS: cluster_pb2.Cluster,
    EDS: endpoint_pb2.ClusterLoadAssignment,
    SDS: secret_pb2.Secret,
    LDS: listener_pb2.Listener,
    ECDS: extension_pb2.TypedExtensionConfig,
    SRDS: scoped_route_pb2.ScopedRouteConfiguration,
    RDS: route_pb2.RouteConfiguration,
}
BY_NAME = (EDS, SDS, ECDS, RDS)
GATE = "public"
_PROBES = itertools.count()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an edit changed at the gate. names: per type (`RDS`), what came, differs or went.

    The filter that carries the configuration's hash changes with every change and is left out.
    """

    names: Mapping[str, frozenset[str]]

    @property
    def types(self) -> set[str]:
        return set(self.names)


class FolderGate:
    """See the module. `messages`: what the gate holds, by type and name."""

    def __init__(
        self,
        folder: Path,
        *,
        plane: ControlPlane,
        server: AdsServer,
        client: XdsClient,
        clock: StillClock,
        recorder: MemoryRecorder,
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.plane = plane
        self.messages: dict[snap.TypeUrl, dict[str, Any]] = {kind: {} for kind in KINDS}
        self._recorder = recorder
        self._server = server
        self._client = client
        self._source = FolderSource(folder, clock)
        self._held: dict[snap.TypeUrl, dict[str, str]] = {kind: {} for kind in KINDS}
        self._asked: dict[snap.TypeUrl, set[str]] = {kind: set() for kind in BY_NAME}
        self.judge: Callable[[Any], str] = lambda _message: ""
        """What the gate says against a message; a response with one such message is rejected whole."""

    async def write(self, **files: str) -> Change:
        """Write files (`model=…` is model.yaml), then bring the gate to what they say."""
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(textwrap.dedent(text))
        return await self.follow()

    async def edit(self, name: str, old: str, new: str) -> Change:
        """`old`, which must be there, becomes `new`."""
        path = self.folder / f"{name}.yaml"
        before = path.read_text()
        assert old in before, f"{old!r} does not stand in {path.name}"
        path.write_text(before.replace(old, new))
        return await self.follow()

    async def remove(self, *names: str) -> Change:
        for name in names:
            (self.folder / f"{name}.yaml").unlink()
        return await self.follow()

    async def apply(self, **files: str) -> None:
        """Write files and publish what they say; `follow_on` takes what comes."""
        for name, text in files.items():
            (self.folder / f"{name}.yaml").write_text(textwrap.dedent(text))
        await self.plane.apply(self._source.read())

    async def follow_on(self) -> None:
        """Take whatever comes, and judge it, until cancelled."""
        while True:
            await self._step()

    @property
    def is_in_step(self) -> bool:
        """Whether the gate holds what it is served, and nothing is to be tried any more."""
        view = self._server.served(GATE)
        return (
            view is not None
            and view.is_whole()
            and not self.plane.is_searching
            and all(self._held[kind] == dict(view.types[kind].versions) for kind in KINDS)
        )

    async def follow(self) -> Change:
        """Read the folder, apply it, and let the gate take what comes."""
        before = {kind: dict(held) for kind, held in self._held.items()}
        await self.plane.apply(self._source.read())
        view = self._server.served(GATE)
        assert view is not None
        while any(self._held[kind] != dict(view.types[kind].versions) for kind in KINDS):
            await self._step()
        for _ in range(2):  # what follows the first answer, the second one follows
            await self._drain()
        assert all(self._held[kind] == dict(view.types[kind].versions) for kind in KINDS)
        return Change(names=dict(_differing(before, self._held)))

    async def start(self) -> None:
        for kind in (CDS, LDS, SRDS):
            await self._client.send(kind, subscribe=["*"])

    async def _drain(self) -> None:
        """Take all that is still to come: until the answer about a name that does not exist."""
        name = f"probe-{next(_PROBES)}"
        await self._client.send(ECDS, subscribe=[name])
        while name not in (await self._step()).removed_resources:
            pass

    async def _step(self) -> Any:
        response = await self._client.next()
        kind = response.type_url
        sent = [KINDS[kind].FromString(resource.resource.value) for resource in response.resources]
        complaint = next((found for message in sent if (found := self.judge(message))), "")
        if complaint:
            await self._client.nack(response, complaint)
            return response
        for resource in response.resources:
            self.messages[kind][resource.name] = KINDS[kind].FromString(resource.resource.value)
            self._held[kind][resource.name] = resource.version
        for name in response.removed_resources:
            self.messages[kind].pop(name, None)
            self._held[kind].pop(name, None)
        await self._client.ack(response)
        await self._ask()
        return response

    async def _ask(self) -> None:
        """Subscribe to what the gate's messages refer to, and to nothing else."""
        wanted: dict[snap.TypeUrl, set[str]] = {kind: set() for kind in BY_NAME}
        for kind in (CDS, LDS):
            for message in self.messages[kind].values():
                for needed, name in snap.needs_of(message):
                    wanted[needed].add(name)
        wanted[RDS] = {scope.route_configuration_name for scope in self.messages[SRDS].values()}
        for kind, names in wanted.items():
            new, gone = names - self._asked[kind], self._asked[kind] - names
            if new or gone:
                await self._client.send(kind, subscribe=sorted(new), unsubscribe=sorted(gone))
            for name in gone:
                self.messages[kind].pop(name, None)
                self._held[kind].pop(name, None)
            self._asked[kind] = names

    @property
    def hash(self) -> str:
        return self.plane.runs[GATE].gate.hash

    def findings(self, *, errors_only: bool = False) -> set[str]:
        return {str(f.code) for f in self.all_findings()
                if not errors_only or f.severity is Severity.ERROR}  # fmt: skip

    def all_findings(self) -> tuple[Finding, ...]:
        return self.plane.all_findings()

    @property
    def changes(self) -> list[ChangeRecord]:
        return [r for r in self._recorder.kept if isinstance(r, ChangeRecord)]

    def host(self, name: str, listener: str = "https") -> dict[str, Any] | None:
        """The virtual host of that name, as plain JSON; None when nobody serves it."""
        for configuration, message in self.messages[RDS].items():
            if configuration.startswith(f"{listener}/"):
                for host in message.virtual_hosts:
                    if host.name == name:
                        return plain(host)
        return None

    def rows(self, name: str, listener: str = "https") -> dict[str, dict[str, Any]]:
        """The routes of a host by name; of several with one name the last, which does the work."""
        host = self.host(name, listener)
        assert host is not None, f"{name} is not served"
        return {row["name"]: row for row in host["routes"]}

    def row(self, host: str, ending: str, listener: str = "https") -> dict[str, Any]:
        """The one route of a host whose name ends so."""
        rows = self.rows(host, listener)
        (found,) = (row for name, row in rows.items() if name.endswith(ending))
        return found


def plain(message: Any) -> dict[str, Any]:
    """A message as JSON with the field names of its definition."""
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def code(row: dict[str, Any]) -> str | None:
    """The refusal code that a row answers with, if it refuses."""
    if "direct_response" not in row:
        return None
    found: str = row["metadata"]["filter_metadata"]["gatereeve"]["code"]
    return found


def clusters(row: dict[str, Any]) -> dict[str, int]:
    """Where a row forwards to: cluster → weight (1 when there is but one)."""
    action = row["route"]
    if "cluster" in action:
        return {action["cluster"]: 1}
    return {c["name"]: c.get("weight", 0) for c in action["weighted_clusters"]["clusters"]}


def policies(value: object) -> set[str]:
    """The rules that stand in any RBAC filter below `value`, as `shop/offers/allow[0]`."""
    return {key.rpartition("|")[2] for found in _under(value, "policies") for key in found}


def allowing(row: dict[str, Any]) -> set[str]:
    """The rules that admit callers to this row."""
    allow = row.get("typed_per_filter_config", {}).get("gatereeve.allow", {})
    return policies(allow.get("rbac", {}).get("rules", {}))


def buckets(value: object) -> list[tuple[int, str]]:
    """(tokens, per interval) of every caller's bucket below `value`."""
    return [(d["token_bucket"]["max_tokens"], d["token_bucket"]["fill_interval"])
            for found in _under(value, "descriptors") for d in found]  # fmt: skip


def _under(value: object, key: str) -> Iterator[Any]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _under(inner, key)
    elif isinstance(value, list):
        for inner in value:
            yield from _under(inner, key)


def _differing(
    before: Mapping[snap.TypeUrl, dict[str, str]], after: Mapping[snap.TypeUrl, dict[str, str]]
) -> Iterator[tuple[str, frozenset[str]]]:
    for kind in KINDS:
        names = {name for name, _ in before[kind].items() ^ after[kind].items()}
        if names - {"gatereeve.gate"}:
            yield snap.short_name(kind), frozenset(names - {"gatereeve.gate"})


@contextlib.asynccontextmanager
async def serving_folder(folder: Path, **files: str) -> AsyncIterator[FolderGate]:
    """A gate that has taken what these files say."""
    async with connected(folder) as gate:
        await gate.write(**files)
        yield gate


@contextlib.asynccontextmanager
async def connected(folder: Path) -> AsyncIterator[FolderGate]:
    """A gate that has asked for everything, and has got nothing yet."""
    clock, recorder = StillClock(), MemoryRecorder()
    planes: list[ControlPlane] = []

    def observe(event: events.GateEvent) -> None:
        for plane in planes:
            plane.observe(event)

    with short_directory() as directory:
        place = directory / "xds.sock"
        settings = AdsSettings(socket=place, discipline=session.Discipline(grace_s=0))
        async with AdsServer(settings, clock=RealClock(), observer=observe) as server:
            changes = ChangeRecords(recorder, clock)
            plane = ControlPlane(
                clock=clock,
                server=server,
                changes=changes,
                documents=DocumentRecords(
                    changes, clock, Digests(directory / "d"), DeletionLog(clock)
                ),
                reserve_address=lambda _gate: "",
                on_gates=lambda _gates: None,
                on_active=lambda _name: None,
            )
            planes.append(plane)
            server.add_gate(GATE)
            async with XdsClient(place, as_node=node(GATE)) as client:
                gate = FolderGate(
                    folder,
                    plane=plane,
                    server=server,
                    client=client,
                    clock=clock,
                    recorder=recorder,
                )
                await gate.start()
                yield gate
