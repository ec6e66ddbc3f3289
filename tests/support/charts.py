"""The chart as Helm sees it. Helm is built from its Go module on first use (tests/cluster/tools.py)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster import tools

CHART = Path(__file__).parent.parent.parent / "deploy" / "chart" / "gatereeve"
NAMESPACE = "gatereeve-system"
RELEASE = "gatereeve"


class HelmError(Exception):
    """Helm refused; its words."""


def need_helm() -> None:
    """Skip by name where Helm cannot be had; in CI that is a failure."""
    lacking = tools.missing("helm")
    if lacking and os.environ.get("CI"):
        pytest.fail(f"CI renders the chart: {lacking}")
    if lacking:
        pytest.skip(lacking)


def helm(*arguments: str, given: str | None = None) -> str:
    """What Helm printed. Raises HelmError when it refuses."""
    done = subprocess.run(
        [str(tools.path("helm")), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def render(values: str, *arguments: str) -> str:
    """The chart with these values, as YAML. Raises HelmError when they are refused."""
    return helm(
        *("template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", "-", *arguments),
        given=values,
    )
