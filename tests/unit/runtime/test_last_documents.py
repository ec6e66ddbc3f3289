"""What was in force outlives the process, whole or not at all."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gatereeve.api import registry
from gatereeve.api.tables import table_of
from gatereeve.api.world import AnyDoc, World
from gatereeve.runtime.last_documents import LastDocuments
from gatereeve.sources.folder import settling
from gatereeve.sources.folder.folder_source import FolderSource
from tests.support import golden
from tests.unit.api import documents
from tests.unit.sources.clock import StillClock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "documents"
    place.mkdir()
    for number, text in enumerate(documents.ALL):
        (place / f"{number}.yaml").write_text(text)
    (place / "policy.yaml").write_text(documents.POLICY.replace("name: credit,", "name: deny,"))
    return place


def memory(folder: Path) -> LastDocuments:
    return LastDocuments(folder.parent / "state" / "folder.journal", folder)


def started(folder: Path) -> tuple[FolderSource, StillClock]:
    """As a new process reads the folder."""
    clock = StillClock()
    source = FolderSource(folder, clock, memory=memory(folder))
    source.follow(None)
    return source, clock


def policy(source: FolderSource) -> AnyDoc | None:
    return source.follow(()).access_policies.get(("lending", "deny"))


def all_of(world: World) -> dict[str, tuple[str, str, object]]:
    return {
        str(doc.ref): (doc.digest, doc.file, doc.meta)
        for kind in registry.KINDS
        for doc in table_of(world, kind).values()
    }


@pytest.mark.parametrize(
    "case", ["gatewayapi/attached", "gatewayapi/parent-not-allowed", "routes/class-parameters",
             "rollouts/split-and-match", "versions/approved", "routes/plain-service"],
)  # fmt: skip
def test_every_document_comes_back_as_it_was(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in golden.texts_of(golden.FOLDER / case).items():
        (folder / name).write_text(text)
    source, _ = started(folder)
    world = source.follow(())
    found = memory(folder).load()
    assert {str(d.ref): (d.digest, d.file, d.meta) for d in found} == all_of(world)
    assert found


def test_what_cannot_be_read_after_a_restart_is_as_it_was_last_good(folder: Path) -> None:
    source, _ = started(folder)
    good = policy(source)
    (folder / "policy.yaml").write_bytes(b"\xff")
    for _ in range(3):
        source, _ = started(folder)
        doc = policy(source)
        assert doc is not None
        assert good is not None
        assert doc.digest == good.digest
        assert source.follow(()).broken == ()


def test_what_was_withdrawn_does_not_come_back(folder: Path) -> None:
    source, clock = started(folder)
    (folder / "policy.yaml").unlink()
    source.follow({folder / "policy.yaml"})
    clock.advance(settling.GONE_S)
    assert policy(source) is None
    (folder / "policy.yaml").write_bytes(b"\xff")
    source, _ = started(folder)
    assert policy(source) is None
    assert [b.ref.kind for b in source.follow(()).broken] == [""]


def test_what_was_deleted_meanwhile_goes_after_the_quiet_time(folder: Path) -> None:
    started(folder)
    (folder / "policy.yaml").unlink()
    source, clock = started(folder)
    assert policy(source) is not None
    clock.advance(settling.GONE_S)
    assert policy(source) is None


def test_a_world_is_kept_before_it_is_given(folder: Path) -> None:
    source, clock = started(folder)
    text = (folder / "policy.yaml").read_text()
    (folder / "policy.yaml").write_text(text.replace("[ru]", "[by]"))
    source.follow({folder / "policy.yaml"})
    clock.advance(settling.QUIET_S)
    given = source.follow(()).access_policies["lending", "deny"]
    (kept,) = (doc for doc in memory(folder).load() if doc.ref == given.ref)
    assert kept.digest == given.digest


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "unreadable"])
def test_a_damaged_journal_is_told_and_closes(
    folder: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    started(folder)
    path = folder.parent / "state" / "folder.journal"
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[:-3])
    elif damage == "flipped":
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
    elif damage == "other":
        path.write_bytes(b"something else")
    else:
        path.unlink()
        path.mkdir()
    (folder / "policy.yaml").write_bytes(b"\xff")
    with caplog.at_level(logging.ERROR):
        source, _ = started(folder)
    assert "last_documents_damaged" in caplog.text
    assert policy(source) is None
    assert [b.ref.kind for b in source.follow(()).broken] == [""]


def test_the_journal_of_another_folder_is_none(folder: Path, tmp_path: Path) -> None:
    started(folder)
    other = tmp_path / "other"
    other.mkdir()
    (other / "policy.yaml").write_bytes(b"\xff")
    source, _ = started(other)
    assert policy(source) is None
    assert source.follow(()).broken


def test_what_cannot_be_kept_is_not_kept_older(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, clock = started(folder)
    path = folder.parent / "state" / "folder.journal"
    path.unlink()
    path.mkdir()  # no file can be written there
    (folder / "policy.yaml").unlink()
    source.follow(None)
    clock.advance(settling.GONE_S)
    assert policy(source) is None
    path.rmdir()
    (folder / "new.yaml").write_text(documents.POLICY.replace("name: credit,", "name: new,"))
    source.follow(None)
    clock.advance(settling.QUIET_S)
    source.follow(())
    names = {doc.ref.name for doc in memory(folder).load() if doc.ref.kind == "AccessPolicy"}
    assert names == {"credit", "new"}
