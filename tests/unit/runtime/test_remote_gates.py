"""Which gates are asked to prove what they run, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from gatereeve.core import records
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime.remote_gates import RemoteGateDiscovery, RemoteGates
from gatereeve.runtime.supervise import Supervisor
from tests.features import documents as docs
from tests.unit.runtime.test_control_plane import GATE, House

NODE = "gate/public-a"


def tls() -> MutualTls:
    return MutualTls(certificate_chain=b"", private_key=b"", client_authority=b"")


def connected(agent: str = "127.0.0.1:1") -> events.Connected:
    return events.Connected(gate=GATE, node=NODE, build="1.40.0", agent=agent)


@pytest.fixture
async def group() -> AsyncIterator[Supervisor]:
    async with asyncio.TaskGroup() as tasks:
        supervisor = Supervisor(tasks)
        yield supervisor
        await supervisor.end()


async def until_nodes(house: House, *nodes: str) -> None:
    async with asyncio.timeout(10):
        while list(house.plane.runs[GATE].nodes) != list(nodes):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_gate_is_asked_while_it_is_connected(group: Supervisor) -> None:
    house = House()
    await house.apply()
    roster = RemoteGates(house.plane, group, tls)
    roster.observe(connected())
    await until_nodes(house, NODE)
    roster.observe(connected())  # another process under the same name
    await until_nodes(house, NODE)
    roster.observe(events.Disconnected(gate=GATE, node=NODE))
    await until_nodes(house)
    assert not house.plane.runs[GATE].is_current


async def test_a_gate_without_an_agent_is_not_asked(group: Supervisor) -> None:
    house = House()
    await house.apply()
    RemoteGates(house.plane, group, tls).observe(connected(agent=""))
    await asyncio.sleep(0)
    assert house.plane.runs[GATE].nodes == {}


async def test_a_gate_that_came_before_its_documents_is_asked_then(group: Supervisor) -> None:
    house = House()
    roster = RemoteGates(house.plane, group, tls)
    roster.observe(connected())
    await asyncio.sleep(0.01)
    await house.apply()
    version = house.plane.runs[GATE].gate.hash
    roster.observe(events.Published(gate=GATE, version=version))
    await until_nodes(house, NODE)


async def test_a_gate_is_current_when_all_of_it_is(group: Supervisor) -> None:
    house = House()
    await house.apply()
    plane, run = house.plane, house.plane.runs[GATE]
    gates = {node: Prover() for node in ("gate/public-a", "gate/public-b")}
    tasks = {node: asyncio.create_task(plane.prove(GATE, node, gates[node])) for node in gates}
    await until_nodes(house, *gates)
    for node in gates:
        plane.observe(events.Settled(gate=GATE, node=node, version=run.gate.hash))
    gates["gate/public-a"].runs.set()
    await until(lambda: run.runs("gate/public-a"))
    assert not run.is_current
    assert run.active is None
    gates["gate/public-b"].runs.set()
    await until(lambda: run.is_current)
    assert run.active == run.gate.hash

    # Another configuration: nobody has proved it, what all ran last stays told.
    for one in gates.values():
        one.runs.clear()
    await house.apply(policy=docs.POLICY.replace("corp/staff", "corp/other"))
    newer = plane.runs[GATE]
    assert (newer.is_current, newer.active) == (False, run.gate.hash)
    # One proves, the other leaves: the Gate is current.
    plane.observe(events.Settled(gate=GATE, node="gate/public-a", version=newer.gate.hash))
    gates["gate/public-a"].runs.set()
    await until(lambda: newer.runs("gate/public-a"))
    assert not newer.is_current
    tasks["gate/public-b"].cancel()
    await until(lambda: newer.is_current)
    assert newer.active == newer.gate.hash
    tasks["gate/public-a"].cancel()
    await until(lambda: newer.active is None)
    told = [r.event for r in house.recorder.kept if isinstance(r, records.ChangeRecord)]
    assert told == ["compiled", "active", "compiled", "active"]
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_the_leader_also_asks_gates_that_others_serve(group: Supervisor) -> None:
    house, leads = House(), [True]
    await house.apply()
    roster = RemoteGates(house.plane, group, tls)
    names: dict[str, tuple[str, ...]] = {f"{GATE}.agents": ("10.0.0.1", "fd00::2")}

    async def resolve(host: str, _port: int) -> tuple[str, ...]:
        if host not in names:
            raise OSError("no such name")
        return names[host]

    others = RemoteGateDiscovery(
        roster, "{gate}.agents:1", gates=house.plane.runs.keys,
        is_leading=lambda: leads[0], resolve=resolve,
    )  # fmt: skip
    await others.look()
    first, second = "agent/10.0.0.1:1", "agent/[fd00::2]:1"
    await until_nodes(house, first, second)
    run = house.plane.runs[GATE]
    assert all(one.settled.is_set() for one in run.nodes.values())  # nobody else would tell

    roster.observe(connected("10.0.0.1:1"))  # it comes here
    await until_nodes(house, second, NODE)
    names.clear()
    await others.look()  # a name that cannot be looked up changes nothing
    await until_nodes(house, second, NODE)
    names[f"{GATE}.agents"] = ("10.0.0.1",)
    await others.look()
    await until_nodes(house, NODE)
    names[f"{GATE}.agents"] = ("10.0.0.1", "10.0.0.3")
    await others.look()
    await until_nodes(house, NODE, "agent/10.0.0.3:1")
    leads[0] = False
    await others.look()
    await until_nodes(house, NODE)


class Prover:
    """Runs what it is asked for, once it is let."""

    def __init__(self) -> None:
        self.runs = asyncio.Event()

    async def wait_active(self, _expected: object, *, timeout_s: float) -> None:
        assert timeout_s > 0
        await self.runs.wait()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)
