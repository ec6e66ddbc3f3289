"""Notes of changes survive a store that fails, in order; what does not fit is owned up to."""

from __future__ import annotations

import pytest

from gatereeve.core import records
from gatereeve.runtime import change_records
from tests.recording import MemoryRecorder, StillClock


def test_they_wait_for_the_store_in_order() -> None:
    recorder = MemoryRecorder()
    notes = change_records.ChangeRecords(recorder, StillClock())
    recorder.full = True
    notes.note("public", "compiled", None, "sha256:1")
    notes.note("public", "active", None, "sha256:1")
    assert recorder.kept == []
    recorder.full = False
    notes.note("public", "rejected", "sha256:1", "sha256:2", reason="no" * 1000)
    kept = [record for record in recorder.kept if isinstance(record, records.ChangeRecord)]
    assert [record.event for record in kept] == ["compiled", "active", "rejected"]
    assert len(kept[-1].reason or "") == records.MAX_REASON
    notes.flush()
    assert len(recorder.kept) == 3


def test_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_records, "MAX_WAITING", 2)
    recorder = MemoryRecorder()
    notes = change_records.ChangeRecords(recorder, StillClock())
    recorder.full = True
    for number in range(5):
        notes.note("public", "compiled", None, f"sha256:{number}")
    recorder.full = False
    notes.flush()
    (loss,) = recorder.losses
    assert (loss.lost, loss.gate) == (3, "*")
    kept = [record for record in recorder.kept if isinstance(record, records.ChangeRecord)]
    assert [record.after for record in kept] == ["sha256:3", "sha256:4"]
