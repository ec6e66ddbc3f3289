"""The memory of what stood behind models: what is kept, and what is done when it cannot be."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gatereeve.api.world import Held, Memory, World
from gatereeve.compile.compiler import Compiler
from gatereeve.core.errors import SettingsError
from gatereeve.runtime import governed_addresses
from gatereeve.runtime.governed_addresses import FileStore, GovernedAddresses
from tests.support.clocks import AT
from tests.support.routes import EVERYTHING, at, model, service, version
from tests.support.worlds import world_of

LATER = AT + timedelta(minutes=5)
MEMORY = Memory(
    services={("a", "x"): Held(model="a/k"), ("b", "y"): Held(model="b/k", until=LATER)},
    servers={("a", "loopback", 9000): Held(model="a/k", until=AT)},
)
SERVICE = (EVERYTHING, model(), service("web", "10.1.0.1", ns="lending"))
BACKED = version("credit", "1", "backend: {service: web, port: http}")
NAMED = version("credit", "1", at("10.1.0.7"))


def test_it_is_read_as_it_was_written() -> None:
    assert governed_addresses.decode(governed_addresses.encode(MEMORY)) == MEMORY
    assert governed_addresses.decode(governed_addresses.EMPTY) == Memory()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"services": []}', '{"services": [], "servers": [], "more": 1}',
     '{"services": [{"namespace": "a", "name": "b", "model": "c", "until": "2026-01-01T00:00:00"}], "servers": []}'],
)  # fmt: skip
def test_what_is_damaged_is_never_read_as_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "governed.json"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        FileStore(path, used=False).read()
    assert governed_addresses.EMPTY in raised.value.hint
    path.write_text(governed_addresses.EMPTY)
    assert FileStore(path, used=True).read() == Memory()


def test_what_is_gone_is_missed_where_it_must_have_been(tmp_path: Path) -> None:
    assert FileStore(tmp_path / "none", used=False).read() == Memory()
    with pytest.raises(SettingsError):
        FileStore(tmp_path / "none", used=True).read()


def test_of_two_memories_nothing_is_lost() -> None:
    one = Memory(services={("a", "x"): Held(model="a/k", until=AT), ("a", "z"): Held(model="a/k")})
    both = governed_addresses.union(one, MEMORY)
    assert both.services == {
        ("a", "x"): Held(model="a/k", until=AT),
        ("a", "z"): Held(model="a/k"),
        ("b", "y"): Held(model="b/k", until=LATER),
    }
    assert both.servers == MEMORY.servers
    later = governed_addresses.union(
        Memory(services={("b", "y"): Held(model="b/k", until=AT)}), MEMORY
    )
    assert later.services["b", "y"].until == LATER


async def completed(keeper: GovernedAddresses, *texts: str) -> World:
    return (await keeper.compile(world_of(*texts), Compiler()))[0]


async def test_it_is_on_disk_before_anything_is_compiled(tmp_path: Path) -> None:
    path = tmp_path / "governed.json"
    keeper = GovernedAddresses(FileStore(path, used=False))
    assert (await completed(keeper, EVERYTHING)).memory == Memory()
    assert governed_addresses.decode(path.read_bytes()) == Memory(), "so that its loss is noticed"
    world = await completed(keeper, *SERVICE, BACKED)
    assert governed_addresses.decode(path.read_bytes()) == world.memory
    assert set(world.memory.services) == {("lending", "web")}
    world = await completed(keeper, *SERVICE, NAMED)
    assert set(world.memory.servers) == {
        ("lending", "10.1.0.1", 8080), ("lending", "10.1.0.7", 9000),
    }  # fmt: skip
    assert path.stat().st_mode & 0o777 == 0o600
    again = await completed(GovernedAddresses(FileStore(path, used=True)), *SERVICE)
    assert set(again.memory.services) == {("lending", "web")}


async def test_a_disk_that_is_full_holds_nothing_back(tmp_path: Path) -> None:
    """What cannot be kept is in force, and is kept with the next World."""
    path = tmp_path / "away" / "governed.json"
    keeper = GovernedAddresses(FileStore(path, used=False))
    first = await completed(keeper, *SERVICE, BACKED)
    assert ("lending", "web") in first.memory.services
    path.parent.mkdir()
    second = await completed(keeper, *SERVICE, BACKED)
    assert second.memory == first.memory == governed_addresses.decode(path.read_bytes())


async def test_a_memory_that_cannot_be_read_serves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "governed.json"
    path.write_text("half of it")
    keeper = GovernedAddresses(FileStore(path, used=True))
    with pytest.raises(SettingsError):
        await completed(keeper, *SERVICE)
    path.write_bytes(governed_addresses.encode(MEMORY))
    assert (await completed(keeper, *SERVICE)).memory.services.keys() == MEMORY.services.keys()
