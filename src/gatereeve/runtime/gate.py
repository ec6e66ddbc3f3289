"""`gate`: one Envoy in a pod of its own, its configuration from controllers elsewhere.

A table of contents: construct, connect, start; then wait for the end, and drain. The gate is ready
only once its Envoy runs a whole configuration; without controllers it keeps what it has, and one
that never had any refuses everybody. Envoy ends with this process, whichever way.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import chain

from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.pki.mounted import MountedCertificates
from gatereeve.proxy import activation, agent, bootstrap, drain
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.runtime import envoy_lifecycle, metrics, web
from gatereeve.runtime.readiness import Readiness
from gatereeve.runtime.settings import GateSettings, prepare
from gatereeve.runtime.signals import stop_event, unless_stopped
from gatereeve.runtime.supervise import Supervisor, SystemClock

_LOG = EventLog(__name__)


async def gate(settings: GateSettings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP, then drain; a second one ends at once.

    Raises SettingsError or ProxyMissingError when it cannot start.
    """
    stop = stop_event(f"clients have up to {settings.drain_longest_s:.0f} s to leave")
    paths = settings.paths
    prepare(paths.root, paths.envoy, hint="name another --run")
    binary = await envoy_process.find_envoy()
    async with asyncio.TaskGroup() as group:
        process = GateProcess(settings, SystemClock(), binary, Supervisor(group))
        await process.run(stop)


class GateProcess:
    """The parts of one running gate and how they are connected."""

    def __init__(
        self,
        settings: GateSettings,
        clock: Clock,
        binary: envoy_process.EnvoyBinary,
        supervisor: Supervisor,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._binary = binary
        self._supervisor = supervisor
        self._certificates = MountedCertificates(settings.certificates)
        self._admin = Admin(settings.paths.admin_socket)
        self._readiness = Readiness(self._admin)
        self._restarts = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end, drain, stop everything."""
        keep = self._supervisor.keep
        with web.listen(self._settings.http) as place:
            async with self._admin:
                keep("health", partial(web.serve_health, place, self._unready, self._measure))
                if await unless_stopped(stop, self._certificates.wait_ready()):
                    await self._serve(stop)
                await self._supervisor.end()

    async def _serve(self, stop: asyncio.Event) -> None:
        keep = self._supervisor.keep
        keep("readiness", self._readiness.run)
        keep("agent", self._answer)
        settings = self._local_settings()
        async with envoy_process.LocalEnvoy(settings, clock=self._clock, observer=self._observe):
            await stop.wait()
            self._readiness.leaving()
        self._settings.paths.life.unlink(missing_ok=True)

    def _local_settings(self) -> envoy_process.LocalSettings:
        settings, paths = self._settings, self._settings.paths
        tls = bootstrap.TlsFiles(
            certificates=settings.certificates.absolute(),
            secrets=paths.envoy,
            name=settings.server_name,
        )
        for path, text in bootstrap.secret_files(tls).items():
            path.write_text(text)
        message = bootstrap.build(
            bootstrap.BootstrapSettings(
                gate=settings.gate,
                replica=settings.replica,
                xds=bootstrap.Upstream(
                    hosts=tuple(map(web.split_address, settings.controllers)), tls=tls
                ),
                records=bootstrap.Upstream(socket=paths.records_socket),
                admin=paths.admin_socket,
                zone=settings.zone,
                agent_port=web.split_address(settings.agent)[1],
                connections=settings.max_connections,
                heap_bytes=settings.heap_bytes,
            )
        )
        return envoy_process.LocalSettings(
            binary=self._binary.path,
            bootstrap=bootstrap.to_json(message),
            run_dir=paths.envoy,
            admin=paths.admin_socket,
            concurrency=settings.concurrency,
            own_log=False,
            draining=drain.Draining(
                least_s=settings.drain_least_s,
                longest_s=settings.drain_longest_s,
                connections=True,
            ),
        )

    async def _answer(self) -> None:
        """The agent, for as long as we run."""
        prover = activation.AdminVerifier(self._admin)
        async with agent.serve(self._settings.agent, self._certificates.tls, prover):
            await asyncio.Event().wait()

    def _observe(self, event: envoy_process.EnvoyEvent, /) -> None:
        if isinstance(event, envoy_process.Starting):
            envoy_lifecycle.note(self._settings.paths.life, self._clock.now())
        elif isinstance(event, envoy_process.Started):
            _LOG.info("envoy_started", version=self._binary.version, pid=event.pid)
        elif isinstance(event, envoy_process.Died):
            self._restarts += 1
            self._readiness.began_anew()
            _LOG.warning("envoy_ended", code=event.code, restart_in_s=event.restart_in_s)
        else:
            _LOG.info("envoy_stopped", forced=event.forced)

    def _unready(self) -> str:
        if not self._certificates.expiries():
            return f"there are no certificates in {self._settings.certificates} yet"
        return self._readiness.unready

    async def _measure(self) -> bytes:
        """Envoy's figures and ours, in one page."""
        ours = metrics.render(
            chain(
                metrics.of_gate(
                    ready=not self._unready(),
                    draining=self._readiness.is_leaving,
                    restarts=self._restarts,
                ),
                metrics.of_certificates(self._certificates.expiries(), self._clock),
                metrics.of_tasks(self._supervisor.failures),
            )
        )
        return ours + await self._admin.prometheus()
