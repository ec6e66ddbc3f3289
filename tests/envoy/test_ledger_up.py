"""The log of the real `gatereeve up`: requests and changes are in it and provable; a kill leaves it intact."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatereeve.core import records
from gatereeve.ledger.reading import RecordLog
from tests.envoy import upping
from tests.envoy.fleet import Load
from tests.envoy.upping import Answer, Backend, Up

pytestmark = pytest.mark.envoy

SERVED = Answer(status=200, code=None)


@pytest.fixture
def server() -> Iterator[Backend]:
    with upping.backend() as found:
        yield found


@pytest.fixture
def up(server: Backend) -> Iterator[Up]:
    with upping.a_folder() as found:
        found.documents(server)
        yield found


def requests(up: Up) -> list[records.RequestRecord]:
    return [record for record in up.records() if isinstance(record, records.RequestRecord)]


def ledger(up: Up, *arguments: object, code: int = 0) -> str:
    done = up.run("ledger", *map(str, arguments))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_request_is_in_the_log_and_provable(up: Up, tmp_path: Path) -> None:
    up.begin()
    assert up.ask() == SERVED
    upping.until(lambda: requests(up), "the record of the request")
    (request,) = requests(up)
    shown = ledger(up, "show", request.record_id, "--json", "--state", up.state)
    assert json.loads(shown)["outcome"] == "served"

    receipt = tmp_path / "r.tlog-proof"
    ledger(up, "prove", request.record_id, "-o", receipt, "--state", up.state)
    copy, key = tmp_path / "copy", up.state / "log.vkey"
    copy.mkdir()
    shutil.copy(up.state / "ledger/checkpoint", copy)
    shutil.copytree(up.state / "ledger/tile", copy / "tile")
    assert up.end() == 0

    proved = ledger(up, "verify", receipt, "--entry", receipt.with_suffix(".json"), "--key", key)
    assert proved.startswith("proved: ")
    assert ledger(up, "verify", copy, "--key", key).startswith("intact: ")
    older = ("--older", copy / "checkpoint")
    assert ledger(up, "verify", up.state, "--key", key, *older).startswith("intact: ")
    events = [record.event for record in up.records() if isinstance(record, records.ChangeRecord)]
    assert {"compiled", "active", "gate-up", "gate-down"} <= set(events)


def test_a_killed_process_leaves_a_log_that_verifies_and_goes_on(up: Up) -> None:
    key = up.state / "log.vkey"
    checkpoints: list[Path] = []
    for number in range(3):
        up.begin()
        with Load(up.https) as load:
            load.more(150)
            shown = RecordLog(up.state).size()
            assert up.end(signal.SIGKILL) == -signal.SIGKILL
        said = ledger(up, "verify", up.state, "--key", key)
        assert said.startswith("intact: ")
        assert RecordLog(up.state).size() >= shown
        checkpoints.append(up.state.with_name(f"checkpoint-{number}"))
        shutil.copy(up.state / "ledger/checkpoint", checkpoints[-1])
    up.begin()
    assert up.ask() == SERVED
    assert up.end() == 0
    older = [word for path in checkpoints for word in ("--older", path)]
    assert ledger(up, "verify", up.state, "--key", key, *older).startswith("intact: ")
    found = requests(up)
    assert len(found) > 100
    assert len({record.record_id for record in found}) == len(found)


def test_it_does_not_start_without_the_key_of_its_log(up: Up) -> None:
    up.begin()
    assert up.end() == 0
    key = up.state / "log.key"
    key.rename(up.state / "away")
    for words in ("error: key-missing: ", "error: key-exposed: "):
        done = up.run("up", str(up.folder), "--state", str(up.state))
        assert done.returncode == 3
        assert done.stderr.count("error: ") == 1
        assert words in " ".join(done.stderr.split())
        assert "hint:" in done.stderr
        if not key.exists():
            (up.state / "away").rename(key)
            key.chmod(0o644)
    key.chmod(0o600)
    up.begin()
    assert up.end() == 0
