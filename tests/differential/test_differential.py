"""P4: the reference decision and the real Envoy agree on every request.

Generated folders × generated requests; status, refusal code, chosen version's server and matched
rule must be the same. A disagreement shrinks to a small folder and one request.

    python -m pytest tests/differential                     2 000 cases
    make differential N=10000                               any number
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from gatereeve.compile import compiler
from gatereeve.compile.decide import Decision, decide
from gatereeve.compile.request import Request
from gatereeve.ir.gates import Gate
from tests.differential import generate
from tests.differential.real import Answer, RealGate
from tests.support.worlds import world_of

pytestmark = pytest.mark.envoy

PER_FOLDER = 25
CASES = int(os.environ.get("GATEREEVE_DIFFERENTIAL_CASES", "2000"))


class Bench:
    """The real gate with its own loop, so that hypothesis can call it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.real = RealGate()
        self.loop.run_until_complete(self.real.__aenter__())
        self.cases = 0

    def close(self) -> None:
        self.loop.run_until_complete(self.real.__aexit__())
        self.loop.close()

    def compare(self, text: str, requests: list[Request]) -> None:
        now = datetime.now(UTC)
        compiled = compiler.compile(world_of(text, at=now))
        (gate,) = compiled.ir.gates
        self.loop.run_until_complete(self.real.publish(gate))
        answers = self.loop.run_until_complete(self.real.send_all(requests))
        for request, answer in zip(requests, answers, strict=True):
            self.cases += 1
            self._same(gate, request, answer, decide(gate, request, now=now))

    def _same(self, gate: Gate, request: Request, answer: Answer, decision: Decision) -> None:
        expected = {
            "status": decision.status,
            "code": decision.code,
            "server": _server(gate, decision),
            "rule": decision.rule,
        }
        record = self.real.records.by_id.get(answer.record_id or "")
        found = {
            "status": answer.status,
            "code": answer.code,
            "server": answer.server,
            "rule": record.rule if record else None,
        }
        if expected != found:
            note(f"request: {request}")
            note("\n".join(f"{s.number} {s.name}: {s.outcome} {s.detail}" for s in decision.steps))
            note(f"record: {record}")
            note(f"body: {answer.body[:300]!r}")
        assert found == expected


def _server(gate: Gate, decision: Decision) -> int | None:
    """The port of the server that the decision chose."""
    if not decision.forwarded:
        return None
    cluster = next(c for c in gate.clusters if c.name == decision.cluster)
    return cluster.endpoints.groups[0].endpoints[0].port


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@settings(
    max_examples=max(1, CASES * 10 // (PER_FOLDER * 9)),
    deadline=None,
    database=None,
    derandomize=os.environ.get("GATEREEVE_DIFFERENTIAL_RANDOM") is None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
    print_blob=False,
)
@given(data=st.data())
def test_the_reference_and_envoy_agree(bench: Bench, data: st.DataObject) -> None:
    text = data.draw(generate.folder(bench.real.ports), label="folder")
    count = data.draw(st.sampled_from((1, *[PER_FOLDER] * 9)), label="requests")
    requests = [data.draw(generate.request()) for _ in range(count)]
    bench.compare(text, requests)
