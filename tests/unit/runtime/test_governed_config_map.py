"""The memory of controllers in a cluster: the leader writes it, everyone reads it first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatereeve.api.world import Held, Memory, World
from gatereeve.compile.compiler import Compiler
from gatereeve.core.errors import ApiError, SourceError
from gatereeve.runtime import governed_addresses, governed_config_map
from gatereeve.runtime.governed_addresses import GovernedAddresses
from gatereeve.runtime.governed_config_map import ConfigMapStore
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import resources
from tests.support.apiserver import ApiServer, Fault, serving
from tests.support.worlds import world_of
from tests.unit.runtime.test_governed_addresses import BACKED, SERVICE
from tests.unit.sources.kube.harness import client_of

SPACE = "gatereeve-system"
ONE = Memory(services={("a", "x"): Held(model="a/k")})
TWO = Memory(services={("b", "y"): Held(model="b/k")})


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with serving() as found:
        found.serve(resources.CONFIG_MAPS)
        yield found


def store(client: kube.ApiClient, *, leading: bool = True) -> ConfigMapStore:
    return ConfigMapStore(client, SPACE, lambda: leading)


def kept(server: ApiServer) -> Any:
    found = server.find("ConfigMap", SPACE, governed_config_map.NAME)
    return None if found is None else governed_addresses.decode(found["data"]["governed.json"])


async def test_the_leader_writes_and_adds_to_what_others_kept(
    server: ApiServer, tmp_path: Path
) -> None:
    async with client_of(server, tmp_path) as client:
        assert await store(client).load() == Memory()
        assert await store(client).save(ONE) == (ONE, True)
        assert kept(server) == ONE == await store(client).load()
        both = governed_addresses.union(ONE, TWO)
        assert await store(client).save(TWO) == (both, True)
        assert kept(server) == both
        before = len(server.requests)
        assert await store(client).save(ONE) == (both, True)
        assert [r.method for r in server.requests[before:]] == ["GET"], "nothing new, no write"


async def test_others_read_and_wait_for_the_leader(server: ApiServer, tmp_path: Path) -> None:
    async with client_of(server, tmp_path) as client:
        await store(client).save(ONE)
        follower = store(client, leading=False)
        both = governed_addresses.union(ONE, TWO)
        assert await follower.save(TWO) == (both, False)
        assert kept(server) == ONE
        await store(client).save(TWO)
        assert await follower.save(TWO) == (both, True)


async def completed(keeper: GovernedAddresses, *texts: str) -> World:
    return (await keeper.compile(world_of(*texts), Compiler()))[0]


async def test_damage_and_refusal_serve_nothing(server: ApiServer, tmp_path: Path) -> None:
    async with client_of(server, tmp_path) as client:
        keeper = GovernedAddresses(store(client))
        server.faults.append(Fault(status=403, path="*configmaps*", times=100))
        with pytest.raises(ApiError):
            await completed(keeper, *SERVICE)
        server.faults.clear()
        body = {"apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": governed_config_map.NAME, "namespace": SPACE}}  # fmt: skip
        server.put(body | {"data": {"governed.json": "half of"}})
        with pytest.raises(SourceError):
            await completed(keeper, *SERVICE)
        server.put(body | {"data": {"governed.json": governed_addresses.EMPTY}})
        world = await completed(keeper, *SERVICE, BACKED)
        assert kept(server) == world.memory
        assert ("lending", "web") in world.memory.services


async def test_a_server_that_is_away_holds_no_change_back(
    server: ApiServer, tmp_path: Path
) -> None:
    async with client_of(server, tmp_path) as client:
        keeper = GovernedAddresses(store(client))
        await completed(keeper, *SERVICE)
        server.faults.append(Fault(status=503, path="*configmaps*", times=100))
        world = await completed(keeper, *SERVICE, BACKED)
        assert ("lending", "web") in world.memory.services
        server.faults.clear()
        again = await completed(keeper, *SERVICE)
        assert kept(server) == again.memory
        assert again.memory.services["lending", "web"].until is not None
