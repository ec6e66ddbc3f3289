"""The page about guards: its documents are read, its commands run, its codes and roles exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.roles import ROLES
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.cli import app
from gatereeve.core.findings import registry
from tests.support.worlds import world_of

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "how-to" / "guards.md").read_text()
EXAMPLE = ROOT / "examples" / "guards" / "documents"

pytestmark = pytest.mark.docs


def test_the_documents_are_those_of_the_example() -> None:
    [shown] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    world = world_of(shown)

    assert not world.findings
    kept = list(yaml.safe_load_all((EXAMPLE / "people.yaml").read_text()))
    assert list(yaml.safe_load_all(shown)) == kept


def test_the_command_on_the_example_runs() -> None:
    result = CliRunner().invoke(app, ["guards", str(EXAMPLE)])

    assert result.exit_code == 0, result.output
    assert "gatereeve-developer" in result.stdout


def test_every_role_is_described() -> None:
    described = set(re.findall(r"^\| `(gatereeve-[a-z-]+)`", PAGE, re.MULTILINE))
    assert described == {f"gatereeve-{name}" for name in ROLES} | {"gatereeve-guard-keeper"}


def test_every_code_of_the_policies_is_described_and_none_is_made_up() -> None:
    objects = make_guards(world_of((EXAMPLE / "people.yaml").read_text()), GuardSettings())
    said = {
        match
        for one in objects
        if one["kind"] == "ValidatingAdmissionPolicy"
        for match in re.findall(r"'message': ['\"]([a-z]+(?:-[a-z]+)+): ", str(one))
    }
    told = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", PAGE))

    assert said
    assert said - {"break-glass-refused"} <= told
    known = {*registry(), *said, "changer-forged", "status-forged"}
    assert {code for code in told if code.partition("-")[0] != "gatereeve"} - known <= {
        "kube-system"
    }
