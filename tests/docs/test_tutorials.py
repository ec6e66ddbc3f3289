"""Every tutorial runs as it is written: its files are written, its commands succeed, in order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIMIT_S = 180

pytestmark = pytest.mark.docs


def script_of(page: str) -> str:
    """A bash script that does what a reader does."""
    lines = ["set -eu -o pipefail", "set -m", "shopt -s expand_aliases"]
    for language, file, body in BLOCK.findall(page):
        if file:
            lines.append(f"mkdir -p \"$(dirname '{file}')\"")
            lines.append(f"cat > '{file}' <<'END_OF_FILE'\n{body}END_OF_FILE")
        elif language == "shell":
            lines.append(body)
    return "\n".join(lines)


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda t: t.stem)
def test_tutorial(tutorial: Path, tmp_path: Path) -> None:
    environment = dict(os.environ) | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }
    with subprocess.Popen(
        ["bash", "-c", script_of(tutorial.read_text())],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            output = "(timed out)"
        finally:
            _kill_session(shell.pid)
    log = tmp_path / "up.log"
    assert shell.returncode == 0, output + (log.read_text() if log.exists() else "")


def _kill_session(leader: int) -> None:
    """Ends what a failing tutorial left behind: every process of its session."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            os.kill(int(entry.parent.name), signal.SIGKILL)
