"""The publishing discipline on the real wire: order, make before break, the newest wins."""

import pytest

from gatereeve.proxy.xds import events, session
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg
from tests.features.xds_client import Follower, XdsClient, names, node, versions
from tests.features.xds_serving import ManualClock, serving

pytestmark = pytest.mark.features


def one(version: str, cluster: str, *, connect_ms: int = 500, port: int = 1) -> snap.Snapshot:
    """A listener whose routes lead to one cluster."""
    return msg.snapshot(
        version,
        msg.cluster(cluster, connect_ms=connect_ms),
        msg.endpoints(cluster, port),
        msg.listener("web", 8080),
        msg.routes(x=cluster),
    )


async def test_cold_start_comes_in_order() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "a")))
        assert [entry[0] for entry in follower.log] == ["CDS", "EDS", "LDS", "RDS"]
        await at.seen.settled("v1")


async def test_listeners_wait_until_clusters_have_their_endpoints() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "a"))
        await client.send(snap.CDS)
        await client.send(snap.LDS)
        await client.send(snap.RDS, subscribe=["routes"])
        response = await client.next(snap.CDS)
        assert await client.quiet() == []
        await client.ack(response)
        assert await client.quiet() == []
        await client.send(snap.EDS, subscribe=["a"])
        response = await client.next(snap.EDS)
        assert await client.quiet() == []
        await client.ack(response)
        response = await client.next(snap.LDS)
        assert await client.quiet() == []
        await client.ack(response)
        assert names(await client.next(snap.RDS)) == ["routes"]


async def test_a_changed_cluster_gets_its_endpoints_again_though_equal() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "a")))
        del follower.log[:]
        at.server.set_snapshot("public", one("v2", "a", connect_ms=400))
        await follower.step()
        await follower.step()
        assert follower.log == [("CDS", ["a"], []), ("EDS", ["a"], [])]
        await at.seen.settled("v2")
        assert await client.quiet() == []


async def test_make_before_break() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "old"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "old")))
        del follower.log[:]
        at.server.set_snapshot("public", one("v2", "new"))
        await follower.until(versions(one("v2", "new")))
        assert follower.log[:4] == [
            ("CDS", ["new"], []),
            ("EDS", ["new"], []),
            ("RDS", ["routes"], []),
            ("CDS", [], ["old"]),
        ]


async def test_removal_waits_for_the_grace_and_new_interest_cancels_it() -> None:
    clock = ManualClock()
    grace = session.Discipline(grace_s=60)
    async with (
        serving(discipline=grace, clock=clock) as at,
        XdsClient(at.socket) as client,
    ):
        at.server.set_snapshot("public", one("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "a")))
        at.server.set_snapshot("public", one("v2", "b"))
        await follower.until({snap.RDS: versions(one("v2", "b"))[snap.RDS]})
        await at.seen.settled("v2")
        assert await client.quiet() == []
        clock.at += 59
        assert await client.quiet() == []
        at.server.set_snapshot("public", one("v3", "a"))
        await follower.until({snap.RDS: versions(one("v3", "a"))[snap.RDS]})
        # The clusters of v3 are all there, which is said; `b` stays for its grace.
        await follower.step()
        assert follower.log[-1] == ("CDS", [], [])
        assert await client.quiet() == []  # the server has read that answer before the time goes on
        clock.at += 59  # `a` is wanted again, and `b` has been of no use for 59 s
        assert await client.quiet() == []
        clock.at += 1
        await client.send(snap.CDS)  # anything wakes the stream; its timer runs on real time
        await follower.step()
        assert follower.log[-1] == ("CDS", [], ["b"])


async def test_listeners_go_before_the_clusters_they_used() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "a")))
        del follower.log[:]
        at.server.set_snapshot("public", msg.snapshot("v2"))
        while ("CDS", [], ["a"]) not in follower.log:
            await follower.step()
        order = [entry for entry in follower.log if entry[2] and entry[0] in {"LDS", "CDS"}]
        assert order == [("LDS", [], ["web"]), ("CDS", [], ["a"])]


