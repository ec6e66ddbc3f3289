"""The stages of a run, each with what it needs: a running `up`, or one Envoy, and the servers."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.attacks import folders, running, servers
from tests.attacks.battery import Outcome
from tests.attacks.servers import Servers
from tests.support import gate as gates

KINDS = ("warm", "cold")
_WARM, _COLD = 260, 300


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

    def wanted(self, count: int) -> int:
        return max(4, int(count * (0.03 if self.small else self.scale)))


async def run(plan: Plan) -> Outcome:
    outcome = Outcome()
    async with servers.serving() as behind:
        for kind in plan.kinds:
            start = time.monotonic()
            await _STAGES[kind](plan, behind, outcome)
            outcome.seconds[kind] = round(time.monotonic() - start, 1)
    return outcome


async def _warm(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    chosen = folders.cases("warm", plan.chance("warm"), plan.wanted(_WARM), plan.only)
    async with running.folder(behind) as made:
        await folders.run_warm(made, chosen, outcome)


async def _cold(plan: Plan, behind: Servers, outcome: Outcome) -> None:
    chosen = folders.cases("cold", plan.chance("cold"), plan.wanted(_COLD), plan.only)
    with tempfile.TemporaryDirectory(prefix="gr-cold-") as name:
        async with gates.running_gate("g") as gate:
            await folders.run_cold(gate, behind, Path(name), chosen, outcome)


_STAGES: dict[str, Callable[[Plan, Servers, Outcome], Awaitable[None]]] = {
    "warm": _warm,
    "cold": _cold,
}
