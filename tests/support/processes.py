"""Child processes of tests: they die with the test, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gatereeve.proxy.local import envoy_process

ROOT = Path(__file__).parents[2]


def start_python(
    arguments: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """`python -m ARGUMENTS…` in a session of its own. Its output is appended to `log`.

    The kernel kills it when this process ends, even by SIGKILL, so that nothing of it is left.
    """
    with log.open("ab") as out:
        return subprocess.Popen(
            [
                sys.executable, "-I", "-S", envoy_process.LAUNCHER, str(os.getpid()),
                sys.executable, "-m", *arguments,
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
        )  # fmt: skip
