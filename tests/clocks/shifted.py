"""Runs suites with the wall clock of every process years ahead, then years behind.

A certificate, a token or an approval that takes its dates from a fixed instant and is judged by the
real clock passes until that clock has moved far enough. Here it has. The library built from `shift.c`
is preloaded into pytest and so into its children, Envoy included: all of them see the same time.

    python -m tests.clocks.shifted [arguments of pytest]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("shift.c")
ROOT = SOURCE.parents[2]
LIBRARY = ROOT / "build" / "clock-shift.so"

YEAR_S = 31_556_952
AHEAD, BEHIND = 75, -15
"""Years. 75 passes 2038, 2050 (where X.509 changes the form of its dates) and 2100."""

SUITES = (
    "tests/unit", "tests/property", "tests/golden", "tests/features", "tests/conformance",
    "tests/faults", "tests/docs", "tests/examples", "tests/clocks",
    "tests/envoy/test_own_addresses.py", "tests/envoy/test_bad_credentials.py",
    "tests/envoy/test_up_keys.py", "tests/envoy/test_rotation.py",
)  # fmt: skip
"""The suites without a service, and the tests of a real Envoy that judges certificates and tokens."""

PARALLEL = ("-n", "3", "--dist", "loadgroup", "--no-loadscope-reorder")
FEWER = ("--deselect=tests/golden/test_chart.py", "--deselect=tests/examples/test_lending.py")
"""Not run again: rendering the chart, which needs a Helm that is built first and says nothing about
time; the whole story of the lending example, which trains models (its documents are run)."""


class MissingCompilerError(Exception):
    """There is no C compiler. Says how to get one."""


def build() -> Path:
    """The library; built again when `shift.c` is newer. Raises MissingCompilerError."""
    if LIBRARY.exists() and LIBRARY.stat().st_mtime > SOURCE.stat().st_mtime:
        return LIBRARY
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise MissingCompilerError(
            f"{SOURCE.name} needs a C compiler, and there is no cc, gcc or clang: install one "
            "(Debian: apt-get install gcc libc6-dev)"
        )
    LIBRARY.parent.mkdir(exist_ok=True)
    fresh = LIBRARY.with_suffix(f".{os.getpid()}")
    flags = ("-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")
    subprocess.run([compiler, *flags, "-o", fresh, SOURCE, "-ldl"], check=True)
    fresh.replace(LIBRARY)
    return LIBRARY


def environment(seconds: int) -> dict[str, str]:
    """The variables that move the wall clock of a process and of its children by `seconds`."""
    given = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    return {**given, "LD_PRELOAD": str(build()), "GATEREEVE_CLOCK_SHIFT": str(seconds)}


def main() -> int:
    """0 when both runs pass."""
    arguments = sys.argv[1:] or ["-q", *PARALLEL, *FEWER, *SUITES]
    for years in (AHEAD, BEHIND):
        direction = "ahead" if years > 0 else "behind"
        sys.stderr.write(f"the clock is {abs(years)} years {direction}\n")
        command = [sys.executable, "-m", "pytest", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment(years * YEAR_S), check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MissingCompilerError as missing:
        sys.exit(str(missing))
