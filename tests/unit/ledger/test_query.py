"""SQL over the record: the ready questions, the segments, and what a query may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.core import errors, records
from gatereeve.ledger import query
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import open_store
from tests.recording import NOON, StillClock, request

URSULA = records.Caller(provider="corp", id="ursula", method="jwt", groups=("staff",))
AT = records.instant(NOON)
GIVEN: tuple[records.Record, ...] = (
    records.DocumentRecord(
        record_id="d", document="AccessPolicy lending/credit", at=AT, what="changed", by="alice",
        configs={"edge": "sha256:c1"},
    ),
    records.change("active", record_id="c", gate="edge", at=NOON, after="sha256:c1"),
    request(1, model="lending/credit", version="v1", caller=URSULA, config="sha256:c1"),
    request(2, model="lending/credit", version="v1", caller=URSULA, config="sha256:c1"),
    request(3, model="lending/credit", outcome="refused", status=403, code="no-allow-rule", caller=URSULA),
    request(4, model="lending/other", outcome="refused", status=401, code="credential-required"),
    records.LossRecord(record_id="l", gate="edge", node="gate/edge-0", at=AT, lost=3, reason="r"),
)  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> RecordLog:
    store = open_store(tmp_path, StillClock())
    store.append(GIVEN)
    store.close()
    return RecordLog(tmp_path)


def ask(log: RecordLog, name: str, argument: str | None = None) -> list[tuple[object, ...]]:
    return query.ask(log, None, query.QUESTIONS[name].sql, argument).rows


def test_who_used_a_model(log: RecordLog) -> None:
    stamp = "2026-11-24T12:00:00.000000Z"
    expected = [
        ("corp/ursula", "v1", 2, 2, 0, stamp, stamp),
        ("corp/ursula", None, 1, 0, 1, stamp, stamp),
    ]
    assert ask(log, "who-used", "lending/credit") == expected
    assert ask(log, "who-used", "credit") == expected
    assert ask(log, "who-used", "redit") == []


def test_refusals_of_a_principal(log: RecordLog) -> None:
    ((_, model, status, code, *_, record_id),) = ask(log, "refusals-of", "corp/ursula")
    assert (model, status, code) == ("lending/credit", 403, "no-allow-rule")
    assert record_id == request(3).record_id
    assert len(ask(log, "refusals-of", "anonymous")) == 1


def test_everything_about_a_record_id(log: RecordLog) -> None:
    rows = ask(log, "about", request(1).record_id)
    assert [(row[0], row[2]) for row in rows] == [(0, "document"), (1, "change"), (2, "request")]
    assert "AccessPolicy lending/credit by alice" in str(rows[0][3])
    assert ask(log, "about", "l")[0][3] == "3 lost at gate/edge-0 r"


def test_what_changed_when_by_whom(log: RecordLog) -> None:
    rows = ask(log, "changes")
    assert [row[1:4] for row in rows] == [
        ("AccessPolicy lending/credit", "changed", "alice"),
        ("gate edge", "active", "unknown"),
    ]
    assert ask(log, "changes", "2026-11-24T13") == []


def test_every_field_of_every_record_is_a_column(log: RecordLog) -> None:
    answer = query.ask(log, None, "SELECT * FROM records ORDER BY index")
    assert answer.columns == tuple(query.columns())
    assert [row[0] for row in answer.rows] == list(range(len(GIVEN)))
    first = dict(zip(answer.columns, answer.rows[2], strict=True))
    assert first["caller"] == {
        "provider": "corp", "id": "ursula", "method": "jwt", "issuer": None, "groups": ["staff"]
    }  # fmt: skip


def test_full_segments_are_kept_and_used_again(
    log: RecordLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "SEGMENT", 256)
    store = open_store(tmp_path, StillClock())
    store.append([request(number) for number in range(700)])
    store.close()
    cache = tmp_path / "query"
    count = "SELECT count(*), count(DISTINCT index) FROM records"
    assert query.ask(log, cache, count).rows == [(707, 707)]
    segments = sorted(cache.iterdir())
    assert [path.name[:13] for path in segments] == ["000000000000-", "000000000256-"]
    before = [path.stat().st_mtime_ns for path in segments]
    assert query.ask(log, cache, count).rows == [(707, 707)]
    assert [path.stat().st_mtime_ns for path in sorted(cache.iterdir())] == before


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT nothing FROM records",
        "SELEC",
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY records TO '/tmp/never.csv'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ],
)
def test_what_a_query_may_not_do_is_said(log: RecordLog, sql: str) -> None:
    with pytest.raises(query.QueryError):
        query.ask(log, None, sql)


def test_without_duckdb_the_extra_is_named(log: RecordLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(errors.SettingsError, match="DuckDB") as refused:
        query.ask(log, None, "SELECT 1")
    assert "gatereeve[query]" in refused.value.hint
