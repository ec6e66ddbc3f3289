"""The gate as a user runs it: `gatereeve up` on a folder, in a process of its own.

    python -m bench.governed FOLDER STATE WORKERS

starts exactly what the command starts, with the number of Envoy workers chosen, since figures are
per core; everything else is the default.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.processes import BenchError
from gatereeve.runtime import settings, up

START_S = 240.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A running gate. folder: its documents. control, envoy: process ids."""

    folder: Path
    state: Path
    control: int
    envoy: int
    log: Path


def write_folder(folder: Path, texts: Mapping[str, str]) -> None:
    """Documents to files; the folder is made."""
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


@contextlib.contextmanager
def serving(
    work: Path, texts: Mapping[str, str], *, workers: int, is_ready: Callable[[], bool]
) -> Iterator[Gate]:
    """`gatereeve up` on these documents; yields when `is_ready()` says that requests are served."""
    folder, state, log = work / "documents", work / "state", work / "up.log"
    write_folder(folder, texts)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "bench.governed",
        folder,
        state,
        str(workers),
    ]
    with processes.running("gatereeve up", command, log=log, stop_s=40) as child:
        processes.wait_for(
            lambda: _ended(child, log) or is_ready(), "the gate", timeout_s=START_S, log=log
        )
        envoys = [p for p, name in processes.family(child.pid).items() if name.startswith("envoy")]
        if len(envoys) != 1:
            raise BenchError(f"{len(envoys)} Envoys run below gatereeve up")
        yield Gate(folder=folder, state=state, control=child.pid, envoy=envoys[0], log=log)


def _ended(child: subprocess.Popen[str], log: Path) -> bool:
    if child.poll() is not None:
        words = log.read_text("utf-8", "replace")[-1500:]
        raise BenchError(f"gatereeve up ended with {child.returncode}: {words}")
    return False


def main(folder: Path, state: Path, workers: int) -> None:
    chosen = settings.Settings(
        folder=folder, state=settings.state_paths(state), concurrency=workers
    )
    asyncio.run(up.up(chosen, lambda _plane: None))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
