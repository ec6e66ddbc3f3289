"""What a store has of one life of a gate."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatereeve.core import records
from gatereeve.ledger import resume
from gatereeve.ledger.log_key import LOG
from gatereeve.ledger.store import open_store
from gatereeve.ledger.tlog.reader import LogReader
from tests.recording import StillClock

NODE = "gate/public-a"
BEGAN = datetime(2026, 11, 27, 12, tzinfo=UTC)
BEGAN_US = int(BEGAN.timestamp() * 1_000_000)


def request(number: int, seconds: float, node: str = NODE) -> records.RequestRecord:
    return records.RequestRecord(
        record_id=str(number), gate="public", node=node, sequence=number, outcome="served",
        started_at=records.instant(BEGAN + timedelta(seconds=seconds)), status=200,
    )  # fmt: skip


def lost(number: int, seconds: float, node: str = NODE) -> records.LossRecord:
    at = records.instant(BEGAN + timedelta(seconds=seconds))
    return records.LossRecord(
        record_id=f"l{number}{seconds}", gate="public", node=node, at=at, lost=number, reason="?"
    )


def store(directory: Path, *found: records.Record) -> None:
    opened = open_store(directory, StillClock())
    for one in found:
        opened.append((one,))
    opened.close()


def count(directory: Path, node: str = NODE, began_us: int = BEGAN_US) -> resume.RecordedCounts:
    opened = open_store(directory, StillClock())
    try:
        return opened.count(node, began_us)
    finally:
        opened.close()


LIFE = (
    request(1, -5), request(2, -0.000001), lost(4, -1), request(7, 0.000001),
    request(8, 3, node="gate/public-b"), request(9, 4), lost(2, 5), lost(3, 6, node="*"),
    lost(5, 7, node="gate/public-b"),
)  # fmt: skip
EXPECTED = resume.RecordedCounts(received=2, lost=5, sequence=9)


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    assert count(tmp_path) == resume.RecordedCounts()


def test_this_life_counts_and_no_other(tmp_path: Path) -> None:
    store(tmp_path, *LIFE)
    assert count(tmp_path) == EXPECTED


def test_what_is_not_committed_counts(tmp_path: Path) -> None:
    store(tmp_path, *LIFE[:4])
    opened = open_store(tmp_path, StillClock())
    opened.append(LIFE[4:])
    assert opened.count(NODE, BEGAN_US) == EXPECTED
    opened.close()
    assert count(tmp_path) == EXPECTED


def test_summaries_say_the_same_as_the_entries(tmp_path: Path) -> None:
    for one in LIFE:  # a process for each record: a summary for each
        store(tmp_path, one)
    summaries = tmp_path / LOG / resume.FILE
    assert len(summaries.read_bytes().split()) == len(LIFE)
    assert count(tmp_path) == EXPECTED
    summaries.unlink()
    assert count(tmp_path) == EXPECTED
    assert summaries.exists()
    summaries.write_bytes(summaries.read_bytes()[:-9] + b"\nnonsense\n")
    assert count(tmp_path) == EXPECTED


def test_what_a_summary_covers_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tuple(request(number, -1) for number in range(300))
    store(tmp_path, *before)
    store(tmp_path, *(request(number, 1) for number in range(300, 600)))
    monkeypatch.delattr(LogReader, "read_entries")
    found = count(tmp_path)
    assert (found.received, found.sequence) == (300, 599)


def test_a_summary_beyond_the_log_is_not_believed(tmp_path: Path) -> None:
    store(tmp_path, *LIFE[:4])
    shutil.copytree(tmp_path / LOG, tmp_path / "older")
    store(tmp_path, *LIFE[4:])
    newer = (tmp_path / LOG / resume.FILE).read_bytes()
    shutil.rmtree(tmp_path / LOG)
    (tmp_path / "older").rename(tmp_path / LOG)
    (tmp_path / LOG / resume.FILE).write_bytes(newer)
    assert count(tmp_path).received == 1


def test_an_entry_of_another_version_is_passed_over(tmp_path: Path) -> None:
    store(tmp_path, request(1, 1))
    (tmp_path / LOG / resume.FILE).unlink()
    assert resume._decoded(b'{"kind":"newer"}') is None
    assert count(tmp_path).received == 1
