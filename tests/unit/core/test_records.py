"""Records as lines and back; changes that say what they must; a page that describes every field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from docs import generate_records
from gatereeve.core import records

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
REQUEST = records.RequestRecord(
    record_id="1", gate="g", node="n", sequence=1, started_at="t", outcome="served", status=200
)
CHANGE = records.change("compiled", record_id="2", gate="g", at=NOON, after="sha256:1")
LOSS = records.LossRecord(record_id="3", gate="g", node="n", at="t", lost=4, reason="r")


@pytest.mark.parametrize("record", [REQUEST, CHANGE, LOSS])
def test_a_record_comes_back(record: records.Record) -> None:
    line = records.encode(record)
    assert b"\n" not in line
    assert b"null" not in line
    assert records.decode(line) == record


def test_what_is_no_record_is_a_value_error() -> None:
    for line in (b"", b"{", b"{}", b'{"kind":"other"}', b'{"kind":"loss"}'):
        with pytest.raises(ValueError, match="not a record"):
            records.decode(line)


def test_time_has_one_spelling() -> None:
    assert CHANGE.at == "2026-11-24T12:00:00.000000Z"
    east = NOON.astimezone(timezone(timedelta(hours=9)))
    assert records.instant(east) == CHANGE.at
    with pytest.raises(ValueError, match="time zone"):
        records.instant(datetime(2026, 11, 24))  # noqa: DTZ001


def test_a_change_says_what_its_event_must_say() -> None:
    for event in ("compiled", "active", "rejected"):
        with pytest.raises(ValueError, match="hash"):
            records.change(event, record_id="1", gate="g", at=NOON)
    with pytest.raises(ValueError, match="reason"):
        records.change("rejected", record_id="1", gate="g", at=NOON, after="sha256:1")
    assert records.change("gate-up", record_id="1", gate="g", at=NOON).after is None


def test_reasons_are_bounded() -> None:
    told = records.change(
        "rejected", record_id="1", gate="g", at=NOON, after="sha256:1", reason="x" * 9000
    )
    assert told.reason is not None
    assert len(told.reason) == records.MAX_REASON
    assert told.reason.endswith("…")


def test_the_page_describes_every_field() -> None:
    page = generate_records.page()
    for struct in (records.RequestRecord, records.ChangeRecord, records.LossRecord, records.Caller):
        for field in struct.__struct_fields__:
            assert f"| `{field}` |" in page
    assert '`kind` is `"request"`' in page
