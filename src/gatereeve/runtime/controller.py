"""`controller`: the control plane for gates elsewhere — documents, xDS over mutual TLS, certificates.

A table of contents: construct, connect, start; then wait for the end, and stop in the reverse order.
Any number of replicas run side by side: each compiles and serves the same bytes, the leader alone
writes. What a replica cannot read or write any more changes nothing of what its gates enforce.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Protocol

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.api.world import World
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.ir.gates import Gate
from gatereeve.ledger.store import LedgerStore, open_store
from gatereeve.pki import certificate_plan
from gatereeve.pki.issuer import Issuer
from gatereeve.pki.mounted import MountedCertificates
from gatereeve.proxy.xds.events import GateEvent
from gatereeve.proxy.xds.server import AdsServer, AdsSettings, MutualTls, TcpListener
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime import garbage_collection, metrics, web
from gatereeve.runtime.admission_webhook import AdmissionWebhook, Clients
from gatereeve.runtime.cluster_environment import ClusterEnvironment
from gatereeve.runtime.control_loop import ControlLoop
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.environment import Environment, FolderEnvironment, Retrieve, TaskInputs
from gatereeve.runtime.governed_addresses import GovernedAddresses
from gatereeve.runtime.key_set_cache import KeySetCache
from gatereeve.runtime.ledger_commits import commit_records
from gatereeve.runtime.remote_gates import RemoteGateDiscovery, RemoteGates
from gatereeve.runtime.settings import ClusterSettings, ControllerSettings, prepare, prepare_state
from gatereeve.runtime.signals import stop_event, unless_stopped
from gatereeve.runtime.status import controller_status
from gatereeve.runtime.supervise import Supervisor, SystemClock
from gatereeve.sources.jwks import KeySets

_LOG = EventLog(__name__)

Announce = Callable[[ControlPlane], None]
"""Called whenever something changed that a person who watches wants to know."""


class Certificates(Protocol):
    """Our certificates, issued here (`issuer.Issuer`) or elsewhere (`mounted.MountedCertificates`)."""

    def tls(self) -> MutualTls: ...

    def expiries(self) -> Mapping[str, datetime]: ...

    async def wait_ready(self) -> None: ...


async def controller(settings: ControllerSettings, announce: Announce) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; a second one ends at once.

    Raises SettingsError, SourceError or RecordError when it cannot start.
    """
    if settings.gates:
        web.split_address(settings.gates)
    stop = stop_event("gates keep what they have")
    prepare_state(settings.state)
    clock = SystemClock()
    recorder = open_store(settings.state.root, clock)
    garbage_collection.begin()
    try:
        async with asyncio.TaskGroup() as group:
            process = ControllerProcess(settings, clock, recorder, Supervisor(group), announce)
            await process.run(stop)
    finally:
        recorder.close()


