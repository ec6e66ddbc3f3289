"""A selection of the battery, and the proof that it can fail.

Each run is a process of its own, because it moves to a network of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.attacks import battery
from tests.attacks.battery import Answered, Attack, Outcome
from tests.attacks.servers import Seen

pytestmark = pytest.mark.envoy

ROOT = Path(__file__).parent.parent.parent
DEADLINE_S = 300


def run(report: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, report and output of a run."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks", "--report", str(report), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert report.exists(), done.stderr[-3000:]
    return done.returncode, json.loads(report.read_text()), done.stdout


def test_nothing_of_a_selection_reaches_a_model(tmp_path: Path) -> None:
    code, report, output = run(tmp_path / "attacks.json", "--small")
    assert not report["failures"], output
    assert code == 0
    assert all(kind["inputs"] and kind["controls"] for kind in report["kinds"].values()), output


def test_an_open_door_is_counted(tmp_path: Path) -> None:
    """The policy of one model admits everybody and denies nobody; the battery must say so."""
    code, report, output = run(tmp_path / "attacks.json", "--small", "--open", "--kind", "credentials")  # fmt: skip
    counted = report["kinds"]["credentials"]
    assert code == 1
    assert counted["reached"] > 0
    assert not counted["controls_refused"], output


ONE = Attack(id="kind/1", sni="a.test", data=b"GET / HTTP/1.1\r\n\r\n", may=frozenset({"10.0.0.1"}))
HERE, ELSEWHERE = Seen("10.0.0.1", b"GET / HTTP/1.1\r\n"), Seen("10.0.0.2", b"GET / HTTP/1.1\r\n")


def judged(attack: Attack, status: int, *seen: Seen) -> Outcome:
    outcome = Outcome()
    outcome.judge(attack, Answered(status=status), {attack.id: list(seen)})
    return outcome


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        ((), {"refused": 1, "answered": 0, "reached": 0}),
        ((HERE,), {"refused": 0, "answered": 1, "reached": 0}),
        ((ELSEWHERE,), {"refused": 0, "answered": 0, "reached": 1}),
        ((HERE, ELSEWHERE), {"refused": 0, "answered": 0, "reached": 1}),
    ],
)
def test_what_a_server_saw_decides(seen: tuple[Seen, ...], counts: dict[str, int]) -> None:
    """The answer does not matter: a server that answers nothing has seen the request all the same."""
    for status in (0, 200, 403):
        row = judged(ONE, status, *seen).rows["kind"]
        assert {name: getattr(row, name) for name in counts} == counts


def test_what_is_spoilt_counts_as_reached() -> None:
    attack = battery.Attack(id="kind/1", sni=None, may=ONE.may, spoilt=lambda _: "a header")
    assert judged(attack, 200, HERE).total.reached == 1


def test_a_closed_gate_passes_no_battery() -> None:
    control = battery.Attack(id="kind/1", sni=None, may=ONE.may, control=True)
    assert not judged(control, 403).is_good
    assert not judged(control, 200).is_good  # answered by something else
    assert not judged(ONE, 403).is_good  # no control was tried at all
    whole = judged(control, 200, HERE)
    whole.judge(ONE, Answered(status=403), {})
    assert whole.is_good


def test_a_mark_that_no_attack_sent_has_reached() -> None:
    outcome = Outcome()
    outcome.judge_strays({"kind/1": [HERE], "kind/1~hidden": [HERE]}, ["kind/1"])
    assert [failure.attack.id for failure in outcome.failures] == ["kind/1~hidden"]
