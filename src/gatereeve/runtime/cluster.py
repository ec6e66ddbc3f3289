"""A controller's place in a cluster: reflectors, a Lease, Secrets, and words to the API server.

Construction and connection only. Losing the API server changes nothing of what gates enforce: the
last World stays, the Lease runs out and this replica stops writing; it never ends for that.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from gatereeve.core.protocols import Clock
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.places import Retrieve, Work
from gatereeve.runtime.secret_store import SecretStore
from gatereeve.runtime.settings import ClusterSettings
from gatereeve.runtime.telling import Telling
from gatereeve.sources.kube.apply import ServerSideApply
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.events import Events
from gatereeve.sources.kube.lease import Elector, Leadership, LeaseSettings
from gatereeve.sources.kube.source import KubeSettings, KubeSource

LEASE = "gatereeve-controller"


class LeaseLeader:
    """The elector's leadership, asked as `places.Leader` is."""

    def __init__(self, leadership: Leadership) -> None:
        self._leadership = leadership

    def is_leading(self) -> bool:
        return self._leadership.leading


class ClusterPlace:
    """See the module and `places.Place`. on_leading: this replica leads from now on, or does no more.

    Raises SettingsError when the access cannot be used.
    """

    def __init__(
        self,
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
        self._telling: Telling | None = None
        self.name = f"the cluster at {self._client.server}"
        self.source = KubeSource(
            self._client,
            clock,
            KubeSettings(namespaces=settings.namespaces, files=settings.files),
            retrieved=retrieved,
        )
        self.leader = LeaseLeader(self._elector.leadership)
        self.store = SecretStore(self._client, settings.namespace)

    def works(self, plane: ControlPlane) -> Mapping[str, Work]:
        leadership = self._elector.leadership
        telling = self._telling = Telling(
            self._client,
            ServerSideApply(self._client, leadership),
            Events(self._client, self._clock, leadership, instance=self._settings.replica),
            plane=plane,
            clock=self._clock,
            namespace=self._settings.namespace,
            is_leading=self.leader.is_leading,
        )
        return {"lease": self._elector.run, "statuses": telling.run}

    def told(self) -> None:
        if self._telling is not None:
            self._telling.told()

    async def aclose(self) -> None:
        await self._client.aclose()
