"""The stage of the walk: models trained, servers and gate running, a folder that can be edited.

`Stage` is entered once; leaving it ends every process, also after a failure. What is asked of the
gate and whether it is right stands in `chapters`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.lending import callers, prepare, processes
from examples.lending.callers import Answer, Ask, Caller
from examples.lending.models import train
from examples.lending.telling import Telling

START_S = 60.0
CHANGE_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusCounts:
    """errors: findings of that severity. requests, lost: of records."""

    errors: int
    requests: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything a chapter may use. servers: by `credit-v1`, …, `assistant`."""

    telling: Telling
    folder: Path
    state: Path
    ports: prepare.Ports
    office: callers.Office
    servers: Mapping[str, processes.Process]
    gate: processes.Process
    models: Path
    measured: Mapping[str, train.Measured]

    def ask(
        self,
        what: str,
        caller: Caller,
        ask: Ask | None = None,
        *,
        status: int,
        code: str | None = None,
        version: str | None = None,
        header: tuple[str, str] | None = None,
    ) -> Answer:
        """Send, compare, tell. version: the model version that must have answered.

        header: a header that must be there, and what it must begin with.
        """
        ask = ask or Ask()
        answer = self.office.send(caller, ask)
        holds = (answer.status, answer.code) == (status, code)
        holds = holds and (version is None or answer.version == version)
        if header is not None:
            holds = holds and answer.headers.get(header[0], "").startswith(header[1])
        self.telling.check(
            what,
            expected=_expected(status, code, version, header),
            came=describe(answer, header),
            holds=holds,
            detail=self.request_line(caller, ask),
        )
        return answer

    def request_line(self, caller: Caller, ask: Ask) -> str:
        """`POST host/path · ursula, 127.0.1.10`, as told below each request."""
        scheme = "http://" if ask.plain else ""
        subject = f" · about {ask.subject}" if ask.subject else ""
        return (
            f"{ask.method} {scheme}{ask.host}{ask.path} · {caller.name}, {caller.address}{subject}"
        )

    def wait_for(
        self, caller: Caller, ask: Ask, *, status: int, version: str | None = None
    ) -> float | None:
        """Seconds until the gate answers so; None when it does not within CHANGE_S."""
        began = time.monotonic()
        while time.monotonic() - began < CHANGE_S:
            answer = self.office.send(caller, ask)
            if answer.status == status and version in (None, answer.version):
                return time.monotonic() - began
            time.sleep(0.005)
        return None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `gatereeve` as a user would. Output as plain text, errors after it."""
        return subprocess.run(
            [sys.executable, "-m", "gatereeve", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "COLUMNS": "96", "NO_COLOR": "1"},
        )

    def status(self) -> StatusCounts:
        """What `gatereeve status` counts. Raises NotReadyError when the gate does not answer."""
        done = self.command("status", "--state", str(self.state), "--json")
        try:
            told = json.loads(done.stdout)
            return StatusCounts(
                errors=told["findings"]["error"],
                requests=told["records"]["requests"],
                lost=told["records"]["lost"],
            )
        except ValueError as error:
            raise processes.NotReadyError(
                f"the gate does not tell its status: {done.stdout}\n{self.gate.last_words()}"
            ) from error

    def show_command(self, *arguments: str, most: int = 40) -> subprocess.CompletedProcess[str]:
        """Run it and show it."""
        done = self.command(*arguments)
        self.telling.show(shlex.join(["gatereeve", *arguments]), done.stdout, most=most)
        return done

    @contextlib.contextmanager
    def edited(self, file: str, old: str, new: str) -> Iterator[None]:
        """`old`, which must stand in the file exactly once, is `new` inside, and `old` again after."""
        path = self.folder / file
        before = path.read_text("utf-8")
        if before.count(old) != 1:
            raise ValueError(f"{old!r} stands {before.count(old)} times in {file}")
        path.write_text(before.replace(old, new), "utf-8")
        try:
            yield
        finally:
            path.write_text(before, "utf-8")


def _expected(
    status: int, code: str | None, version: str | None, header: tuple[str, str] | None
) -> str:
    parts = [str(status), code, version, f"{header[0]}: {header[1]}…" if header else None]
    return " ".join(part for part in parts if part)


def describe(answer: Answer, header: tuple[str, str] | None = None) -> str:
    """What came, on one line: status, code, version, decision, and how the record id begins."""
    if answer.status == 0:
        return answer.error
    parts = [str(answer.status), answer.code, answer.version, callers.decision(answer)]
    if header is not None:
        parts.append(f"{header[0]}: {answer.headers.get(header[0], 'absent')}")
    if answer.record is not None:
        parts.append(f"· record {answer.record[:8]}")
    return " ".join(part for part in parts if part)


@contextlib.contextmanager
def open_stage(telling: Telling, root: Path, https_port: int | None) -> Iterator[Stage]:
    """Train, prepare, start servers and gate. Raises NotReadyError when something does not start.

    root: everything is written below it; what an earlier run left there is replaced.
    """
    telling.chapter("The models", _MODELS)
    measured = train.train_all(root / "models")
    for version, result in measured.items():
        telling.note(
            f"credit {version}: accuracy {result.accuracy:.3f} on {result.people} unseen people; "
            f"selects {result.selected_women:.1%} of women, {result.selected_men:.1%} of men "
            f"(ratio {result.impact_ratio:.2f})"
        )
    telling.check(
        "Three versions are trained",
        expected="each right about more than 80% of unseen people",
        came=", ".join(f"{version} {result.accuracy:.1%}" for version, result in measured.items()),
        holds=all(result.accuracy > 0.8 for result in measured.values()),
    )
    https, http, *others = processes.free_ports(6)
    ports = prepare.Ports(
        https=https_port or https,
        http=http,
        credit_v1=others[0],
        credit_v2=others[1],
        credit_v3=others[2],
        assistant=others[3],
    )
    prepared = prepare.prepare(root, root / "models", ports)
    shutil.rmtree(root / "logs", ignore_errors=True)
    with contextlib.ExitStack() as stack:
        state = root / "state"
        shutil.rmtree(state, ignore_errors=True)
        servers = _servers(root, ports)
        gate = processes.Process(
            "gatereeve up",
            ["gatereeve", "up", str(prepared.documents), "--state", str(state)],
            root / "logs" / "gatereeve.log",
        )
        for process in (*servers.values(), gate):
            stack.callback(process.stop)
            process.start()
        stage = Stage(
            telling=telling,
            folder=prepared.documents,
            state=state,
            ports=ports,
            office=callers.Office(ports, prepared.credentials),
            servers=servers,
            gate=gate,
            models=root / "models",
            measured=measured,
        )
        _tell_start(stage)
        yield stage


_MODELS = """
    Two versions of a credit model are trained on census data from 1994 (Adult): people with an income
    above 50 000 dollars count as creditworthy. That is a stand-in, good for a demonstration and for
    nothing else. A third version also looks at the household. Each gets a card with what was measured.
