"""`gatereeve tail`: rows for people, raw lines for programs, filters, follow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import watchfiles
from typer.testing import CliRunner

from gatereeve.cli.tail import tail
from gatereeve.core import errors, records
from gatereeve.ledger import log_key
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import open_store
from gatereeve.ledger.tlog import recovery
from tests.recording import NOON, StillClock, request

APP = typer.Typer()
APP.command()(tail)
GIVEN: tuple[records.Record, ...] = (
    request(
        1,
        method="POST",
        model="lending/credit",
        version="2.0",
        operation="infer",
        rule="lending/staff/allow[0]",
        duration_us=2345,
        caller=records.Caller(provider="corp", id="u-17", method="jwt"),
    ),
    request(2, outcome="refused", status=403, code="no-allow-rule", model="other/credit"),
    request(3, outcome="reset", status=0, host="plain.example", path="/\x1b[31mred"),
    records.change(
        "active", record_id="c", gate="edge", at=NOON, before="sha256:" + "a" * 64, after="sha256:b"
    ),
    records.LossRecord(
        record_id="l", gate="edge", node="gate/edge-0", at=records.instant(NOON), lost=3, reason="r"
    ),
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    store = open_store(tmp_path, StillClock())
    store.append(GIVEN)
    store.close()
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(APP, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_rows_say_what_people_ask_first(state: Path) -> None:
    rows = run("--state", str(state)).splitlines()
    assert len(rows) == len(GIVEN)
    for word in ("11-24 12:00:00.000", "served", "200", "corp/u-17", "lending/credit 2.0", "infer",
                 "POST /v2/models/credit/infer", "lending/staff/allow[0]", "2.3 ms", GIVEN[0].record_id):  # fmt: skip
        assert word in rows[0]
    assert "no-allow-rule" in rows[1]
    assert "anonymous" in rows[1]
    assert "active       gate edge aaaaaaaaaaaa → b" in rows[3]
    assert "lost    3" in rows[4]


def test_text_of_callers_cannot_paint_the_terminal(state: Path) -> None:
    assert "\x1b" not in run("--state", str(state))


def test_json_gives_the_lines_as_stored(state: Path) -> None:
    lines = run("--state", str(state), "--json").splitlines()
    assert [line.encode() for line in lines] == [entry for _, entry in RecordLog(state).read()]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("-n", "2"), [3, 4]),
        (("-n", "0"), []),
        (("--outcome", "refused"), [1]),
        (("--model", "lending/credit"), [0]),
        (("--model", "credit"), [0, 1]),
        (("--model", "credit", "-n", "1"), [1]),
        (("--model", "redit"), []),
    ],
)
def test_filters(state: Path, arguments: tuple[str, ...], expected: list[int]) -> None:
    lines = run("--state", str(state), "--json", *arguments).splitlines()
    assert [records.decode(line.encode()) for line in lines] == [GIVEN[n] for n in expected]


def test_follow_shows_what_is_written_meanwhile(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changes(*_paths: Path, **_options: object) -> Iterator[set[object]]:
        store = open_store(state, StillClock())
        store.append([request(4)])
        store.close()
        yield set()

    monkeypatch.setattr(watchfiles, "watch", changes)
    lines = run("--state", str(state), "--json", "-n", "1", "--follow").splitlines()
    assert [records.decode(line.encode()) for line in lines] == [GIVEN[-1], request(4)]


def test_an_entry_of_another_version_is_shown_as_it_is(state: Path) -> None:
    signer, _ = log_key.load_key(state, is_log=True)
    writer = recovery.open_log(state / log_key.LOG, signer)
    writer.append([b'{"kind":"newer"}'])
    writer.close()
    assert 'not a record that this version knows: {"kind":"newer"}' in run("--state", str(state))


def test_wrong_words_are_wrong_usage(state: Path) -> None:
    result = CliRunner().invoke(APP, ["--state", str(state), "--outcome", "lost"])
    assert result.exit_code == 2


def test_no_state_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(errors.SettingsError, match="no state directory"):
        run("--state", str(tmp_path / "none"))
