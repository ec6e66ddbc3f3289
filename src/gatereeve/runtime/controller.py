"""`controller`: the control plane for gates elsewhere — documents, xDS over mutual TLS, certificates.

A table of contents: construct, connect, start; then wait for the end, and stop in the reverse order.
Any number of replicas run side by side: each compiles and serves the same bytes, the leader alone
writes. What a replica cannot read or write any more changes nothing of what its gates enforce.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Protocol

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.api.world import World
from gatereeve.core.protocols import Clock
from gatereeve.ir.gates import Gate
from gatereeve.ledger.jsonl import JsonLines, open_store
from gatereeve.pki import certificate_plan
from gatereeve.pki.issuer import Issuer
from gatereeve.pki.mounted import MountedCertificates
from gatereeve.proxy.xds.events import GateEvent, Nacked
from gatereeve.proxy.xds.server import AdsServer, AdsSettings, MutualTls, TcpListener
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime import control_socket, garbage_collection, metrics, web
from gatereeve.runtime.admission_webhook import AdmissionWebhook, Clients
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.cluster_environment import ClusterEnvironment
from gatereeve.runtime.control_loop import ControlLoop
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.runtime.environment import Environment, FolderEnvironment, Retrieve, TaskInputs
from gatereeve.runtime.expiry_timer import ExpiryTimer
from gatereeve.runtime.governed_addresses import GovernedAddresses
from gatereeve.runtime.key_set_cache import KeySetCache
from gatereeve.runtime.last_good_saver import LastGoodSaver
from gatereeve.runtime.remote_gates import RemoteGateDiscovery, RemoteGates
from gatereeve.runtime.settings import ClusterSettings, ControllerSettings, prepare, prepare_state
from gatereeve.runtime.signals import stop_event, unless_stopped
from gatereeve.runtime.status import controller_status
from gatereeve.runtime.supervise import Supervisor, SystemClock
from gatereeve.sources.jwks import KeySets

_LOG = logging.getLogger(__name__)

Announce = Callable[[ControlLoop], None]
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
            house = ControllerProcess(settings, clock, recorder, Supervisor(group), announce)
            await house.live(stop)
    finally:
        recorder.close()


class ControllerProcess:
    """The parts of one running controller and how they are connected."""

    def __init__(
        self,
        settings: ControllerSettings,
        clock: Clock,
        recorder: JsonLines,
        supervisor: Supervisor,
        announce: Announce,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._supervisor = supervisor
        self._announce = announce
        memory = KeySetCache(settings.state.key_sets)
        self._keys = KeySets(self._wake, clock, remembered=memory.load(), remember=memory.save)
        self._place = _place(settings, clock, self._keys.retrieved, self._led)
        _LOG.info("reading %s; state in %s", self._place.name, settings.state.root)
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
        self._changes = ChangeRecords(recorder, clock)
        departures = DeletionLog(clock)
        self._digests = Digests(settings.state.documents)
        self._digests.load()
        self._door: AdmissionWebhook | None = None
        if settings.webhook:
            clients = None
            if settings.webhook_clients is not None:
                clients = Clients(
                    authority=settings.webhook_clients, names=settings.webhook_client_names
                )
            self._door = AdmissionWebhook(
                settings.webhook, self._webhook_tls, clock, departures, clients
            )
        self._plane = ControlLoop(
            clock=clock,
            server=self._server,
            changes=self._changes,
            documents=DocumentRecords(self._changes, clock, self._digests, departures),
            find_place=lambda _gate: "",  # gates listen elsewhere
            on_gates=self._follow,
            on_active=self._tell,
            governed=GovernedAddresses(self._place.memory),
        )
        self._roster = RemoteGates(self._plane, supervisor, self._certificates.tls)
        self._elsewhere = RemoteGateDiscovery(
            self._roster,
            settings.gates,
            gates=self._plane.runs.keys,
            is_leading=self._place.leader.is_leading,
        )
        self._windows = ExpiryTimer(clock, lambda: self._plane.next_change, self._place.source.wake)
        self._keeper = LastGoodSaver(settings.state, self._server, self._plane)
        self._stopping = False

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
            self._place.store,
            clock=self._clock,
            leadership=self._place.leader,
            own=own,
        )
        return self._issuer

    async def live(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end, stop everything."""
        keep = self._supervisor.keep
        with web.listen(self._settings.http) as place:
            keep("health", partial(web.serve_health, place, self._unready, self._measure))
            keep("control socket",
                 partial(control_socket.serve, self._settings.state.control_socket, self._status))  # fmt: skip
            beside = TaskInputs(plane=self._plane, changes=self._changes, webhook=self._webhook_tls)
            for name, work in self._place.works(beside).items():
                keep(name, work)
            if self._door is not None:
                keep("reviews", self._door.run)
                keep("what reviews see", self._door.read)
            if self._issuer is not None:
                keep("certificates", self._issuer.run)
            self._keeper.remember()
            if await unless_stopped(stop, self._certificates.wait_ready()):
                await self._serve(stop)
            await self._supervisor.end()
        await self._place.aclose()
        self._changes.flush()

    async def _serve(self, stop: asyncio.Event) -> None:
        keep = self._supervisor.keep
        async with self._server:
            _LOG.info("gates are served on %s", self._settings.xds)
            keep("documents", partial(self._place.source.run, self._apply))
            keep("key sets", self._keys.run)
            keep("validity windows", self._windows.run)
            keep("last good", self._keeper.run)
            keep("noted documents", self._digests.run)
            if self._settings.gates:
                keep("gates elsewhere", self._elsewhere.run)
            await stop.wait()
            self._stopping = True

    async def _apply(self, world: World) -> None:
        world = self._keys.want(world)
        await self._plane.apply(world)
        if self._door is not None:
            self._door.see(self._plane.world or world)
        garbage_collection.settle()
        self._windows.applied()
        self._tell()

    def _wake(self) -> None:
        self._place.source.wake()

    def _led(self) -> None:
        """Leading began or ended: what only a leader does is due."""
        if self._issuer is not None:
            self._issuer.wake()
        self._place.told()

    def _follow(self, gates: tuple[Gate, ...]) -> None:
        if self._issuer is not None:
            self._issuer.want([gate.name for gate in gates])

    def _observe(self, event: GateEvent) -> None:
        self._plane.observe(event)
        self._roster.observe(event)
        if isinstance(event, Nacked):
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self, _gate: str = "") -> None:
        self._announce(self._plane)
        self._place.told()
        self._keeper.changed()

    def _unready(self) -> str:
        """Why gates had better ask another replica, or ""."""
        if self._stopping:
            return "it is stopping"
        if self._plane.applied_at is None:
            return "the documents are not read and published yet"
        return ""

    def _status(self) -> dict[str, object]:
        return controller_status(
            self._place.name, self._plane, self._server, self._supervisor.failures
        )

    async def _measure(self) -> bytes:
        return metrics.render(
            chain(
                metrics.of_controller(
                    self._plane, self._server, self._clock, leading=self._place.leader.is_leading()
                ),
                metrics.of_certificates(self._certificates.expiries(), self._clock),
                metrics.of_reviews(self._door.counts if self._door is not None else None),
                self._place.measured(),
                metrics.of_tasks(self._supervisor.failures),
            )
        )


def _place(
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
