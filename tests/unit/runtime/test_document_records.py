"""Every change of a document is on record: who, from what to what, and what came of it; once."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.api import objects
from gatereeve.api.world import World
from gatereeve.core import records
from gatereeve.core.refs import Ref
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from tests.recording import MemoryRecorder, StillClock
from tests.support.clocks import AT
from tests.support.reviews import plain
from tests.unit.admission.test_review import MODEL, VERSION, approval

CONFIGS = {"public": "sha256:1", "inner": "sha256:2"}
PLACES = {"Model": "models", "ModelVersion": "model_versions", "Approval": "approvals"}


def world(*texts: str, by: str = "mia") -> World:
    """As a cluster gives it: objects that say who changed them."""
    tables: dict[str, dict[tuple[str, str], object]] = {name: {} for name in PLACES.values()}
    for text in texts:
        document = plain(text)
        document["metadata"]["annotations"] = {"gatereeve.dev/changed-by": by}
        doc = objects.read(document).doc
        assert doc is not None
        tables[PLACES[doc.ref.kind]][doc.ref.namespace, doc.ref.name] = doc
    return World(at=AT, **tables)  # type: ignore[arg-type]  # a table per kind


class House:
    """Notes of one process after another over one directory."""

    def __init__(self, root: Path) -> None:
        self.recorder = MemoryRecorder()
        self.root = root
        self.departures = DeletionLog(StillClock())
        self.notes = self._notes()

    def _notes(self) -> DocumentRecords:
        self.digests = Digests(self.root / "documents.journal")
        self.digests.load()
        changes = ChangeRecords(self.recorder, StillClock())
        return DocumentRecords(changes, StillClock(), self.digests, self.departures)

    def apply(self, now: World) -> list[records.DocumentRecord]:
        before = len(self.recorder.kept)
        self.notes.note(self.notes.changed(now), now, CONFIGS)
        found = [r for r in self.recorder.kept[before:] if isinstance(r, records.DocumentRecord)]
        assert len(found) == len(self.recorder.kept) - before
        return found

    async def restart(self, *, saved: bool = True) -> None:
        if saved:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await self.digests.run()
        self.notes = self._notes()


def told(found: list[records.DocumentRecord]) -> list[tuple[str, str, str | None]]:
    return [(one.document, one.what, one.by) for one in found]


def test_who_changed_what_is_bound_to_what_came_of_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert told(house.apply(world(MODEL))) == [("Model shop/offers", "found", "mia")]

    (changed,) = house.apply(world(MODEL.replace("limited", "high"), by="max"))
    assert told([changed]) == [("Model shop/offers", "changed", "max")]
    assert changed.before != changed.after
    assert changed.configs == CONFIGS

    house.departures.deleted(Ref("gatereeve.dev", "Model", "shop", "offers"), "petra")
    (gone,) = house.apply(world())
    assert told([gone]) == [("Model shop/offers", "deleted", "petra")]
    assert (gone.before, gone.after) == (changed.after, None)


def test_a_version_tells_who_decided_on_this_very_digest(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.apply(world(MODEL))
    other = approval("eve", digest="sha256:" + "b" * 64).replace("name: a,", "name: b,", 1)
    found = house.apply(world(MODEL, VERSION, approval("olga"), other))
    (version,) = [one for one in found if one.document.startswith("ModelVersion")]
    assert version.approvals == ("owner approve olga",)
    assert all(not one.approvals for one in found if one is not version)


async def test_a_restart_notes_what_changed_meanwhile_and_nothing_twice(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.apply(world(MODEL, VERSION))
    await house.restart()
    assert house.apply(world(MODEL, VERSION)) == []
    await house.restart()
    again = house.apply(world(MODEL.replace("limited", "high"), approval("olga"), by="max"))
    assert told(again) == [
        ("Approval shop/a", "created", "max"),
        ("Model shop/offers", "changed", "max"),
        ("ModelVersion shop/offers-1", "deleted", None),
    ]


async def test_what_was_kept_and_is_damaged_makes_everything_new(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.apply(world(MODEL))
    await house.restart()
    (tmp_path / "documents.journal").write_bytes(b"\xc1 no such thing")
    await house.restart(saved=False)
    assert told(house.apply(world(MODEL))) == [("Model shop/offers", "found", "mia")]


async def test_a_kill_before_the_file_is_written_notes_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.apply(world(MODEL))
    await house.restart(saved=False)
    assert told(house.apply(world(MODEL))) == [("Model shop/offers", "found", "mia")]


def test_a_record_goes_round(tmp_path: Path) -> None:
    house = House(tmp_path)
    (found,) = house.apply(world(MODEL))
    line = records.encode(found)
    assert b'"kind":"document"' in line
    assert records.decode(line) == found
