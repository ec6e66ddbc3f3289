"""The load tool: built once from `bench/load` (Go), run as a process, its result as a value.

Also starts the backend, the other command of the same binary. Without Go everything that needs load
is skipped by name.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import processes
from bench.processes import BenchError

SOURCE = Path(__file__).parent / "load"
NEEDS_GO = "skipped: needs Go to build the load tool (bench/load)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where requests go, and what each of them is. authority: PEM file; None for plain HTTP."""

    port: int
    host: str
    path: str
    body: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    authority: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """connections: each sends its next request when the answer is there. seconds: counted."""

    connections: int
    seconds: float
    warmup: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """latency_us: p50, p90, p99 and max over all counted answers. cpu_seconds: of the load tool."""

    requests: int
    per_second: float
    statuses: Mapping[str, int]
    errors: Mapping[str, int]
    latency_us: Mapping[str, float]
    cpu_seconds: float

    @property
    def failed(self) -> int:
        """Answers other than 200, and broken connections."""
        return self.requests - self.statuses.get("200", 0) + sum(self.errors.values())


def build(to: Path) -> Path | None:
    """The binary, built now; None when there is no Go. Raises BenchError when it does not build."""
    go = shutil.which("go")
    if go is None:
        return None
    binary = to.absolute() / "load"
    to.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOPROXY": "off"}
    done = subprocess.run(
        [go, "build", "-o", binary, "."], cwd=SOURCE, env=environment, capture_output=True,
        text=True, check=False, timeout=300,
    )  # fmt: skip
    if done.returncode != 0:
        raise BenchError(f"the load tool does not build: {done.stderr[-800:]}")
    return binary


@contextlib.contextmanager
def backend(binary: Path, answer: Path, log: Path) -> Iterator[int]:
    """A server on 127.0.0.1 that answers everything with the bytes of `answer`; yields its port."""
    command: list[str | Path] = [binary, "serve", "-body", answer]
    with processes.running("the backend", command, log=log) as child:
        line = child.stdout.readline() if child.stdout else ""
        if not line.strip().isdigit():
            raise BenchError(f"the backend did not start; see {log}")
        yield int(line)


def run(binary: Path, target: Target, load: Load) -> Result:
    """One round. Raises BenchError when nothing was answered at all."""
    command: list[str | Path] = [
        binary, "run",
        "-address", f"127.0.0.1:{target.port}",
        "-host", target.host,
        "-path", target.path,
        "-body", target.body,
        "-connections", str(load.connections),
        "-seconds", str(load.seconds),
        "-warmup", str(load.warmup),
    ]  # fmt: skip
    for name, value in target.headers.items():
        command += ["-header", f"{name}: {value}"]
    if target.authority is not None:
        command += ["-ca", target.authority]
    timeout_s = load.seconds + load.warmup + 60
    return parse(processes.check_output("load", command, timeout_s=timeout_s))


def parse(text: str) -> Result:
    """The load tool's JSON as a value. Raises BenchError when it holds no answer."""
    said = json.loads(text)
    if not said["requests"]:
        raise BenchError(f"no request was answered: {said['errors']}")
    return Result(
        requests=said["requests"],
        per_second=said["per_second"],
        statuses=said["statuses"],
        errors=said["errors"],
        latency_us=said["latency_us"],
        cpu_seconds=said["cpu_seconds"],
    )
