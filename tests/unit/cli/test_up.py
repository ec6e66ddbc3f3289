"""`gatereeve up` that cannot begin says so in a sentence; what it tells, it tells once."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.cli.running import _JsonFormatter, _TextFormatter
from gatereeve.core.errors import ApiError
from gatereeve.core.logs import EventLog, Line


@pytest.mark.parametrize("what", ["no folder", "a file as folder", "a file as state", "a link"])
def test_what_cannot_begin(tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_options: None)
    folder, state = tmp_path / "documents", tmp_path / "state"
    if what == "a file as folder":
        folder.write_text("")
    elif what != "no folder":
        folder.mkdir()
    if what == "a file as state":
        state.write_text("")
    elif what == "a link":
        state.symlink_to(folder)
    result = CliRunner().invoke(app, ["up", str(folder), "--state", str(state)])
    assert result.exit_code == 3, result.output
    assert result.stderr.startswith("error: ")
    assert "hint:" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("name", "level", "text"),
    [
        ("gatereeve.runtime.up", logging.INFO, 'envoy_ended gate=public reason="no answer"'),
        ("gatereeve.cli", logging.WARNING, 'warning: envoy_ended gate=public reason="no answer"'),
        ("asyncio", logging.ERROR, 'error: asyncio: envoy_ended gate=public reason="no answer"'),
    ],
)
def test_a_log_line_is_an_event_with_fields(name: str, level: int, text: str) -> None:
    line = Line("envoy_ended", {"gate": "public", "reason": "no answer"})
    record = logging.LogRecord(name, level, "", 1, "%s", (line,), None)
    assert _TextFormatter().format(record) == text


def test_a_log_line_as_json(caplog: pytest.LogCaptureFixture) -> None:
    error = ApiError("no answer", hint="look at the API server", status=0)
    try:
        raise error
    except ApiError:
        EventLog("gatereeve.test").exception("status_write_failed", object="a/b", error=error, n=2)
    (record,) = caplog.records
    entry = json.loads(_JsonFormatter().format(record))
    assert "Traceback" in entry.pop("stack")
    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "error", "logger": "gatereeve.test", "event": "status_write_failed",
        "object": "a/b", "error": "no answer", "n": 2, "hint": "look at the API server",
    }  # fmt: skip


def test_a_line_of_a_library_as_json() -> None:
    record = logging.LogRecord("asyncio", logging.WARNING, "", 1, "slow %s", ("task",), None)
    assert json.loads(_JsonFormatter().format(record))["event"] == "slow task"
