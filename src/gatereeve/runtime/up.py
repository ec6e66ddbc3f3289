"""`up`: everything on this machine — documents, control plane, xDS, Envoys, records, status.

A table of contents: construct, connect, start; then wait for the end, and stop in the reverse
order: gates drain first, records are written to the last, then the servers go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.intake import loss
from gatereeve.intake.access_log import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.ledger.store import LedgerStore, open_store
from gatereeve.proxy import bootstrap
from gatereeve.proxy.activation import AdminVerifier
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds.events import GateEvent
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime import garbage_collection, ports
from gatereeve.runtime.control_loop import ControlLoop
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.environment import BackgroundTask
from gatereeve.runtime.folder_reader import check_readable
from gatereeve.runtime.governed_addresses import FileStore, GovernedAddresses
from gatereeve.runtime.key_set_cache import KeySetCache
from gatereeve.runtime.last_documents import LastDocuments
from gatereeve.runtime.ledger_commits import commit_records
from gatereeve.runtime.local_gates import REPLICA, LocalGates
from gatereeve.runtime.settings import Settings, prepare_state
from gatereeve.runtime.signals import stop_event
from gatereeve.runtime.status import status_of
from gatereeve.runtime.supervise import Supervisor, SystemClock
from gatereeve.sources.folder.folder_source import FolderSource
from gatereeve.sources.jwks import KeySets
from gatereeve.sources.watch import Watch

_LOG = EventLog(__name__)

Announce = Callable[[ControlPlane], None]
"""Called whenever something changed that a person at the terminal wants to know."""


async def up(settings: Settings, announce: Announce) -> None:
    """Serve the folder until SIGINT, SIGTERM or SIGHUP; a second one ends at once.

    Raises SettingsError, SourceError, ProxyMissingError or RecordError when it cannot start.
    """
    check_readable(settings.folder)
    stop = stop_event(f"open requests have up to {settings.drain_s:.0f} s")
    prepare_state(settings.state)
    memory = FileStore(settings.state.governed, used=settings.state.documents.exists())
    memory.read()
    clock = SystemClock()
    binary = await envoy_process.find_envoy()
    recorder = open_store(settings.state.root, clock)
    _LOG.info("reading", folder=settings.folder, state=settings.state.root)
    garbage_collection.begin()
    try:
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group)
            process = UpProcess(
                settings, clock, recorder, binary, supervisor, announce, GovernedAddresses(memory)
            )
            await process.run(stop)
    finally:
        recorder.close()


class UpProcess:
    """The parts of one running Gatereeve and how they are connected."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        recorder: LedgerStore,
        binary: envoy_process.EnvoyBinary,
        supervisor: Supervisor,
        announce: Announce,
        governed: GovernedAddresses,
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._store = recorder
        self._intake = AccessLog(recorder, clock=clock)
        server = AdsServer(
            AdsSettings(
                socket=settings.state.xds_socket,
                discipline=Discipline(grace_s=settings.removal_grace_s),
            ),
            clock=clock,
            observer=self._observe,
            register=(self._intake.add_to,),
        )
        self._server = server
        self._ports = ports.Ports()
        cache = KeySetCache(settings.state.key_sets)
        keys = KeySets(self._wake, clock, remembered=cache.load(), remember=cache.save)
        last = LastDocuments(settings.state.folder, settings.folder)
        self._source = Watch(
            FolderSource(settings.folder, clock, retrieved=keys.retrieved, memory=last)
        )
        self._loop = ControlLoop(
            state=settings.state,
            clock=clock,
            recorder=recorder,
            server=server,
            source=self._source,
            keys=keys,
            deletions=DeletionLog(clock),
            governed=governed,
            reserve_address=self._ports.take,
            on_gates=self._follow,
            on_change=announce,
        )
        self._local_gates = LocalGates(
            settings,
            binary=binary,
            supervisor=supervisor,
            clock=clock,
            on_start=self._loop.plane.started,
            on_death=self._note_death,
            on_stop=self._loop.plane.ended,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end, stop everything."""
        self._loop.remember()
        async with self._server:
            self._supervisor.keep("ledger", partial(commit_records, self._store))
            self._loop.start(self._supervisor)
            self._loop.serve_status(self._supervisor, self._status)
            await stop.wait()
            await self._local_gates.stop()
            self._ports.close()
            self._supervisor.cancel()
        await self._intake.aclose()
        self._loop.changes.flush()

    def _follow(self, gates: tuple[Gate, ...]) -> None:
        self._ports.keep(gates)
        self._intake.follow(gates)
        self._local_gates.follow(gates, self._tasks_of)

    def _tasks_of(self, name: str, admin: Admin) -> Mapping[str, BackgroundTask]:
        """What runs for each Envoy: it proves what it runs, and its lost records are counted."""
        read = partial(admin.numbers, loss.STATS)
        node = bootstrap.node_id(name, REPLICA)
        return {
            "proof": partial(self._loop.plane.prove, name, node, AdminVerifier(admin)),
            "records": partial(self._intake.reconcile, name, node, read),
        }

    def _note_death(self, name: str, reason: str) -> None:
        self._intake.restarted(name, bootstrap.node_id(name, REPLICA))
        self._loop.plane.ended(name, reason)

    def _observe(self, event: GateEvent) -> None:
        self._loop.observe(event)

    def _wake(self) -> None:
        self._source.wake()

    def _status(self) -> dict[str, object]:
        return status_of(
            self._settings.folder,
            self._loop.plane,
            self._local_gates,
            self._intake,
            self._supervisor.failures,
        )
