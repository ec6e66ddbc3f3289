"""From documents to gates, for as long as a process runs: the part that `up` and `controller` share.

Worlds come from a source one after the other; the control plane brings each to the gates. Beside it
run what the documents depend on (key sets, validity windows) and what outlives the process (last good
configurations, digests). Starts no Envoy and talks to no API server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.api.world import World
from gatereeve.core.protocols import Clock, Recorder
from gatereeve.ir.gates import Gate
from gatereeve.proxy.xds.events import GateEvent, Nacked
from gatereeve.proxy.xds.server import AdsServer
from gatereeve.runtime import control_socket, garbage_collection
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane, ReserveAddress
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.runtime.environment import Source
from gatereeve.runtime.expiry_timer import ExpiryTimer
from gatereeve.runtime.governed_addresses import GovernedAddresses
from gatereeve.runtime.last_good_saver import LastGoodSaver
from gatereeve.runtime.settings import StatePaths
from gatereeve.runtime.supervise import Supervisor
from gatereeve.sources.jwks import KeySets


class ControlLoop:
    """See the module. `start` once, when the xDS server runs.

    on_change: called whenever something changed that people want to know. on_world: called with each
    World that was applied, with its memory.
    """

    def __init__(
        self,
        *,
        state: StatePaths,
        clock: Clock,
        recorder: Recorder,
        server: AdsServer,
        source: Source,
        keys: KeySets,
        deletions: DeletionLog,
        governed: GovernedAddresses,
        reserve_address: ReserveAddress,
        on_gates: Callable[[tuple[Gate, ...]], None],
        on_change: Callable[[ControlPlane], None],
        on_world: Callable[[World], None] = lambda _world: None,
    ) -> None:
        self._state = state
        self._source = source
        self._keys = keys
        self._on_change = on_change
        self._on_world = on_world
        self.changes = ChangeRecords(recorder, clock)
        self._digests = Digests(state.documents)
        self._digests.load()
        self.plane = ControlPlane(
            clock=clock,
            server=server,
            changes=self.changes,
            documents=DocumentRecords(self.changes, clock, self._digests, deletions),
            reserve_address=reserve_address,
            on_gates=on_gates,
            on_active=lambda _gate: self.notify(),
            governed=governed,
        )
        self._expiry = ExpiryTimer(clock, lambda: self.plane.next_change, source.wake)
        self._last_good = LastGoodSaver(state, server, self.plane)

    def remember(self) -> None:
        """Hand the last good configurations of an earlier process to the xDS server."""
        self._last_good.remember()

    def serve_status(self, supervisor: Supervisor, status: Callable[[], dict[str, object]]) -> None:
        """Answer `gatereeve status` on the control socket."""
        serve = partial(control_socket.serve, self._state.control_socket, status)
        supervisor.keep("control socket", serve)

    def start(self, supervisor: Supervisor) -> None:
        """Follow the source from now on."""
        supervisor.keep("documents", partial(self._source.run, self._apply))
        supervisor.keep("key sets", self._keys.run)
        supervisor.keep("validity windows", self._expiry.run)
        supervisor.keep("last good", self._last_good.run)
        supervisor.keep("digests", self._digests.run)

    def observe(self, event: GateEvent) -> None:
        """Pass on an event of the xDS server."""
        self.plane.observe(event)
        if isinstance(event, Nacked):
            asyncio.get_running_loop().call_soon(self.notify)

    def notify(self) -> None:
        """Something changed that people want to know."""
        self._on_change(self.plane)
        self._last_good.notify()

    async def _apply(self, world: World) -> None:
        world = self._keys.want(world)
        await self.plane.apply(world)
        self._on_world(self.plane.world or world)
        garbage_collection.settle()
        self._expiry.applied()
        self.notify()