async def test_two_changes_during_an_unacknowledged_one_are_one_push() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.secret("k", "1")))
        await client.send(snap.SDS, subscribe=["k"])
        response = await client.next(snap.SDS)
        at.server.set_snapshot("public", msg.snapshot("v2", msg.secret("k", "2")))
        at.server.set_snapshot("public", msg.snapshot("v3", msg.secret("k", "3")))
        assert await client.quiet() == []
        await client.ack(response)
        newest = await client.next_ack(snap.SDS)
        assert newest.resources[0].version == snap.resource_of(msg.secret("k", "3")).version
        assert await client.quiet() == []


async def test_the_newest_snapshot_wins_in_the_middle_of_a_change() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", one("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(one("v1", "a")))
        del follower.log[:]
        at.server.set_snapshot("public", one("v2", "b"))
        unanswered = await client.next(snap.CDS)
        at.server.set_snapshot("public", one("v3", "c"))
        await follower.take(unanswered)
        await follower.until(versions(one("v3", "c")))
        sent = [name for kind, sent, _ in follower.log if kind == "RDS" for name in sent]
        assert sent == ["routes"]  # those of v2 were never sent
        await at.seen.settled("v3")


async def test_a_slow_gate_holds_up_nobody() -> None:
    async with serving() as at:
        at.server.set_snapshot("public", one("v1", "a"))
        async with (
            XdsClient(at.socket, as_node=node(replica="slow")) as slow,
            XdsClient(at.socket, as_node=node(replica="fast")) as fast,
        ):
            await slow.send(snap.CDS)
            await slow.next(snap.CDS)  # and never answers
            follower = Follower(fast)
            await follower.start()
            for number in range(2, 12):
                newest = one(f"v{number}", f"cluster-{number}")
                at.server.set_snapshot("public", newest)
                await follower.until(versions(newest))
            await at.seen.settled("v11")
            held = {status.node: status.settled for status in at.server.status()}
            assert held == {"gate/public-fast": "v11", "gate/public-slow": None}
            assert await slow.quiet() == []


async def test_much_content_is_cut_into_responses() -> None:
    small = session.Discipline(grace_s=0, response_bytes=200)
    cluster_names = [f"cluster-{number}" for number in range(20)]
    snapshot = msg.snapshot(
        "v1",
        *(msg.cluster(name) for name in cluster_names),
        *(msg.endpoints(name, 1) for name in cluster_names),
        msg.listener("web", 8080),
        msg.routes(x="cluster-1"),
    )
    async with serving(discipline=small) as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", snapshot)
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(snapshot))
        parts = [entry for entry in follower.log if entry[0] == "CDS"]
        assert len(parts) > 3
        assert sorted(name for part in parts for name in part[1]) == sorted(cluster_names)
        kinds = [entry[0] for entry in follower.log]
        assert kinds.index("LDS") > max(i for i, kind in enumerate(kinds) if kind == "CDS")


async def test_status_tells_what_each_gate_has() -> None:
    async with serving() as at:
        at.server.set_snapshot("public", one("v1", "a"))
        async with XdsClient(at.socket) as client:
            follower = Follower(client)
            await follower.start()
            await at.seen.wait(events.Connected)
            (status,) = at.server.status()
            assert (status.connected, status.published, status.settled) == (True, "v1", None)
            await follower.until(versions(one("v1", "a")))
            await at.seen.settled("v1")
            (status,) = at.server.status()
            expected = snap.type_version(one("v1", "a").of(snap.LDS))
            assert (status.settled, status.acked[snap.LDS]) == ("v1", expected)
            assert (status.suppressed, status.last_nack) == ((), None)
        await at.seen.wait(events.Disconnected)
        (status,) = at.server.status()
        assert (status.connected, status.node) == (False, "gate/public-1")


async def test_endpoints_owed_when_the_stream_broke_come_on_the_next_one() -> None:
    async with serving() as at:
        at.server.set_snapshot("public", one("v1", "a"))
        async with XdsClient(at.socket) as client:
            follower = Follower(client)
            await follower.start()
            await follower.until(versions(one("v1", "a")))
            at.server.set_snapshot("public", one("v2", "a", connect_ms=400))
            await client.next_ack(snap.CDS)  # the cluster warms again, without its endpoints
        await at.seen.wait(events.Disconnected)
        held = versions(one("v2", "a", connect_ms=400))
        async with XdsClient(at.socket) as client:
            await client.send(snap.CDS, held=held[snap.CDS])
            await client.send(snap.EDS, subscribe=["a"], held=held[snap.EDS])
            assert names(await client.next(snap.EDS)) == ["a"]
