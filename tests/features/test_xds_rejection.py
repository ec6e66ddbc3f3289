"""Rejected content on the real wire: the last good stays, everybody else's content flows."""

from typing import Any

import pytest

from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg
from tests.features.xds_client import Follower, XdsClient, names, node, versions
from tests.features.xds_serving import Serving, serving

pytestmark = pytest.mark.features


def many(version: str, bad: str, ms: int, *, others_ms: int = 500) -> snap.Snapshot:
    """A thousand clusters, of which one is told apart by its connect timeout."""
    cluster_names = [f"cluster-{number:03}" for number in range(1000)]
    return msg.snapshot(
        version,
        *(msg.cluster(n, connect_ms=ms if n == bad else others_ms) for n in cluster_names),
        *(msg.endpoints(name, 1) for name in cluster_names),
    )


async def start(at: Serving, client: XdsClient, snapshot: snap.Snapshot) -> Follower:
    at.server.set_snapshot("public", snapshot)
    follower = Follower(client)
    await follower.start()
    while not {"CDS", "LDS"} <= {entry[0] for entry in follower.log}:
        await follower.step()
    await follower.until(versions(snapshot))
    await at.seen.settled(snapshot.version)
    return follower


async def test_a_rejected_resource_among_a_thousand_keeps_its_last_good_form() -> None:
    bad = "cluster-500"
    good = many("v1", bad, 100)
    async with serving() as at, XdsClient(at.socket) as client:
        await start(at, client, good)
        at.server.set_snapshot("public", many("v2", bad, 200, others_ms=400))
        response = await client.next(snap.CDS)
        assert len(names(response)) == 1000
        await client.nack(response, f"Error adding/updating cluster(s) {bad}: it is bad")
        nacked = await at.seen.wait(events.Nacked)
        assert (nacked.names, nacked.version, nacked.type_url) == ((bad,), "v2", snap.CDS)
        # Endpoints for what the gate may have taken, then the others again and the last good.
        again = await next_of(client, snap.CDS)
        content = {resource.name: resource.version for resource in again.resources}
        assert content[bad] == good.of(snap.CDS)[bad].version
        others = many("v2", bad, 200, others_ms=400).of(snap.CDS)
        assert all(content[name] == others[name].version for name in others if name != bad)
        await client.ack(again)
        (status,) = at.server.status()
        assert status.suppressed == ((snap.CDS, bad),)
        assert status.last_nack == nacked
        assert at.server.counters.nacks == {snap.CDS: 1}
        # No resend loop: also a later snapshot with the same content of it leaves it alone.
        at.server.set_snapshot("public", many("v3", bad, 200, others_ms=300))
        later = await next_of(client, snap.CDS)
        assert len(names(later)) == 999
        assert bad not in names(later)
        await client.ack(later)
        # New content is tried, and the status is clear again.
        at.server.set_snapshot("public", many("v4", bad, 150, others_ms=300))
        assert names(await next_of(client, snap.CDS)) == [bad]
        (status,) = at.server.status()
        assert (status.suppressed, status.last_nack) == ((), None)


async def next_of(client: XdsClient, type_url: snap.TypeUrl) -> Any:
    """The next response of one type; others in between are accepted."""
    while (response := await client.next()).type_url != type_url:
        await client.ack(response)
    return response


async def test_culprits_are_found_when_the_error_names_nobody() -> None:
    bad = {"cluster-007", "cluster-640"}
    async with serving() as at, XdsClient(at.socket) as client:
        await start(at, client, many("v1", "", 0, others_ms=500))
        cluster_names = [f"cluster-{number:03}" for number in range(1000)]
        at.server.set_snapshot("public", many("v2", "", 0, others_ms=400))
        accepted: set[str] = set()
        while accepted != set(cluster_names) - bad:
            response = await next_of(client, snap.CDS)
            content = {
                resource.name
                for resource in response.resources
                if resource.version == many_version(resource.name)
            }
            if content & bad:
                await client.nack(response, "Proto constraint validation failed")
            else:
                accepted |= content
                await client.ack(response)
        named = {name for event in at.seen.of(events.Nacked) for name in event.names}
        assert named == bad
        # Halving: about twice the depth of the tree for each culprit.
        assert at.server.counters.nacks[snap.CDS] <= 2 * 11
        (status,) = at.server.status()
        assert {name for _, name in status.suppressed} == bad


def many_version(name: str) -> str:
    return snap.resource_of(msg.cluster(name, connect_ms=400)).version


