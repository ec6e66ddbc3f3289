"""Runs a tutorial as a reader would: its files are written, its commands succeed, in order.

A block `file=NAME` is written to that file; a `shell` block is run. A block of any other language is
read, not run: what a reader does who is somewhere else, or once.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "docs" / "tutorials"
CLUSTER = "cluster"
"""The page that needs a whole Kubernetes; its test is in `tests/cluster`."""

_BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script_of(page: str) -> str:
    """A bash script that does what a reader does."""
    lines = ["set -eu -o pipefail", "set -m", "shopt -s expand_aliases"]
    for language, file, body in _BLOCK.findall(page):
        if file:
            lines.append(f"mkdir -p \"$(dirname '{file}')\"")
            lines.append(f"cat > '{file}' <<'END_OF_FILE'\n{body}END_OF_FILE")
        elif language == "shell":
            lines.append(body)
    return "\n".join(lines)


def run(
    page: Path, folder: Path, *, limit_s: float, more: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Exit code and output of a page, in that folder, with our programs found first.

    more: environment beside that of this process. Nothing that the page started is left.
    """
    environment = dict(os.environ) | dict(more or {})
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with subprocess.Popen(
        ["bash", "-c", script_of(page.read_text())],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, _ = shell.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as late:
            told = late.stdout or b""
            seen = told.decode(errors="replace") if isinstance(told, bytes) else told
            output = f"{seen}\n(timed out)"
        finally:
            _kill_session(shell.pid)
    return shell.returncode, output


def _kill_session(leader: int) -> None:
    """Ends what a failing tutorial left behind: every process of its session."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == leader:
            os.kill(int(entry.parent.name), signal.SIGKILL)
