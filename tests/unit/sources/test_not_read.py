"""Every file that is not read has a line, and closes what it could speak of if it may be a policy."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gatereeve.api.world import AnyDoc, World
from gatereeve.compile import compiler
from gatereeve.core.findings import Severity
from gatereeve.sources.folder import folder_source, settling
from gatereeve.sources.folder.folder_source import FolderSource
from tests.support import routes
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock

DENY = documents.POLICY
OTHER = documents.POLICY.replace("lending", "shop")
Spoil = Callable[[Path], Path]


def written(name: str, content: bytes | str) -> Spoil:
    def spoil(folder: Path) -> Path:
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
        return folder / name

    return spoil


def linked_out(folder: Path) -> Path:
    outside = folder.parent / "outside.yaml"
    outside.write_text(DENY)
    (folder / "deny.yaml").symlink_to(outside)
    return folder / "deny.yaml"


def folder_linked_out(folder: Path) -> Path:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "deny.yaml").write_text(DENY)
    (folder / "more").symlink_to(outside)
    return folder / "more"


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n"
    for a, b in zip("abcdefghijklmnopqrs", "bcdefghijklmnopqrst", strict=True)
)


def empty_folder(folder: Path) -> Path:
    """As container engines make one for a file that is not there."""
    place = folder / "deny.yaml"
    (place / "deeper").mkdir(parents=True)
    return place


SPOILED: dict[str, Spoil] = {
    "utf-16": written("deny.yaml", DENY.encode("utf-16")),
    "utf-16 without a mark": written("deny.yaml", DENY.encode("utf-16-le")),
    "utf-32": written("deny.yml", DENY.encode("utf-32")),
    "latin-1": written("deny.yaml", b"# Pr\xe4fix\n" + DENY.encode()),
    "too large": written("deny.yaml", "#" * 70 + "\n" + DENY + "# x\n" * (folder_source.MAX_FILE_BYTES // 4)),
    "empty": written("deny.yaml", ""),
    "blank": written("deny.yaml", "\n \n---\n"),
    "zeros": written("deny.yaml", b"\0" * 512),
    "cut off": written("deny.yaml", DENY[:50]),
    "cut off in the first word": written("deny.yaml", DENY[:5]),
    "linked out": linked_out,
    "in a folder that is linked out": folder_linked_out,
    "an empty folder": empty_folder,
    "only a version": written("deny.YAML", "apiVersion: gatereeve.dev/v1alpha1\n"),
    "bomb": written("deny.yaml", BOMB),
    "json cut off": written("deny.JSON", '{"apiVersion": "gatereeve.dev/v1alpha1", "kind": '),
}  # fmt: skip


class MemoryOf:
    """Implements `sources.folder_source.Memory` for one earlier World."""

    def __init__(self, before: World) -> None:
        self.kept = [before]

    def load(self) -> list[AnyDoc]:
        return [*self.kept[0].access_policies.values(), *self.kept[0].models.values()]

    def save(self, world: World) -> None:
        self.kept.append(world)


def read(folder: Path) -> World:
    return FolderSource(folder, StillClock()).read()


def closed(world: World) -> list[str]:
    """Models that are refused because something cannot be read."""
    found = compiler.compile(world).findings
    return sorted(f.origin.ref.short for f in found if f.code == "policy-broken" and f.origin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two teams with a model each."""
    place = tmp_path / "documents"
    place.mkdir()
    (place / "gate.yaml").write_text(f"{routes.GATE}---{routes.EVERYTHING}")
    for team in ("lending", "shop"):
        text = documents.MODEL.replace("high", "minimal").replace("lending", team)
        (place / f"{team}.yaml").write_text(
            f"{text}---\n{documents.VERSION.replace('lending', team)}"
        )
    return place


@pytest.mark.parametrize("how", SPOILED)
def test_a_policy_that_cannot_be_read_closes_every_model(folder: Path, how: str) -> None:
    assert closed(read(folder)) == []
    place = SPOILED[how](folder)
    world = read(folder)
    lines = [f for f in world.findings if f.where and f.where.file == place.name]
    assert [f for f in lines if f.severity is Severity.ERROR], world.findings
    assert closed(world) == ["lending/credit", "shop/credit"]


