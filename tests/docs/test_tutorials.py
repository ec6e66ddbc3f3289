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
