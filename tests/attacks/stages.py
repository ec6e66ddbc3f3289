"""The stages of a run, each with what it needs: a running `up`, or one Envoy, and the servers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.attacks import (
    credentials,
    folders,
    framing,
    headers,
    keysets,
    paths,
    running,
    scene,
    servers,
    wire,
    withdrawals,
)
from tests.attacks import documents as docs
from tests.attacks.battery import Attack, Outcome
from tests.attacks.servers import Servers
from tests.support import gate as gates

REQUESTS: dict[str, Callable[[random.Random], Iterator[Attack]]] = {
    "headers": headers.of_rules,
    "believed": lambda _: headers.believed(),
    "paths": paths.climbing,
    "fixed": paths.fixed,
    "credentials": credentials.attacks,
    "framing": lambda _: framing.attacks(),
    "hosts": lambda _: framing.hosts(),
    "bodies": lambda _: framing.bodies(),
}
KINDS = (*REQUESTS, "withdraw", "restart", "keys", "warm", "cold")
_WARM, _COLD = 130, 200
_SMALL = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to run. hole: open one on purpose, to see that it is found."""

    seed: int
    kinds: Sequence[str]
    only: str | None = None
    small: bool = False
    scale: float = 1.0
    hole: bool = False

    def chance(self, kind: str) -> random.Random:
        return random.Random(f"{self.seed} {kind}")

    def of(self, attacks: list[Attack]) -> list[Attack]:
        """Those of the plan; a small one takes every so manieth, and all controls."""
        if self.only is not None:
            return [one for one in attacks if one.id.startswith(self.only)]
        step = _SMALL if self.small else 1
        offset = self.chance("small").randrange(step)
        return [one for n, one in enumerate(attacks) if one.control or n % step == offset]

    def wanted(self, count: int) -> int:
        return max(4, int(count * (0.03 if self.small else self.scale)))


async def run(plan: Plan) -> Outcome:
    """All stages at once, each with gate and servers of its own; most of it is waiting."""
    outcome = Outcome()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_requests(plan, outcome))
        for kind in (one for one in plan.kinds if one in _STAGES):
            tasks.create_task(_stage(kind, plan, outcome))
    return outcome


async def _stage(kind: str, plan: Plan, outcome: Outcome) -> None:
    with _timed(outcome, kind):
        async with servers.serving() as behind:
            await _STAGES[kind](plan, behind, outcome)


@contextlib.contextmanager
def _timed(outcome: Outcome, kind: str) -> Iterator[None]:
    start = time.monotonic()
    yield
    outcome.seconds[kind] = round(time.monotonic() - start, 1)


async def _requests(plan: Plan, outcome: Outcome) -> None:
    """Thousands of requests to one folder that stands still."""
    chosen = [kind for kind in plan.kinds if kind in REQUESTS]
    if not chosen:
        return
    async with servers.serving() as behind, running.folder(behind) as made:
        made.write(scene.files(made.ports, hole=plan.hole))
        await made.start()
        await running.until_served(made, docs.host("rules"), docs.key("acme"))
        for kind in chosen:
            with _timed(outcome, kind):
                asked = plan.of(list(REQUESTS[kind](plan.chance(kind))))
                await wire.run(made.place, behind, asked, outcome)


async def _warm(plan: Plan, _behind: Servers, outcome: Outcome) -> None:
    """In two folders, because most of the time is spent waiting for one to be read."""
    chosen = folders.cases("warm", plan.chance("warm"), plan.wanted(_WARM), plan.only)

    async def half(cases: Sequence[folders.Case]) -> None:
        async with servers.serving() as own, running.folder(own) as made:
            await folders.run_warm(made, cases, outcome)

    async with asyncio.TaskGroup() as tasks:
        for cases in (chosen[::2], chosen[1::2]):
            if cases:
                tasks.create_task(half(cases))


async def _cold(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    chosen = folders.cases("cold", plan.chance("cold"), plan.wanted(_COLD), plan.only)
    with tempfile.TemporaryDirectory(prefix="gr-cold-") as name:
        async with gates.running_gate("g") as gate:
            await folders.run_cold(gate, behind, Path(name), chosen, outcome)


async def _withdraw(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    ways = [
        way for way in withdrawals.WAYS
        if plan.only is None or f"withdraw/{way.name}/".startswith(plan.only) or plan.only.startswith(f"withdraw/{way.name}/")
    ]  # fmt: skip
    chosen = plan.chance("withdraw").sample(ways, 2) if plan.small and len(ways) > 2 else ways
    async with running.folder(behind) as made:
        await withdrawals.run(made, chosen, outcome)


async def _restart(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    batches = folders.restarts(plan.chance("restart"), plan.only)
    async with running.folder(behind) as made:
        await folders.run_restarts(made, batches[:1] if plan.small else batches, outcome)


async def _keys(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    with tempfile.TemporaryDirectory(prefix="gr-keys-") as name:
        async with gates.running_gate("g") as gate:
            await keysets.run(gate, behind, Path(name), plan.only, outcome, small=plan.small)


_STAGES: dict[str, Callable[[Plan, Servers, Outcome], Awaitable[None]]] = {
    "withdraw": _withdraw,
    "restart": _restart,
    "keys": _keys,
    "warm": _warm,
    "cold": _cold,
}