"""

_START = """
    Every version is served by an ordinary KServe V2 server on a port of its own; a stand-in speaks the
    OpenAI protocol. Then one command turns a folder of Kubernetes documents into a running gate: a
    real Envoy, configured over xDS. Only the gate talks to the models.
"""


def _tell_start(stage: Stage) -> None:
    telling = stage.telling
    telling.chapter("The gate", _START)
    for name, process in stage.servers.items():
        port = getattr(stage.ports, name.replace("-", "_"))
        processes.wait_until(lambda: _ready(process, port), what=name, timeout_s=START_S)  # noqa: B023 - called at once
        telling.note(f"{name:<11} http://127.0.0.1:{port}")
    seconds = _wait_for_gate(stage)
    telling.note(f"gate        https://127.0.0.1:{stage.ports.https}")
    telling.console.print()
    telling.show(f"gatereeve up {stage.folder} --state {stage.state}", stage.gate.last_words(12))
    done = stage.show_command("status", "--state", str(stage.state))
    telling.check(
        "The gate runs what the documents say",
        expected="exit code 0 of `gatereeve status`",
        came=f"{done.returncode}, {seconds:.1f} s after all servers were up",
        holds=done.returncode == 0,
    )


def _wait_for_gate(stage: Stage) -> float:
    """Seconds until `gatereeve status` says that the gate runs what the documents say."""

    def is_current() -> bool:
        if not _ready(stage.gate, stage.ports.https):
            return False
        return stage.command("status", "--state", str(stage.state)).returncode == 0

    try:
        return processes.wait_until(is_current, what="the gate", timeout_s=START_S)
    except processes.NotReadyError as error:
        raise processes.NotReadyError(f"{error}\n{stage.gate.last_words(30)}") from error


def _ready(process: processes.Process, port: int) -> bool:
    process.check_alive()
    return processes.is_listening(port)


def _servers(root: Path, ports: prepare.Ports) -> dict[str, processes.Process]:
    serve, stand_in = "examples.lending.models.serve", "examples.lending.models.openai_stub"
    found = {}
    for version in prepare.VERSIONS:
        name = f"credit-{version}"
        port = getattr(ports, f"credit_{version}")
        card = root / "models" / f"{name}.card.json"
        arguments = [serve, "--card", str(card), "--port", str(port)]
        found[name] = processes.Process(name, arguments, root / "logs" / f"{name}.log")
    arguments = [stand_in, "--model", "assistant", "--port", str(ports.assistant)]
    found["assistant"] = processes.Process("assistant", arguments, root / "logs" / "assistant.log")
    return found
