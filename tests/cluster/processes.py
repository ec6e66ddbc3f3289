"""Long-running programs of the harness: started with a log, watched while they come up, ended for sure.

A program is known by its process id and the time it started, so that an id which the system has given
to somebody else meanwhile is never signalled. State is a small file, for programs that outlive the
command that started them.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import waiting

STOP_S = 20.0


class DiedError(Exception):
    """A program ended while it was needed. Holds the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program that runs, or ran. born: the kernel's start time, in ticks since boot; 0 when it was
    gone before it could be read."""

    name: str
    pid: int
    born: int
    log: Path

    def is_alive(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG)
        return self.born > 0 and _born(self.pid) == self.born

    def require(self) -> None:
        if not self.is_alive():
            raise DiedError(f"{self.name} ended:\n{self.tail()}")

    def tail(self, size_bytes: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-size_bytes:]

    def signal(self, number: signal.Signals) -> None:
        if self.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def stop(self, *, grace_s: float = STOP_S) -> None:
        """Ended when this returns: asked first, killed when it does not listen."""
        self.signal(signal.SIGTERM)
        try:
            waiting.until(lambda: not self.is_alive(), f"{self.name} stops", deadline_s=grace_s)
        except waiting.InVainError:
            self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        waiting.until(lambda: not self.is_alive(), f"{self.name} dies", deadline_s=STOP_S)

    def save(self, file: Path) -> None:
        text = {"name": self.name, "pid": self.pid, "born": self.born, "log": str(self.log)}
        file.write_text(json.dumps(text))


def start(
    name: str,
    arguments: Sequence[str | Path],
    *,
    log: Path,
    outlives: bool = False,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Program:
    """outlives: it goes on after this process; otherwise it dies with it, whatever kills this one."""
    words = [str(argument) for argument in arguments]
    tie = shutil.which("setpriv")
    if tie and not outlives:
        words = [tie, "--pdeathsig", "KILL", "--", *words]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        made = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=None if environment is None else dict(environment),
            cwd=folder,
        )
    # It is waited for by its id: the object would complain of a child that still runs at its end.
    made.returncode = 0
    return Program(name=name, pid=made.pid, born=_born(made.pid), log=log)


def child_of(parent: Program, *, running: str | None = None) -> Program | None:
    """The program that another one started; None while there is none. running: its file, when known.

    Raises DiedError when the parent is gone.
    """
    parent.require()
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _fields(folder.name)
        if not fields or int(fields[1]) != parent.pid:
            continue
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if running is None or words[0].decode() == running:
            return Program(
                name=parent.name, pid=int(folder.name), born=int(fields[19]), log=parent.log
            )
    return None


def load(file: Path) -> Program | None:
    """A program that an earlier command saved; None when there is none."""
    if not file.exists():
        return None
    said = json.loads(file.read_text())
    return Program(name=said["name"], pid=said["pid"], born=said["born"], log=Path(said["log"]))


def _born(pid: int) -> int:
    """0 when there is no such process, or only its corpse."""
    fields = _fields(str(pid))
    return 0 if not fields or fields[0] in ("Z", "X") else int(fields[19])


def _fields(pid: str) -> list[str]:
    """What the kernel says of a process, from its state on; nothing when there is none."""
    try:
        # The name stands in brackets and may hold anything; the fields begin after the last one.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
