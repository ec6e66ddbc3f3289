"""The gates of other pods: each that connects is asked to prove what it runs, for as long as it is here.

A gate is found by where its xDS stream comes from, and the port of its agent that it names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from gatereeve.proxy.agent import AgentProver
from gatereeve.proxy.xds.events import Connected, Disconnected, GateEvent, Published
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.supervise import Supervisor


class Roster:
    """Follows the events of the xDS server, on its loop. tls: as a controller, at each question."""

    def __init__(
        self, plane: ControlPlane, supervisor: Supervisor, tls: Callable[[], MutualTls]
    ) -> None:
        self._plane = plane
        self._supervisor = supervisor
        self._tls = tls
        self._agents: dict[tuple[str, str], str] = {}
        self._asked: dict[tuple[str, str], asyncio.Task[None]] = {}

    def observe(self, event: GateEvent) -> None:
        """A node that comes anew may be another process under the same name: it proves anew.

        One that came before its Gate was compiled (the last good let it in) is asked from then on.
        """
        if isinstance(event, Connected | Disconnected):
            self._leave(event.gate, event.node)
        if isinstance(event, Connected) and event.agent:
            self._agents[event.gate, event.node] = event.agent
            self._ask(event.gate, event.node)
        if isinstance(event, Published):
            for gate, node in self._agents:
                if gate == event.gate and self._asked[gate, node].done():
                    self._ask(gate, node)

    def _ask(self, gate: str, node: str) -> None:
        prover = AgentProver(gate, self._agents[gate, node], self._tls)
        self._asked[gate, node] = self._supervisor.keep(
            f"proof {node}", partial(self._plane.prove, gate, node, prover)
        )

    def _leave(self, gate: str, node: str) -> None:
        self._agents.pop((gate, node), None)
        task = self._asked.pop((gate, node), None)
        if task is not None:
            task.cancel()
