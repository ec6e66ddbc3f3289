"""Controllers, gates and recorders as processes of their own, as pods of a cluster would be.

`a_fleet` gives the folder of documents and ends whatever was started; everything waits for
conditions, within one deadline. `Load` asks the gate all the time and notes every answer.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import signal
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx2

from gatereeve.core import errors
from gatereeve.proxy.admin import Admin
from gatereeve.runtime import control_socket
from gatereeve.runtime.settings import GatePaths, StatePaths
from tests.envoy import upping
from tests.envoy.upping import DEADLINE_S, Backend, Up, until
from tests.features import documents as docs
from tests.support import processes
from tests.support.ports import free_port

GATE = "public"


@dataclasses.dataclass(slots=True, kw_only=True)
class Process:
    """One process of ours, with its log. arguments: those of `python -m gatereeve`."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    http: int
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = processes.start_python(
            ("gatereeve", *self.arguments), log=self.log, environment=self.environment
        )

    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def ask(self, path: str) -> httpx2.Response | None:
        """Over plain HTTP, as a probe; None when nobody answers."""
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"http://127.0.0.1:{self.http}{path}", timeout=DEADLINE_S)
        return None

    def is_ready(self) -> bool:
        answer = self.ask("/readyz")
        return answer is not None and answer.status_code == 200

    def until_ready(self) -> None:
        def look() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, self.output()
            return self.is_ready()

        until(look, f"{self.name} to be ready\n{self.output()}")

    def metric(self, name: str) -> float | None:
        """The value of one sample, named with its labels."""
        answer = self.ask("/metrics")
        lines = answer.text.splitlines() if answer else []
        return next((float(x.rpartition(" ")[2]) for x in lines if x.startswith(f"{name} ")), None)

    def send(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end (or kill it); its exit code."""
        self.send(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def kill(self) -> None:
        assert self.end(signal.SIGKILL) == -signal.SIGKILL


@dataclasses.dataclass(slots=True, kw_only=True)
class Fleet:
    """One folder of documents, one certificate store, and whatever serves from them.

    agent: where gate `a` answers; the leader asks it there too, whoever serves it.
    """

    root: Path
    up: Up
    xds: tuple[int, int]
    agent: int
    processes: list[Process] = dataclasses.field(default_factory=list)

    @property
    def store(self) -> Path:
        return self.root / "store"

    def controller(self, number: int = 0, *, seed: str = "0") -> Process:
        """Number 0 or 1: where gates look for controllers."""
        http = free_port()
        return self._add(
            f"controller-{number}", http,
            "controller", "--folder", str(self.up.folder), "--state", str(self.state(number)),
            "--store", str(self.store), "--xds", f"127.0.0.1:{self.xds[number]}",
            "--http", f"127.0.0.1:{http}", "--name", "localhost",
            "--gates", f"127.0.0.1:{self.agent}",
            environment={"PYTHONHASHSEED": seed},
        )  # fmt: skip

    def state(self, number: int = 0) -> Path:
        return self.root / f"state-{number}"

    def gate(self, replica: str = "a", *, least: float = 0, longest: float = 20) -> Process:
        http = free_port()
        return self._add(
            f"gate-{replica}", http,
            "gate", "--gate", GATE, "--replica", replica, "--server-name", "localhost",
            *(word for port in self.xds for word in ("--controller", f"127.0.0.1:{port}")),
            "--certificates", str(self.store / f"gate-{GATE}"), "--run", str(self.run_dir(replica)),
            "--http", f"127.0.0.1:{http}",
            "--agent", f"127.0.0.1:{self.agent if replica == 'a' else free_port()}",
            "--concurrency", "1", "--heap-mb", "512",
            "--drain-least", str(least), "--drain-longest", str(longest),
        )  # fmt: skip

    def run_dir(self, replica: str) -> Path:
        return self.root / replica

    def recorder(self, replica: str = "a") -> Process:
        http = free_port()
        return self._add(
            f"recorder-{replica}", http,
            "recorder", "--gate", GATE, "--replica", replica, "--run", str(self.run_dir(replica)),
            "--state", str(self.records(replica)), "--http", f"127.0.0.1:{http}",
        )  # fmt: skip

    def records(self, replica: str = "a") -> Path:
        return self.root / f"records-{replica}"

    def _add(
        self, name: str, http: int, *arguments: str, environment: dict[str, str] | None = None
    ) -> Process:
        made = Process(
            name=name, arguments=arguments, log=self.root / f"{name}.log", http=http,
            environment=environment or {},
        )  # fmt: skip
        self.processes.append(made)
        made.start()
        return made

    def status(self, number: int = 0) -> dict[str, Any] | None:
        """What a controller tells of the Gate; None when it does not."""
        with contextlib.suppress(errors.GatereeveError):
            found = asyncio.run(control_socket.ask(StatePaths(root=self.state(number))))
            return found["gates"][0] if found["gates"] else None
        return None

    def until_proved(self, *, nodes: int = 1, controllers: tuple[int, ...] = (0,)) -> None:
        """Until so many gates, over these controllers, have proved what is published."""

        def look() -> bool:
            found = [self.status(number) for number in controllers]
            proved = [n for one in found if one for n in one["nodes"] if n["current"]]
            return sum(n["connected"] for n in proved) == nodes and all(
                one is not None and (one["current"] or not one["nodes"]) for one in found
            )

        until(look, f"{nodes} proofs\n{[self.status(n) for n in controllers]}\n{self.output()}")

    def envoy(self, replica: str = "a") -> int:
        """The pid of a gate's Envoy."""
        socket = GatePaths(shared=self.run_dir(replica)).admin_socket
        return next(
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if _command(path).startswith(b"/") and str(socket.parent).encode() in _command(path)
            and b"launch.py" not in _command(path)
        )  # fmt: skip

    def admin(self, replica: str, pattern: str) -> dict[str, int]:
        """Statistics of a gate's Envoy; none while it does not answer."""

        async def ask() -> dict[str, int]:
            async with Admin(GatePaths(shared=self.run_dir(replica)).admin_socket) as admin:
                return await admin.numbers(pattern)

        with contextlib.suppress(errors.ProxyError):
            return asyncio.run(ask())
        return {}

    def output(self) -> str:
        return "\n".join(f"--- {one.name}\n{one.output()}" for one in self.processes)


def _command(path: Path) -> bytes:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


@contextlib.contextmanager
def a_fleet(server: Backend) -> Iterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="gr-f-") as name:
        root = Path(name)
        up = Up(folder=root / "documents", state=root / "up", http=free_port(), https=free_port())
        up.folder.mkdir()
        up.documents(server)
        fleet = Fleet(root=root, up=up, xds=(free_port(), free_port()), agent=free_port())
        try:
            yield fleet
        finally:
            for one in fleet.processes:
                if one.process is not None:
                    one.process.kill()
                    one.process.wait()


class Load:
    """Requests without pause on kept connections until the context ends; every answer is counted.

    The clients behave as good ones do: they close when told, and do not ask again.
    """

    def __init__(self, port: int, *, clients: int = 2) -> None:
        self.answers: collections.Counter[int | str] = collections.Counter()
        self._port = port
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self, number: int = 50, status: int = 200) -> None:
        """Until so many more were answered so."""
        goal = self.answers[status] + number
        until(lambda: self.answers[status] >= goal, f"{number} more {status}: {self.answers}")

    def _ask(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with httpx2.Client(verify=context, timeout=DEADLINE_S) as client:
            while not self._stop.is_set():
                try:
                    got = client.post(
                        f"https://127.0.0.1:{self._port}/",
                        content=b"{}",
                        headers={"host": docs.HOST},
                        extensions={"sni_hostname": docs.HOST},
                    )
                    self.answers[got.status_code] += 1
                except httpx2.TransportError as error:
                    self.answers[type(error).__name__] += 1


Condition = Callable[[], Any]
__all__ = ["GATE", "Condition", "Fleet", "Load", "Process", "a_fleet", "upping"]
