"""`up`: everything on this machine — documents, control plane, xDS, Envoys, records, status.

A table of contents: construct, connect, start; then wait for the end, and stop in the reverse
order: gates drain first, records are written to the last, then the servers go.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.api.world import World
from gatereeve.core.protocols import Clock
from gatereeve.intake import loss
from gatereeve.intake.access_log import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.ledger.jsonl import JsonLines, open_store
from gatereeve.proxy import bootstrap
from gatereeve.proxy.activation import AdminVerifier
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds.events import GateEvent, Nacked
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime import control_socket, garbage_collection, ports
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_loop import ControlLoop
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.runtime.expiry_timer import ExpiryTimer
from gatereeve.runtime.folder_reader import check_readable
from gatereeve.runtime.governed_addresses import FileStore, GovernedAddresses
from gatereeve.runtime.key_set_cache import KeySetCache
from gatereeve.runtime.last_documents import LastDocuments
from gatereeve.runtime.last_good_saver import LastGoodSaver
from gatereeve.runtime.local_gates import REPLICA, LocalGates, Work
from gatereeve.runtime.settings import Settings, prepare_state
from gatereeve.runtime.signals import stop_event
from gatereeve.runtime.status import status_of
from gatereeve.runtime.supervise import Supervisor, SystemClock
from gatereeve.sources.folder.folder_source import FolderSource
from gatereeve.sources.jwks import KeySets
from gatereeve.sources.watch import Watch

_LOG = logging.getLogger(__name__)

Announce = Callable[[ControlLoop], None]
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
    _LOG.info("reading %s; state and records in %s", settings.folder, settings.state.root)
    garbage_collection.begin()
    try:
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group)
            house = UpProcess(
                settings, clock, recorder, binary, supervisor, announce, GovernedAddresses(memory)
            )
            await house.live(stop)
    finally:
        recorder.close()


class UpProcess:
    """The parts of one running Gatereeve and how they are connected."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        recorder: JsonLines,
        binary: envoy_process.EnvoyBinary,
        supervisor: Supervisor,
        announce: Announce,
        governed: GovernedAddresses,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._supervisor = supervisor
        self._announce = announce
        self._intake = AccessLog(recorder, clock=clock)
        self._server = AdsServer(
            AdsSettings(
                socket=settings.state.xds_socket,
                discipline=Discipline(grace_s=settings.removal_grace_s),
            ),
            clock=clock,
            observer=self._observe,
            register=(self._intake.add_to,),
        )
        self._ports = ports.Ports()
        self._changes = ChangeRecords(recorder, clock)
        self._digests = Digests(settings.state.documents)
        self._digests.load()
        self._plane = ControlLoop(
            clock=clock,
            server=self._server,
            changes=self._changes,
            documents=DocumentRecords(self._changes, clock, self._digests, DeletionLog(clock)),
            find_place=self._ports.take,
            on_gates=self._follow,
            on_active=self._tell,
            governed=governed,
        )
        self._fleet = LocalGates(
            settings,
            binary=binary,
            supervisor=supervisor,
            clock=clock,
            on_start=self._plane.started,
            on_death=self._died,
            on_stop=self._plane.ended,
        )
        keys = KeySetCache(settings.state.key_sets)
        self._keys = KeySets(self._wake, clock, remembered=keys.load(), remember=keys.save)
        memory = LastDocuments(settings.state.folder, settings.folder)
        self._watch = Watch(
            FolderSource(settings.folder, clock, retrieved=self._keys.retrieved, memory=memory)
        )
        self._windows = ExpiryTimer(clock, lambda: self._plane.next_change, self._wake)
        self._keeper = LastGoodSaver(settings.state, self._server, self._plane)

    async def live(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end, stop everything."""
        self._keeper.remember()
        async with self._server:
            keep = self._supervisor.keep
            keep("documents", partial(self._watch.run, self._apply))
            keep("key sets", self._keys.run)
            keep("validity windows", self._windows.run)
            keep("last good", self._keeper.run)
            keep("noted documents", self._digests.run)
            keep(
                "control socket",
                partial(control_socket.serve, self._settings.state.control_socket, self._status),
            )
            await stop.wait()
            await self._fleet.stop()
            self._ports.close()
            self._supervisor.cancel()
        await self._intake.aclose()
        self._changes.flush()

    async def _apply(self, world: World) -> None:
        world = self._keys.want(world)
        await self._plane.apply(world)
        garbage_collection.settle()
        self._windows.applied()
        self._tell()

    def _follow(self, gates: tuple[Gate, ...]) -> None:
        self._ports.keep(gates)
        self._intake.follow(gates)
        self._fleet.follow(gates, self._beside)

    def _beside(self, name: str, admin: Admin) -> Mapping[str, Work]:
        """Beside each Envoy: it proves what it runs, and no record of it is lost unnoticed."""
        read = partial(admin.numbers, loss.STATS)
        node = bootstrap.node_id(name, REPLICA)
        return {
            "proof": partial(self._plane.prove, name, node, AdminVerifier(admin)),
            "records": partial(self._intake.reconcile, name, node, read),
        }

    def _died(self, name: str, reason: str) -> None:
        self._intake.restarted(name, bootstrap.node_id(name, REPLICA))
        self._plane.ended(name, reason)

    def _observe(self, event: GateEvent) -> None:
        self._plane.observe(event)
        if isinstance(event, Nacked):
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self, _gate: str = "") -> None:
        self._announce(self._plane)
        self._keeper.changed()

    def _wake(self) -> None:
        self._watch.wake()

    def _status(self) -> dict[str, object]:
        return status_of(
            self._settings.folder,
            self._plane,
            self._fleet,
            self._intake,
            self._supervisor.failures,
        )
