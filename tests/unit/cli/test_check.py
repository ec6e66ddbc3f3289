"""`gatereeve check` and its kin, as a person or a pipeline calls them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app

GOOD = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: lending}
spec: {owner: t, purpose: p, riskClass: minimal, protocol: json}
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: credit-1, namespace: lending}
spec:
  model: credit
  version: "1"
  author: mia
  artifact: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
  region: de
  endpoints: [{address: 127.0.0.1, port: 9001}]
"""
GRANT = """---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: lending}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: lending}}
  hosts: [lending.example]
  addresses: [{cidr: 127.0.0.1/32, ports: [9001]}]
"""
GOOD += GRANT
BAD = GOOD.replace("riskClass: minimal", "riskClas: minimal")

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(GOOD)
    return tmp_path


def test_a_folder_without_errors_passes(folder: Path) -> None:
    result = runner.invoke(app, ["check", str(folder)])
    assert result.exit_code == 0, result.output


def test_an_error_has_file_line_code_and_hint_and_fails(folder: Path) -> None:
    (folder / "a.yaml").write_text(BAD)
    result = runner.invoke(app, ["check", str(folder)])
    assert result.exit_code == 1
    assert "a.yaml:5: error unknown-field" in result.output
    assert "riskClass" in result.output


def test_warnings_fail_only_when_asked(folder: Path) -> None:
    (folder / "a.yaml").write_text(GOOD.replace("riskClass: minimal", "riskClass: limited"))
    lines = GOOD.replace("riskClass: minimal", "riskClass: limited")
    (folder / "a.yaml").write_text(lines + GATE)
    assert runner.invoke(app, ["check", str(folder)]).exit_code == 0
    assert runner.invoke(app, ["check", str(folder), "--strict"]).exit_code == 1


GATE = """---
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec: {region: de, http: {port: 8080}}
"""


def test_json_is_a_list_of_findings(folder: Path) -> None:
    (folder / "a.yaml").write_text(BAD)
    result = runner.invoke(app, ["check", str(folder), "-o", "json"])
    found = json.loads(result.output)
    assert {"code", "severity", "message", "hint", "file", "line", "object", "path"} == set(
        found[0]
    )


def test_sarif_has_rules_and_places(folder: Path) -> None:
    (folder / "a.yaml").write_text(BAD)
    log = json.loads(runner.invoke(app, ["check", str(folder), "-o", "sarif"]).output)
    (run,) = log["runs"]
    result = run["results"][0]
    assert log["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1


def test_digest_prints_what_an_approval_binds_to(folder: Path) -> None:
    one = runner.invoke(app, ["digest", str(folder), "credit-1"]).output.strip()
    assert one.startswith("sha256:")
    (folder / "a.yaml").write_text(GOOD.replace("region: de", "region: fr"))
    assert runner.invoke(app, ["digest", str(folder), "lending/credit-1"]).output.strip() != one


def test_a_trial_certificate_serves_its_hosts(tmp_path: Path) -> None:
    out = tmp_path / "documents" / "tls.yaml"
    result = runner.invoke(app, ["trial-certificate", "a.example", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "kubernetes.io/tls" in out.read_text()
    assert out.stat().st_mode & 0o077 == 0
    assert "BEGIN CERTIFICATE" in (tmp_path / "documents" / "ca.pem").read_text()


def test_files_that_are_not_read_are_one_line_and_each_in_json(folder: Path) -> None:
    for name in "abcdefg":
        (folder / f"{name}.md").write_text("x")
    result = runner.invoke(app, ["check", str(folder)])
    assert "not read: a.md, b.md, c.md, d.md, e.md, …" in result.output
    assert result.output.count(".md") == 5
    told = json.loads(runner.invoke(app, ["check", str(folder), "-o", "json"]).output)
    assert [f["file"] for f in told if f["code"] == "file-not-read"] == [
        f"{n}.md" for n in "abcdefg"
    ]
