"""Every tutorial runs as it is written. The one for a cluster runs on one: tests/cluster/test_tutorial."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import tutorials

HERE = sorted(page for page in tutorials.FOLDER.glob("*.md") if page.stem != tutorials.CLUSTER)
LIMIT_S = 180

pytestmark = pytest.mark.docs


@pytest.mark.parametrize("tutorial", HERE, ids=lambda t: t.stem)
def test_tutorial(tutorial: Path, tmp_path: Path) -> None:
    code, output = tutorials.run(tutorial, tmp_path, limit_s=LIMIT_S)
    log = tmp_path / "up.log"
    assert code == 0, output + (log.read_text() if log.exists() else "")


def test_a_command_that_fails_fails_the_page_and_what_is_only_shown_is_not_run(
    tmp_path: Path,
) -> None:
    page = tmp_path / "page.md"
    page.write_text("```sh\nexit 7\n```\n```shell\necho done | grep done\n```\n")
    assert tutorials.run(page, tmp_path, limit_s=20) == (0, "done\n")
    page.write_text("```shell\necho begun\nfalse | cat\necho never\n```\n")
    assert tutorials.run(page, tmp_path, limit_s=20) == (1, "begun\n")


def test_a_page_that_hangs_is_ended_and_tells_how_far_it_came(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```shell\necho begun\nsleep 60\n```\n")
    code, output = tutorials.run(page, tmp_path, limit_s=1)
    assert code != 0
    assert "begun" in output
    assert "(timed out)" in output
