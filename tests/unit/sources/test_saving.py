"""However a file is saved, no World is made in which its document is missing.

Step by step under a clock that the test moves, with a look at the folder after each step; and with
real tools under the real watcher.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gatereeve.api.world import World
from gatereeve.core.findings import Severity
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.folder import settling
from gatereeve.sources.folder.folder_source import FolderSource
from gatereeve.sources.watch import Watch
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock

KEY = ("lending", "credit")
BETWEEN_S = 0.3
OLD = documents.POLICY
NEW = documents.POLICY.replace("[ru]", "[by]")
DEADLINE_S = 60.0

Steps = Iterator[None]


def delete_and_write(path: Path) -> Steps:
    path.unlink()
    yield
    path.write_text(NEW)
    yield


def truncate_and_write(path: Path) -> Steps:
    """VS Code, kubectl and shells: the file is empty for a moment, then half there."""
    with path.open("w") as file:
        yield
        for at in range(0, len(NEW), 40):
            file.write(NEW[at : at + 40])
            file.flush()
            if len(NEW) // 3 < at < len(NEW) // 3 + 80:
                yield
    yield


def vim(path: Path) -> Steps:
    """backup and nobackupcopy: the old file becomes the backup, then the new one is written."""
    swap = path.with_name(f".{path.name}.swp")
    swap.write_bytes(b"b0VIM 9.0\0" + OLD.encode())
    yield
    probe = path.with_name("4913")
    probe.touch()
    probe.unlink()
    backup = path.with_name(f"{path.name}~")
    path.rename(backup)
    yield
    path.write_text(NEW)
    yield
    backup.unlink()
    swap.unlink()
    yield


def vim_other_backup(path: Path) -> Steps:
    """`set backupext=.bak`."""
    backup = path.with_name(f"{path.name}.bak")
    path.rename(backup)
    yield
    path.write_text(NEW)
    yield


def emacs(path: Path) -> Steps:
    lock, auto = path.with_name(f".#{path.name}"), path.with_name(f"#{path.name}#")
    lock.symlink_to("me@here.1234:1700000000")
    auto.write_text(NEW)
    yield
    path.rename(path.with_name(f"{path.name}~"))
    yield
    path.write_text(NEW)
    auto.unlink()
    lock.unlink()
    yield


def rename_over(path: Path) -> Steps:
    """sed -i, rsync and most libraries: a new file takes the place of the old one."""
    draft = path.with_name(f".{path.name}.Ab12Cd")
    draft.write_text(NEW[:50])
    yield
    draft.write_text(NEW)
    yield
    draft.rename(path)
    yield


def folder_swap(path: Path) -> Steps:
    """The folder of the file is replaced."""
    folder, away = path.parent, path.parent.with_name("away")
    folder.rename(away)
    yield
    folder.mkdir()
    yield
    path.write_text(NEW)
    yield
    shutil.rmtree(away)
    yield


PATTERNS = (
    delete_and_write, truncate_and_write, vim, vim_other_backup, emacs, rename_over, folder_swap,
)  # fmt: skip


def regions(world: World) -> tuple[str, ...] | None:
    """What the document says; None when the World has none."""
    doc = world.access_policies.get(KEY)
    return doc.spec.deny[0].regions if doc is not None else None


def errors_of(world: World) -> list[str]:
    return [str(f.code) for f in world.findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_no_world_lacks_the_document(tmp_path: Path, pattern: Callable[[Path], Steps]) -> None:
    path = tmp_path / "sub" / "deny.yaml"
    path.parent.mkdir()
    path.write_text(OLD)
    (tmp_path / "m.yaml").write_text(documents.MODEL)
    clock = StillClock()
    source = FolderSource(tmp_path, clock)
    worlds = [source.read()]
    for _ in pattern(path):
        worlds.append(source.follow(None))
        clock.advance(BETWEEN_S)
        worlds.append(source.follow(None))
    while source.settles_in is not None:
        clock.advance(settling.QUIET_S)
        worlds.append(source.follow(()))
    lacking = [world for world in worlds if regions(world) not in {("ru",), ("by",)}]
    assert len(lacking) == 0
    assert not any(world.broken for world in worlds)
    assert regions(worlds[-1]) == ("by",)
    assert errors_of(worlds[-1]) == []


def test_a_deletion_counts_after_the_quiet_time_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "deny.yaml"
    path.write_text(OLD)
    clock = StillClock()
    source = FolderSource(tmp_path, clock)
    source.read()
    path.unlink()
    assert regions(source.follow({path})) == ("ru",)
    clock.advance(settling.GONE_S * 0.9)
    assert regions(source.follow(())) == ("ru",)
    clock.advance(settling.GONE_S * 0.1)
    assert regions(source.follow(())) is None


def _git(folder: Path, *arguments: str) -> None:
    command = ("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments)
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def by_git(folder: Path) -> None:
    _git(folder, "checkout", "-q", "new")


def by_sed(folder: Path) -> None:
    command = ["sed", "-i", "s/\\[ru\\]/[by]/", str(folder / "deny.yaml")]
    subprocess.run(command, check=True)


def by_replace(folder: Path) -> None:
    draft = folder / "deny.yaml.new"
    draft.write_text(NEW)
    draft.replace(folder / "deny.yaml")


def by_delete(folder: Path) -> None:
    (folder / "deny.yaml").unlink()
    (folder / "deny.yaml").write_text(NEW)


def by_truncation(folder: Path) -> None:
    descriptor = os.open(folder / "deny.yaml", os.O_WRONLY | os.O_TRUNC)
    for at in range(0, len(NEW), 16):
        os.write(descriptor, NEW[at : at + 16].encode())
    os.close(descriptor)


@pytest.mark.parametrize("tool", [by_git, by_sed, by_replace, by_delete, by_truncation])
async def test_real_tools_under_the_real_watcher(
    tmp_path: Path, tool: Callable[[Path], None]
) -> None:
    path = tmp_path / "deny.yaml"
    if tool is by_git:
        _git(tmp_path, "init", "-q", "-b", "old")
        path.write_text(OLD)
        _git(tmp_path, "add", ".")
        _git(tmp_path, "commit", "-qm", "old")
        _git(tmp_path, "checkout", "-qb", "new")
        path.write_text(NEW)
        _git(tmp_path, "commit", "-qam", "new")
        _git(tmp_path, "checkout", "-q", "old")
    path.write_text(OLD)
    seen = []
    watch = Watch(FolderSource(tmp_path, SystemClock()))
    async with asyncio.timeout(DEADLINE_S), contextlib.aclosing(watch.worlds()) as worlds:
        async for world in worlds:
            seen.append(regions(world))
            if len(seen) == 1:
                await asyncio.to_thread(tool, tmp_path)
            if seen[-1] == ("by",):
                break
    assert set(seen) == {("ru",), ("by",)}
