"""Golden folders of the guards: `in.yaml` gives `guards.yaml`. `make golden` rewrites."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.cli.guards import to_yaml
from tests.support.worlds import world_of

HERE = Path(__file__).parent / "guards"
CASES = sorted(path.parent for path in HERE.glob("*/in.yaml"))
OTHERWISE = {
    "webhook-stamps": GuardSettings(stamps="webhook", ca_bundle="bm90IGEgY2VydGlmaWNhdGU=")
}
"""Cases that show another setting; the rest is made as by default."""


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_golden(case: Path, *, update_golden: bool) -> None:
    text = (case / "in.yaml").read_text()
    assert text.startswith("# "), "the first line says what the case shows"
    actual = to_yaml(make_guards(world_of(text), OTHERWISE.get(case.name, GuardSettings())))
    path = case / "guards.yaml"
    if update_golden:
        path.write_text(actual)
    assert path.exists(), f"{path} is missing; `make golden` writes it"
    assert actual == path.read_text(), f"{path} differs; `make golden` and read the diff"
    assert list(yaml.safe_load_all(actual))


def test_there_are_cases() -> None:
    assert CASES