async def test_a_gate_that_restarts_starts_with_the_last_good() -> None:
    good = msg.snapshot("v1", msg.secret("k", "good"), msg.secret("l", "1"))
    bad = msg.snapshot("v2", msg.secret("k", "bad"), msg.secret("l", "2"))
    async with serving() as at:
        at.server.set_snapshot("public", good)
        async with XdsClient(at.socket) as client:
            await client.send(snap.SDS, subscribe=["k", "l"])
            await client.next_ack(snap.SDS)
            await client.next_ack(snap.SDS)
            at.server.set_snapshot("public", bad)
            await client.nack(await client.next(snap.SDS), "secret k is unusable")
            await at.seen.wait(events.Nacked)
        for replica in ("1", "2"):  # itself, and a new one
            async with XdsClient(at.socket, as_node=node(replica=replica)) as client:
                await client.send(snap.SDS, subscribe=["k", "l"])
                answers = [await client.next_ack(snap.SDS) for _ in range(2)]
                content = {one.name: one.version for found in answers for one in found.resources}
                assert content == {
                    "k": good.of(snap.SDS)["k"].version,
                    "l": bad.of(snap.SDS)["l"].version,
                }
                assert await client.quiet() == []


async def test_the_last_good_survives_the_controller() -> None:
    good = msg.snapshot("v1", msg.secret("k", "good"))
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", good)
        await client.send(snap.SDS, subscribe=["k"])
        await client.next_ack(snap.SDS)
        await client.quiet()
        kept = at.server.last_good("public")
        assert kept is not None
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.remember("public", kept)
        at.server.set_snapshot("public", msg.snapshot("v2", msg.secret("k", "bad")))
        await client.send(snap.SDS, subscribe=["k"])
        await client.nack(await client.next(snap.SDS), "k is unusable")
        response = await client.next_ack(snap.SDS)
        assert response.resources[0].version == good.of(snap.SDS)["k"].version


async def test_rejected_content_without_a_good_form_is_not_served_and_not_waited_for() -> None:
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.secret("k", "bad")))
        await client.send(snap.SDS, subscribe=["k"])
        await client.nack(await client.next(snap.SDS), "k is unusable")
        assert await client.quiet() == []
        async with XdsClient(at.socket, as_node=node(replica="2")) as other:
            await other.send(snap.SDS, subscribe=["k"])
            assert list((await other.next_ack(snap.SDS)).removed_resources) == ["k"]


async def test_what_a_gate_holds_it_keeps_while_its_successor_is_rejected() -> None:
    """A new controller knows no good form, but the gate holds one: it is not taken away."""
    held = {"k": snap.resource_of(msg.secret("k", "from an earlier controller")).version}
    async with serving() as at, XdsClient(at.socket) as client:
        at.server.set_snapshot("public", msg.snapshot("v1", msg.secret("k", "bad")))
        await client.send(snap.SDS, subscribe=["k"], held=held)
        await client.nack(await client.next(snap.SDS), "k is unusable")
        assert await client.quiet() == []
        at.server.set_snapshot("public", msg.snapshot("v2"))
        assert list((await client.next_ack(snap.SDS)).removed_resources) == ["k"]


async def test_routes_of_a_rejected_listener_stay_at_their_last_good_form() -> None:
    """New routes under the old listener might miss a filter that protects them."""
    old = msg.snapshot(
        "v1",
        msg.listener("web", 8080),
        msg.routes(x=200),
        msg.listener("other", 8081, routes="others"),
        msg.routes("others", x=200),
    )
    new = msg.snapshot(
        "v2",
        msg.listener("web", 8080, prefix="new"),
        msg.routes(x=201),
        msg.listener("other", 8081, routes="others"),
        msg.routes("others", x=201),
    )
    async with serving() as at, XdsClient(at.socket) as client:
        follower = await start(at, client, old)
        at.server.set_snapshot("public", new)
        await client.nack(await client.next(snap.LDS), "Error adding/updating listener(s) web: no")
        expected = versions(old, snap.LDS, snap.RDS)
        expected[snap.RDS]["others"] = new.of(snap.RDS)["others"].version
        follower.held[snap.LDS].pop("web")
        await follower.until(expected)
        assert await client.quiet() == []
        (status,) = at.server.status()
        assert set(status.suppressed) == {(snap.LDS, "web"), (snap.RDS, "routes")}
        fixed = msg.snapshot("v3", msg.listener("web", 8080, prefix="fixed"), msg.routes(x=201))
        at.server.set_snapshot("public", fixed)
        await follower.until(versions(fixed, snap.LDS, snap.RDS))


async def test_clusters_of_rejected_routes_stay() -> None:
    old = msg.snapshot(
        "v1", msg.cluster("a"), msg.endpoints("a", 1), msg.listener("web", 1), msg.routes(x="a")
    )
    new = msg.snapshot(
        "v2", msg.cluster("b"), msg.endpoints("b", 1), msg.listener("web", 1), msg.routes(x="b")
    )
    async with serving() as at, XdsClient(at.socket) as client:
        follower = await start(at, client, old)
        at.server.set_snapshot("public", new)
        response = await client.next()
        while response.type_url != snap.RDS:
            await follower.take(response)
            response = await client.next()
        await client.nack(response, "missing ): ((")
        again = await client.next_ack(snap.RDS)
        assert again.resources[0].version == old.of(snap.RDS)["routes"].version
        # `a` is not removed: the old routes lead to it.
        assert not any(response.removed_resources for response in await client.quiet())
        assert follower.held[snap.CDS].keys() == {"a", "b"}
