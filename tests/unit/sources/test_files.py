"""A folder becomes Worlds: what changed is read, what broke is kept, what left is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gatereeve.api.world import World
from gatereeve.core import errors, findings, refs
from gatereeve.sources import listing, named
from gatereeve.sources.files import FolderSource, Retrieved
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock

KEY = ("lending", "credit")


def source(folder: Path) -> FolderSource:
    return FolderSource(folder, StillClock())


def codes(world: World) -> list[str]:
    return [str(f.code) for f in world.findings]


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
    assert world.findings == ()
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
    reader = source(tmp_path)
    reader.read()
    put(tmp_path / "a.yaml", documents.MODEL.replace("high", "limited"))
    put(other, documents.POLICY.replace("[ru]", "[by]"))
    world = reader.read({other})
    assert world.access_policies[KEY].spec.deny[0].regions == ("by",)
    assert world.models[KEY].spec.risk_class == "high"
    assert reader.read().models[KEY].spec.risk_class == "limited"


def test_new_and_moved_folders_are_noticed_from_their_paths(tmp_path: Path) -> None:
    put(tmp_path / "a" / "m.yaml", documents.MODEL)
    reader = source(tmp_path)
    assert KEY in reader.read().models
    put(tmp_path / "new" / "p.yaml", documents.POLICY)
    assert KEY in reader.read({tmp_path / "new"}).access_policies
    (tmp_path / "a").rename(tmp_path / "b")
    world = reader.read({tmp_path / "a", tmp_path / "b"})
    assert world.models[KEY].file == "b/m.yaml"
    reader.read(reader.unsettled)
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


def test_a_file_that_seems_to_lose_documents_is_looked_at_twice(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", f"{documents.POLICY}---\n{documents.MODEL}")
    reader = source(tmp_path)
    before = reader.read()
    put(path, "")
    held = reader.read({path})
    assert held.access_policies == before.access_policies
    assert reader.unsettled == {path}
    put(path, f"{documents.POLICY}---\n{documents.MODEL}")
    assert reader.read({path}).models[KEY] is before.models[KEY]
    assert not reader.unsettled
    put(path, documents.MODEL)
    assert reader.read({path}).access_policies == before.access_policies
    assert reader.read({path}).access_policies == {}
    path.unlink()
    assert KEY in reader.read({path}).models
    assert reader.read({path}).models == {}
    assert not reader.unsettled


def test_a_file_that_was_renamed_is_no_conflict(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", documents.MODEL)
    reader = source(tmp_path)
    reader.read()
    path.rename(tmp_path / "b.yaml")
    world = reader.read({path, tmp_path / "b.yaml"})
    assert world.models[KEY].file == "b.yaml"
    assert world.findings == ()


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
    reader = source(folder)
    world = reader.read()
    assert KEY in world.models
    assert world.access_policies == {}
    assert [(f.code, f.where and f.where.file) for f in world.findings] == [
        ("unreadable-file", name) for name in ("dead.yaml", "loop", "p.yaml", "q")
    ]
    assert reader.read({folder / "p.yaml"}).access_policies == {}


def test_a_folder_swapped_by_kubernetes_is_read(tmp_path: Path) -> None:
    put(tmp_path / "..1" / "m.yaml", documents.MODEL)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "m.yaml").symlink_to("..data/m.yaml")
    reader = source(tmp_path)
    assert reader.read().models[KEY].spec.risk_class == "high"
    put(tmp_path / "..2" / "m.yaml", documents.MODEL.replace("high", "limited"))
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    world = reader.read({tmp_path / "..data"})
    assert world.models[KEY].spec.risk_class == "limited"


def test_bounds_are_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_FILES", 1)
    monkeypatch.setattr(listing, "MAX_FILE_BYTES", 100)
    put(tmp_path / "a.yaml", documents.MODEL)
    put(tmp_path / "b.yaml", documents.POLICY)
    assert sorted(codes(source(tmp_path).read())) == ["too-many-documents", "unreadable-file"]


def test_what_is_no_ordinary_file_is_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").mkdir()
    assert source(tmp_path).read().findings == ()


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
    reader = source(tmp_path)
    world, revision = reader.read(), reader.revision
    assert world.findings == ()
    assert world.files == {"keys/jwks.json": b'{"keys": []}'}
    put(keys, '{"keys": [1]}')
    assert reader.read({keys}).files == {"keys/jwks.json": b'{"keys": [1]}'}
    assert reader.revision == revision + 1
    keys.unlink()
    assert reader.read({keys}).files == {}


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
    monkeypatch.setattr(named, "MAX_BYTES", 100)
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
    finding = listing.problem("jwks-unavailable", "x", "m", "h")
    held = [Retrieved()]
    reader = FolderSource(tmp_path, StillClock(), retrieved=lambda: held[0])
    reader.read()
    revision = reader.revision
    held[0] = Retrieved(jwks={"https://a": "{}"}, found=(finding,))
    world = reader.read(())
    assert world.jwks == {"https://a": "{}"}
    assert world.findings == (finding,)
    assert reader.revision == revision + 1
