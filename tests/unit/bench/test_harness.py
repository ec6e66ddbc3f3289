"""Parts of the harness that decide what a figure means."""

import json
import os
import pathlib
import sys
from collections.abc import Iterator

import pytest
from bench import changes, loads, plain, processes
from bench.processes import BenchError

ANSWER = {
    "seconds": 2.0,
    "requests": 100,
    "per_second": 50.0,
    "statuses": {"200": 97, "503": 3},
    "errors": {"read": 2},
    "body_bytes": 1,
    "latency_us": {"p50": 1.0, "p90": 2.0, "p99": 3.0, "max": 4.0},
    "cpu_seconds": 0.1,
}


def test_every_answer_but_200_counts_as_failed() -> None:
    result = loads.parse(json.dumps(ANSWER))
    assert result.per_second == 50.0
    assert result.failed == 5


def test_no_answer_at_all_is_an_error() -> None:
    with pytest.raises(BenchError, match="dial"):
        loads.parse(json.dumps({**ANSWER, "requests": 0, "errors": {"dial": 9}}))


def test_without_go_there_is_no_load(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert loads.build(tmp_path / "tools") is None


def test_plain_envoy_has_nothing_but_a_router() -> None:
    config = plain.bootstrap(port=1, upstream=2, certificate="C", key="K")
    text = json.dumps(config)
    assert text.count('"name": "router"') == 1
    assert "access_log" not in text
    assert '"port_value": 1' in text
    assert '"port_value": 2' in text


class _Answers:
    """A caller that is answered as told."""

    def __init__(self, *statuses: int) -> None:
        self._statuses: Iterator[int] = iter(statuses)

    def ask(self) -> int:
        return next(self._statuses)


def _flips(tmp_path: pathlib.Path, *statuses: int, times: int = 1) -> list[float]:
    file = tmp_path / "policy.yaml"
    file.write_text("allowed")
    variants = {True: "denied", False: "allowed"}
    caller = _Answers(*statuses)
    return list(changes.flips(caller, file, variants, times, pause=lambda _s: None))


def test_a_change_is_over_with_the_first_new_answer(tmp_path: pathlib.Path) -> None:
    took = _flips(tmp_path, 200, 200, 403)
    assert len(took) == 1
    assert 0 < took[0] < 10_000
    assert (tmp_path / "policy.yaml").read_text() == "denied"
    assert [file.name for file in tmp_path.iterdir()] == ["policy.yaml"]


def test_changes_go_to_and_fro(tmp_path: pathlib.Path) -> None:
    assert len(_flips(tmp_path, 200, 403, 403, 200, times=2)) == 2
    assert (tmp_path / "policy.yaml").read_text() == "allowed"


def test_an_answer_of_neither_kind_is_an_error(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BenchError, match="503"):
        _flips(tmp_path, 200, 503)


def test_a_gate_that_already_says_so_proves_nothing(tmp_path: pathlib.Path) -> None:
    with pytest.raises(BenchError, match="before the change"):
        _flips(tmp_path, 403)


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="needs /proc")
def test_processes_of_a_family_are_found_with_their_cost(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"]
    with processes.running("a child", command, log=tmp_path / "log") as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        assert child.pid in processes.family(os.getpid())
        cpu = processes.cpu_seconds([child.pid])
        assert cpu is not None
        assert cpu < 60
        memory = processes.resident_mb(child.pid)
        assert memory is not None
        assert memory > 1
    assert child.returncode is not None
    assert processes.cpu_seconds([child.pid]) is None


def test_a_command_that_fails_is_told_with_its_words() -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no luck')"]
    with pytest.raises(BenchError, match="no luck"):
        processes.check_output("a command", command, timeout_s=30)
