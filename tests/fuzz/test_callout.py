"""A small number of inputs of each fuzzer, always the same ones; `make fuzz` runs a million."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gatereeve.intake.callout import connection, frames, sending, streams
from tests.fuzz import callout

COUNT = 2_000


def test_call_outs() -> None:
    outcomes = Counter(callout.check(number, 7) for number in range(COUNT))
    assert outcomes["whole"] > COUNT // 5
    assert outcomes["survived"] > COUNT // 10
    assert {f"error {code}" for code in (1, 5, 6, 9, 11)} <= set(outcomes)


def _findings(count: int = COUNT) -> int:
    found = 0
    for number in range(count):
        try:
            callout.check(number, 7)
        except Exception:  # noqa: BLE001  # every kind of failure is a finding
            found += 1
    return found


DEFECTS = {
    "sends more than the stream's window": "_send_part",
    "keeps what a reset stream had to send": "discard",
    "takes DATA on streams that have ended": "_ignore_data",
    "forgets to cancel sessions": "_cancel_session",
}


@pytest.mark.parametrize("name", DEFECTS)
def test_defects_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer finds a server that is broken on purpose."""

    def nothing(*_arguments: object, **_named: object) -> None:
        pass

    def too_much(self: sending.Sender, stream: streams.Stream, _size: int) -> None:
        original(self, stream, frames.MIN_FRAME_SIZE)

    original = sending.Sender._send_part
    is_first = name == next(iter(DEFECTS))
    method = DEFECTS[name]
    owner = sending.Sender if hasattr(sending.Sender, method) else connection.Connection
    monkeypatch.setattr(owner, method, too_much if is_first else nothing)
    assert _findings() > 0


def test_an_input_depends_on_its_number_and_the_seed_only() -> None:
    first, again = (callout.Maker(random.Random("7/3")).make() for _ in range(2))
    assert first == again
    assert first != callout.Maker(random.Random("7/4")).make()
