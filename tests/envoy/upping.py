"""The real `gatereeve up` as a process of its own, on a folder that the test writes.

`running` starts it and ends it, whatever happens; `Up` asks it, edits its folder, and reads what it
left. Everything waits for conditions, within one deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from gatereeve.core import errors, records
from gatereeve.ledger.reading import RecordLog
from gatereeve.runtime import control_socket
from gatereeve.runtime.settings import StatePaths
from tests.features import documents as docs
from tests.support import keys, processes
from tests.support.ports import free_port

DEADLINE_S = 90.0
"""Generous, for a machine with other work: a test that passes does not wait for it."""
Server = TypeVar("Server", bound=ThreadingHTTPServer)


def until(holds: Callable[[], Any], what: str) -> Any:
    """What `holds` returns once it is true."""
    end = time.monotonic() + DEADLINE_S
    while not (found := holds()):
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)
    return found


class Backend(ThreadingHTTPServer):
    """A model's server. `hold` makes it wait for `let_go` before it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.arrived = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gate that was killed leaves its connections; no output of ours."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.arrived.set()
        self.server.let_go.wait(DEADLINE_S)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: Any) -> None: ...


@contextlib.contextmanager
def backend() -> Iterator[Backend]:
    with _serving(Backend()) as server:
        yield server
        server.let_go.set()


@contextlib.contextmanager
def _serving(server: Server) -> Iterator[Server]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    code: str | None


@dataclasses.dataclass(slots=True, kw_only=True)
class Up:
    """One folder with its state directory and ports; `process` is what runs on it now."""

    folder: Path
    state: Path
    http: int
    https: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.state.name}.log"

    def output(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def documents(self, server: Backend | None = None, **files: str) -> None:
        """The folder of the feature tests, on these ports, with the model's server at `server`."""
        texts = docs.base() | files
        texts["gate"] = self.on_ports(texts["gate"])
        texts["policy"] = texts["policy"].replace("{group: corp/staff}", "{anonymous: true}")
        if server is not None:
            texts["version1"] = texts["version1"].replace("9001", str(server.server_port))
        for name, text in texts.items():
            (self.folder / f"{name}.yaml").write_text(text)

    def on_ports(self, gate: str) -> str:
        own = f"host: 127.0.0.1, port: {self.http}", f"host: 127.0.0.1, port: {self.https}"
        return gate.replace("port: 8080", own[0]).replace("port: 8443", own[1])

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / f"{name}.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def start(self, program: str = "gatereeve") -> None:
        """program: the module that is run."""
        self.process = processes.start_python(
            (program, "up", self.folder, "--state", self.state), log=self.log
        )

    def begin(self, program: str = "gatereeve") -> dict[str, Any]:
        """Start it, and wait until the gate runs what the documents say."""
        self.start(program)
        return self.wait(lambda found: found["current"], "the gate to run what it should")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `gatereeve` command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "gatereeve", *arguments],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
            env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"},
        )

    def status(self) -> dict[str, Any] | None:
        """What it answers on its control socket; None when it does not."""
        with contextlib.suppress(errors.GatereeveError):
            return asyncio.run(control_socket.ask(StatePaths(root=self.state)))
        return None

    def gate(self) -> dict[str, Any] | None:
        found = self.status()
        return found["gates"][0] if found and found["gates"] else None

    def wait(self, fits: Callable[[dict[str, Any]], Any], what: str) -> dict[str, Any]:
        """The gate's status once it fits."""

        def look() -> dict[str, Any] | None:
            assert self.process is None or self.process.poll() is None, self.output()
            gate = self.gate()
            return gate if gate and fits(gate) else None

        found: dict[str, Any] = until(look, f"{what}\n{self.gate()}\n{self.output()}")
        return found

    def problems(self) -> dict[str, dict[str, Any]]:
        """The findings told in status, by code."""
        found = self.status()
        return {one["code"]: one for one in found["problems"]} if found else {}

    def ask(self, headers: Mapping[str, str] | None = None, *, host: str = docs.HOST) -> Answer:
        """One request, to the model if no other host is named; status 0 when nobody answers."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with httpx2.Client(verify=context, timeout=DEADLINE_S) as client:
                got = client.post(
                    f"https://127.0.0.1:{self.https}/",
                    content=b"{}",
                    headers={"host": host} | dict(headers or {}),
                    extensions={"sni_hostname": host},
                )
        except httpx2.TransportError:
            return Answer(status=0, code=None)
        return Answer(status=got.status_code, code=got.headers.get("x-gatereeve-code"))

    def until_answer(self, status: int, headers: Mapping[str, str] | None = None) -> Answer:
        def look() -> Answer | None:
            answer = self.ask(headers)
            return answer if answer.status == status else None

        found: Answer = until(look, f"{status} instead of {self.ask(headers)}\n{self.output()}")
        return found

    def end(self, number: int = signal.SIGINT) -> int:
        """Ask it to end; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def records(self) -> list[records.Record]:
        return [records.decode(line) for _, line in RecordLog(self.state).read()]

    def left_behind(self) -> list[str]:
        """Sockets and processes that remain of it."""
        found = [str(path) for path in (self.state / "run").iterdir()]
        return found + [line for line in _processes() if str(self.state) in line]


def _processes() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if int(path.parent.name) != os.getpid():
                yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


def is_alive(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] not in "ZX"


@contextlib.contextmanager
def a_folder() -> Iterator[Up]:
    """A folder, a state directory and two ports; whatever runs on them is ended."""
    with tempfile.TemporaryDirectory(prefix="gr-up-") as name:
        up = Up(
            folder=Path(name) / "documents",
            state=Path(name) / "state",
            http=free_port(),
            https=free_port(),
        )
        up.folder.mkdir()
        try:
            yield up
        finally:
            if up.process is not None:
                up.process.kill()
                up.process.wait()


class KeyServer(ThreadingHTTPServer):
    """An issuer's key set over https, on this machine.

    status: of its answers; None is 200 when there is a body, else 503. served: how often it was asked.
    """

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Keys)
        authority = keys.Authority("issuer")
        self.ca = authority.certificate
        self.body = b""
        self.status: int | None = None
        self.served = 0
        pair = authority.issue()
        (directory / "issuer.pem").write_text(pair.certificate + pair.key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "issuer.pem")
        self.socket = context.wrap_socket(self.socket, server_side=True)

    @property
    def uri(self) -> str:
        return f"https://127.0.0.1:{self.server_port}/jwks"


class _Keys(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.served += 1
        self.send_response(self.server.status or (200 if self.server.body else 503))
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *arguments: Any) -> None: ...


@contextlib.contextmanager
def key_server(directory: Path) -> Iterator[KeyServer]:
    with _serving(KeyServer(directory)) as server:
        yield server
