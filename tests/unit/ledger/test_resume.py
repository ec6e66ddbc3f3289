"""What a store has of one life of a gate."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gatereeve.core import records
from gatereeve.ledger import resume, segments
from gatereeve.ledger.jsonl import open_store
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


def store(directory: Path, *found: records.Record, rotate_bytes: int = 1_000_000) -> None:
    opened = open_store(directory, StillClock(), rotate_bytes=rotate_bytes)
    for one in found:
        opened.append((one,))
    opened.close()


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    assert resume.count(tmp_path, NODE, BEGAN_US) == resume.RecordedCounts()


def test_this_life_counts_and_no_other(tmp_path: Path) -> None:
    store(
        tmp_path,
        request(1, -5), request(2, -0.000001), lost(4, -1), request(7, 0.000001),
        request(8, 3, node="gate/public-b"), request(9, 4), lost(2, 5), lost(3, 6, node="*"),
        lost(5, 7, node="gate/public-b"),
    )  # fmt: skip
    assert resume.count(tmp_path, NODE, BEGAN_US) == resume.RecordedCounts(
        received=2, lost=5, sequence=9
    )


def test_segments_of_an_elder_are_not_read(tmp_path: Path) -> None:
    store(tmp_path, request(1, 1), request(2, 2), request(3, 3), rotate_bytes=1)
    old, *_ = segments.segment_numbers(tmp_path)
    before = BEGAN.timestamp() - 60
    os.utime(segments.segment_path(tmp_path, old), (before, before))
    for number in segments.segment_numbers(tmp_path)[1:]:
        os.utime(segments.segment_path(tmp_path, number), (before + 61, before + 61))
    assert resume.count(tmp_path, NODE, BEGAN_US).received == 2


def test_a_line_of_another_version_is_passed_over(tmp_path: Path) -> None:
    store(tmp_path, request(1, 1))
    with segments.segment_path(tmp_path, 1).open("ab") as file:
        file.write(b'{"kind":"newer"}\n')
    store(tmp_path, request(2, 2))
    assert resume.count(tmp_path, NODE, BEGAN_US).received == 2
