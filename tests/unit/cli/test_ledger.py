"""`gatereeve ledger`: what each command prints, its exit codes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gatereeve.cli import app
from gatereeve.core import errors, records
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import open_store
from tests.recording import NOON, StillClock, request

WANTED = request(7, model="lending/credit", path="/\x1b[31mred")
GIVEN: tuple[records.Record, ...] = (
    *(request(number, model="lending/credit") for number in range(7)),
    WANTED,
    *(
        request(number, outcome="refused", status=403, code="no-allow-rule")
        for number in range(8, 299)
    ),
    records.LossRecord(
        record_id="l", gate="edge", node="gate/edge-0", at=records.instant(NOON), lost=3, reason="r"
    ),
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    store = open_store(tmp_path / "state", StillClock())
    store.append(GIVEN)
    store.close()
    return tmp_path / "state"


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["ledger", *map(str, arguments)], catch_exceptions=False)


def run(*arguments: object, code: int = 0) -> str:
    result = invoke(*arguments)
    assert result.exit_code == code, result.output
    return result.stdout


def test_tail_is_the_same_command_under_both_names(state: Path) -> None:
    short = CliRunner().invoke(app, ["tail", "--state", str(state)])
    assert run("tail", "--state", state) == short.stdout
    assert len(short.stdout.splitlines()) == 20


def test_show_prints_the_record_with_its_index(state: Path) -> None:
    shown = run("show", WANTED.record_id, "--state", state)
    head, _, body = shown.partition("\n")
    assert head == "entry 7"
    assert json.loads(body)["model"] == "lending/credit"
    assert run("show", "7", "--state", state) == shown
    stored = run("show", WANTED.record_id, "--json", "--state", state)
    assert stored.encode() == records.encode(WANTED) + b"\n"


def test_text_of_callers_cannot_paint_the_terminal(state: Path) -> None:
    assert "\x1b" not in run("show", WANTED.record_id, "--state", state)


@pytest.mark.parametrize("name", ["nothing", "300", "99999999999"])
def test_what_is_not_there_is_exit_code_1(state: Path, name: str) -> None:
    result = invoke("show", name, "--state", state)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"error: the log has no record '{name}' among its 300 entries" in result.stderr
    assert "hint:" in result.stderr


def test_a_receipt_is_written_and_verified(state: Path, tmp_path: Path) -> None:
    receipt, key = tmp_path / "r.tlog-proof", state / "log.vkey"
    said = run("prove", WANTED.record_id, "-o", receipt, "--state", state)
    assert said.startswith(f"entry 7 is proved by {receipt}; the entry itself is {tmp_path}/r.json")
    assert receipt.read_text().startswith("c2sp.org/tlog-proof@v1\nindex 7\n")
    assert (tmp_path / "r.json").read_bytes() == records.encode(WANTED)
    proved = run("verify", receipt, "--entry", tmp_path / "r.json", "--key", key)
    assert proved.startswith(f"proved: {tmp_path}/r.json is entry 7 of gatereeve.dev/ledger/")
    assert proved.endswith(", which has 300 entries\n")

    (tmp_path / "r.json").write_bytes(records.encode(request(7)))
    refused = invoke("verify", receipt, "--entry", tmp_path / "r.json", "--key", key)
    assert refused.exit_code == 1
    assert f"error: {receipt}: proof-invalid: " in refused.stderr
    assert invoke("verify", receipt, "--key", key).exit_code == 2  # no entry


def test_an_intact_copy_verifies_with_the_key_alone(state: Path, tmp_path: Path) -> None:
    line = (state / "log.vkey").read_text().strip()
    copy = tmp_path / "copy"
    shutil.copytree(state / "ledger", copy)
    shutil.rmtree(copy / ".state")
    for given in (line, str(state / "log.vkey")):
        first, second = run("verify", copy, "--key", given).splitlines()
        assert first.startswith("intact: 300 entries of gatereeve.dev/ledger/")
        assert second.startswith("root ")
    assert run("verify", state, "--key", line).startswith("intact: 300 entries")
    verdict = json.loads(run("verify", copy, "--key", line, "--json"))
    assert (verdict["intact"], verdict["size"], verdict["faults"]) == (True, 300, [])


def test_every_fault_names_file_and_index(state: Path, tmp_path: Path) -> None:
    bundle = state / "ledger/tile/entries/000"
    data = bytearray(bundle.read_bytes())
    data[data.index(WANTED.record_id.encode())] ^= 1
    bundle.write_bytes(data)
    (state / "ledger/tile/entries/001.p/44").unlink()
    (state / "ledger/odd").touch()
    key = state / "log.vkey"
    said = run("verify", state / "ledger", "--key", key, code=1)
    assert "tile/entries/000: entry-differs: entry 7 is not what was logged" in said
    assert "tile/entries/001.p/44: file-missing: tile/entries/001.p/44 is missing" in said
    assert "odd: unexpected-file: odd does not belong in a log" in said
    assert said.count("    hint: ") == 3
    last = said.splitlines()[-1]
    assert last == f"not intact: 3 faults in {state}/ledger, 300 entries looked at"
    faults = json.loads(run("verify", state, "--key", key, "--json", code=1))["faults"]
    assert {(f["code"], f["index"]) for f in faults} >= {("entry-differs", 7)}


def test_an_older_checkpoint_tells_a_log_that_was_cut_back(state: Path, tmp_path: Path) -> None:
    shutil.copytree(state, tmp_path / "before")
    store = open_store(state, StillClock())
    store.append([request(1)])
    store.close()
    key, kept = state / "log.vkey", state / "ledger/checkpoint"
    assert run("verify", tmp_path / "before", "--key", key).startswith("intact: 300")
    said = run("verify", tmp_path / "before", "--key", key, "--older", kept, code=1)
    assert "rolled-back: the log has 300 entries, but an older checkpoint has 301" in said
    assert run("verify", state, "--key", key, "--older", tmp_path / "before/ledger/checkpoint")


def test_a_policy_demands_witnesses(state: Path, tmp_path: Path) -> None:
    key = (state / "log.vkey").read_text().strip()
    trust = tmp_path / "policy"
    trust.write_text(f"log {key}\nquorum none\n")
    assert run("verify", state, "--key", key, "--policy", trust).startswith("intact")
    trust.write_text("quorum\n")
    with pytest.raises(errors.SettingsError, match="line 1"):
        invoke("verify", state, "--key", key, "--policy", trust)


def test_another_key_is_a_fault_and_no_key_a_mistake(state: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    open_store(tmp_path / "other", StillClock()).close()
    said = run("verify", state, "--key", tmp_path / "other/log.vkey", code=1)
    assert "checkpoint: note-unsigned: " in said
    for wrong in ("nothing", "a+b+c"):
        with pytest.raises(errors.SettingsError):
            invoke("verify", state, "--key", wrong)
    with pytest.raises(errors.SettingsError, match="no directory"):
        invoke("verify", tmp_path / "none", "--key", state / "log.vkey")


def test_a_long_log_tells_its_progress(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatereeve.cli.ledger_verify._LONG", 300)
    result = invoke("verify", state, "--key", state / "log.vkey")
    assert "checked 300 of 300 entries" in result.stderr


def test_export_is_the_entries_byte_for_byte(state: Path, tmp_path: Path) -> None:
    lines = b"".join(records.encode(record) + b"\n" for record in GIVEN)
    assert run("export", "--state", state).encode() == lines
    assert (
        run("export", "--state", state, "--from", "299").encode()
        == records.encode(GIVEN[-1]) + b"\n"
    )
    run("export", "--state", state, "-o", tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_bytes() == lines


def test_stats_count_by_kind_outcome_code_and_model(state: Path) -> None:
    said = run("stats", "--state", state)
    assert said.splitlines()[0] == f"300 entries in {state}/ledger"
    for line in ("         299  request", "           1  loss", "           8  served",
                 "         291  no-allow-rule", "           8  lending/credit",
                 "requests without a record, as loss records say: 3"):  # fmt: skip
        assert line in said.splitlines() or f"  {line.strip()}" in said
    numbers = json.loads(run("stats", "--state", state, "--json"))
    assert (numbers["size"], numbers["lost"], numbers["kinds"]["request"]) == (300, 3, 299)


def test_a_copy_of_a_log_is_read_like_a_state_directory(state: Path, tmp_path: Path) -> None:
    shutil.copytree(state / "ledger", tmp_path / "copy")
    assert RecordLog(tmp_path / "copy").size() == 300
    assert run("show", "7", "--state", tmp_path / "copy").startswith("entry 7\n")


@pytest.mark.parametrize("command", [("show", "x"), ("prove", "x"), ("export",), ("stats",)])
def test_where_there_is_no_log_it_is_said_so(tmp_path: Path, command: tuple[str, ...]) -> None:
    with pytest.raises(errors.SettingsError, match="there is no log"):
        invoke(*command, "--state", tmp_path)


def test_query_answers_in_rows_or_json(state: Path) -> None:
    said = run("query", "who-used", "lending/credit", "--state", state).splitlines()
    assert said[0].split() == ["principal", "version", "requests", "served", "refused", "first", "last"]  # fmt: skip
    assert said[1].split()[:2] == ["anonymous", "8"]
    assert said[-1] == "(1 row)"
    counted = run("query", "SELECT count(*) AS n FROM records", "--json", "--state", state)
    assert json.loads(counted) == {"n": 300}
    assert (state / "query").stat().st_mode & 0o077 == 0


def test_query_without_a_question_lists_them(state: Path) -> None:
    said = run("query", "--state", state)
    for word in ("who-used MODEL", "refusals-of PRINCIPAL", "about RECORD_ID", "changes [SINCE]", "started_at"):  # fmt: skip
        assert word in said


@pytest.mark.parametrize("words", [("SELECT nothing FROM records",), ("who-used",), ("nothing",)])
def test_a_question_that_cannot_be_answered_is_wrong_usage(
    state: Path, words: tuple[str, ...]
) -> None:
    assert invoke("query", *words, "--state", state).exit_code == 2


def test_a_query_over_a_copy_leaves_nothing_in_it(state: Path, tmp_path: Path) -> None:
    shutil.copytree(state / "ledger", tmp_path / "copy")
    before = sorted(tmp_path.rglob("*"))
    run("query", "changes", "--state", tmp_path / "copy")
    assert sorted(tmp_path.rglob("*")) == before
