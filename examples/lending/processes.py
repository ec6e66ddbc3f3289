"""Processes of the walk: started with a log file, asked whether they are ready, always ended.

Each is a child in a session of its own, so that Ctrl-C reaches the story first and things stop in
order. When the story is killed, the kernel kills them (Linux). Ports are picked below the range from which the system takes ports for outgoing connections.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatereeve.proxy.local import envoy_process

_PORTS = range(20_000, 30_000)
POLL_S = 0.05


class NotReadyError(Exception):
    """Something did not start, or not in time. The text says what, and where its log is."""


def free_ports(count: int) -> list[int]:
    """Ports on 127.0.0.1 that nobody listens on now. All differ."""
    with contextlib.ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            port = _PORTS.start + secrets.randbelow(len(_PORTS))
            listener = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                found.append(port)
        return found


@dataclass(slots=True)
class Process:
    """One child. name: for people. arguments: after `python -m`. log: what it says, appended."""

    name: str
    arguments: Sequence[str]
    log: Path
    stop_s: float = 20.0
    _running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it; it may not be ready yet."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", envoy_process.LAUNCHER, str(os.getpid()),
                    sys.executable, "-m", *self.arguments,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def check_alive(self) -> None:
        """Raises NotReadyError with the end of its log when it has ended by itself."""
        if self._running is None or self._running.poll() is not None:
            raise NotReadyError(
                f"{self.name} has ended; the end of {self.log}:\n{self.last_words()}"
            )

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._running is not None:
            self._running.kill()
            self._running.wait()
            self._running = None

    def stop(self) -> int | None:
        """Ask it to end (SIGTERM), insist after `stop_s`. Returns its exit code, None if it was not running."""
        process, self._running = self._running, None
        if process is None:
            return None
        process.terminate()
        try:
            return process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def last_words(self, lines: int = 15) -> str:
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


def wait_until(is_done: Callable[[], bool], *, what: str, timeout_s: float) -> float:
    """Seconds until `is_done()`; asked every POLL_S. Raises NotReadyError after `timeout_s`."""
    began = time.monotonic()
    while not is_done():
        if time.monotonic() - began > timeout_s:
            raise NotReadyError(f"{what}: not within {timeout_s:.0f} seconds")
        time.sleep(POLL_S)
    return time.monotonic() - began


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
