"""`gatereeve controller`: settings that would leave the webhook open or closed are refused at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app

runner = CliRunner()
SERVED = ("--webhook", "127.0.0.1:9443", "--webhook-name", "w.g.svc")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--webhook", "127.0.0.1:9443"), "--webhook-name"),
        (("--webhook-name", "w.g.svc"), "--webhook"),
        ((*SERVED, "--webhook-clients", "ca.crt"), "--webhook-client"),
        ((*SERVED, "--webhook-client", "kube-apiserver"), "--webhook-clients"),
        (("--webhook-clients", "ca.crt", "--webhook-client", "a"), "--webhook"),
    ],
)
def test_half_a_webhook_is_an_error(given: tuple[str, ...], named: str, tmp_path: Path) -> None:
    result = runner.invoke(app, ["controller", "--folder", str(tmp_path), *given])
    assert result.exit_code == 2
    assert named in result.stderr
    assert not list(tmp_path.iterdir())
