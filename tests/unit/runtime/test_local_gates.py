"""Envoys follow the Gates: started, kept although their neighbours fail, replaced in order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from gatereeve.ir.gates import Gate
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.runtime.local_gates import LocalGates, Work
from gatereeve.runtime.settings import Settings, StatePaths, prepare_state
from gatereeve.runtime.supervise import Supervisor, SystemClock
from tests.support import ir_builders as ir

PROGRAM = "#!/bin/sh\nexec sleep 600\n"


class House:
    """A fleet of programs that only wait, and what it told."""

    def __init__(self, fleet: LocalGates) -> None:
        self.fleet = fleet
        self.told: list[str] = []
        self.besides: list[str] = []
        self.news = asyncio.Event()

    def tell(self, what: str) -> None:
        self.told.append(what)
        self.news.set()

    async def until(self, *told: str) -> None:
        async with asyncio.timeout(10):
            while self.told[-len(told) :] != list(told):
                self.news.clear()
                await self.news.wait()

    def follow(self, *names: str) -> None:
        self.fleet.follow(tuple(map(gate, names)), self._beside)

    def _beside(self, name: str, _admin: Admin) -> Mapping[str, Work]:
        async def fails() -> None:
            self.besides.append(name)
            self.news.set()
            raise KeyError("a defect beside the Envoy")

        return {"proof": fails}


def gate(name: str) -> Gate:
    return replace(ir.gate(), name=name)


@asynccontextmanager
async def running(program: str = PROGRAM) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="gr-") as name:
        binary = Path(name) / "envoy"
        binary.write_text(program)
        binary.chmod(0o700)
        paths = StatePaths(root=Path(name) / "state")
        prepare_state(paths)
        houses: list[House] = []
        async with asyncio.TaskGroup() as group:
            supervisor = Supervisor(group)
            fleet = LocalGates(
                Settings(folder=Path(name), state=paths, drain_s=0.1),
                binary=envoy_process.EnvoyBinary(path=binary, version="1.40.0"),
                supervisor=supervisor,
                clock=SystemClock(),
                on_start=lambda gate: houses[0].tell(f"{gate} up"),
                on_death=lambda gate, _why: houses[0].tell(f"{gate} died"),
                on_stop=lambda gate, _why: houses[0].tell(f"{gate} down"),
            )
            houses.append(House(fleet))
            try:
                yield houses[0]
            finally:
                await fleet.stop()
                supervisor.cancel()


async def test_they_come_and_go_with_their_gates() -> None:
    async with running() as house:
        house.follow("a")
        await house.until("a up")
        assert house.fleet.states["a"].pid is not None
        house.follow("b")
        await house.until("b up", "a down")
        assert set(house.fleet.states) == {"b"}
    assert house.told[-1] == "b down"


async def test_a_failure_beside_an_envoy_does_not_end_it() -> None:
    async with running() as house:
        house.follow("a")
        await house.until("a up")
        async with asyncio.timeout(10):
            while len(house.besides) < 2:
                house.news.clear()
                await house.news.wait()
        assert house.told == ["a up"]


async def test_a_gate_that_comes_back_waits_for_its_predecessor() -> None:
    """Both use the same files."""
    async with running() as house:
        house.follow("a")
        await house.until("a up")
        house.follow()
        house.follow("a")
        await house.until("a up", "a down", "a up")
        assert house.fleet.states["a"].pid is not None


async def test_one_that_cannot_be_started_stands_in_nobodys_way() -> None:
    async with running("no program at all") as house:
        house.follow("a")
        await house.until("a up", "a died")
        state = house.fleet.states["a"]
        assert state.restarts == 1
