"""The documents that how-to pages show can be used as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatereeve.api import parse
from gatereeve.compile import compiler
from gatereeve.core.findings import Finding, Severity
from gatereeve.core.refusals import REFUSALS
from gatereeve.runtime import metrics
from gatereeve.sources.store import assemble
from tests.support.clocks import AT

WITH_FIRST = ("access-policies.md", "rollouts.md", "residency.md")
"""Pages whose first block of YAML holds the documents that each of the others needs."""

ALONE = ("identity.md",)
"""Pages whose blocks stand alone."""

MEANT = {
    "anonymous-allowed", "api-key-invalid", "client-ca-invalid", "jwks-unavailable",
    "model-unversioned",
}  # fmt: skip
"""Findings about what the pages do not show (keys, Services, approvals) or mean to show."""


def blocks(page: str) -> list[str]:
    text = (Path("docs/how-to") / page).read_text("utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


CASES = [(page, n) for page in WITH_FIRST for n in range(1, len(blocks(page)))]
CASES += [(page, n) for page in ALONE for n in range(len(blocks(page)))]


def problems(*texts: str) -> list[Finding]:
    parts = [parse.parse_text(text, f"{n}.yaml") for n, text in enumerate(texts)]
    found = compiler.compile(assemble(parts, at=AT)).findings
    return [f for f in found if f.severity is not Severity.INFO and f.code not in MEANT]


@pytest.mark.parametrize(("page", "number"), CASES)
def test_a_document_of_a_page_has_no_problem(page: str, number: int) -> None:
    every = blocks(page)
    assert problems(*every[: 1 if page in WITH_FIRST else 0], every[number]) == []


def test_alerts_ask_for_metrics_that_exist() -> None:
    (rules,) = blocks("operate.md")
    named = set(re.findall(r"gatereeve_\w+", " ".join(re.findall(r"expr: (.*)", rules))))
    assert named
    assert named <= {metric.name for metric in metrics.REGISTRY}


def test_symptoms_are_refusal_codes() -> None:
    text = Path("docs/how-to/operate.md").read_text("utf-8")
    codes = re.findall(r"^\| (\d{3}) `([a-z-]+)`", text, re.MULTILINE)
    assert codes
    assert {(int(status), code) for status, code in codes} <= {
        (refusal.status, refusal.code) for refusal in REFUSALS.values()
    }
