"""While things change: policies edited under load, a controller that dies half-way, a restart.

At every instant some policy is in force. Callers that no policy of the test ever admits ask without
a pause; not one of them may be answered by a model, whatever is published meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from gatereeve.proxy.local import envoy_process
from tests.envoy.protected import API_KEY, INFER, STAFF, Scene, bearer, post, scene
from tests.support import gate as gates

pytestmark = pytest.mark.envoy

NOBODY = {"models": ["credit"], "allow": [{"subjects": [{"principal": "corp/nobody"}]}]}
PARTNERS = {"models": ["credit"], "allow": [{"subjects": [{"provider": "partners"}]}]}
DENIED = {
    "models": ["credit"],
    "deny": [{"subjects": [{"provider": "corp"}]}],
    "allow": STAFF["allow"],
}
SHADOW = STAFF | {"mode": "shadow"}
BROKEN = {"models": ["credit"], "allow": [{"subjcts": []}]}
EDITS: tuple[object, ...] = (
    None,
    STAFF,
    NOBODY,
    PARTNERS,
    BROKEN,
    STAFF,
    DENIED,
    SHADOW,
    None,
    BROKEN,
    PARTNERS,
    STAFF,
)
"""None of them admits a stranger or mallory."""


def strangers() -> tuple[bytes, ...]:
    return (
        post(INFER),
        post(INFER, f"Authorization: {bearer('mallory', groups=['guests'])}"),
        post(INFER, "X-Api-Key: wrong"),
        post("/v2/models/credit/ready"),
        post("/public/../v2/models/credit/infer"),
    )


@dataclass(slots=True)
class Load:
    """Requests without a pause, each on a connection of its own. statuses: 0 for no answer."""

    scene: Scene
    statuses: Counter[int] = field(default_factory=Counter)
    served: list[gates.Answer] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, data: bytes) -> None:
        while True:
            try:
                answer = await self.scene.ask(data)
            except OSError:  # no listener, or none any more
                answer = gates.NOTHING
            self.statuses[answer.status] += 1
            if answer.status == 200:
                self.served.append(answer)
            self._news.set()

    async def until(self, more: int) -> None:
        """Until so many more answers are there."""
        goal = self.statuses.total() + more
        async with asyncio.timeout(gates.DEADLINE_S):
            while self.statuses.total() < goal:
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def load(made: Scene, requests: Sequence[bytes]) -> AsyncIterator[Load]:
    found = Load(made)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(found.ask(data)) for data in requests]
        yield found
        for task in tasks:
            task.cancel()


async def mine(made: Scene, *headers: str) -> int:
    return (await made.ask(post(INFER, *headers))).status


async def test_a_policy_edited_under_load_is_never_absent() -> None:
    async with scene() as made, load(made, strangers()) as asking:
        for policy in EDITS:
            await made.gate.publish(made.documents(credit=policy))
            expected = 200 if policy in (STAFF, PARTNERS, DENIED) else None
            status = await mine(made, f"X-Api-Key: {API_KEY}")
            assert (status == 200) == (expected == 200)
            assert (await mine(made, f"Authorization: {bearer()}") == 200) == (policy is STAFF)
            await asking.until(10)
        assert not asking.served
        assert set(asking.statuses) <= {401, 403, 503}
        assert {h for s in made.reached().get("credit", ()) for h in s.values("x-api-key")} == set()


async def test_what_is_withdrawn_is_withdrawn_when_it_is_acknowledged() -> None:
    """From the acknowledgement on, those who were admitted are not; on open connections neither."""
    async with scene() as made:
        request = post(INFER, f"X-Api-Key: {API_KEY}")
        async with made.gate.connect(gates.client_tls(), sni="models.test") as open_one:
            await open_one.send(request)
            assert (await open_one.answer()).status == 200
            for policy in (NOBODY, None, BROKEN, SHADOW):
                await made.gate.publish(made.documents(credit=STAFF))
                assert await mine(made, f"X-Api-Key: {API_KEY}") == 200
                await made.gate.publish(made.documents(credit=policy))
                made.reached()
                assert await mine(made, f"X-Api-Key: {API_KEY}") in {403, 503}
                assert await mine(made, f"Authorization: {bearer()}") in {403, 503}
                assert not made.reached()
            await open_one.send(request)
            assert (await open_one.answer()).status in {0, 403, 503}
        assert not made.reached()


async def test_a_model_that_comes_and_goes_is_never_open() -> None:
    async with scene() as made:
        whole = made.documents()
        parts = whole.split("\n---\n")
        without = [
            "\n---\n".join(
                part for part in parts if not (f"kind: {kind}\n" in part and "name: credit" in part)
            )
            for kind in ("Model", "ModelVersion", "Ingress", "AccessPolicy")
        ]
        async with load(made, strangers()) as asking:
            for text in without:
                assert text != whole
                await made.gate.publish(text)
                assert await mine(made, f"X-Api-Key: {API_KEY}") in {403, 404, 500, 503}
                await made.gate.publish(whole)
                assert await mine(made, f"X-Api-Key: {API_KEY}") == 200
            assert not asking.served


async def test_a_controller_that_dies_half_way_leaves_a_gate_that_refuses() -> None:
    async with scene() as made, load(made, strangers()) as asking:
        made.gate.offer(made.gate.compile(made.documents(credit=NOBODY)))
        await made.gate.controller.stop()  # while the change is on its way
        await asking.until(100)
        assert not asking.served
        assert set(asking.statuses) <= {401, 403, 503}
        assert await mine(made, f"X-Api-Key: {API_KEY}") in {200, 403}
        assert (await made.ask(post("/public"))).status == 200


async def test_a_gate_that_starts_again_without_a_controller_serves_nothing() -> None:
    async with scene() as made:
        await made.gate.controller.stop()
        started = await made.gate.events.wait(envoy_process.Started, 1)
        async with load(made, (*strangers(), post(INFER, f"X-Api-Key: {API_KEY}"))) as asking:
            await asking.until(6)
            served = len(asking.served)
            os.kill(started.pid, signal.SIGKILL)
            await made.gate.events.wait(envoy_process.Started, 2)
            before = asking.statuses.total()
            await asking.until(100)
            assert asking.statuses.total() > before
            assert asking.statuses[0] > 0
            assert all(answer.server == "credit" for answer in asking.served)
            made.reached()
            await asking.until(50)
            assert not made.reached()
            assert len(asking.served) >= served
