"""Remote key sets: retrieved, kept when a refresh fails, told about, and forgotten when unwanted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import textwrap
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from gatereeve.api.world import World
from gatereeve.compile.governance import key_sets
from gatereeve.core import refs
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources import jwks
from gatereeve.sources.jwks import CachedKeySet, KeySets
from tests.support.worlds import world_of
from tests.unit.sources.key_server import JWKS, KeyServer, response, serving


async def local(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def gate(server: KeyServer, *, name: str = "gate", remote: str = "allowPrivate: true") -> str:
    ca = textwrap.indent(server.authority.certificate, " " * 4)
    return f"""\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {{name: {name}}}
spec:
  region: de
  https: {{port: 8443}}
  identity:
    jwt:
      - name: corp
        issuer: https://issuer.example.com
        audiences: [gate]
        jwks:
          remote:
            uri: {server.uri}
            ca: {{secret: {{namespace: keys, name: ca}}}}
            {remote}
---
apiVersion: v1
kind: Secret
metadata: {{name: ca, namespace: keys}}
stringData:
  ca.crt: |
{ca}
"""


class Following:
    """Key sets at work, and a way to wait for what they say."""

    def __init__(self, remembered: Mapping[str, CachedKeySet]) -> None:
        self.changes = 0
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.clock = SystemClock()
        self.kept: Mapping[str, CachedKeySet] = {}
        self.sets = KeySets(
            self._on_change,
            self.clock,
            resolve=local,
            remembered=remembered,
            remember=self._remember,
        )

    def _remember(self, kept: Mapping[str, CachedKeySet]) -> None:
        """In a thread."""
        self.kept = kept
        self._loop.call_soon_threadsafe(self._changed.set)

    def _on_change(self) -> None:
        self.changes += 1
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def codes(self) -> list[str]:
        return [str(f.code) for f in self.sets.retrieved().found]

    def age(self, seconds: float) -> None:
        """As if every key set had been retrieved so much longer ago."""
        for held in self.sets._held.values():
            held.age_from -= seconds
        self.sets._event.set()

    def refresh(self) -> None:
        """As if the refresh interval of every set had passed."""
        for held in self.sets._held.values():
            held.due = 0.0
        self.sets._event.set()


@asynccontextmanager
async def following(
    world: World, remembered: Mapping[str, CachedKeySet] | None = None
) -> AsyncIterator[Following]:
    at_work = Following(remembered or {})
    task = asyncio.create_task(at_work.sets.run())
    try:
        at_work.sets.want(world)
        yield at_work
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_wanted_key_set_is_retrieved_and_told() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        assert at.sets.retrieved().jwks == {}
        await at.until(lambda: at.sets.retrieved().jwks == {server.uri: JWKS})
        assert at.codes() == []
        assert at.changes == 1


async def test_a_failed_refresh_keeps_the_last_good_set_and_says_so() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        for answer in (response(status="500 No"), response("no json"), response('{"keys": 1}'),
                       response(b"\xff\xfe{"), response("[" * 100_000), response(status="404 Not Found"),
                       response("<html>sign in</html>"), response(" " * 300_000), response('{"keys": null}'),
                       response('{"error": "gone"}'), response("[]"), response(""),
                       response(json.dumps({"keys": [{}] * 101}))):  # fmt: skip
            server.answer = answer
            asked = len(server.requests)
            at.refresh()
            await at.until(lambda asked=asked: len(server.requests) > asked and at.codes() != [])  # type: ignore[misc]  # the default binds the loop's value
            assert at.sets.retrieved().jwks == {server.uri: JWKS}
            assert at.codes() == ["jwks-stale"]
            server.answer = response()
            at.refresh()
            await at.until(lambda: at.codes() == [])


def test_the_compiler_has_the_same_bound() -> None:
    assert jwks.MAX_KEYS == key_sets.MAX_KEYS


async def test_a_new_set_replaces_the_old_one() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        server.answer = response('{"keys": [{}]}')
        at.refresh()
        await at.until(lambda: at.sets.retrieved().jwks == {server.uri: '{"keys": [{}]}'})


async def test_what_is_kept_ends() -> None:
    """Refresh and keep times after the last retrieval; the defaults are 5 minutes and a day."""
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        server.answer = response(status="404 Not Found")
        at.refresh()
        await at.until(lambda: at.codes() == ["jwks-stale"])
        at.age(300 + 86_400 - 60)
        assert at.sets.retrieved().jwks == {server.uri: JWKS}
        at.age(61)
        await at.until(lambda: at.codes() == ["jwks-unavailable"])
        assert at.sets.retrieved().jwks == {}
        server.answer = response()
        at.refresh()
        await at.until(lambda: at.sets.retrieved().jwks == {server.uri: JWKS})


async def test_a_gate_says_for_how_long() -> None:
    remote = "{allowPrivate: true, keepSeconds: 0}"
    async with serving() as server:
        world = world_of(gate(server, remote=remote.strip("{}").replace(", ", "\n            ")))
        async with following(world) as at:
            await at.until(lambda: bool(at.sets.retrieved().jwks))
            server.answer = response(status="404 Not Found")
            at.refresh()
            await at.until(lambda: at.codes() == ["jwks-stale"])
            at.age(301)
            await at.until(lambda: at.sets.retrieved().jwks == {})


async def test_an_empty_set_takes_effect_at_once() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        server.answer = response('{"keys": []}')
        at.refresh()
        await at.until(lambda: at.sets.retrieved().jwks == {server.uri: '{"keys": []}'})
        assert at.codes() == []


async def remembering(server: KeyServer, world: World) -> Mapping[str, CachedKeySet]:
    """What a process would leave behind."""
    async with following(world) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        await at.until(lambda: bool(at.kept))
        return at.kept


async def test_a_restart_remembers() -> None:
    async with serving() as server:
        world = world_of(gate(server))
        kept = await remembering(server, world)
        server.answer = response(status="503 Busy")
        async with following(world, kept) as at:
            assert at.sets.retrieved().jwks == {server.uri: JWKS}
            assert at.sets.want(world).jwks == {server.uri: JWKS}
            await at.until(lambda: at.codes() == ["jwks-stale"])


@pytest.mark.parametrize("days", [-1, 1.1, 400])
async def test_what_is_too_old_or_of_no_known_age_is_not_remembered(days: float) -> None:
    async with serving() as server:
        world = world_of(gate(server))
        kept = await remembering(server, world)
        aged = {u: replace(one, at=one.at - timedelta(days=days)) for u, one in kept.items()}
        server.answer = response(status="503 Busy")
        async with following(world, aged) as at:
            assert at.sets.retrieved().jwks == {}


async def test_keys_of_another_trust_are_not_remembered() -> None:
    async with serving() as server, serving() as other:
        kept = await remembering(server, world_of(gate(server)))
        moved = {other.uri: kept[server.uri]}
        other.answer = response(status="503 Busy")
        async with following(world_of(gate(other)), moved) as at:
            assert at.sets.retrieved().jwks == {}


async def test_an_authority_that_cannot_be_read_just_now_changes_nothing() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        at.sets.want(world_of(gate(server).split("---")[0]))
        await at.until(lambda: at.codes() == ["jwks-stale"])
        assert at.sets.retrieved().jwks == {server.uri: JWKS}


async def test_a_gate_that_comes_back_finds_its_keys() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        at.sets.want(world_of())
        server.answer = response(status="503 Busy")
        assert at.sets.want(world_of(gate(server))).jwks == {server.uri: JWKS}


async def test_what_was_never_there_is_unavailable_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jwks, "_FIRST_RETRY_S", 0.01)
    async with serving() as server:
        server.answer = response(status="503 Busy")
        async with following(world_of(gate(server))) as at:
            await at.until(lambda: at.codes() == ["jwks-unavailable"])
            (finding,) = at.sets.retrieved().found
            assert "503" in finding.message
            assert finding.origin == refs.Origin(
                refs.Ref("gatereeve.dev", "Gate", "", "gate"), "spec.identity.jwt[0].jwks.remote"
            )
            assert finding.where is not None
            assert finding.where.line == 13
            server.answer = response()
            await at.until(lambda: at.sets.retrieved().jwks == {server.uri: JWKS})
            assert at.codes() == []


async def test_a_private_address_is_refused_unless_allowed() -> None:
    async with serving() as server:
        world = world_of(gate(server, remote="allowPrivate: false"))
        async with following(world) as at:
            await at.until(lambda: at.codes() == ["jwks-uri-refused"])
            assert server.requests == []


async def test_of_two_gates_the_stricter_one_decides() -> None:
    async with serving() as server:
        world = world_of(
            gate(server), gate(server, name="other", remote="allowPrivate: false").split("---")[0]
        )
        async with following(world) as at:
            await at.until(lambda: at.codes() == ["jwks-uri-refused"] * 2)
            assert server.requests == []


async def test_without_its_authority_nothing_is_retrieved() -> None:
    async with serving() as server, following(world_of(gate(server).split("---")[0])) as at:
        await at.until(lambda: at.codes() == ["jwks-unavailable"])
        assert "Secret keys/ca does not exist" in at.sets.retrieved().found[0].message
        assert server.requests == []
        at.sets.want(world_of(gate(server)))
        await at.until(lambda: at.sets.retrieved().jwks == {server.uri: JWKS})


async def test_what_nobody_wants_is_forgotten() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        at.sets.want(world_of())
        assert at.sets.retrieved().jwks == {}


async def test_trust_that_changed_is_not_carried_over() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        at.sets.want(world_of(gate(server, remote="allowPrivate: false")))
        assert at.sets.retrieved().jwks == {}
        await at.until(lambda: at.codes() == ["jwks-uri-refused"])


async def test_wanting_the_same_again_asks_nobody() -> None:
    async with serving() as server, following(world_of(gate(server))) as at:
        await at.until(lambda: bool(at.sets.retrieved().jwks))
        at.sets.want(world_of(gate(server)))
        assert at.sets.retrieved().jwks == {server.uri: JWKS}
        assert (len(server.requests), at.changes) == (1, 1)
