"""Processes of a run: started with a log, always ended; what they cost, as the kernel counts it.

CPU time comes from `/proc`, so on other systems those figures are missing, and say so.
"""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class BenchError(Exception):
    """A benchmark could not be run. The text says why, and where the log is."""


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    stop_s: float = 20.0,
) -> Iterator[subprocess.Popen[str]]:
    """One child in a session of its own; asked to end with its group at the end, then made to.

    Its standard output can be read line by line; standard error goes to `log`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:
        try:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True,
                env=environment, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise BenchError(f"{name} cannot be started: {error}") from error
    try:
        yield child
    finally:
        _end(child, stop_s)


def _end(child: subprocess.Popen[str], stop_s: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(stop_s)
            break
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def check_output(name: str, command: Sequence[str | os.PathLike[str]], *, timeout_s: float) -> str:
    """Standard output of a command that must succeed. Raises BenchError with the end of its errors."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BenchError(f"{name}: {error}") from error
    if done.returncode != 0:
        words = shlex.join(map(str, command))[:200]
        raise BenchError(f"{name}: {words} ended with {done.returncode}: {done.stderr[-800:]}")
    return done.stdout


def wait_for(is_done: Callable[[], bool], what: str, *, timeout_s: float, log: Path) -> None:
    """Ask every 20 ms. Raises BenchError with the end of `log` after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not is_done():
        if time.monotonic() > end:
            words = log.read_text("utf-8", "replace")[-1500:] if log.exists() else ""
            raise BenchError(f"{what}: not within {timeout_s:g} s; {log} ends:\n{words}")
        time.sleep(0.02)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_seconds(pids: Sequence[int]) -> float | None:
    """User and system time that these processes have used so far; None where `/proc` is missing."""
    total = 0.0
    for pid in pids:
        try:
            text = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            return None
        fields = text.rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return total


def resident_mb(pid: int) -> float | None:
    """Memory of a process now, in MB (10^6 bytes)."""
    try:
        text = (_PROC / str(pid) / "statm").read_text()
    except OSError:
        return None
    return int(text.split()[1]) * resource.getpagesize() / 1e6


def family(pid: int) -> dict[int, str]:
    """`pid` and all its descendants, by pid, with the names of their programs."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            head, _, rest = (entry / "stat").read_text().rpartition(")")
            number = int(entry.name)
            names[number] = head.partition("(")[2]
            parents[number] = int(rest.split()[1])
    found = {pid: names[pid]} if pid in names else {}
    while more := {
        p: names[p] for p, above in parents.items() if above in found and p not in found
    }:
        found |= more
    return found


def machine() -> str:
    """Where figures were made: processor, cores, system, Python, and how busy it was."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; load average at the start {load}"
    )


def peak_mb() -> float:
    """Most memory this process ever had, in MB (10^6 bytes)."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
