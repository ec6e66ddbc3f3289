"""`up`: everything on this machine — documents, control plane, xDS, Envoys, records, status.

A table of contents: construct, connect, start; then wait for the end, and stop in the reverse
order: gates drain first, records are written to the last, then the servers go.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from functools import partial

from gatereeve.api.world import World
from gatereeve.core.protocols import Clock
from gatereeve.intake import loss
from gatereeve.intake.accesslog import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.ledger.jsonl import JsonLines, open_store
from gatereeve.proxy import bootstrap, local
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.xds.events import GateEvent
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime import control, last_good
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.proxies import REPLICA, Fleet
from gatereeve.runtime.settings import Settings, prepare_state
from gatereeve.runtime.status import status_of
from gatereeve.runtime.supervise import Supervisor, SystemClock
from gatereeve.sources.files import FolderSource
from gatereeve.sources.jwks import KeySets
from gatereeve.sources.watch import Watch

_SAVE_EVERY_S = 5.0

Announce = Callable[[ControlPlane], None]
"""Called whenever something changed that a person at the terminal wants to know."""


async def up(settings: Settings, announce: Announce) -> None:
    """Serve the folder until SIGINT or SIGTERM.

    Raises SettingsError, SourceError, ProxyMissingError or RecordError when it cannot start.
    """
    prepare_state(settings.state)
    clock = SystemClock()
    binary = await local.find_envoy()
    recorder = open_store(settings.state.root, clock)
    try:
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group)
            house = _House(settings, clock, recorder, binary, supervisor, announce)
            await house.live()
    finally:
        recorder.close()


class _House:
    """The parts of one running Gatereeve and how they are connected."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        recorder: JsonLines,
        binary: local.EnvoyBinary,
        supervisor: Supervisor,
        announce: Announce,
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
        self._fleet = Fleet(
            settings, binary=binary, supervisor=supervisor, clock=clock, on_death=self._died
        )
        self._plane = ControlPlane(
            clock=clock,
            server=self._server,
            recorder=recorder,
            on_gates=self._follow,
            on_active=self._tell,
        )
        self._keys = KeySets(self._wake)
        self._watch = Watch(FolderSource(settings.folder, clock, retrieved=self._keys.retrieved))
        self._world_applied = asyncio.Event()
        self._unsaved = asyncio.Event()

    async def live(self) -> None:
        """Start everything, wait for the end, stop everything."""
        stop = _stop_event()
        self._remember_last_good()
        async with self._server:
            keep = self._supervisor.keep
            keep("documents", partial(self._watch.run, self._apply))
            keep("key sets", self._keys.run)
            keep("validity windows", self._wake_in_time)
            keep("last good", self._save_last_good)
            keep(
                "control socket",
                partial(control.serve, self._settings.state.control_socket, self._status),
            )
            await stop.wait()
            await self._fleet.stop()
            self._supervisor.cancel()
        await self._intake.aclose()

    async def _apply(self, world: World) -> None:
        self._keys.want(world)
        await self._plane.apply(world)
        self._world_applied.set()
        self._tell()

    def _follow(self, gates: tuple[Gate, ...]) -> None:
        self._intake.follow(gates)
        self._fleet.follow(gates, self._beside)

    async def _beside(self, name: str, admin: Admin) -> None:
        """Runs while this gate's Envoy lives: it proves what it runs, and nothing of it is lost."""
        read = partial(admin.gauges, loss.STATS)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._plane.prove(name, admin), name=f"prove {name}")
            tasks.create_task(
                self._intake.reconcile(name, bootstrap.node_id(name, REPLICA), read),
                name=f"reconcile {name}",
            )

    def _died(self, name: str) -> None:
        self._intake.restarted(name, bootstrap.node_id(name, REPLICA))
        self._plane.restarted(name)

    def _observe(self, event: GateEvent) -> None:
        self._plane.observe(event)

    def _tell(self, _gate: str = "") -> None:
        self._announce(self._plane)
        self._unsaved.set()

    async def _save_last_good(self) -> None:
        """Keeps what gates accepted, off the loop and not more often than every few seconds."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            for name, run in self._plane.runs.items():
                good = self._server.last_good(name)
                if good is not None and run.active == run.gate.hash:
                    path = self._settings.state.last_good(name)
                    await asyncio.to_thread(last_good.save, path, good)
            await asyncio.sleep(_SAVE_EVERY_S)

    def _remember_last_good(self) -> None:
        for path in sorted(self._settings.state.last_good_files()):
            found = last_good.load(path)
            if found is not None:
                self._server.remember(path.stem, found)

    def _wake(self) -> None:
        self._watch.wake()

    def _status(self) -> dict[str, object]:
        return status_of(self._plane, self._fleet, self._intake)

    async def _wake_in_time(self) -> None:
        """Compiles again when a validity window closes; the proxy itself knows no time."""
        while True:
            await self._world_applied.wait()
            self._world_applied.clear()
            due = self._plane.next_change
            if due is None:
                continue
            seconds = (due - self._clock.now()).total_seconds()
            try:
                async with asyncio.timeout(max(seconds, 0.0)):
                    await self._world_applied.wait()
            except TimeoutError:
                self._watch.wake()


def _stop_event() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
