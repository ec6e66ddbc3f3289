"""What a killed test started ends with it, and workers are given different ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import ROOT

START = """
import sys, time
from pathlib import Path
from tests.support.processes import start_python
print(start_python(("tests.unit.suite.sleeper",), log=Path(sys.argv[1])).pid, flush=True)
time.sleep(60)
"""
PORTS = "from tests.support.ports import free_port; print(*(free_port() for _ in range(20)))"


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_a_process_ends_with_the_test_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with subprocess.Popen(
        [sys.executable, "-c", START, log], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        end = time.monotonic() + 60
        while not log.read_text():
            assert time.monotonic() < end, "the child does not start"
            time.sleep(0.02)
        assert is_running(child)
        os.kill(parent.pid, signal.SIGKILL)
    while is_running(child):
        assert time.monotonic() < end, "the child is left running"
        time.sleep(0.02)


def test_workers_have_different_ports() -> None:
    given: list[int] = []
    for worker in ("gw0", "gw1", "gw2"):
        done = subprocess.run(
            [sys.executable, "-c", PORTS], cwd=ROOT, capture_output=True, text=True, check=True,
            env=os.environ | {"PYTEST_XDIST_WORKER": worker},
        )  # fmt: skip
        given += map(int, done.stdout.split())
    assert len(set(given)) == 60
