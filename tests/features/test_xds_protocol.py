"""The incremental protocol on the real wire: subscriptions, nonces, reconnecting."""

import pytest

from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg
from tests.features.xds_client import Follower, XdsClient, names, node, versions
from tests.features.xds_serving import serving

pytestmark = pytest.mark.features


def clusters(version: str, *cluster_names: str, connect_ms: int = 500) -> snap.Snapshot:
    return msg.snapshot(
        version,
        *(msg.cluster(name, connect_ms=connect_ms) for name in cluster_names),
        *(msg.endpoints(name, 1) for name in cluster_names),
    )


def plain(version: str, *cluster_names: str) -> snap.Snapshot:
    return msg.snapshot(version, *map(msg.plain_cluster, cluster_names))


async def test_empty_types_are_answered() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        for type_url in (snap.CDS, snap.LDS):
            await client.send(type_url)
            response = await client.next_ack(type_url)
            assert (names(response), list(response.removed_resources)) == ([], [])
        assert await client.quiet() == []
        await at.seen.settled("v1")


async def test_a_gate_waits_for_the_first_snapshot_of_its_gate() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.add_gate("public")
        await client.send(snap.CDS)
        await at.seen.wait(events.Connected)
        at.server.set_snapshot("public", clusters("v1", "a"))
        assert names(await client.next(snap.CDS)) == ["a"]


@pytest.mark.parametrize("asked", [[], ["*"]], ids=["legacy", "star"])
async def test_wildcard_brings_all_and_follows_changes(asked: list[str]) -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", plain("v1", "a", "b"))
        await client.send(snap.CDS, subscribe=asked)
        assert names(await client.next_ack(snap.CDS)) == ["a", "b"]
        at.server.set_snapshot("public", plain("v2", "a", "b", "c"))
        assert names(await client.next_ack(snap.CDS)) == ["c"]
        at.server.set_snapshot("public", plain("v3", "b", "c"))
        response = await client.next_ack(snap.CDS)
        assert (names(response), list(response.removed_resources)) == ([], ["a"])
        assert await client.quiet() == []


async def test_explicit_names_only() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a", "b", "c"))
        await client.send(snap.EDS, subscribe=["b"])
        assert names(await client.next_ack(snap.EDS)) == ["b"]
        await client.send(snap.EDS, subscribe=["c"])
        assert names(await client.next_ack(snap.EDS)) == ["c"]
        assert await client.quiet() == []


async def test_wildcard_with_names_beside_it() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a"))
        await client.send(snap.CDS, subscribe=["*", "unknown"])
        response = await client.next_ack(snap.CDS)
        assert (names(response), list(response.removed_resources)) == (["a"], ["unknown"])
        await client.send(snap.CDS, unsubscribe=["*"])
        assert await client.quiet() == []
        at.server.set_snapshot("public", clusters("v2", "a", "unknown"))
        assert names(await client.next_ack(snap.CDS)) == ["unknown"]
        assert await client.quiet() == []


async def test_unknown_name_is_answered_and_comes_when_it_exists() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1"))
        await client.send(snap.RDS, subscribe=["routes"])
        assert list((await client.next_ack(snap.RDS)).removed_resources) == ["routes"]
        at.server.set_snapshot("public", msg.snapshot("v2", msg.routes(x=200)))
        assert names(await client.next_ack(snap.RDS)) == ["routes"]


async def test_unsubscribed_names_stop_and_subscribing_again_sends_again() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.secret("k"), msg.secret("l")))
        await client.send(snap.SDS, subscribe=["k", "l"])
        assert names(await client.next_ack(snap.SDS)) == ["k"]  # each alone
        assert names(await client.next_ack(snap.SDS)) == ["l"]
        await client.send(snap.SDS, unsubscribe=["k"])
        assert await client.quiet() == []
        at.server.set_snapshot(
            "public", msg.snapshot("v2", msg.secret("k", "new"), msg.secret("l"))
        )
        assert await client.quiet() == []
        await client.send(snap.SDS, subscribe=["k"])
        assert names(await client.next_ack(snap.SDS)) == ["k"]
        # Held and newest, and asked for again: the gate may have dropped it.
        await client.send(snap.SDS, subscribe=["k"])
        assert names(await client.next_ack(snap.SDS)) == ["k"]
        assert await client.quiet() == []


async def test_subscribing_again_while_a_response_is_on_its_way_loses_nothing() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.secret("k")))
        await client.send(snap.SDS, subscribe=["k"])
        first = await client.next(snap.SDS)
        await client.send(snap.SDS, unsubscribe=["k"])
        await client.send(snap.SDS, subscribe=["k"])
        await client.ack(first)
        assert names(await client.next_ack(snap.SDS)) == ["k"]


