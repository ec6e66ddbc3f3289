"""A recorder beside a gate: whatever happens to it the gate serves on, and what was lost is exact."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from gatereeve.core import records
from gatereeve.ledger.reading import RecordLog
from tests.envoy import upping
from tests.envoy.fleet import Fleet, Load, Process, a_fleet
from tests.envoy.upping import Backend

pytestmark = pytest.mark.envoy


@pytest.fixture
def server() -> Iterator[Backend]:
    with upping.backend() as found:
        yield found


@pytest.fixture
def fleet(server: Backend) -> Iterator[Fleet]:
    with a_fleet(server) as found:
        yield found


@pytest.fixture
def gate(fleet: Fleet) -> Process:
    fleet.controller().until_ready()
    found = fleet.gate(longest=3)
    found.until_ready()
    return found


def kept(fleet: Fleet) -> tuple[int, int]:
    """Requests with a record, and requests told as lost."""
    found = [records.decode(line) for _, line in RecordLog(fleet.records()).read()]
    requests = [one for one in found if isinstance(one, records.RequestRecord)]
    assert {one.node for one in requests} <= {"gate/public-a"}
    assert len({one.record_id for one in requests}) == len(requests)
    numbers = [one.sequence for one in requests]
    assert len(set(numbers)) == len(numbers), "a number was given twice"
    lost = sum(one.lost for one in found if isinstance(one, records.LossRecord))
    return len(requests), lost


def until_all_told(fleet: Fleet, answered: int) -> int:
    """How many are lost, once every answer has its record or is told as lost."""

    def look() -> bool:
        came, lost = kept(fleet)
        assert came + lost <= answered, (came, lost, answered)
        return came + lost == answered

    upping.until(look, f"{answered} answers: {kept(fleet)}\n{fleet.output()}")
    return kept(fleet)[1]


def test_it_keeps_what_the_gate_reports(fleet: Fleet, gate: Process) -> None:
    recorder = fleet.recorder()
    recorder.until_ready()
    with Load(fleet.up.https) as load:
        load.more(100)
    assert until_all_told(fleet, load.answers.total()) == 0
    upping.until(lambda: recorder.metric("gatereeve_records_total") == load.answers.total(), "all")
    assert recorder.metric("gatereeve_records_lost_total") == 0

    # Both are asked to end at once, as the containers of a pod are: the recorder ends last.
    assert fleet.up.ask().status == 200
    recorder.send(signal.SIGTERM)
    assert gate.end() == 0
    assert recorder.ended() == 0
    assert kept(fleet) == (load.answers.total() + 1, 0)
    assert "Traceback" not in fleet.output()


def test_killed_and_begun_again_it_tells_to_the_number_what_was_lost(
    fleet: Fleet, gate: Process
) -> None:
    recorder = fleet.recorder()
    recorder.until_ready()
    with Load(fleet.up.https, clients=4) as load:
        load.more(100)
        recorder.kill()
        load.more(200)
        assert gate.is_ready()
        recorder.start()
        recorder.until_ready()
        load.more(100)
        recorder.kill()
        load.more(100)
        recorder.start()
        load.more(100)
    assert set(load.answers) == {200}
    until_all_told(fleet, load.answers.total())
    assert gate.is_ready()


def test_one_that_comes_late_tells_what_nobody_recorded(fleet: Fleet, gate: Process) -> None:
    with Load(fleet.up.https) as load:
        load.more(50)
    assert gate.is_ready()
    fleet.recorder().until_ready()
    until_all_told(fleet, load.answers.total())


def test_one_that_is_stuck_stops_nobody(fleet: Fleet, gate: Process) -> None:
    recorder = fleet.recorder()
    recorder.until_ready()
    with Load(fleet.up.https) as load:
        load.more()
        recorder.send(signal.SIGSTOP)
        load.more(300)
        recorder.send(signal.SIGCONT)
        load.more()
    assert gate.is_ready()
    assert set(load.answers) == {200}
    until_all_told(fleet, load.answers.total())


def test_another_life_of_the_gate_is_counted_anew(fleet: Fleet, gate: Process) -> None:
    """Also when it begins while the recorder is away."""
    recorder = fleet.recorder()
    recorder.until_ready()
    with Load(fleet.up.https) as load:
        load.more(50)
    until_all_told(fleet, load.answers.total())
    answered = load.answers.total()
    for away in (False, True):
        if away:
            recorder.kill()
        os.kill(fleet.envoy(), signal.SIGKILL)
        upping.until(lambda: not gate.is_ready(), "the gate to notice")
        gate.until_ready()
        if away:
            recorder.start()
            recorder.until_ready()
        with Load(fleet.up.https) as load:
            load.more(50)
        answered += load.answers.total()
        until_all_told(fleet, answered)
