"""Golden folders of the cluster audit: `in.yaml` gives `findings.yaml`. `make golden` rewrites."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gatereeve.cli.check import to_json
from tests.support.audits import findings_of

HERE = Path(__file__).parent / "audit"
CASES = sorted(path.parent for path in HERE.glob("*/in.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_golden(case: Path, *, update_golden: bool) -> None:
    text = (case / "in.yaml").read_text()
    assert text.startswith("# "), "the first line says what the case shows"
    actual = yaml.safe_dump(
        [{k: v for k, v in to_json(f).items() if v is not None} for f in findings_of(text)],
        sort_keys=False,
        width=120,
    )
    path = case / "findings.yaml"
    if update_golden:
        path.write_text(actual)
    assert path.exists(), f"{path} is missing; `make golden` writes it"
    assert actual == path.read_text(), f"{path} differs; `make golden` and read the diff"


def test_there_are_cases() -> None:
    assert CASES
