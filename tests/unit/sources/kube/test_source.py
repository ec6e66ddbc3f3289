"""Worlds of a cluster: whole or not at all, the last good one in every outage, quick otherwise."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve.api import registry
from gatereeve.api.world import World
from gatereeve.sources.folder.folder_source import Retrieved
from gatereeve.sources.kube.source import KubeSettings, KubeSource
from tests.support.apiserver import ApiServer, Fault, Obj, serving
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock
from tests.unit.sources.kube.harness import QUICK, client_of, ingress, put_ingresses

KEY = ("lending", "credit")
KINDS = len(registry.KINDS)


@asynccontextmanager
async def cluster(folder: Path, **settings: Any) -> AsyncIterator[Cluster]:
    async with serving() as server, client_of(server, folder) as client:
        clock = StillClock()
        source = KubeSource(client, clock, KubeSettings(pace=QUICK, **settings))
        async with contextlib.aclosing(source.worlds()) as worlds:
            found = Cluster(server, source, worlds, clock)
            try:
                yield found
            finally:
                await found.stop()


class Cluster:
    def __init__(
        self,
        server: ApiServer,
        source: KubeSource,
        worlds: AsyncGenerator[World, None],
        clock: StillClock,
    ) -> None:
        self.server = server
        self.source = source
        self.clock = clock
        self._worlds = worlds
        self._coming: asyncio.Future[World] | None = None

    async def world(self) -> World:
        """The next one, when everything is watched."""
        async with asyncio.timeout(20):
            world = await self.coming()
            self._coming = None
        await self.server.wait_for(
            lambda: self.server.watches() >= KINDS - len(self.source.missing)
        )
        return world

    def coming(self) -> asyncio.Future[World]:
        if self._coming is None:
            self._coming = asyncio.ensure_future(anext(self._worlds))
        return self._coming

    async def stop(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            await asyncio.gather(self._coming, return_exceptions=True)

    async def nothing(self, within_s: float = 0.15) -> None:
        done, _ = await asyncio.wait({self.coming()}, timeout=within_s)
        assert not done


def put(server: ApiServer, *texts: str) -> None:
    for text in texts:
        for obj in yaml.load_all(text, yaml.BaseLoader):
            server.put(_typed(obj))


def _typed(value: Any) -> Any:
    """Numbers as numbers, times as text."""
    if isinstance(value, dict):
        return {k: v if k in ("version", "digest") else _typed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_typed(v) for v in value]
    return int(value) if value.isdigit() else value


def codes(world: World) -> set[str]:
    return {str(f.code) for f in world.findings}


async def test_the_first_world_waits_for_every_kind(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL)
        late = asyncio.Event()
        c.server.faults.append(Fault(path="*/accesspolicies", watch=False, status=0, delay=late))
        c.coming()
        await c.server.wait_for(lambda: c.server.watches() == KINDS - 1)
        assert not c.source.synced
        await c.nothing()
        late.set()
        world = await c.world()
        assert KEY in world.models
        assert c.source.synced


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
async def test_a_kind_that_cannot_be_listed_is_not_a_kind_that_is_empty(
    tmp_path: Path, status: int
) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL, documents.POLICY)
        fault = Fault(path="*/accesspolicies", status=status, times=10**6)
        c.server.faults.append(fault)
        c.coming()
        await c.server.wait_for(
            lambda: fault.times <= 10**6 - 3 and c.server.watches() == KINDS - 1
        )
        await c.nothing()
        assert not c.source.synced
        (mirror,) = (m for m in c.source.mirrors() if m.kind == "AccessPolicy")
        assert mirror.problem
        c.server.faults.clear()
        assert KEY in (await c.world()).access_policies


async def test_kinds_that_are_not_there_are_noted(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        for plural in ("rollouts", "httproutes", "gateways", "gatewayclasses", "referencegrants"):
            c.server.unserve(plural)
        world = await c.world()
        assert c.source.missing == (
            "Gateway",
            "GatewayClass",
            "HTTPRoute",
            "ReferenceGrant",
            "Rollout",
        )
        told = [f for f in world.findings if f.code == "kind-not-served"]
        assert [f.message for f in told] == [
            "the cluster has no kind Rollout (rollouts.gatereeve.dev)"
        ]
        c.server.reserve("rollouts")
        assert "kind-not-served" not in codes(await c.world())


async def test_changes_come_one_world_each(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL)
        first = await c.world()
        put(c.server, documents.MODEL.replace("high", "limited"))
        second = await c.world()
        assert second.models[KEY].spec.risk_class == "limited"
        put(c.server, documents.POLICY)
        third = await c.world()
        assert KEY in third.access_policies
        assert third.models is second.models
        assert third.services is first.services
        c.server.delete("Model", *KEY)
        assert (await c.world()).models == {}


async def test_a_write_of_status_makes_no_world(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put_ingresses(c.server, "a")
        await c.world()
        obj = c.server.find("Ingress", "web", "a")
        assert obj is not None
        c.server.put({**obj, "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}})
        await c.nothing()
        put_ingresses(c.server, "b")
        assert len((await c.world()).ingresses) == 2


async def test_a_relist_without_news_makes_no_world(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put_ingresses(c.server, *"abcdefgh")
        first = await c.world()
        c.server.cut()
        c.coming()
        await c.server.wait_for(lambda: len(c.server.asked("GET", "*/ingresses", watch=True)) >= 2)
        await c.nothing()
        put(c.server, documents.MODEL)
        assert (await c.world()).ingresses is first.ingresses


async def test_a_burst_is_gathered(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        await c.world()
        seen = 0
        for n in range(300):
            put_ingresses(c.server, f"i{n}")
            if n % 10 == 0:
                await c.server.wait_for(lambda: True)
        while len((await c.world()).ingresses) < 300:
            seen += 1
        assert seen < 20


async def test_a_dead_endpoint_leaves_at_once(tmp_path: Path) -> None:
    slice_: Obj = {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": "s-1", "namespace": "web"}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"]}, {"addresses": ["10.0.0.2"]}], "ports": [],
    }  # fmt: skip
    async with cluster(tmp_path) as c:
        c.server.put(slice_)
        put_ingresses(c.server, *(f"i{n}" for n in range(200)))
        await c.world()
        loop = asyncio.get_running_loop()
        before = loop.time()
        c.server.put({**slice_, "endpoints": slice_["endpoints"][:1]})
        world = await c.coming()
        assert loop.time() - before < 0.5
        assert len(world.endpoint_slices["web", "s-1"].spec.endpoints) == 1


# whatever the API server does


async def test_an_outage_keeps_the_last_world(tmp_path: Path) -> None:
    async with cluster(tmp_path, stale=60.0) as c:
        put(c.server, documents.MODEL, documents.POLICY)
        first = await c.world()
        assert not c.source.is_stale
        await c.server.stop()
        await c.nothing()
        c.clock.advance(61)
        assert c.source.is_stale
        c.source.wake()
        during = await c.coming()
        c._coming = None
        assert during.models is first.models
        assert during.access_policies is first.access_policies
        assert any(m.problem and m.hint for m in c.source.mirrors())
        del c.server._by_kind("AccessPolicy").objects[KEY]
        await c.server.start()
        after = await c.world()
        assert after.access_policies == {}
        assert after.models is first.models
        await c.server.wait_for(lambda: c.server.watches() == KINDS)
        assert c.source.synced


async def test_rejected_everywhere_keeps_the_last_world(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL)
        first = await c.world()
        tokens, c.server.tokens = c.server.tokens, set()
        c.server.cut()
        c.coming()
        await c.server.wait_for(lambda: c.server.watches() == 0)
        await c.nothing()
        c.source.wake()
        during = await c.coming()
        c._coming = None
        assert during.models is first.models
        c.server.tokens = tokens
        put(c.server, documents.MODEL.replace("high", "limited"))
        assert (await c.world()).models[KEY].spec.risk_class == "limited"


async def test_what_became_invalid_stays_and_is_broken_after_a_restart(tmp_path: Path) -> None:
    """Across the watch the last good form is known; a new controller knows none: closed on doubt."""
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL)
        first = await c.world()
        put(c.server, documents.MODEL.replace("high", "huge"))
        second = await c.world()
        assert second.models[KEY] is first.models[KEY]
        assert codes(second) == {"invalid-field", "last-good-kept"}
        async with client_of(c.server, tmp_path) as client:
            again = KubeSource(client, StillClock(), KubeSettings(pace=QUICK))
            async with contextlib.aclosing(again.worlds()) as worlds, asyncio.timeout(20):
                third = await anext(worlds)
        assert third.models == {}
        assert [str(b.ref) for b in third.broken] == ["Model lending/credit"]
        assert [b.models for b in third.broken] == [("credit",)]


async def test_watching_again_goes_on_from_the_last_good(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        source = KubeSource(client, StillClock(), KubeSettings(pace=QUICK))
        put(server, documents.MODEL)
        async with contextlib.aclosing(source.worlds()) as worlds, asyncio.timeout(20):
            first = await anext(worlds)
        await server.wait_for(lambda: server.watches() == 0)
        put(server, documents.MODEL.replace("high", "huge"))
        async with contextlib.aclosing(source.worlds()) as worlds, asyncio.timeout(20):
            world = await anext(worlds)
            while "last-good-kept" not in codes(world):
                world = await anext(worlds)
        assert world.models[KEY] is first.models[KEY]


# its face


async def test_a_wake_up_gives_a_world_and_nothing_else_does(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        first = await c.world()
        await c.nothing()
        c.source.wake()
        assert (await c.world()) is not first


async def test_a_resync_gives_the_world_again(tmp_path: Path) -> None:
    async with cluster(tmp_path, resync=0.05) as c:
        put(c.server, documents.MODEL)
        first, second = await c.world(), await c.world()
        assert second is not first
        assert second.models is first.models


async def test_key_sets_are_joined(tmp_path: Path) -> None:
    async with serving() as server, client_of(server, tmp_path) as client:
        keys = Retrieved(jwks={"https://id.example/keys": "{}"})
        source = KubeSource(client, StillClock(), retrieved=lambda: keys)
        async with contextlib.aclosing(source.worlds()) as worlds, asyncio.timeout(20):
            assert (await anext(worlds)).jwks == keys.jwks


async def test_some_namespaces_only(tmp_path: Path) -> None:
    async with cluster(tmp_path, namespaces=("web", "shop")) as c:
        for namespace in ("web", "shop", "other"):
            put_ingresses(c.server, "a", namespace=namespace)
            c.server.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        world = await c.world()
        assert list(world.ingresses) == [("shop", "a"), ("web", "a")]
        assert len(world.namespaces) == 3
        put_ingresses(c.server, "b", namespace="shop")
        assert ("shop", "b") in (await c.world()).ingresses
        assert not c.server.asked("GET", "/apis/networking.k8s.io/v1/ingresses")


async def test_run_passes_on_what_apply_raises(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    async def apply(_world: World) -> None:
        raise StopError

    async with serving() as server, client_of(server, tmp_path) as client:
        with pytest.raises(StopError):
            await KubeSource(client, StillClock()).run(apply)
        await server.wait_for(lambda: server.watches() == 0)


async def test_a_defect_of_ours_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path) as c:
        await c.world()
        monkeypatch.setattr("gatereeve.sources.kube.objects.read", lambda *_: 1 / 0)
        c.server.put(ingress("a"))
        with pytest.raises(ZeroDivisionError):
            await c.coming()
        c._coming = None


# files beside the documents


GATE_WITH_FILE = """\
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: gate}
spec:
  region: de
  https: {port: 8443}
  identity:
    jwt:
      - name: corp
        issuer: https://id.example
        audiences: [models]
        jwks: {source: {file: keys/jwks.json}}
"""


async def test_files_come_from_the_mounted_directory(tmp_path: Path) -> None:
    files = tmp_path / "files"
    (files / "keys").mkdir(parents=True)
    (files / "keys" / "jwks.json").write_text("{}")
    async with cluster(tmp_path, files=files, files_look=0.02) as c:
        put(c.server, GATE_WITH_FILE)
        assert (await c.world()).files == {"keys/jwks.json": b"{}"}
        (files / "new").write_text('{"keys": []}')
        (files / "new").rename(files / "keys" / "jwks.json")  # whole, as the kubelet does it
        assert (await c.world()).files == {"keys/jwks.json": b'{"keys": []}'}


async def test_without_a_directory_files_are_findings(tmp_path: Path) -> None:
    async with cluster(tmp_path) as c:
        put(c.server, GATE_WITH_FILE)
        world = await c.world()
        assert world.files == {}
        assert codes(world) == {"missing-file"}
