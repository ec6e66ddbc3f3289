"""Options and fixtures of the whole suite. What cannot run here is reported by name, never silent."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None)  # no test depends on speed
settings.load_profile("suite")

pytest_plugins = ["tests.support.leaks"]

WITH_PROCESSES = (
    "attacks", "differential", "envoy", "examples", "docs", "conformance", "features",
)  # fmt: skip
"""Suites that wait for processes more than they compute. They begin, so that none is last and alone."""
FIXED_PORTS = ("docs", "examples")
"""Suites whose tests use the ports that pages and examples name: one worker runs all of them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files; read the diff afterwards",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For pytest-xdist: the tests of one file, which share a gate, run in one worker."""
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        suite = _suite(item)
        group = "fixed ports" if suite in FIXED_PORTS else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: _suite(item) not in WITH_PROCESSES)


def _suite(item: pytest.Item) -> str:
    parts = item.nodeid.split("/")
    return parts[1] if len(parts) > 1 else ""


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
