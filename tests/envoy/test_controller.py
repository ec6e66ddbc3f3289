"""Controllers and gates in processes of their own: whatever dies, the gate serves what it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.envoy import upping
from tests.envoy.fleet import Fleet, Load, a_fleet
from tests.envoy.upping import Backend
from tests.support import processes

pytestmark = pytest.mark.envoy


@pytest.fixture
def server() -> Iterator[Backend]:
    with upping.backend() as found:
        yield found


@pytest.fixture
def fleet(server: Backend) -> Iterator[Fleet]:
    with a_fleet(server) as found:
        yield found


def test_a_gate_elsewhere_is_served_and_proves_what_it_runs(fleet: Fleet) -> None:
    controller, gate = fleet.controller(), fleet.gate()
    controller.until_ready()
    gate.until_ready()
    fleet.until_proved()
    assert fleet.up.ask().status == 200
    status = fleet.status()
    assert status is not None
    assert status["active"] == status["wanted"]
    assert [node["node"] for node in status["nodes"]] == ["gate/public-a"]
    told = fleet.up.run("status", "--state", str(fleet.state()))
    assert told.returncode == 0, told
    assert "1 of 1" in told.stdout

    fleet.up.edit("policy", "anonymous: true", "group: corp/staff")
    assert fleet.up.until_answer(401).code == "credential-required"
    fleet.until_proved()

    # A broken document changes nothing of what is served, and is told.
    fleet.up.edit("policy", "  allow:", "  allow: [")
    upping.until(lambda: controller.metric('gatereeve_findings{severity="error"}'), "the finding")
    fleet.until_proved()
    assert fleet.up.ask().code == "credential-required"

    assert controller.metric("gatereeve_xds_streams") == 1
    assert controller.metric('gatereeve_gate_nodes{gate="public",state="active"}') == 1
    assert controller.metric("gatereeve_leading") == 1
    left = controller.metric('gatereeve_certificate_expiry_seconds{certificate="gate-public"}')
    assert left is not None
    assert 29 * 86_400 < left < 30 * 86_400
    assert gate.metric("gatereeve_gate_ready") == 1
    assert gate.metric("envoy_server_live{}") == 1
    assert gate.end() == 0
    assert controller.end() == 0
    assert "Traceback" not in fleet.output()


def test_without_controllers_a_new_gate_is_not_ready_and_refuses(fleet: Fleet) -> None:
    controller = fleet.controller()
    controller.until_ready()
    upping.until((fleet.store / "gate-public" / "tls.crt").exists, "the gate's certificate")
    assert controller.end() == 0
    gate = fleet.gate()
    upping.until(lambda: "envoy_started" in gate.output(), "Envoy")
    # Envoy calls itself live when it has waited long enough; the gate is not ready even then.
    upping.until(lambda: fleet.admin("a", r"^server\.live$").get("server.live"), "Envoy to give up")
    answer = gate.ask("/readyz")
    assert answer is not None
    assert (answer.status_code, "no configuration" in answer.text) == (503, True)
    assert gate.ask("/healthz").status_code == 200  # type: ignore[union-attr]
    assert fleet.up.ask().status == 0
    again = fleet.controller()
    again.until_ready()
    gate.until_ready()
    assert fleet.up.until_answer(200)


def test_a_gate_serves_on_when_all_controllers_are_killed(fleet: Fleet) -> None:
    controllers = [fleet.controller(0, seed="1"), fleet.controller(1, seed="2")]
    for controller in controllers:
        controller.until_ready()
    gate = fleet.gate()
    gate.until_ready()
    with Load(fleet.up.https) as load:
        load.more()
        for controller in controllers:
            controller.kill()
        upping.until(lambda: not _connected(fleet), "the streams to end")
        load.more(200)
        assert gate.is_ready()
        fleet.controller(0)
        upping.until(lambda: _connected(fleet), "another stream")
        fleet.until_proved()
        load.more()
    assert set(load.answers) == {200}, fleet.output()


def test_a_gate_fails_over_to_the_other_controller_and_warms_nothing_anew(fleet: Fleet) -> None:
    """Both compile the same bytes, each in a process with hashes of its own."""
    controllers = [fleet.controller(0, seed="1"), fleet.controller(1, seed="2")]
    for controller in controllers:
        controller.until_ready()
    gate = fleet.gate()
    gate.until_ready()
    fleet.until_proved(controllers=(0, 1))
    served = [_serves(fleet, number) for number in (0, 1)].index(True)
    before = _updates(fleet)
    with Load(fleet.up.https) as load:
        load.more()
        controllers[served].kill()
        other = 1 - served
        fleet.until_proved(controllers=(other,))
        assert _updates(fleet) == before, "an identical snapshot was applied anew"
        # The survivor serves changes.
        fleet.up.edit("policy", "anonymous: true", "group: corp/staff")
        load.more(20, status=401)
        fleet.until_proved(controllers=(other,))
    assert set(load.answers) == {200, 401}, load.answers


def test_the_leader_knows_about_a_gate_that_another_serves(fleet: Fleet) -> None:
    leader = fleet.controller(0)
    leader.until_ready()
    upping.until((fleet.store / "gate-public" / "tls.crt").exists, "its certificate")
    leader.send(signal.SIGSTOP)  # it stays the leader: the lock is its own
    other = fleet.controller(1)
    other.until_ready()
    gate = fleet.gate()
    gate.until_ready()
    fleet.until_proved(controllers=(1,))
    leader.send(signal.SIGCONT)

    def told() -> bool:
        status = fleet.status(0)
        return status is not None and status["current"] and len(status["nodes"]) == 1

    upping.until(told, "the leader to ask")
    assert not _serves(fleet, 0)
    assert (leader.metric("gatereeve_leading"), other.metric("gatereeve_leading")) == (1, 0)
    fleet.up.edit("policy", "anonymous: true", "group: corp/staff")
    fleet.up.until_answer(401)
    upping.until(told, "another proof")


def test_a_controller_that_hangs_is_left(fleet: Fleet) -> None:
    """Its kernel still takes connections; only the silence tells."""
    controllers = [fleet.controller(0), fleet.controller(1)]
    for controller in controllers:
        controller.until_ready()
    gate = fleet.gate()
    gate.until_ready()
    fleet.until_proved(controllers=(0, 1))
    served = [_serves(fleet, number) for number in (0, 1)].index(True)
    with Load(fleet.up.https, clients=1) as load:
        load.more()
        controllers[served].send(signal.SIGSTOP)
        fleet.until_proved(controllers=(1 - served,))  # within the keepalive, some 20 s
        load.more()
    assert set(load.answers) == {200}
    controllers[served].send(signal.SIGCONT)


def test_replicas_make_the_same_bytes(fleet: Fleet) -> None:
    """Every resource, name and version, whatever the hash seed of the process."""
    script = (
        "import hashlib, sys; from pathlib import Path\n"
        "from gatereeve.compile import compiler\n"
        "from gatereeve.proxy import configuration; from gatereeve.runtime.folder_reader import read_folder\n"
        "(gate,) = compiler.compile(read_folder(Path(sys.argv[1]))).ir.gates\n"
        "made = configuration.Builder().build(gate); print(made.version)\n"
        "for kind, found in made.resources.items():\n"
        "    for name, one in found.items():\n"
        "        print(kind, name, one.version, hashlib.sha256(one.body).hexdigest(), one.needs)\n"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script, str(fleet.up.folder)],
            env=os.environ | {"PYTHONHASHSEED": seed}, cwd=processes.ROOT, check=True,
            capture_output=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }  # fmt: skip
    assert len(told) == 1
    assert len(told.pop().splitlines()) > 10


def test_two_gates_of_one_gate_both_have_to_prove_it(fleet: Fleet, server: Backend) -> None:
    controller = fleet.controller()
    controller.until_ready()
    gates = [fleet.gate("a"), fleet.gate("b")]  # they share the port, as Envoys of one user may
    for gate in gates:
        gate.until_ready()
    fleet.until_proved(nodes=2)
    assert controller.metric('gatereeve_gate_nodes{gate="public",state="known"}') == 2

    gates[1].send(signal.SIGSTOP)  # its agent answers no more; its Envoy lives and obeys
    fleet.up.edit("policy", "anonymous: true", "group: corp/staff")
    name = 'gatereeve_gate_nodes{gate="public",state="active"}'
    upping.until(lambda: controller.metric(name) == 1, "one proof of two")
    status = fleet.status()
    assert status is not None
    assert not status["current"]
    assert status["active"] != status["wanted"]
    assert [node["current"] for node in status["nodes"]] == [True, False]
    gates[1].send(signal.SIGCONT)
    fleet.until_proved(nodes=2)
    assert (fleet.status() or {})["current"]

    gates[1].kill()
    fleet.until_proved(nodes=1)
    assert fleet.up.until_answer(401)


def test_a_controller_restarts_with_the_last_good(fleet: Fleet) -> None:
    controller, gate = fleet.controller(), fleet.gate()
    controller.until_ready()
    gate.until_ready()
    fleet.until_proved()
    upping.until((fleet.state() / "last-good" / "public.journal").exists, "the last good")
    with Load(fleet.up.https) as load:
        load.more()
        controller.kill()
        # While it is away the documents get worse: one file is broken for good.
        fleet.up.edit("policy", "  allow:", "  allow: [")
        controller.start()
        controller.until_ready()
        fleet.until_proved()
        load.more()
    # The policy cannot be read any more; the last form that could be is in force, across restarts.
    assert set(load.answers) == {200}, load.answers
    assert controller.metric('gatereeve_finding_codes{code="last-good-kept"}')


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_envoy_or_agent_that_dies_is_replaced_and_proves_anew(
    fleet: Fleet, number: signal.Signals
) -> None:
    controller, gate = fleet.controller(), fleet.gate(longest=1)
    controller.until_ready()
    gate.until_ready()
    fleet.until_proved()
    envoy = fleet.envoy()
    if number is signal.SIGKILL:
        gate.kill()
        upping.until(lambda: not upping.is_alive(envoy), "its Envoy to go with it")
    else:
        assert gate.end() == 0
    assert fleet.up.ask().status == 0
    upping.until(lambda: not _nodes(fleet), "the controller to notice")
    gate.start()
    gate.until_ready()
    fleet.until_proved()
    assert fleet.up.ask().status == 200


def test_a_drain_lets_slow_answers_finish(fleet: Fleet, server: Backend) -> None:
    """A gate is rolled: another takes the port, the first drains; nobody is failed."""
    controller = fleet.controller()
    controller.until_ready()
    first = fleet.gate("a", least=1)
    first.until_ready()
    with Load(fleet.up.https, clients=4) as load:
        load.more()
        second = fleet.gate("b")
        second.until_ready()
        server.let_go.clear()
        server.arrived.clear()
        assert server.arrived.wait(upping.DEADLINE_S)
        first.send(signal.SIGTERM)
        upping.until(lambda: not first.is_ready(), "readiness to fail first")
        server.let_go.set()
        assert first.ended() == 0
        load.more()
    assert set(load.answers) == {200}, load.answers


def _connected(fleet: Fleet) -> int:
    return fleet.admin("a", r"^control_plane\.connected_state$").get(
        "control_plane.connected_state", 0
    )


def _serves(fleet: Fleet, number: int) -> bool:
    status = fleet.status(number)
    return status is not None and any(node["connected"] for node in status["nodes"])


def _nodes(fleet: Fleet) -> list[object]:
    found: list[object] = (fleet.status() or {"nodes": ["?"]})["nodes"]
    return found


def _updates(fleet: Fleet) -> dict[str, int]:
    """How often Envoy took something new from a controller."""
    return fleet.admin(
        "a", r"^(cluster_manager\.(cluster_modified|cluster_added)|listener_manager\.listener_.*"
        r"(added|modified)|http\..*\.rds\..*\.config_reload)$",
    )  # fmt: skip
