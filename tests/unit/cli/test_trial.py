"""`gatereeve trial-certificate` refuses what can be no host, Secret or namespace."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.core.errors import SettingsError

runner = CliRunner()


def call(folder: Path, *args: str) -> None:
    given = ["trial-certificate", *args, "--out", str(folder / "tls.yaml")]
    result = runner.invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("a b.example",), "'a b.example' is no host"),
        (("UPPER.example",), "is no host"),
        (("",), "'' is no host"),
        (("*",), "'*' is no host"),
        (("*.*.example",), "is no host"),
        (("a.*.example",), "is no host"),
        (("a-.example",), "is no host"),
        (("a..example",), "is no host"),
        (("a.example:443",), "is no host"),
        (("https://a.example",), "is no host"),
        (("bücher.example",), "is no host"),
        (("a_b.example",), "is no host"),
        ((f"{'a' * 64}.example",), "is no host"),
        ((".".join(["a" * 60] * 5),), "is no host"),
        (("127.0.0.1",), "is an address"),
        (("::1",), "is no host"),
        (("a.example", "b example"), "'b example' is no host"),
        (("a.example", "--namespace", "Team_A"), "'Team_A' is no namespace"),
        (("a.example", "--namespace", ""), "'' is no namespace"),
        (("a.example", "--namespace", "a.b"), "'a.b' is no namespace"),
        (("a.example", "--namespace", "a" * 64), "is no namespace"),
        (("a.example", "--name", "x/y"), "'x/y' is no name of a Secret"),
        (("a.example", "--name", "x\nkind: Gate"), "is no name of a Secret"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    given: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message.replace("*", "[*]")) as told:
        call(tmp_path, *given)
    assert told.value.hint
    assert not list(tmp_path.iterdir())


def test_hosts_and_wildcards_are_taken(tmp_path: Path) -> None:
    call(
        tmp_path, "a.example", "*.b.example", "localhost", "--namespace", "team", "--name", "tls.a"
    )
    secret = yaml.safe_load((tmp_path / "tls.yaml").read_text())
    assert secret["metadata"] == {"name": "tls.a", "namespace": "team"}
    assert (tmp_path / "ca.pem").exists()
