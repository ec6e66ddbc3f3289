"""The gates of other pods: each is asked to prove what it runs, for as long as it is there.

A gate that connects here is found by where its xDS stream comes from, and the port of its agent that
it names. Those that other controllers serve are found by the name of a Service that stands for all
gates of a Gate (`RemoteGateDiscovery`); the leader asks them too, so that it knows about all.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

from gatereeve.proxy.agent import AgentVerifier
from gatereeve.proxy.xds.events import Connected, Disconnected, GateEvent, Published
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.supervise import Supervisor
from gatereeve.runtime.web import split_address

_LOOK_S: Final = 5.0


class RemoteGates:
    """Follows the events of the xDS server, on its loop. tls: as a controller, at each question."""

    def __init__(
        self, plane: ControlPlane, supervisor: Supervisor, tls: Callable[[], MutualTls]
    ) -> None:
        self._plane = plane
        self._supervisor = supervisor
        self._tls = tls
        self._agents: dict[tuple[str, str], str] = {}
        self._proofs: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._elsewhere: dict[tuple[str, str], asyncio.Task[None]] = {}

    def observe(self, event: GateEvent) -> None:
        """A node that comes anew may be another process under the same name: it proves anew.

        One that came before its Gate was compiled (the last good let it in) is asked from then on.
        """
        if isinstance(event, Connected | Disconnected):
            self._leave(event.gate, event.node)
        if isinstance(event, Connected) and event.agent:
            self._agents[event.gate, event.node] = event.agent
            other = self._elsewhere.pop((event.gate, event.agent), None)
            if other is not None:
                other.cancel()
            self._ask(event.gate, event.node)
        if isinstance(event, Published):
            for gate, node in self._agents:
                if gate == event.gate and self._proofs[gate, node].done():
                    self._ask(gate, node)

    def listed(self, gate: str, agents: Collection[str]) -> None:
        """These agents (`host:port`) there are of a Gate, connected here or not."""
        here = {agent for (of, _), agent in self._agents.items() if of == gate}
        wanted = set(agents) - here
        for key in [key for key in self._elsewhere if key[0] == gate and key[1] not in wanted]:
            self._elsewhere.pop(key).cancel()
        for agent in sorted(wanted):
            if (gate, agent) not in self._elsewhere or self._elsewhere[gate, agent].done():
                work = partial(self._prove, gate, f"agent/{agent}", agent, elsewhere=True)
                self._elsewhere[gate, agent] = self._supervisor.keep(f"proof of {gate}", work)

    def _ask(self, gate: str, node: str) -> None:
        work = partial(self._prove, gate, node, self._agents[gate, node])
        self._proofs[gate, node] = self._supervisor.keep(f"proof of {gate}", work)

    async def _prove(self, gate: str, node: str, agent: str, *, elsewhere: bool = False) -> None:
        """For as long as the node is asked."""
        prover = AgentVerifier(gate, agent, self._tls)
        try:
            await self._plane.prove(gate, node, prover, elsewhere=elsewhere)
        finally:
            await prover.aclose()

    def _leave(self, gate: str, node: str) -> None:
        self._agents.pop((gate, node), None)
        task = self._proofs.pop((gate, node), None)
        if task is not None:
            task.cancel()


Resolve = Callable[[str, int], Awaitable[Collection[str]]]
"""Host and port to all addresses of the host. Raises OSError when there are none."""


async def resolve(host: str, port: int) -> Collection[str]:
    """The addresses of a host, as this machine resolves it."""
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return {str(info[4][0]) for info in infos}


class RemoteGateDiscovery:
    """Looks all gates up, now and then, while this replica leads. where: `host:port` of the agents
    of a Gate, with `{gate}` for its name."""

    def __init__(
        self,
        roster: RemoteGates,
        where: str,
        *,
        gates: Callable[[], Collection[str]],
        is_leading: Callable[[], bool],
        resolve: Resolve = resolve,
    ) -> None:
        self._roster = roster
        self._where = where
        self._gates = gates
        self._is_leading = is_leading
        self._resolve = resolve
        self._known: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Once. A name that cannot be looked up changes nothing: the gates it had may be there."""
        gates = frozenset(self._gates()) if self._is_leading() else frozenset()
        for gate in self._known - gates:
            self._roster.listed(gate, ())
        self._known = gates
        for gate in sorted(gates):
            host, port = split_address(self._where.replace("{gate}", gate))
            with contextlib.suppress(OSError):
                ips = await self._resolve(host, port)
                self._roster.listed(gate, {_address(ip, port) for ip in ips})


def _address(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
