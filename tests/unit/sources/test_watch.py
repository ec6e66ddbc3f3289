"""Worlds as they come: at once after a change, one for a burst, and never while nothing happened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gatereeve.api.world import World
from gatereeve.core import errors
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.folder.folder_source import FolderSource
from gatereeve.sources.watch import Watch
from tests.unit.api import documents

KEY = ("lending", "credit")
DEADLINE_S = 60.0


@asynccontextmanager
async def watching(
    folder: Path, *, rescan_s: float = 60.0
) -> AsyncIterator[tuple[Watch, AsyncGenerator[World, None]]]:
    watch = Watch(FolderSource(folder, SystemClock()), rescan_s=rescan_s)
    async with contextlib.aclosing(watch.worlds()) as worlds:
        yield watch, worlds


async def following(worlds: AsyncGenerator[World, None]) -> World:
    async with asyncio.timeout(DEADLINE_S):
        return await anext(worlds)


async def test_the_first_world_comes_at_once_and_then_each_change(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(documents.MODEL)
    async with watching(tmp_path) as (_, worlds):
        assert KEY in (await following(worlds)).models
        path.write_text(documents.MODEL.replace("high", "limited"))
        assert (await following(worlds)).models[KEY].spec.risk_class == "limited"
        (tmp_path / "deep" / "er").mkdir(parents=True)
        (tmp_path / "deep" / "er" / "p.yaml").write_text(documents.POLICY)
        assert KEY in (await following(worlds)).access_policies
        path.unlink()
        assert (await following(worlds)).models == {}


async def test_a_file_replaced_by_renaming_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(documents.MODEL)
    async with watching(tmp_path) as (_, worlds):
        await following(worlds)
        (tmp_path / ".m.yaml.swp").write_text(documents.MODEL.replace("high", "limited"))
        (tmp_path / ".m.yaml.swp").rename(path)
        assert (await following(worlds)).models[KEY].spec.risk_class == "limited"


async def test_a_wake_up_gives_a_world_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(documents.MODEL)
    async with watching(tmp_path, rescan_s=0.01) as (watch, worlds):
        first = await following(worlds)
        (tmp_path / "notes.txt").write_text("x")
        waiting = asyncio.ensure_future(anext(worlds))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        watch.wake()
        second = await waiting
        assert second is not first
        assert second.models == first.models


async def test_a_burst_is_gathered(tmp_path: Path) -> None:
    async with watching(tmp_path) as (_, worlds):
        assert (await following(worlds)).models == {}
        seen = 0
        for i in range(200):
            name = f"m{i}"
            (tmp_path / f"{name}.yaml").write_text(
                documents.MODEL.replace("name: credit", f"name: {name}")
            )
        while len((await following(worlds)).models) < 200:
            seen += 1
        assert seen < 20


async def test_a_lost_notification_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(tmp_path, rescan_s=0.05) as (watch, worlds):
        await following(worlds)
        monkeypatch.setattr(watch, "_note", lambda _changes: None)
        (tmp_path / "m.yaml").write_text(documents.MODEL)
        assert KEY in (await following(worlds)).models


async def test_a_folder_that_comes_back_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "m.yaml").write_text(documents.MODEL)
    async with watching(folder) as (_, worlds):
        before = await following(worlds)
        folder.rename(tmp_path / "away")
        gone = await following(worlds)
        assert gone.models == before.models
        assert [str(f.code) for f in gone.findings] == ["unreadable-file"]
        folder.mkdir()
        (folder / "m.yaml").write_text(documents.MODEL)
        (folder / "p.yaml").write_text(documents.POLICY)
        while KEY not in (await following(worlds)).access_policies:
            pass
        (folder / "p.yaml").write_text(documents.POLICY.replace("[ru]", "[by]"))
        while (await following(worlds)).access_policies[KEY].spec.deny[0].regions != ("by",):
            pass


async def test_a_folder_that_never_was_is_an_error(tmp_path: Path) -> None:
    async with watching(tmp_path / "nowhere") as (_, worlds):
        with pytest.raises(errors.SourceError):
            await following(worlds)


async def test_run_hands_every_world_over_and_passes_failures_on(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    worlds: list[World] = []

    async def apply(world: World) -> None:
        worlds.append(world)
        if len(worlds) == 2:
            raise StopError
        (tmp_path / "m.yaml").write_text(documents.MODEL)

    with pytest.raises(StopError):
        async with asyncio.timeout(DEADLINE_S):
            await Watch(FolderSource(tmp_path, SystemClock())).run(apply)
    assert [len(world.models) for world in worlds] == [0, 1]
    assert {task.get_name() for task in asyncio.all_tasks()} == {asyncio.current_task().get_name()}  # type: ignore[union-attr]  # within a task
