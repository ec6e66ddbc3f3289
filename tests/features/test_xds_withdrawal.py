"""What a withdrawal rests on, on the real wire: scopes go at once, filters travel alone, the seal last."""

from __future__ import annotations

from typing import Any

import pytest
from envoy.config.core.v3 import extension_pb2
from envoy.config.route.v3 import scoped_route_pb2
from envoy.extensions.filters.http.set_metadata.v3 import set_metadata_pb2

from gatereeve.proxy.xds import events, session
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg
from tests.features.xds_client import XdsClient, names
from tests.features.xds_serving import Serving, serving

pytestmark = pytest.mark.features

LONG = session.Discipline(grace_s=3600)


def scope(host: str) -> Any:
    key = scoped_route_pb2.ScopedRouteConfiguration.Key(fragments=[{"string_key": host}])
    return scoped_route_pb2.ScopedRouteConfiguration(
        name=host, route_configuration_name="routes", key=key
    )


def filter_(name: str, text: str) -> Any:
    config = set_metadata_pb2.Config(
        metadata=[set_metadata_pb2.Metadata(metadata_namespace=text)],
    )
    return extension_pb2.TypedExtensionConfig(name=name, typed_config=msg.packed(config))


def hosts(version: str, *names: str, status: int = 200) -> snap.Snapshot:
    return msg.snapshot(
        version, msg.routes(x=status), *map(scope, names), filter_(snap.SEAL, version)
    )


async def _begin(at: Serving, client: XdsClient, first: snap.Snapshot) -> None:
    """The client takes all of a first snapshot."""
    at.server.set_snapshot("public", first)
    await client.send(snap.SRDS, subscribe=["*"])
    await client.next_ack(snap.SRDS)
    await client.send(snap.RDS, subscribe=["routes"])
    await client.next_ack(snap.RDS)
    await client.send(snap.ECDS, subscribe=[snap.SEAL])
    await client.next_ack(snap.ECDS)
    await at.seen.settled(first.version)


async def test_a_host_that_is_gone_loses_its_scope_after_the_routes_and_before_the_seal() -> None:
    async with serving(discipline=LONG) as at, XdsClient(at.socket) as client:
        await _begin(at, client, hosts("v1", "a", "b"))
        second = hosts("v2", "a", status=201)
        at.server.set_snapshot("public", second)
        routes = await client.next(snap.RDS)
        assert await client.quiet() == []
        await client.ack(routes)
        scopes = await client.next(snap.SRDS)
        assert (list(scopes.removed_resources), names(scopes)) == (["b"], [])
        assert scopes.system_version_info == snap.type_version(second.of(snap.SRDS))
        assert await client.quiet() == []
        assert not [e for e in at.seen.of(events.Settled) if e.version == "v2"]
        await client.ack(scopes)
        assert names(await client.next_ack(snap.ECDS)) == [snap.SEAL]
        await at.seen.settled("v2")


async def test_added_scopes_do_not_claim_that_others_are_gone() -> None:
    async with serving(discipline=LONG) as at, XdsClient(at.socket) as client:
        await _begin(at, client, hosts("v1", "a"))
        second = hosts("v2", "b")
        at.server.set_snapshot("public", second)
        whole = snap.type_version(second.of(snap.SRDS))
        added = await client.next_ack(snap.SRDS)
        assert (names(added), added.system_version_info) == (["b"], f"{whole}~")
        removed = await client.next_ack(snap.SRDS)
        assert (list(removed.removed_resources), removed.system_version_info) == (["a"], whole)


def filters(version: str, **texts: str) -> snap.Snapshot:
    return msg.snapshot(
        version, *(filter_(n, text) for n, text in texts.items()), filter_(snap.SEAL, version)
    )


async def test_a_rejected_filter_is_not_sent_again_and_leaves_the_gate_unsealed() -> None:
    async with serving(discipline=LONG) as at, XdsClient(at.socket) as client:
        good = filters("v1", one="1", two="1")
        at.server.set_snapshot("public", good)
        await client.send(snap.ECDS, subscribe=["one", "two", snap.SEAL])
        for name in ("one", "two", snap.SEAL):
            assert names(await client.next_ack(snap.ECDS)) == [name]
        await at.seen.settled("v1")

        bad = filters("v2", one="bad", two="2")
        at.server.set_snapshot("public", bad)
        await client.nack(await client.next(snap.ECDS), "no word about which it was")
        nack = await at.seen.wait(events.Nacked)
        assert nack.names == ("one",)
        back, other = [await client.next_ack(snap.ECDS) for _ in range(2)]
        assert [(r.name, r.version) for r in back.resources] == [
            ("one", good.of(snap.ECDS)["one"].version)
        ]
        assert names(other) == ["two"]
        assert await client.quiet() == []
        assert not [e for e in at.seen.of(events.Settled) if e.version == "v2"]

        at.server.set_snapshot("public", filters("v3", one="3", two="2"))
        assert names(await client.next_ack(snap.ECDS)) == ["one"]
        assert names(await client.next_ack(snap.ECDS)) == [snap.SEAL]
        await at.seen.settled("v3")


async def test_a_new_gate_gets_a_seal_that_proves_nothing_when_something_was_rejected() -> None:
    """Its listeners wait for the filter; its version is not the one that a proof asks for."""
    async with serving(discipline=LONG) as at, XdsClient(at.socket) as client:
        wanted = filters("v1", one="bad")
        at.server.set_snapshot("public", wanted)
        await client.send(snap.ECDS, subscribe=["one", snap.SEAL])
        await client.nack(await client.next(snap.ECDS), "no")
        sealed = await client.next_ack(snap.ECDS)
        version = wanted.of(snap.ECDS)[snap.SEAL].version
        assert [(r.name, r.version) for r in sealed.resources] == [(snap.SEAL, f"{version}~")]
        assert sealed.system_version_info == f"{version}~"
        assert await client.quiet() == []
