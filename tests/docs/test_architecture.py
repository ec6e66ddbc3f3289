"""Every module, class and function that the architecture page names exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

PAGE = Path("docs/explanation/architecture.md")
PACKAGES = {path.name for path in Path("src/gatereeve").iterdir() if path.is_dir()}
NAMES = sorted(
    {
        name
        for name in re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", PAGE.read_text())
        if name.split(".")[0] in PACKAGES
    }
)


def look_up(name: str) -> object:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            there: object = importlib.import_module(".".join(("gatereeve", *parts[:count])))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            there = getattr(there, part)
        return there
    raise AttributeError(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_names_exists(name: str) -> None:
    assert look_up(name) is not None


def test_the_page_names_enough() -> None:
    modules = [name for name in NAMES if isinstance(look_up(name), ModuleType)]
    assert len(NAMES) > 50
    assert len(modules) > 15
