"""`gatereeve approve`, `reject` and `guards`, as people and pipelines call them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.compile import compiler
from gatereeve.core.errors import SettingsError
from tests.support.worlds import world_of
from tests.unit.admission.test_review import DIGEST, GATE, MODEL, VERSION

runner = CliRunner()
DECIDE = ("offers-1", "--role", "owner", "--reason", "looked at it", "--approver", "olga")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents.yaml").write_text(f"{GATE}---{MODEL}---{VERSION}")
    return tmp_path


def call(*args: str) -> str:
    result = runner.invoke(app, args, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_callers_without_a_credential_decide_nothing(folder: Path) -> None:
    given = ("offers-1", "--role", "owner", "--reason", "r", "--folder", str(folder))
    for command in ("approve", "reject"):
        with pytest.raises(SettingsError, match=r"system:anonymous.* person"):
            call(command, *given, "--approver", "system:anonymous")


def test_an_approval_counts_as_it_is_printed(folder: Path) -> None:
    printed = call("approve", *DECIDE, "--folder", str(folder), "--expires", "2030-01-01")

    document = yaml.safe_load(printed)
    assert document["spec"]["subject"] == {
        "kind": "ModelVersion", "name": "offers-1", "digest": DIGEST,
    }  # fmt: skip
    assert document["metadata"]["namespace"] == "shop"
    findings = compiler.compile(world_of(GATE, MODEL, VERSION, printed)).findings
    assert "version-unapproved" not in {finding.code for finding in findings}
    assert "invalid-field" not in {finding.code for finding in findings}


def test_a_rejection_keeps_the_version_out(folder: Path) -> None:
    yes = call("approve", *DECIDE, "--folder", str(folder))
    no = call("reject", *DECIDE, "--folder", str(folder)).replace("owner-olga", "owner-again")

    findings = compiler.compile(world_of(GATE, MODEL, VERSION, yes, no)).findings
    assert "version-rejected" in {finding.code for finding in findings}


def test_the_same_decision_is_the_same_object_and_another_is_not(folder: Path) -> None:
    def name(*more: str) -> str:
        loaded: str = yaml.safe_load(call("approve", *DECIDE, *more))["metadata"]["name"]
        return loaded

    first = name("--folder", str(folder))
    assert first == name("--digest", DIGEST)
    assert first != name("--digest", "sha256:" + "1" * 64)


def test_a_pipeline_gives_the_digest_it_looked_at() -> None:
    document = yaml.safe_load(
        call("approve", "shop/offers-1", *DECIDE[1:], "--digest", "sha256:" + "1" * 64)
    )
    assert document["metadata"]["namespace"] == "shop"
    assert document["spec"]["subject"]["digest"] == "sha256:" + "1" * 64


def test_breaking_the_glass_is_bounded_and_told(folder: Path) -> None:
    arguments = ("approve", *DECIDE[:3], "--reason", "the other one leaks", "--approver", "otto",
                 "--digest", DIGEST, "--break-glass", "2")  # fmt: skip
    result = runner.invoke(app, arguments)

    document = yaml.safe_load(result.stdout)
    assert set(document["spec"]["breakGlass"]) == {"since", "until"}
    assert "expires" not in document["spec"]
    assert "break-glass-active" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("approve", *DECIDE), "either"),
        (("approve", *DECIDE, "--folder", ".", "--digest", DIGEST), "either"),
        (("approve", "nothing", *DECIDE[1:], "--folder", "FOLDER"), "no ModelVersion"),
        (("approve", *DECIDE[:-1], "mia", "--folder", "FOLDER"), "author"),
        (("approve", *DECIDE[:-1], "Mia", "--folder", "FOLDER"), "author"),
        (("approve", *DECIDE[:-1], "mi\u0430", "--folder", "FOLDER"), "scripts"),
        (("approve", *DECIDE[:-1], "olga\u200b", "--folder", "FOLDER"), "seen"),
        (("approve", *DECIDE[:-1], "olga\u200b", "--digest", DIGEST), "seen"),
        (
            (
                "approve",
                *DECIDE,
                "--digest",
                DIGEST,
                "--break-glass",
                "2",
                "--expires",
                "2030-01-01",
            ),
            "ends by itself",
        ),
        (
            (
                "approve",
                *DECIDE[:4],
                "short",
                *DECIDE[5:],
                "--digest",
                DIGEST,
                "--break-glass",
                "2",
            ),
            "reason",
        ),
    ],
)
def test_what_makes_no_sense_is_told(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    given = [str(folder) if argument == "FOLDER" else argument for argument in arguments]

    with pytest.raises(SettingsError, match=said):
        runner.invoke(app, given, catch_exceptions=False)


def test_guards_come_as_yaml_and_as_one_list(folder: Path) -> None:
    objects = list(yaml.safe_load_all(call("guards", str(folder))))
    listed = yaml.safe_load(call("guards", str(folder), "--to", "json"))

    assert listed["items"] == objects
    assert {"ClusterRole", "GuardParameters", "ValidatingAdmissionPolicy"} <= {
        one["kind"] for one in objects
    }
    elsewhere = call("guards", str(folder), "--namespace", "gates", "--no-webhook")
    assert "system:serviceaccount:gates:gatereeve-controller" in elsewhere
    assert "WebhookConfiguration" not in elsewhere


def test_documents_that_cannot_be_read_fail_the_command(folder: Path) -> None:
    (folder / "grant.yaml").write_text(
        "apiVersion: gatereeve.dev/v1alpha1\nkind: HostGrant\nmetadata: {name: x}\nspec: {hsots: []}\n"
    )
    result = runner.invoke(app, ["guards", str(folder)])

    assert result.exit_code == 1
    assert "unknown-field" in result.stderr


def test_what_is_installed_is_compared_with_the_documents(folder: Path, tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.mkdir()
    (tmp_path / "more").mkdir()
    (dump / "all.yaml").write_text(call("guards", str(folder)))
    documents = tmp_path / "more"
    (documents / "documents.yaml").write_text(f"{GATE}---{MODEL}---{VERSION}")
    call("guards", str(documents), "--check", str(dump))

    (dump / "all.yaml").write_text(
        call("guards", str(documents)).replace("failurePolicy: Fail", "failurePolicy: Ignore", 1)
    )
    result = runner.invoke(app, ["guards", str(documents), "--check", str(dump)])
    assert result.exit_code == 1
    assert "guard-changed" in result.stdout
    assert "spec.failurePolicy" in result.stdout


def test_a_folder_that_names_its_people(folder: Path) -> None:
    listed = "{name: mia, aliases: [m@corp.example]}, {name: olga, roles: [risk]}, {name: otto}"
    (folder / "people.yaml").write_text(
        "apiVersion: gatereeve.dev/v1alpha1\nkind: People\nmetadata: {name: all}\n"
        f"spec: {{people: [{listed}]}}\n"
    )
    for who, said in (("m@corp.example", "author"), ("olga", "role owner"), ("nina", "no People")):
        result = runner.invoke(app, ("approve", *DECIDE[:-1], who, "--folder", str(folder)))
        assert said in str(result.exception)
    assert runner.invoke(app, ("approve", *DECIDE[:-1], "OTTO", "--folder", str(folder))).stdout
