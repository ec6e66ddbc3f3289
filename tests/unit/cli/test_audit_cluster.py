"""`gatereeve audit-cluster`, as a platform or risk team calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.core.errors import SettingsError, SourceError
from tests.golden.test_audit import HERE as CASES

EXAMPLE = Path(__file__).parents[3] / "examples" / "audit_cluster" / "cluster"

runner = CliRunner()


def call(*args: str) -> tuple[int, str]:
    result = runner.invoke(app, ["audit-cluster", *args])
    return result.exit_code, result.output


def folder_of(case: str, into: Path) -> str:
    (into / "in.yaml").write_text((CASES / case / "in.yaml").read_text())
    return str(into)


def test_errors_fail_the_audit() -> None:
    code, output = call("--from", str(EXAMPLE))
    assert code == 1
    assert "error exposed-model" in output
    assert "ingresses.yaml:21 Ingress lending/credit-old" in output


def test_people_read_it_at_80_columns() -> None:
    _, output = call("--from", str(EXAMPLE))
    assert max(map(len, output.splitlines())) <= 80


def test_it_says_what_was_looked_at_and_what_was_not() -> None:
    _, output = call("--from", str(EXAMPLE))
    flat = " ".join(output.split())
    assert "looked at: 4 Ingress, 2 IngressClass, 0 NetworkPolicy" in flat
    assert "nothing is known about them" in flat
    assert "HTTPRoute" in flat.partition("nothing is known about them")[2]
    assert flat.endswith("audit: 10 errors, 16 warnings, 6 notes")


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_warnings_fail_only_when_asked(tmp_path: Path, *, strict: bool, code: int) -> None:
    folder = folder_of("model-unfenced", tmp_path)
    assert call("--from", folder, *(["--strict"] if strict else []))[0] == code


def test_notes_never_fail(tmp_path: Path) -> None:
    folder = folder_of("exposed-possible-model", tmp_path)
    assert call("--from", folder, "--strict")[0] == 0


def test_json_for_programs() -> None:
    code, output = call("--from", str(EXAMPLE), "-o", "json")
    document = json.loads(output)
    assert code == 1
    assert document["seen"]["Ingress"] == 4
    assert "HTTPRoute" in document["unseen"]
    assert {f["code"] for f in document["findings"]} >= {"exposed-model", "grant-to-everybody"}


def test_sarif_for_code_review() -> None:
    _, output = call("--from", str(EXAMPLE), "-o", "sarif")
    (run,) = json.loads(output)["runs"]
    assert run["properties"]["seen"]["Ingress"] == 4
    assert len(run["results"]) == len(json.loads(call("--from", str(EXAMPLE), "-o", "json")[1])["findings"])  # fmt: skip


def test_alike_findings_are_gathered_unless_all_are_asked_for(tmp_path: Path) -> None:
    for number in range(9):
        text = (CASES / "exposure-not-examined" / "in.yaml").read_text()
        (tmp_path / f"{number}.yaml").write_text(text.replace("credit", f"credit-{number}"))
    _, few = call("--from", str(tmp_path))
    assert "and 4 more like these" in few
    _, every = call("--from", str(tmp_path), "--all")
    assert all(f"VirtualService lending/credit-{number}" in every for number in range(9))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    code, output = call("--from", str(tmp_path))
    assert code == 1
    assert "What could not be read" in output
    assert "bad.json" in output


def test_an_empty_folder_claims_nothing(tmp_path: Path) -> None:
    code, output = call("--from", str(tmp_path))
    assert code == 0
    assert "looked at: nothing" in output


def test_the_kinds_are_printed_for_kubectl() -> None:
    code, output = call("--kinds")
    assert code == 0
    assert "ingresses.networking.k8s.io" in output.strip().split(",")
    assert not any(kind.startswith("secrets") for kind in output.split(","))


@pytest.mark.parametrize(
    ("args", "error"), [([], SettingsError), (["--from", "/nowhere/at/all"], SourceError)]
)
def test_without_a_folder_there_is_no_audit(args: list[str], error: type[Exception]) -> None:
    assert isinstance(runner.invoke(app, ["audit-cluster", *args]).exception, error)
