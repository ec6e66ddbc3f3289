"""`gatereeve status` fits into 80 columns and says why a gate is not current."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app, status

HASH = "sha256:" + "ab" * 32


def gate(**more: Any) -> dict[str, Any]:
    return {
        "name": "public",
        "wanted": HASH,
        "active": HASH,
        "active_at": "2026-11-24T12:00:00.000+00:00",
        "current": True,
        "problem": None,
        "pid": 4711,
        "restarts": 0,
        "listens": ["https://127.0.0.1:8443", "http://127.0.0.1:8080"],
        "hosts": 3,
    } | more


def told(*gates: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "folder": "/srv/documents",
        "gates": list(gates),
        "findings": {"error": 0, "warning": 0, "info": 1},
        "problems": [],
        "records": {"requests": 1, "lost": 0},
        "failures": {},
    } | more


def show(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]) -> tuple[int, str]:
    monkeypatch.setattr(status, "wait_current", lambda _paths, _wait: found)
    result = CliRunner().invoke(app, ["status"])
    return result.exit_code, result.output


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = show(monkeypatch, told(gate()))
    assert code == 0
    assert "runs    sha256:abababababab since 2026-11-24 12:00:00 UTC" in text
    assert "findings  none" in text
    assert "1 request, 0 lost" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_gate_that_is_not_current(monkeypatch: pytest.MonkeyPatch) -> None:
    why = "gate public cannot listen on [::1]:8443: another process uses this port"
    problem = {"code": "gate-rejected", "severity": "error", "message": why, "hint": "", "place": "gate.yaml:2"}  # fmt: skip
    found = told(
        gate(active=None, active_at=None, current=False, problem=why, pid=None, restarts=2),
        findings={"error": 1, "warning": 1, "info": 0},
        problems=[problem],
    )
    code, text = show(monkeypatch, found)
    assert code == 1
    assert "NOT CURRENT" in text
    assert "nothing yet" in text
    assert "not running, restarted 2 times" in text
    assert why in text  # brackets are no markup
    assert "gate.yaml:2: gate-rejected" in text
    assert "1 error, 1 warning" in text


def test_a_task_of_ours_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = show(monkeypatch, told(gate(), failures={"documents": 2}))
    assert "failed    documents, 2 times" in text


def test_without_a_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text = show(monkeypatch, told())
    assert code == 0
    assert "no Gate document in /srv/documents" in text
