"""One local Envoy per Gate: started when the Gate appears, drained when it goes.

Which Envoys run follows from the compiled gates; what they serve comes over xDS.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial

from gatereeve.core.protocols import Clock
from gatereeve.ir.gates import Gate
from gatereeve.proxy import bootstrap, local
from gatereeve.proxy.admin import Admin
from gatereeve.runtime.settings import Settings
from gatereeve.runtime.supervise import Supervisor

_LOG = logging.getLogger(__name__)

REPLICA = "local"

Beside = Callable[[str, Admin], Coroutine[None, None, None]]


def envoy_version() -> str:
    """The version of the Envoy that `up` would start. Raises ProxyError when there is none."""
    return asyncio.run(local.find_envoy()).version


@dataclass(slots=True, kw_only=True)
class ProxyState:
    """What is known about one process; for status."""

    pid: int | None = None
    restarts: int = 0
    ready: bool = False


class Fleet:
    """The Envoys of this machine. `follow` is told which gates there are."""

    def __init__(
        self,
        settings: Settings,
        *,
        binary: local.EnvoyBinary,
        supervisor: Supervisor,
        clock: Clock,
        on_death: Callable[[str], None],
    ) -> None:
        self.states: dict[str, ProxyState] = {}
        self._settings = settings
        self._binary = binary
        self._supervisor = supervisor
        self._clock = clock
        self._on_death = on_death
        self._stops: dict[str, asyncio.Event] = {}
        self._ended: dict[str, asyncio.Event] = {}

    def follow(self, gates: tuple[Gate, ...], beside: Beside) -> None:
        """Start what is new, stop what is gone. beside: runs beside each Envoy while it lives."""
        wanted = {gate.name for gate in gates}
        for name in wanted - self._stops.keys():
            self._stops[name], self._ended[name] = asyncio.Event(), asyncio.Event()
            self._supervisor.once(f"envoy {name}", partial(self._run, name, beside))
        for name in self._stops.keys() - wanted:
            self._stops.pop(name).set()

    async def stop(self) -> None:
        """Drain and end every Envoy; returns when none is left."""
        ended = list(self._ended.values())
        for name in list(self._stops):
            self._stops.pop(name).set()
        for event in ended:
            await event.wait()

    async def _run(self, name: str, beside: Beside) -> None:
        stop, ended = self._stops[name], self._ended[name]
        state = self.states[name] = ProxyState()
        settings = self._local_settings(name)
        try:
            async with local.LocalEnvoy(
                settings, clock=self._clock, observer=self._observer(name, state)
            ) as process:
                await process.wait_ready(self._settings.startup_s)
                state.ready = True
                async with Admin(settings.admin) as admin, asyncio.TaskGroup() as tasks:
                    beside_task = tasks.create_task(beside(name, admin), name=f"beside {name}")
                    await stop.wait()
                    beside_task.cancel()
        finally:
            self.states.pop(name, None)
            ended.set()
            self._ended.pop(name, None)

    def _local_settings(self, name: str) -> local.LocalSettings:
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
            )
        )
        return local.LocalSettings(
            binary=self._binary.path,
            bootstrap=bootstrap.to_json(message),
            run_dir=run_dir,
            admin=admin,
            concurrency=self._settings.concurrency,
            drain_s=self._settings.drain_s,
        )

    def _observer(self, name: str, state: ProxyState) -> local.EnvoyObserver:
        def observe(event: local.EnvoyEvent, /) -> None:
            if isinstance(event, local.Started):
                state.pid = event.pid
                return
            state.pid = None
            if isinstance(event, local.Died):
                state.restarts += 1
                _LOG.warning("envoy ended with %s; again in %.1f s", event.code, event.restart_in_s)
                self._on_death(name)

        return observe
