"""`gatereeve up` that cannot begin says so in a sentence; what it tells, it tells once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.cli.running import _Formatter


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
        ("gatereeve.runtime.up", logging.INFO, "stopping"),
        ("gatereeve.runtime.local_gates", logging.WARNING, "warning: stopping"),
        ("asyncio", logging.ERROR, "error: asyncio: stopping"),
    ],
)
def test_what_is_logged_reads_as_a_sentence(name: str, level: int, text: str) -> None:
    record = logging.LogRecord(name, level, "", 1, "stopping", None, None)
    assert _Formatter().format(record) == text
