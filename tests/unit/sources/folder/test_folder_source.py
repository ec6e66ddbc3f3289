"""A folder becomes Worlds: what changed is read, what broke is kept, what left is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatereeve.api.world import World
from gatereeve.core import errors, findings, refs
from gatereeve.core.report import describe
from gatereeve.sources.folder import folder_source, listing, named_files, settling
from gatereeve.sources.folder.folder_source import FolderSource, Retrieved
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock

KEY = ("lending", "credit")


def source(folder: Path) -> FolderSource:
    return FolderSource(folder, StillClock())


def codes(world: World) -> list[str]:
    """Of what is more than a note."""
    return [str(f.code) for f in world.findings if f.severity > findings.Severity.INFO]


def follow(reader: FolderSource, clock: StillClock, *changed: Path) -> World:
    """The World once these changes are over."""
    reader.follow(changed or None)
    for _ in range(3):
        clock.advance(settling.GONE_S)
        world = reader.follow(())
    assert reader.settles_in is None
    return world


def put(path: Path, text: str) -> Path:
    """Writes as editors do, and makes sure that the file looks changed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))
    return path


def test_documents_are_read_from_all_folders_beneath(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", documents.GATE)
    put(tmp_path / "b" / "c.yml", documents.MODEL)
    put(tmp_path / "b" / "d" / "e.json", '{"apiVersion": "v1", "kind": "List", "items": []}')
    put(tmp_path / "b" / "readme.md", "no document: [")
    put(tmp_path / ".git" / "x.yaml", "a: [")
    put(tmp_path / ".hidden.yaml", "a: [")
    world = source(tmp_path).read()
    assert [(str(f.code), str(f.where)) for f in world.findings] == [
        ("file-not-read", name) for name in (".git", ".hidden.yaml", "b/readme.md")
    ]
    assert world.models[KEY].file == "b/c.yml"
    assert list(world.gates) == [("", "gate")]
    assert world.at == StillClock().now()


def test_a_folder_that_is_not_there_is_an_error_at_first(tmp_path: Path) -> None:
    with pytest.raises(errors.SourceError):
        source(tmp_path / "nowhere").read()


def test_a_folder_that_vanishes_keeps_its_last_documents(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    put(folder / "a.yaml", documents.MODEL)
    reader = source(folder)
    before = reader.read()
    folder.rename(tmp_path / "away")
    after = reader.read()
    assert after.models == before.models
    assert codes(after) == ["unreadable-file"]
    (tmp_path / "away").rename(folder)
    assert reader.read().findings == ()


def test_unchanged_files_keep_their_documents(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", documents.MODEL)
    put(tmp_path / "b.yaml", documents.POLICY)
    reader = source(tmp_path)
    one, revision = reader.read(), reader.revision
    two = reader.read()
    assert two.models[KEY] is one.models[KEY]
    assert reader.revision == revision
    put(tmp_path / "b.yaml", documents.POLICY.replace("[ru]", "[by]"))
    three = reader.read()
    assert three.models[KEY] is one.models[KEY]
    assert three.access_policies[KEY] is not one.access_policies[KEY]
    assert reader.revision == revision + 1


def test_a_touched_file_changes_nothing(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", documents.MODEL)
    reader = source(tmp_path)
    one, revision = reader.read(), reader.revision
    put(tmp_path / "a.yaml", documents.MODEL)
    assert reader.read().models[KEY] is one.models[KEY]
    assert reader.revision == revision


def test_only_the_changed_files_are_looked_at(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", documents.MODEL)
    other = put(tmp_path / "b.yaml", documents.POLICY)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    reader.read()
    put(tmp_path / "a.yaml", documents.MODEL.replace("high", "limited"))
    put(other, documents.POLICY.replace("[ru]", "[by]"))
    world = follow(reader, clock, other)
    assert world.access_policies[KEY].spec.deny[0].regions == ("by",)
    assert world.models[KEY].spec.risk_class == "high"
    assert reader.read().models[KEY].spec.risk_class == "limited"


def test_new_and_moved_folders_are_noticed_from_their_paths(tmp_path: Path) -> None:
    put(tmp_path / "a" / "m.yaml", documents.MODEL)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    assert KEY in reader.read().models
    put(tmp_path / "new" / "p.yaml", documents.POLICY)
    assert KEY in follow(reader, clock, tmp_path / "new").access_policies
    (tmp_path / "a").rename(tmp_path / "b")
    world = follow(reader, clock, tmp_path / "a", tmp_path / "b")
    assert world.models[KEY].file == "b/m.yaml"
    assert reader.read().findings == ()


@pytest.mark.parametrize(
    "bad", [documents.POLICY.replace("models", "modles"), "a: [", "{}", "\udcff"]
)
def test_what_broke_stays_as_it_was_last_good(tmp_path: Path, bad: str) -> None:
    path = put(tmp_path / "a.yaml", documents.POLICY)
    reader = source(tmp_path)
    good = reader.read().access_policies[KEY]
    path.write_bytes(bad.encode("utf-8", "surrogateescape"))
    for _ in range(3):
        world = reader.read()
        assert world.access_policies[KEY] is good
        assert "last-good-kept" in codes(world)
        assert max(f.severity for f in world.findings) == findings.Severity.ERROR
        assert world.broken == ()
    put(path, documents.POLICY)
    assert reader.read().findings == ()


def test_what_was_deleted_is_gone_also_beside_something_broken(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", f"{documents.POLICY}---\n{documents.MODEL}")
    reader = source(tmp_path)
    reader.read()
    put(path, documents.POLICY.replace("models", "modles"))
    world = reader.read()
    assert KEY in world.access_policies
    assert world.models == {}
    path.unlink()
    world = reader.read()
    assert world.access_policies == {}
    assert world.findings == ()


def test_a_file_that_seems_to_lose_documents_is_waited_for(tmp_path: Path) -> None:
    both = f"{documents.POLICY}---\n{documents.MODEL}"
    path = put(tmp_path / "a.yaml", both)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    before = reader.read()
    for seen in (documents.MODEL, documents.POLICY, both.rstrip()):
        put(path, seen)
        reader.follow({path})
        clock.advance(settling.QUIET_S)
        held = reader.follow(())
        assert held.access_policies[KEY] is before.access_policies[KEY]
        assert held.models[KEY] is before.models[KEY]
    put(path, both)
    assert reader.follow({path}).models[KEY] is before.models[KEY]
    assert reader.settles_in is not None
    put(path, documents.MODEL)
    world = follow(reader, clock, path)
    assert (list(world.models), list(world.access_policies)) == ([KEY], [])
    path.unlink()
    assert KEY in reader.follow({path}).models
    assert follow(reader, clock, path).models == {}


def test_a_file_that_is_emptied_keeps_its_last_good_documents(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", documents.POLICY)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    good = reader.read().access_policies[KEY]
    put(path, "\n")
    world = follow(reader, clock, path)
    assert world.access_policies[KEY] is good
    assert codes(world) == ["empty-file", "last-good-kept"]
    put(path, "# withdrawn\n")
    assert follow(reader, clock, path).access_policies == {}


def test_changes_without_end_hold_nothing_up_for_ever(tmp_path: Path) -> None:
    busy = put(tmp_path / "busy.yaml", documents.GATE)
    path = put(tmp_path / "a.yaml", documents.MODEL)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    reader.read()
    put(path, documents.MODEL.replace("high", "limited"))
    reader.follow({path})
    risks = []
    for _ in range(30):
        put(busy, documents.GATE)
        clock.advance(settling.QUIET_S)
        risks.append(reader.follow({busy}).models[KEY].spec.risk_class)
    assert risks == sorted(risks)
    assert set(risks) == {"high", "limited"}


def test_a_file_that_was_renamed_is_no_conflict(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", documents.MODEL)
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    reader.read()
    path.rename(tmp_path / "b.yaml")
    reader.follow({path, tmp_path / "b.yaml"})
    for _ in range(12):
        clock.advance(settling.QUIET_S)
        world = reader.follow(())
        assert KEY in world.models
        assert codes(world) == []
    assert world.models[KEY].file == "b.yaml"


@pytest.mark.parametrize("change", ["remove", "lock"])
def test_a_folder_that_goes_while_something_changes_takes_nothing_with_it(
    tmp_path: Path, change: str
) -> None:
    folder = tmp_path / "f"
    path = put(folder / "sub" / "a.yaml", documents.MODEL)
    clock = StillClock()
    reader = FolderSource(folder, clock)
    reader.read()
    put(path, documents.MODEL.replace("high", "limited"))
    reader.follow({path})
    if change == "remove":
        folder.rename(tmp_path / "away")
    else:
        path.chmod(0)
        put(folder / "b.yaml", documents.POLICY)
    for _ in range(5):
        clock.advance(settling.GONE_S)
        assert KEY in reader.follow(()).models


def test_links_may_stay_inside_and_not_leave(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    put(folder / "..data" / "m.yaml", documents.MODEL)
    (folder / "m.yaml").symlink_to("..data/m.yaml")
    put(tmp_path / "outside.yaml", documents.POLICY)
    put(tmp_path / "out" / "p.yaml", documents.POLICY)
    (folder / "p.yaml").symlink_to("../outside.yaml")
    (folder / "q").symlink_to("../out")
    (folder / "dead.yaml").symlink_to("nowhere")
    (folder / "loop").symlink_to(".")
    world = source(folder).read()
    assert KEY in world.models
    assert world.access_policies == {}
    assert [(f.code, f.where and f.where.file) for f in world.findings] == [
        *(("unreadable-file", name) for name in ("dead.yaml", "p.yaml", "q")),
        *(("file-not-read", name) for name in ("..data", "loop")),
    ]
    assert {str(b.where) for b in world.broken} == {"dead.yaml"}  # they are alike


def test_a_folder_swapped_by_kubernetes_is_read(tmp_path: Path) -> None:
    put(tmp_path / "..1" / "m.yaml", documents.MODEL)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "m.yaml").symlink_to("..data/m.yaml")
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    assert reader.read().models[KEY].spec.risk_class == "high"
    put(tmp_path / "..2" / "m.yaml", documents.MODEL.replace("high", "limited"))
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    world = follow(reader, clock, tmp_path / "..data")
    assert world.models[KEY].spec.risk_class == "limited"


def test_bounds_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 1)
    monkeypatch.setattr(folder_source, "MAX_FILE_BYTES", 100)
    put(tmp_path / "a.yaml", documents.MODEL)
    put(tmp_path / "b.yaml", documents.POLICY)
    assert sorted(codes(source(tmp_path).read())) == ["too-many-documents", "unreadable-file"]


def test_what_is_no_ordinary_file_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").mkdir()
    (tmp_path / "null.JSON").symlink_to("/dev/null")
    world = source(tmp_path).read()
    assert [str(f.where) for f in world.findings] == ["a.yaml", "b.yaml", "null.JSON"]
    assert [(b.ref.kind, b.ref.namespace) for b in world.broken] == [("", "")]


GATE = (
    documents.GATE
    + """\
  identity:
    jwt:
      - name: corp
        issuer: https://issuer.example.com
        audiences: [gate]
        jwks: {source: {file: FILE}}
"""
)


def test_named_files_are_read_and_are_no_documents(tmp_path: Path) -> None:
    keys = put(tmp_path / "keys" / "jwks.json", '{"keys": []}')
    put(tmp_path / "g.yaml", GATE.replace("FILE", "keys/jwks.json"))
    clock = StillClock()
    reader = FolderSource(tmp_path, clock)
    world, revision = reader.read(), reader.revision
    assert world.findings == ()
    assert world.broken == ()
    assert world.files == {"keys/jwks.json": b'{"keys": []}'}
    put(keys, '{"keys": [1]}')
    assert reader.follow({keys}).files == {"keys/jwks.json": b'{"keys": [1]}'}
    assert reader.revision == revision + 1
    keys.unlink()
    assert reader.follow({keys}).files == {}


def test_a_policy_does_not_vanish_because_a_gate_names_its_file(tmp_path: Path) -> None:
    put(tmp_path / "p.json", "\n" + documents.POLICY)
    put(tmp_path / "g.yaml", GATE.replace("FILE", "p.json"))
    assert KEY in source(tmp_path).read().access_policies


@pytest.mark.parametrize(
    "name", ["keys/../../secret.json", "a/../b", "link.json", "folder", "big.json"]
)
def test_named_files_stay_in_the_folder(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(named_files, "MAX_BYTES", 100)
    folder = tmp_path / "f"
    put(tmp_path / "secret.json", '{"keys": []}')
    put(folder / "g.yaml", GATE.replace("FILE", name))
    (folder / "link.json").symlink_to("../secret.json")
    (folder / "folder").mkdir()
    (folder / "big.json").write_text("[" + " " * 200 + "]")
    world = source(folder).read()
    assert world.files == {}
    (finding,) = [f for f in world.findings if f.code == "missing-file"]
    assert finding.origin == refs.Origin(
        refs.Ref("gatereeve.dev", "Gate", "", "gate"), "spec.identity.jwt[0].jwks.source.file"
    )
    assert finding.where == refs.Where("g.yaml", 12)


def test_absolute_names_are_refused_by_the_type(tmp_path: Path) -> None:
    put(tmp_path / "g.yaml", GATE.replace("FILE", "/etc/passwd"))
    world = source(tmp_path).read()
    assert codes(world) == ["invalid-field"]
    assert world.files == {}


def test_what_was_retrieved_is_in_the_world(tmp_path: Path) -> None:
    put(tmp_path / "m.yaml", documents.MODEL)
    finding = describe("jwks-unavailable.remote", uri="https://b", why="x")
    held = [Retrieved()]
    reader = FolderSource(tmp_path, StillClock(), retrieved=lambda: held[0])
    reader.read()
    revision = reader.revision
    held[0] = Retrieved(jwks={"https://a": "{}"}, found=(finding,))
    world = reader.follow(())
    assert world.jwks == {"https://a": "{}"}
    assert world.findings == (finding,)
    assert reader.revision == revision + 1
