"""The image's lock is the part of the whole lock that a running Gatereeve needs."""

from __future__ import annotations

import re
import tomllib

from tests.cluster.own_image import ROOT

_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    return dict(_PIN.findall((ROOT / name).read_text()))


def test_it_holds_every_dependency_in_the_version_that_was_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [re.split(r"[<>=!\[; ]", wanted)[0].lower() for wanted in project["dependencies"]]
    image, whole = pins("requirements-runtime.lock"), pins("requirements.lock")

    assert set(names) <= set(image), "run `make lock`"
    assert image.items() <= whole.items(), "run `make lock`"
