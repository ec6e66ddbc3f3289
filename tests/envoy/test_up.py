"""The real `gatereeve up`: it serves, follows its folder, and ends without leaving anything."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gatereeve.core import records
from tests.envoy import upping
from tests.envoy.upping import Answer, Backend, Up
from tests.features import documents as docs
from tests.features.test_approvals import approval

pytestmark = pytest.mark.envoy

SERVED = Answer(status=200, code=None)
SIDE = "side.example"


@pytest.fixture
def server() -> Iterator[Backend]:
    with upping.backend() as found:
        yield found


@pytest.fixture
def up(server: Backend) -> Iterator[Up]:
    with upping.a_folder() as found:
        found.documents(server)
        yield found


def test_it_serves_and_follows_the_folder(up: Up) -> None:
    first = up.begin()
    assert first["wanted"] == first["active"]
    assert up.ask() == SERVED

    up.edit("policy", "anonymous: true", "group: corp/staff")
    assert up.until_answer(401).code == "credential-required"
    up.edit("policy", "group: corp/staff", "anonymous: true")
    up.until_answer(200)

    up.edit("policy", "  allow:", "  allow: [")
    upping.until(lambda: "yaml-syntax" in up.problems(), "the finding")
    assert up.gate() == up.wait(lambda gate: gate["current"], "nothing")
    assert (up.gate() or {})["active"] == first["active"]
    assert up.ask() == SERVED
    up.edit("policy", "  allow: [", "  allow:")
    upping.until(lambda: "yaml-syntax" not in up.problems(), "the mended finding")

    told = up.run("status", "--state", str(up.state))
    assert told.returncode == 0
    assert max(map(len, told.stdout.splitlines())) <= 80, told.stdout
    assert first["active"][:19] in told.stdout

    assert up.end() == 0
    assert up.left_behind() == []
    _holds_no_noise(up.output())


def test_what_stood_behind_a_model_stays_closed(up: Up, server: Backend) -> None:
    """Without its documents, in this process and the next; and without its memory nothing starts."""
    version, model = up.folder / "version1.yaml", up.folder / "model.yaml"
    slices = docs.slices("127.0.0.1").replace("port: 8000", f"port: {server.server_port}")
    web = docs.WEB.replace("web.example", SIDE).replace(
        "targetPort: 8000", f"targetPort: {server.server_port}"
    )
    up.documents(server, slices=slices, web=web)
    up.begin()
    assert up.ask() == SERVED
    assert up.ask(host=SIDE).status == 500
    server.arrived.clear()

    for path in (version, model):
        path.unlink()
    upping.until(lambda: "was-governed" in up.problems(), "the finding")
    assert up.ask(host=SIDE).status == 500
    assert up.end() == 0
    up.begin()
    assert "was-governed" in up.problems()
    assert up.ask(host=SIDE).status == 500

    assert up.end() == 0
    (up.state / "governed.json").unlink()
    up.start()
    assert up.process is not None
    assert up.process.wait(upping.DEADLINE_S) != 0
    assert "governed.json" in up.output()
    up.process = None
    server.arrived.clear()
    (up.state / "governed.json").write_text('{"services": [], "servers": []}')
    up.begin()
    assert up.ask(host=SIDE) == SERVED
    assert server.arrived.is_set()


def _holds_no_noise(output: str) -> None:
    """What a person reads at the terminal: findings, what gates run, the end. Nothing else."""
    begins = ("reading ", "gate public: ", "policy.yaml:", "    hint: ", "stopping", "stopped")
    for line in output.splitlines():
        assert line.startswith(begins) or line.endswith(" mended"), output
    assert "Traceback" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_end_waits_for_the_requests_under_way(up: Up, server: Backend, number: int) -> None:
    up.begin()
    server.let_go.clear()
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(up.ask()))
    asking.start()
    assert server.arrived.wait(upping.DEADLINE_S)
    process = up.process
    assert process is not None
    process.send_signal(number)
    upping.until(lambda: "stopping" in up.output(), "the word that it stops")
    server.let_go.set()
    asking.join()
    assert process.wait(upping.DEADLINE_S) == 0
    up.process = None
    assert answers == [SERVED]
    assert up.left_behind() == []
    (request,) = (r for r in up.records() if isinstance(r, records.RequestRecord))
    assert request.outcome == "served"


def test_a_second_signal_ends_at_once(up: Up, server: Backend) -> None:
    envoy = up.begin()["pid"]
    server.let_go.clear()
    asking = threading.Thread(target=up.ask)
    asking.start()
    assert server.arrived.wait(upping.DEADLINE_S)
    assert up.process is not None
    up.process.send_signal(signal.SIGINT)
    upping.until(lambda: "stopping" in up.output(), "the word that it stops")
    assert up.end() == -signal.SIGINT
    upping.until(lambda: not upping.is_alive(envoy), "the Envoy to end")
    asking.join()


def test_an_envoy_that_dies_is_replaced(up: Up) -> None:
    first = up.begin()
    os.kill(first["pid"], signal.SIGKILL)
    again = up.wait(lambda gate: gate["restarts"] and gate["current"], "another Envoy")
    assert again["restarts"] == 1
    assert again["pid"] != first["pid"]
    assert again["active"] == first["active"]
    assert up.ask() == SERVED
    assert "its Envoy was ended by SIGKILL" in up.output()
    assert "process" in up.run("status", "--state", str(up.state)).stdout
    assert up.end() == 0
    events = [r.event for r in up.records() if isinstance(r, records.ChangeRecord)]
    assert events == [
        "compiled", "gate-up", "active", "gate-down", "gate-up", "active", "gate-down"
    ]  # fmt: skip


def test_killed_it_leaves_nothing_that_runs_and_can_begin_again(up: Up) -> None:
    envoy = up.begin()["pid"]
    assert up.ask() == SERVED
    upping.until(lambda: any(isinstance(r, records.RequestRecord) for r in up.records()), "records")
    before = up.records()
    assert up.end(signal.SIGKILL) == -signal.SIGKILL
    upping.until(lambda: not upping.is_alive(envoy), "the Envoy to end")

    assert up.begin()["pid"] != envoy
    assert up.ask() == SERVED
    assert up.end() == 0
    assert up.records()[: len(before)] == before
    assert up.left_behind() == []


def test_one_state_directory_has_one_gatereeve(up: Up) -> None:
    up.begin()
    second = up.run("up", str(up.folder), "--state", str(up.state))
    assert second.returncode == 3
    assert str(up.process and up.process.pid) in second.stderr
    assert "hint:" in second.stderr
    assert "Traceback" not in second.stderr
    assert up.ask() == SERVED


def test_a_port_in_use_is_told_and_taken_when_it_is_free(up: Up) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", up.https))
        other.listen()
        up.start()
        gate = up.wait(lambda gate: not gate["current"], "the problem")
        assert f"cannot listen on 127.0.0.1:{up.https}" in gate["problem"]
        assert gate["pid"] is None
        assert gate["restarts"] == 0
        assert up.problems()["gate-rejected"]["place"].startswith("gate.yaml:")
        told = up.run("status", "--state", str(up.state))
        assert told.returncode == 1
        assert "NOT CURRENT" in told.stdout
    up.wait(lambda gate: gate["current"], "the free port to be taken")
    assert up.ask() == SERVED


def test_another_gate_cannot_share_the_port(up: Up) -> None:
    """Also while the first one's Envoy is away for a moment."""
    first = up.begin()
    other = Up(folder=up.folder, state=up.state.with_name("other"), http=up.http, https=up.https)
    other.start()
    try:
        other.wait(lambda gate: "another process uses this port" in str(gate["problem"]), "refusal")
        os.kill(first["pid"], signal.SIGKILL)
        up.wait(lambda gate: gate["restarts"] and gate["current"], "another Envoy")
        gate = other.gate()
        assert gate is not None
        assert not gate["current"]
    finally:
        assert other.end() == 0


