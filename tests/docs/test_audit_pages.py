"""The pages about the audit: their commands run, and every code and setting they name exists."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatereeve.cluster_audit import nginx_settings
from gatereeve.core.findings import registry

ROOT = Path(__file__).parent.parent.parent
PAGES = (
    ROOT / "docs" / "how-to" / "audit-a-cluster.md",
    ROOT / "docs" / "how-to" / "migrate-from-ingress-nginx.md",
    ROOT / "examples" / "audit_cluster" / "README.md",
)
CODE = re.compile(r"`((?:exposed|exposure|nginx|grant|model-un)[a-z-]+)`")
LINK = re.compile(r"\]\(([^)#]+\.md)")

pytestmark = pytest.mark.docs


def test_the_command_on_the_example_runs() -> None:
    for page in PAGES:
        for line in re.findall(
            r"^gatereeve (audit-cluster --from examples\S*)", page.read_text(), re.MULTILINE
        ):
            result = subprocess.run(
                [sys.executable, "-m", "gatereeve", *line.split()],
                cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
            )  # fmt: skip
            assert result.returncode == 1, result.stderr
            assert "audit: 10 errors" in result.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_codes_and_links_exist(page: Path) -> None:
    text = page.read_text()
    assert {code for code in CODE.findall(text) if code not in registry()} == set()
    assert all((page.parent / link).resolve().exists() for link in LINK.findall(text))


def test_annotations_named_in_the_how_to_exist() -> None:
    text = PAGES[1].read_text().partition("## 2.")[2].partition("## 3.")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    names = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert len(names) > 10
    assert names <= set(nginx_settings.ANNOTATIONS)
