"""One local Envoy per Gate: started when the Gate appears, drained when it goes.

Which Envoys run follows from the compiled gates; what they serve comes over xDS. Nothing that fails
beside an Envoy ends it, and one that cannot be started is tried again.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.ir.gates import Gate
from gatereeve.proxy import bootstrap, drain
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.runtime.settings import Settings
from gatereeve.runtime.supervise import Supervisor

_LOG = EventLog(__name__)

REPLICA = "local"

Work = Callable[[], Awaitable[None]]
Beside = Callable[[str, Admin], Mapping[str, Work]]
"""What runs beside the Envoy of a Gate while it lives, by name; a failure there does not end it."""


def envoy_version() -> str:
    """The version of the Envoy that `up` would start. Raises ProxyError when there is none."""
    return asyncio.run(envoy_process.find_envoy()).version


@dataclass(slots=True, kw_only=True)
class ProxyState:
    """What is known about the process of one Gate; for status. pid: None between two lives."""

    pid: int | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Life:
    """The Envoy of one Gate, from the document's coming to its going.

    idle: no process runs. before: the one whose place this one takes; it must be idle first.
    """

    state: ProxyState = field(default_factory=ProxyState)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    before: asyncio.Event | None = None


class LocalGates:
    """The Envoys of this machine. `follow` takes the gates that there are.

    on_start: the Envoy of a Gate started. on_death, on_stop: it ended by itself, or because it was
    to, and how.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        binary: envoy_process.EnvoyBinary,
        supervisor: Supervisor,
        clock: Clock,
        on_start: Callable[[str], None],
        on_death: Callable[[str, str], None],
        on_stop: Callable[[str, str], None],
    ) -> None:
        self._settings = settings
        self._binary = binary
        self._supervisor = supervisor
        self._clock = clock
        self._on_start = on_start
        self._on_death = on_death
        self._on_stop = on_stop
        self._lives: dict[str, _Life] = {}
        self._leaving: dict[str, asyncio.Event] = {}

    @property
    def states(self) -> Mapping[str, ProxyState]:
        """By Gate."""
        return {name: life.state for name, life in self._lives.items()}

    def follow(self, gates: tuple[Gate, ...], beside: Beside) -> None:
        """Start what is new, stop what is gone."""
        wanted = {gate.name for gate in gates}
        for name in self._lives.keys() - wanted:
            self._leave(name)
        for name in wanted - self._lives.keys():
            life = self._lives[name] = _Life(before=self._leaving.get(name))
            life.idle.set()
            self._supervisor.keep(f"envoy {name}", partial(self._live, name, life, beside))

    async def stop(self) -> None:
        """Drain and end every Envoy; returns when none is left."""
        for name in list(self._lives):
            self._leave(name)
        for idle in self._leaving.values():
            await idle.wait()

    def _leave(self, name: str) -> None:
        life = self._lives.pop(name)
        life.stop.set()
        self._leaving[name] = life.idle

    async def _live(self, name: str, life: _Life, beside: Beside) -> None:
        """Returns when the Gate is gone; after a failure the supervisor begins again."""
        if life.before is not None:
            await life.before.wait()  # both would use the same files
        if life.stop.is_set():
            return
        life.idle.clear()
        try:
            await self._serve(name, life, beside)
        finally:
            life.state.pid = None
            life.idle.set()

    async def _serve(self, name: str, life: _Life, beside: Beside) -> None:
        settings = self._local_settings(name)
        observer = partial(self._observe, name, life.state, settings)
        async with (
            Admin(settings.admin) as admin,
            envoy_process.LocalEnvoy(settings, clock=self._clock, observer=observer),
        ):
            tasks = [self._supervisor.keep(f"{what} {name}", work)
                     for what, work in beside(name, admin).items()]  # fmt: skip
            try:
                await life.stop.wait()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)

    def _local_settings(self, name: str) -> envoy_process.LocalSettings:
        paths = self._settings.state
        run_dir = paths.gate_directory(name)
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        admin = paths.admin_socket(name)
        message = bootstrap.build(
            bootstrap.BootstrapSettings(
                gate=name,
                replica=REPLICA,
                xds=bootstrap.Upstream(socket=paths.xds_socket),
                admin=admin,
                connections=self._settings.max_connections,
                heap_bytes=self._settings.heap_bytes,
            )
        )
        return envoy_process.LocalSettings(
            binary=self._binary.path,
            bootstrap=bootstrap.to_json(message),
            run_dir=run_dir,
            admin=admin,
            concurrency=self._settings.concurrency,
            draining=drain.Draining(longest_s=self._settings.drain_s),
        )

    def _observe(
        self,
        name: str,
        state: ProxyState,
        settings: envoy_process.LocalSettings,
        event: envoy_process.EnvoyEvent,
        /,
    ) -> None:
        if isinstance(event, envoy_process.Starting):
            return
        if isinstance(event, envoy_process.Started):
            state.pid = event.pid
            self._on_start(name)
            return
        state.pid = None
        if isinstance(event, envoy_process.Stopped):
            self._on_stop(name, "it was stopped by force" if event.forced else "it was stopped")
            return
        state.restarts += 1
        why = _ended(event.code)
        _LOG.warning(
            "envoy_ended", gate=name, reason=why, restart_in_s=event.restart_in_s, log=settings.log
        )
        self._on_death(name, why)


def _ended(code: int) -> str:
    if code >= 0:
        return f"its Envoy ended with status {code}"
    try:
        return f"its Envoy was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its Envoy was ended by signal {-code}"
