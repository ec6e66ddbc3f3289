"""A controller's place in a cluster: reflectors, a Lease, Secrets, and words to the API server.

Construction and connection only. Losing the API server changes nothing of what gates enforce: the
last World stays, the Lease runs out and this replica stops writing; it never ends for that.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.core.errors import SettingsError
from gatereeve.core.protocols import Clock
from gatereeve.pki.secret_store import SecretStore
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime import metrics
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.environment import BackgroundTask, Retrieve, TaskInputs
from gatereeve.runtime.governed_config_map import ConfigMapStore
from gatereeve.runtime.guard_reconciler import GuardReconciler
from gatereeve.runtime.settings import ClusterSettings, ControllerSettings
from gatereeve.runtime.status_writer import StatusWriter
from gatereeve.sources.kube.apply import ServerSideApply
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.events import Events
from gatereeve.sources.kube.lease import Elector, LeaseLeadership, LeaseSettings
from gatereeve.sources.kube.source import KubeSettings, KubeSource

LEASE = "gatereeve-controller"


class LeaseLeader:
    """The elector's leadership, asked as `places.Leader` is."""

    def __init__(self, leadership: LeaseLeadership) -> None:
        self._leadership = leadership

    def is_leading(self) -> bool:
        return self._leadership.leading


class ClusterEnvironment:
    """See the module and `places.Place`. on_leading: this replica leads from now on, or does no more.

    Raises SettingsError when the access cannot be used.
    """

    def __init__(
        self,
        controller: ControllerSettings,
        settings: ClusterSettings,
        clock: Clock,
        retrieved: Retrieve,
        *,
        on_leading: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._client = ApiClient(settings.access)
        identity = f"{settings.replica}_{secrets.token_hex(4)}"
        lease = LeaseSettings(name=LEASE, namespace=settings.namespace, identity=identity)
        self._elector = Elector(self._client, clock, lease, on_change=lambda _leading: on_leading())
        self._status_writer: StatusWriter | None = None
        self._guard_reconciler: GuardReconciler | None = None
        self._digests = Digests(controller.state.guards)
        self._guards = GuardSettings(
            namespace=settings.namespace,
            webhook=bool(controller.webhook),
            stamps=controller.stamps,
        )
        self.name = f"the cluster at {self._client.server}"
        self.source = KubeSource(
            self._client,
            clock,
            KubeSettings(namespaces=settings.namespaces, files=settings.files),
            retrieved=retrieved,
        )
        self.leader = LeaseLeader(self._elector.leadership)
        self.store = SecretStore(self._client, settings.namespace)
        self.memory = ConfigMapStore(self._client, settings.namespace, self.leader.is_leading)

    def background_tasks(self, inputs: TaskInputs) -> Mapping[str, BackgroundTask]:
        leadership, plane = self._elector.leadership, inputs.plane
        writer = ServerSideApply(self._client, leadership, observed=self.source.observed)
        telling = self._status_writer = StatusWriter(
            self._client,
            writer,
            Events(self._client, self._clock, leadership, instance=self._settings.replica),
            plane=plane,
            clock=self._clock,
            namespace=self._settings.namespace,
            watched=self._settings.namespaces,
            is_leading=self.leader.is_leading,
        )
        self._digests.load()
        guarding = self._guard_reconciler = GuardReconciler(
            self._client,
            ServerSideApply(self._client, leadership),
            self._guards,
            changes=inputs.changes,
            clock=self._clock,
            digests=self._digests,
            plane=plane,
            trust=lambda: _trust(inputs.webhook),
            is_leading=self.leader.is_leading,
        )
        return {
            "lease": self._elector.run,
            "statuses": telling.run,
            "guards": guarding.run,
            "noted guards": self._digests.run,
        }

    def notify(self) -> None:
        if self._status_writer is not None:
            self._status_writer.notify()
        if self._guard_reconciler is not None:
            self._guard_reconciler.notify()

    def metrics(self) -> metrics.Measured:
        return metrics.of_guards(
            0 if self._guard_reconciler is None else self._guard_reconciler.installed
        )

    async def aclose(self) -> None:
        await self._client.aclose()


def _trust(webhook: Callable[[], MutualTls | None]) -> bytes:
    """The authority that signed the webhook's certificate, as PEM; b"" while there is none."""
    try:
        tls = webhook()
    except SettingsError:
        return b""
    return b"" if tls is None else tls.client_authority