class ControllerProcess:
    """The parts of one running controller and how they are connected."""

    def __init__(
        self,
        settings: ControllerSettings,
        clock: Clock,
        recorder: LedgerStore,
        supervisor: Supervisor,
        announce: Announce,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._supervisor = supervisor
        self._store = recorder
        self._announce = announce
        cache = KeySetCache(settings.state.key_sets)
        keys = KeySets(self._wake, clock, remembered=cache.load(), remember=cache.save)
        self._environment = _environment(settings, clock, keys.retrieved, self._note_leading)
        _LOG.info("reading", source=self._environment.name, state=settings.state.root)
        self._issuer: Issuer | None = None
        if settings.mounted is None:
            self._certificates: Certificates = self._make_issuer()
        else:
            self._certificates = MountedCertificates(settings.mounted)
        self._server = AdsServer(
            AdsSettings(
                tcp=TcpListener(address=settings.xds, tls=self._certificates.tls),
                discipline=Discipline(grace_s=settings.removal_grace_s),
            ),
            clock=clock,
            observer=self._observe,
        )
        deletions = DeletionLog(clock)
        self._webhook = self._make_webhook(deletions) if settings.webhook else None
        self._loop = ControlLoop(
            state=settings.state,
            clock=clock,
            recorder=recorder,
            server=self._server,
            source=self._environment.source,
            keys=keys,
            deletions=deletions,
            governed=GovernedAddresses(self._environment.memory),
            reserve_address=lambda _gate: "",  # gates listen elsewhere
            on_gates=self._follow,
            on_change=self._notify,
            on_world=self._show_webhook,
        )
        self._remote_gates = RemoteGates(self._loop.plane, supervisor, self._certificates.tls)
        self._discovery = RemoteGateDiscovery(
            self._remote_gates,
            settings.gates,
            gates=self._loop.plane.runs.keys,
            is_leading=self._environment.leader.is_leading,
        )
        self._stopping = False

    def _make_webhook(self, deletions: DeletionLog) -> AdmissionWebhook:
        settings, clients = self._settings, None
        if settings.webhook_clients is not None:
            clients = Clients(
                authority=settings.webhook_clients, names=settings.webhook_client_names
            )
        return AdmissionWebhook(
            settings.webhook, self._webhook_tls, self._clock, deletions, clients
        )

    def _webhook_tls(self) -> MutualTls | None:
        """A mounted certificate has all our names; ours has one of its own for the webhook."""
        if self._issuer is None:
            return self._certificates.tls()
        return self._issuer.bundle(certificate_plan.WEBHOOK)

    def _make_issuer(self) -> Issuer:
        own = [certificate_plan.of_controller(self._settings.xds_names)]
        if self._settings.webhook_names:
            own.append(certificate_plan.of_webhook(self._settings.webhook_names))
        self._issuer = Issuer(
            self._environment.store,
            clock=self._clock,
            leadership=self._environment.leader,
            own=own,
        )
        return self._issuer

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end, stop everything."""
        keep = self._supervisor.keep
        with web.listen(self._settings.http) as place:
            keep("health", partial(web.serve_health, place, self._unready, self._measure))
            keep("ledger", partial(commit_records, self._store))
            self._loop.serve_status(self._supervisor, self._status)
            inputs = TaskInputs(
                plane=self._loop.plane, changes=self._loop.changes, webhook=self._webhook_tls
            )
            for name, task in self._environment.background_tasks(inputs).items():
                keep(name, task)
            if self._webhook is not None:
                keep("reviews", self._webhook.run)
                keep("index of reviews", self._webhook.index_worlds)
            if self._issuer is not None:
                keep("certificates", self._issuer.run)
            self._loop.remember()
            if await unless_stopped(stop, self._certificates.wait_ready()):
                await self._serve(stop)
            await self._supervisor.end()
        await self._environment.aclose()
        self._loop.changes.flush()

    async def _serve(self, stop: asyncio.Event) -> None:
        async with self._server:
            _LOG.info("serving_gates", address=self._settings.xds)
            self._loop.start(self._supervisor)
            if self._settings.gates:
                self._supervisor.keep("remote gates", self._discovery.run)
            await stop.wait()
            self._stopping = True

    def _wake(self) -> None:
        self._environment.source.wake()

    def _show_webhook(self, world: World) -> None:
        if self._webhook is not None:
            self._webhook.show(world)

    def _note_leading(self) -> None:
        """Leading began or ended: what only a leader does is due."""
        if self._issuer is not None:
            self._issuer.wake()
        self._environment.notify()

    def _follow(self, gates: tuple[Gate, ...]) -> None:
        if self._issuer is not None:
            self._issuer.want([gate.name for gate in gates])

    def _observe(self, event: GateEvent) -> None:
        self._loop.observe(event)
        self._remote_gates.observe(event)

    def _notify(self, plane: ControlPlane) -> None:
        self._announce(plane)
        self._environment.notify()

    def _unready(self) -> str:
        """Why gates had better ask another replica, or ""."""
        if self._stopping:
            return "it is stopping"
        if self._loop.plane.applied_at is None:
            return "the documents are not read and published yet"
        return ""

    def _status(self) -> dict[str, object]:
        return controller_status(
            self._environment.name, self._loop.plane, self._server, self._supervisor.failures
        )

    async def _measure(self) -> bytes:
        return metrics.render(
            chain(
                metrics.of_controller(
                    self._loop.plane,
                    self._server,
                    self._clock,
                    leading=self._environment.leader.is_leading(),
                ),
                metrics.of_certificates(self._certificates.expiries(), self._clock),
                metrics.of_reviews(self._webhook.counts if self._webhook is not None else None),
                self._environment.metrics(),
                metrics.of_tasks(self._supervisor.failures),
                metrics.of_ledger(self._store),
            )
        )


def _environment(
    settings: ControllerSettings, clock: Clock, retrieved: Retrieve, on_leading: Callable[[], None]
) -> Environment:
    if isinstance(settings.documents, ClusterSettings):
        return ClusterEnvironment(
            settings, settings.documents, clock, retrieved, on_leading=on_leading
        )
    prepare(settings.certificates, hint="name another --store")
    return FolderEnvironment(
        settings.documents, settings.state, settings.certificates, clock, retrieved
    )