async def test_unsubscribing_a_name_the_wildcard_covers_sends_it_again() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a", "b"))
        await client.send(snap.CDS, subscribe=["*", "a"])
        assert names(await client.next_ack(snap.CDS)) == ["a", "b"]
        await client.send(snap.CDS, unsubscribe=["a"])
        assert names(await client.next_ack(snap.CDS)) == ["a"]


@pytest.mark.parametrize(
    "nonce", ["ffff", "not-a-nonce", ""], ids=["unknown", "strange", "missing"]
)
@pytest.mark.parametrize("error", [None, "rejected"], ids=["ack", "nack"])
async def test_another_nonce_acknowledges_nothing(nonce: str, error: str | None) -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a"))
        await client.send(snap.CDS)
        response = await client.next(snap.CDS)
        await client.send(snap.CDS, nonce=nonce, error=error)
        at.server.set_snapshot("public", clusters("v2", "b"))
        assert await client.quiet() == []  # the response is still outstanding
        assert at.server.counters.nacks == {}
        assert at.server.counters.stale_nonces == (1 if nonce else 0)
        await client.ack(response)
        assert names(await client.next(snap.CDS)) == ["b"]


async def test_the_nonce_of_an_older_response_acknowledges_nothing() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a"))
        await client.send(snap.CDS)
        older = await client.next_ack(snap.CDS)
        at.server.set_snapshot("public", clusters("v2", "a", "b"))
        newer = await client.next(snap.CDS)
        await client.nack(older, "late and wrong")
        assert await client.quiet() == []
        await client.ack(newer)
        assert await client.quiet() == []
        assert at.server.counters.nacks == {}


async def test_equal_content_under_a_new_version_is_not_sent() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a"))
        follower = Follower(client)
        await follower.start()
        await follower.until(versions(clusters("v1", "a")))
        await follower.take(await client.next(snap.LDS))
        at.server.set_snapshot("public", clusters("v2", "a"))
        await at.seen.settled("v2")
        assert await client.quiet() == []


@pytest.mark.parametrize("changed", [0, 3])
async def test_reconnect_with_5000_known_resources_sends_what_changed(changed: int) -> None:
    """Also on another instance: versions are content hashes, so any replica knows them."""
    cluster_names = [f"cluster-{number:04}-{'x' * 200}" for number in range(5000)]
    old = clusters("v1", *cluster_names)
    new = msg.snapshot(
        "v2",
        *(
            msg.cluster(name, connect_ms=400 if number < changed else 500)
            for number, name in enumerate(cluster_names)
        ),
        *(msg.endpoints(name, 1) for name in cluster_names),
    )
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", new)
        follower = Follower(client)
        await follower.start(held=versions(old))
        if changed:
            response = await follower.step()
            assert names(response) == cluster_names[:changed]
            # Their endpoints follow, equal or not: the clusters warm again.
            assert names(await follower.step()) == cluster_names[:changed]
        # The last resort of `quiet` is not needed: the listeners' empty answer comes last.
        await follower.step()
        assert follower.log[-1] == ("LDS", [], [])
        assert await client.quiet() == []
        assert at.server.counters.resources == 2 * changed


async def test_reconnect_to_another_instance_sends_nothing_when_nothing_changed() -> None:
    snapshot = msg.snapshot(
        "v1", msg.cluster("a"), msg.endpoints("a", 1), msg.listener("l", 1), msg.routes(a="a")
    )
    async with serving() as one, serving() as other:
        for at in (one, other):
            at.server.set_snapshot("public", snapshot)
        async with XdsClient(one.socket) as client:
            follower = Follower(client)
            await follower.start()
            await follower.until(versions(snapshot))
        async with XdsClient(other.socket) as client:
            again = Follower(client)
            await again.start(held=follower.held)
            await other.seen.settled("v1")
            assert await client.quiet() == []


async def test_reconnect_removes_what_vanished_meanwhile() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", plain("v2", "a"))
        held = versions(plain("v1", "a", "gone"))[snap.CDS]
        await client.send(snap.CDS, held=held)
        response = await client.next_ack(snap.CDS)
        assert (names(response), list(response.removed_resources)) == ([], ["gone"])


async def test_a_reconnect_that_lists_names_stays_a_wildcard() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", clusters("v1", "a"))
        held = versions(clusters("v1", "a"))[snap.CDS]
        await client.send(snap.CDS, subscribe=["a"], held=held)
        assert await client.quiet() == []
        at.server.set_snapshot("public", clusters("v2", "a", "b"))
        assert names(await client.next_ack(snap.CDS)) == ["b"]


async def test_a_gate_gets_its_own_gate_only() -> None:
    async with serving() as at:
        at.server.set_snapshot("public", clusters("v1", "ours"))
        at.server.set_snapshot("private", clusters("v1", "theirs"))
        async with XdsClient(at.socket, as_node=node("private")) as client:
            await client.send(snap.CDS)
            assert names(await client.next(snap.CDS)) == ["theirs"]