def test_a_folder_that_vanishes_is_waited_for(up: Up) -> None:
    first = up.begin()
    away = up.folder.with_name("away")
    up.folder.rename(away)
    upping.until(lambda: "unreadable-file" in up.problems(), "the finding")
    assert (up.gate() or {})["active"] == first["active"]
    assert up.ask() == SERVED
    away.rename(up.folder)
    upping.until(lambda: "unreadable-file" not in up.problems(), "the folder")
    up.edit("policy", "anonymous: true", "group: corp/staff")
    up.until_answer(401)


def test_a_gate_document_that_goes_takes_its_envoy_along(up: Up) -> None:
    first = up.begin()
    path = up.folder / "gate.yaml"
    text = path.read_text()
    path.unlink()
    upping.until(lambda: not upping.is_alive(first["pid"]), "the Envoy to end")
    assert up.ask().status == 0
    upping.until(lambda: not (up.state / "last-good" / "public.journal").exists(), "its keys to go")
    path.write_text(text)
    up.wait(lambda gate: gate["current"], "the gate again")
    assert up.ask() == SERVED


def test_an_approval_runs_out_without_any_change_of_a_file(up: Up, server: Backend) -> None:
    up.documents(server, model=docs.MODEL.replace("minimal", "limited"))
    digest = up.run("digest", str(up.folder), "offers-1").stdout.strip()
    up.begin()
    assert up.ask().code == "no-eligible-version"
    ends = datetime.now(UTC) + timedelta(seconds=3)
    given = approval(more=f'  expires: "{ends.isoformat()}"\n', of=digest)
    (up.folder / "approval.yaml").write_text(given)
    up.until_answer(200)
    assert up.until_answer(503).code == "no-eligible-version"
    assert datetime.now(UTC) >= ends
    assert "approval-expired" in up.problems()
