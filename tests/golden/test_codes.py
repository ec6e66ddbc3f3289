"""Every finding code has a golden case, or a test elsewhere that is named here; and none is dead."""

from __future__ import annotations

from pathlib import Path

import yaml

from gatereeve.core.findings import registry

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

ELSEWHERE = {
    # what one file on its own cannot show
    "unreadable-file": "tests/unit/sources",
    "empty-file": "tests/unit/sources",
    "file-misnamed": "tests/unit/sources",
    "file-not-read": "tests/unit/sources",
    "too-many-documents": "tests/unit/api",
    "last-good-kept": "tests/unit/sources",
    "jwks-stale": "tests/unit/sources",
    "jwks-uri-refused": "tests/unit/sources",
    "kind-not-served": "tests/unit/sources",
    "secret-unreadable": "tests/unit/sources",
    "gate-rejected": "tests/unit/runtime",
    "was-governed": "tests/unit/compile",
    # what stands in a cluster, not in documents
    "guard-missing": "tests/unit/admission",
    "guard-changed": "tests/unit/admission",
    "guard-stale": "tests/unit/admission",
    "guard-superfluous": "tests/unit/admission",
}


def test_every_code_has_a_case() -> None:
    shown = {
        finding["code"]
        for path in HERE.glob("*/*/findings.yaml")
        for finding in yaml.safe_load(path.read_text()) or []
    }
    assert set(registry()) - shown == set(ELSEWHERE)


def test_what_is_tested_elsewhere_is() -> None:
    for code, folder in ELSEWHERE.items():
        texts = [path.read_text() for path in (ROOT / folder).glob("**/test_*.py")]
        assert any(code in text for text in texts), code


def test_a_case_named_after_a_code_shows_it() -> None:
    for path in HERE.glob("*/*/findings.yaml"):
        name = path.parent.name
        if name in registry():
            assert name in {f["code"] for f in yaml.safe_load(path.read_text())}, name
