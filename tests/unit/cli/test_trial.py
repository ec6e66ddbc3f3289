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
        (("a b.example",), "'a b.example' is not a host"),
        (("UPPER.example",), "is not a host"),
        (("",), "'' is not a host"),
        (("*",), "'*' is not a host"),
        (("*.*.example",), "is not a host"),
        (("a.*.example",), "is not a host"),
        (("a-.example",), "is not a host"),
        (("a..example",), "is not a host"),
        (("a.example:443",), "is not a host"),
        (("https://a.example",), "is not a host"),
        (("bücher.example",), "is not a host"),
        (("a_b.example",), "is not a host"),
        ((f"{'a' * 64}.example",), "is not a host"),
        ((".".join(["a" * 60] * 5),), "is not a host"),
        (("127.0.0.1",), "is an address"),
        (("::1",), "is not a host"),
        (("a.example", "b example"), "'b example' is not a host"),
        (("a.example", "--namespace", "Team_A"), "'Team_A' is not a namespace"),
        (("a.example", "--namespace", ""), "'' is not a namespace"),
        (("a.example", "--namespace", "a.b"), "'a.b' is not a namespace"),
        (("a.example", "--namespace", "a" * 64), "is not a namespace"),
        (("a.example", "--name", "x/y"), "'x/y' is not a name of a Secret"),
        (("a.example", "--name", "x\nkind: Gate"), "is not a name of a Secret"),
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