@pytest.mark.parametrize(
    "name",
    ["deny.yaml.bak", "deny.yml.orig", "deny.yaml.txt", ".deny.yaml", "deny", "deny.yaml ", "deny.yam",
     "deny.disabled", "deny.yaml~", "#deny.yaml#", ".deny.yaml.swp", "deny.yaml.~1~", ".old/deny.yaml", "x/.old/y/deny.yaml~"],
)  # fmt: skip
def test_a_policy_under_a_name_that_is_not_read_closes_its_model(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(DENY)
    world = read(folder)
    assert [(str(f.code), str(f.where)) for f in world.findings] == [("file-misnamed", name)]
    assert closed(world) == ["lending/credit"]


@pytest.mark.parametrize("name", ["deny.YAML", "deny.Yml", "deny.JSON"])
def test_endings_are_read_in_any_case(folder: Path, name: str) -> None:
    (folder / name).write_text(DENY)
    world = read(folder)
    assert world.findings == ()
    assert [doc.file for doc in world.access_policies.values()] == [name]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README.md", DENY), (".new.yaml.swp", "b0VIM 9.0" + DENY), (".goutputstream-A1B2C3", DENY),
        ("gate.yaml~", DENY), ("#gate.yaml#", DENY), (".gate.yaml.swp", DENY),
        (".old/gate.yaml", DENY), (".old/README", DENY),
        ("notes.txt", "to do"), ("keys.pem", "x"), ("allow.yaml.bak", documents.POLICY.partition("  deny")[0]
         + "  allow: [{subjects: [{anonymous: true}]}]\n"), ("gate.yaml.bak", DENY), ("all.yaml", "# nothing\n"),
    ],
)  # fmt: skip
def test_what_is_passed_over_has_a_line_and_closes_nothing(
    folder: Path, name: str, content: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    world = read(folder)
    assert [(str(f.code), str(f.where)) for f in world.findings] == [("file-not-read", name)]
    assert closed(world) == []


def test_a_copy_closes_once_its_original_is_gone(folder: Path) -> None:
    original, copy = folder / "deny.yaml", folder / "deny.yaml.bak"
    original.write_text(OTHER.replace("[ru]", "[de]"))
    copy.write_text(OTHER)
    clock = StillClock()
    source = FolderSource(folder, clock)
    assert "file-misnamed" not in {f.code for f in source.read().findings}
    original.unlink()
    source.follow({original})
    clock.advance(settling.GONE_S)
    world = source.follow(())
    assert "file-misnamed" in {f.code for f in world.findings}
    assert closed(world) == ["shop/credit"]


def test_a_policy_that_gets_a_name_that_is_not_read_is_in_force_until_it_closes(
    folder: Path,
) -> None:
    place, copy = folder / "deny.yaml", folder / "deny.yaml.bak"
    place.write_text(DENY)
    clock = StillClock()
    source = FolderSource(folder, clock)
    source.read()
    place.rename(copy)
    source.follow({place})
    clock.advance(settling.QUIET_S / 2)
    source.follow({copy})
    worlds = []
    for _ in range(40):
        clock.advance(settling.QUIET_S / 2)
        worlds.append(source.follow(()))
    assert source.settles_in is None
    for world in worlds:
        assert ("lending", "credit") in world.access_policies or closed(world) == ["lending/credit"]
    assert closed(worlds[-1]) == ["lending/credit"]


def test_what_was_good_serves_instead(folder: Path) -> None:
    (folder / "deny.yaml").write_text(DENY)
    clock = StillClock()
    source = FolderSource(folder, clock)
    good = source.read().access_policies["lending", "credit"]
    for how, spoil in SPOILED.items():
        if how == "in a folder that is linked out":
            continue
        if (folder / "deny.yaml").is_dir():
            shutil.rmtree(folder / "deny.yaml")
        (folder / "deny.yaml").unlink(missing_ok=True)
        place = spoil(folder)
        if place.name != "deny.yaml":
            place.rename(folder / "deny.yaml")
        source.follow({folder / "deny.yaml"})
        clock.advance(settling.GONE_S)
        world = source.follow(())
        assert world.access_policies["lending", "credit"] is good, how
        assert world.broken == (), how
        assert "last-good-kept" in {f.code for f in world.findings}


def test_documents_that_were_in_force_before_a_restart_stand_in(folder: Path) -> None:
    (folder / "deny.yaml").write_text(DENY)
    (folder / "gone.yaml").write_text(OTHER)
    before = FolderSource(folder, StillClock()).read()
    (folder / "deny.yaml").write_bytes(DENY.encode("utf-16"))
    (folder / "gone.yaml").unlink()
    (folder / "shop.yaml").write_text("a: [\n")
    clock = StillClock()
    source = FolderSource(folder, clock, memory=MemoryOf(before))
    for world in (source.follow(None), source.follow(None)):
        assert world.access_policies["lending", "credit"].spec.deny[0].regions == ("ru",)
        assert ("shop", "credit") in world.access_policies
        assert ("shop", "credit") in world.models
        assert world.broken == ()
    clock.advance(settling.GONE_S)
    assert ("shop", "credit") not in source.follow(()).access_policies
