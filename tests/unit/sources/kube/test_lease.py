"""One leader at a time, by local time; a lost lease stops writing and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gatereeve.core import errors
from gatereeve.sources.kube.client import ApiClient, ClientLimits
from gatereeve.sources.kube.lease import Elector, LeaseSettings
from tests.support.apiserver import ApiServer, Fault, Obj, serving
from tests.unit.sources.clock import StillClock
from tests.unit.sources.kube.harness import client_of

PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases/gatereeve"


def settings(identity: str) -> LeaseSettings:
    return LeaseSettings(
        name="gatereeve", namespace="system", identity=identity,
        lease_s=15.0, renew_s=10.0, retry_s=0.01,
    )  # fmt: skip


@asynccontextmanager
async def electing(
    client: ApiClient, identity: str, clock: StillClock, changes: list[bool] | None = None
) -> AsyncIterator[Elector]:
    told = changes if changes is not None else []
    elector = Elector(client, clock, settings(identity), on_change=told.append)
    task = asyncio.create_task(elector.run())
    try:
        yield elector
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def spec(server: ApiServer) -> Obj:
    lease = server.find("Lease", "system", "gatereeve")
    assert lease is not None
    found: Obj = lease["spec"]
    return found


async def looks(server: ApiServer, count: int) -> None:
    """Returns after so many more looks at the lease."""
    before = len(server.asked("GET", PATH))
    await server.wait_for(lambda: len(server.asked("GET", PATH)) >= before + count)


async def until(server: ApiServer, true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await looks(server, 1)


async def test_the_first_takes_it_and_the_second_waits(tmp_path: Path) -> None:
    clock, changes = StillClock(), list[bool]()
    async with serving() as server, client_of(server, tmp_path) as client:
        async with electing(client, "one", clock, changes) as one:
            await until(server, lambda: one.leadership.leading)
            async with electing(client, "two", clock) as two:
                await looks(server, 10)
                assert not two.leadership.leading
                assert two.leadership.holder == "one"
            assert spec(server)["holderIdentity"] == "one"
            assert spec(server)["leaseTransitions"] == 0
        assert changes == [True, False]


async def test_a_clean_end_gives_it_back(tmp_path: Path) -> None:
    clock = StillClock()
    async with serving() as server, client_of(server, tmp_path) as client:
        async with electing(client, "one", clock) as one:
            await until(server, lambda: one.leadership.leading)
        assert not one.leadership.leading
        assert spec(server)["holderIdentity"] == ""
        async with electing(client, "two", clock) as two:
            await until(server, lambda: two.leadership.leading)
            assert spec(server)["leaseTransitions"] == 1


async def test_a_silent_holder_is_followed_after_the_lease_as_we_saw_it(tmp_path: Path) -> None:
    """Its own renewTime, however far in the future, is nobody's business."""
    clock = StillClock()
    async with serving() as server, client_of(server, tmp_path) as client:
        server.put({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "gatereeve", "namespace": "system"},
            "spec": {"holderIdentity": "dead", "renewTime": "2099-01-01T00:00:00.000000Z",
                     "leaseDurationSeconds": 15, "leaseTransitions": 3},
        })  # fmt: skip
        async with electing(client, "two", clock) as two:
            await looks(server, 3)
            clock.advance(14.9)
            await looks(server, 3)
            assert not two.leadership.leading
            clock.advance(0.2)
            await until(server, lambda: two.leadership.leading)
            assert spec(server)["leaseTransitions"] == 4


async def test_a_holder_that_renews_is_not_followed(tmp_path: Path) -> None:
    clock = StillClock()
    async with (
        serving() as server,
        client_of(server, tmp_path) as client,
        electing(client, "one", clock) as one,
        electing(client, "two", clock) as two,
    ):
        await until(server, lambda: one.leadership.leading or two.leadership.leading)
        first, second = (one, two) if one.leadership.leading else (two, one)
        for _ in range(10):
            clock.advance(5)
            await looks(server, 6)
        assert first.leadership.leading
        assert not second.leadership.leading


@pytest.mark.parametrize("status", [401, 403, 500, 503, 0])
async def test_without_the_api_it_stops_leading_in_time_and_runs_on(
    tmp_path: Path, status: int
) -> None:
    clock, changes = StillClock(), list[bool]()
    never = asyncio.Event()
    async with (
        serving() as server,
        client_of(server, tmp_path, limits=ClientLimits(request_s=0.2)) as client,
        electing(client, "one", clock, changes) as one,
    ):
        await until(server, lambda: one.leadership.leading)
        server.faults.append(
            Fault(path=PATH, status=status, times=10**6, delay=None if status else never)
        )
        await looks(server, 1)
        clock.advance(9.9)
        assert one.leadership.leading
        clock.advance(0.2)
        assert not one.leadership.leading, "by its own clock, with no answer from anybody"
        server.faults.clear()
        never.set()
        await until(server, lambda: one.leadership.leading)
        assert spec(server)["leaseTransitions"] == 0
        assert changes[0] is True


async def test_who_is_overtaken_stops_at_once(tmp_path: Path) -> None:
    clock, changes = StillClock(), list[bool]()
    async with serving() as server, client_of(server, tmp_path) as client:
        async with electing(client, "one", clock, changes) as one:
            await until(server, lambda: one.leadership.leading)
            lease = server.find("Lease", "system", "gatereeve")
            assert lease is not None
            server.put({**lease, "spec": {**lease["spec"], "holderIdentity": "two"}})
            await until(server, lambda: not one.leadership.leading)
            assert one.leadership.holder == "two"
            await looks(server, 3)
            assert spec(server)["holderIdentity"] == "two"
        assert spec(server)["holderIdentity"] == "two", "another's lease is not given back"
        assert changes == [True, False]


async def test_two_at_once_give_one_leader(tmp_path: Path) -> None:
    clock = StillClock()
    async with (
        serving() as server,
        client_of(server, tmp_path) as client,
        electing(client, "a", clock) as a,
        electing(client, "b", clock) as b,
        electing(client, "c", clock) as c,
    ):
        all_ = (a, b, c)
        await until(server, lambda: any(e.leadership.leading for e in all_))
        await looks(server, 20)
        assert sum(e.leadership.leading for e in all_) == 1


async def test_times_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    wrong = LeaseSettings(name="a", namespace="b", identity="c", renew_s=15)
    async with serving() as server, client_of(server, tmp_path) as client:
        with pytest.raises(errors.SettingsError):
            Elector(client, StillClock(), wrong)
