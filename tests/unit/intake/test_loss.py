"""The exact number of records that never came, whatever the order in which things are told."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gatereeve.intake import loss
from gatereeve.intake.loss import GateCounters, LossWatch

SECOND = 1_000_000
START = 1_795_000_000 * SECOND


def counters(ended: int, dropped: int = 0, uptime_s: int = 100) -> GateCounters:
    return GateCounters(ended=ended, dropped=dropped, uptime_s=uptime_s)


def watch() -> LossWatch:
    """Began to listen together with the gate's process."""
    return LossWatch(START - 100 * SECOND, settle_s=5)


def settled(of: LossWatch, now_us: int) -> int:
    # Twice: the first look may still have seen records moving.
    return sum(found.lost for _ in range(2) for found in of.settle(now_us + _ * 6 * SECOND))


def test_nothing_is_lost() -> None:
    of = watch()
    assert [of.take(START + n) for n in range(5)] == [1, 2, 3, 4, 5]
    of.count(counters(5), START + SECOND)
    assert of.settle(START + 20 * SECOND) == ()


def test_what_never_came_is_lost_and_leaves_a_hole() -> None:
    of = watch()
    for n in range(5):
        of.take(START + n)
    of.count(counters(8), START + SECOND)
    assert of.settle(START + 2 * SECOND) == ()  # it may still come
    (found,) = of.settle(START + 7 * SECOND)
    assert (found.lost, found.reason) == (3, "3 lost on the way")
    assert of.take(START + 8 * SECOND) == 9
    of.count(counters(9), START + 9 * SECOND)
    assert of.settle(START + 20 * SECOND) == ()  # told once


def test_what_the_gate_threw_away_is_named() -> None:
    of = watch()
    of.take(START)
    of.count(counters(5, dropped=3), START + SECOND)
    (found,) = of.settle(START + 7 * SECOND)
    assert (found.lost, found.reason) == (4, "3 dropped by the gate's log, 1 lost on the way")


def test_records_of_later_requests_do_not_hide_a_loss() -> None:
    of = watch()
    of.count(counters(2), START)
    for n in range(100):
        of.take(START + SECOND + n)
    assert settled(of, START + 7 * SECOND) == 2


def test_late_records_are_waited_for() -> None:
    of = watch()
    of.count(counters(3), START)
    lost = 0
    for n in range(3):  # each comes four seconds after the one before
        of.take(START - 1)
        lost += sum(found.lost for found in of.settle(START + (4 * n + 4) * SECOND))
    lost += settled(of, START + 30 * SECOND)
    assert lost == 0


def test_a_gate_that_started_anew_counts_from_nothing() -> None:
    of = watch()
    of.take(START)
    of.count(counters(3), START + SECOND)
    of.restarted(START + 2 * SECOND)
    of.take(START + 3 * SECOND)
    of.count(counters(1, uptime_s=0), START + 4 * SECOND)
    found = of.settle(START + 20 * SECOND)
    assert [item.lost for item in found] == [2, 0]
    assert "uncounted" in found[1].reason
    assert of.settle(START + 40 * SECOND) == ()


def test_a_restart_that_nobody_told_of_shows_in_the_counters() -> None:
    of = watch()
    for n in range(3):
        of.take(START + n)
    of.count(counters(3), START + SECOND)
    of.take(START + 2 * SECOND)
    of.count(counters(1, uptime_s=1), START + 3 * SECOND)
    assert settled(of, START + 20 * SECOND) == 0


def test_what_was_counted_before_we_listened_is_not_ours() -> None:
    of = LossWatch(START, settle_s=5)
    of.count(counters(1000, uptime_s=3600), START + SECOND)
    (found,) = of.settle(START + 10 * SECOND)
    assert found.lost == 0
    assert "1000 requests before" in found.reason
    of.count(counters(1002, uptime_s=3700), START + 11 * SECOND)
    assert settled(of, START + 30 * SECOND) == 2


def test_at_the_end_everything_is_judged_at_once() -> None:
    of = watch()
    of.count(counters(4), START)
    assert sum(found.lost for found in of.finish()) == 4
    assert of.finish() == ()


def test_the_statistics_that_are_read() -> None:
    stats = {
        "http.models.downstream_rq_total": 10,
        "http.models.downstream_rq_active": 2,
        "http.plain.downstream_rq_total": 5,
        "http.plain.downstream_rq_active": 0,
        "http.admin.downstream_rq_total": 99,
        "http.admin.downstream_rq_active": 1,
        "access_logs.grpc_access_log.logs_written": 11,
        "access_logs.grpc_access_log.logs_dropped": 2,
        "server.uptime": 7,
    }
    assert all(re.match(loss.STATS, name) for name in stats)
    assert not re.match(loss.STATS, "http.models.downstream_rq_2xx")
    assert loss.counters_of(stats) == counters(13, 2, 7)
    assert loss.counters_of({}) == counters(0, 0, 0)


@given(
    requests=st.lists(st.tuples(st.integers(0, 60_000), st.booleans()), max_size=60),
    readings=st.lists(st.integers(0, 60_000), max_size=8, unique=True),
    delay_ms=st.integers(0, 3000),
)
def test_the_total_is_exact_and_never_too_high(
    requests: list[tuple[int, bool]], readings: list[int], delay_ms: int
) -> None:
    """Requests (when they end, in ms; whether the record comes) and readings, in any order."""
    of = watch()
    happened: list[tuple[int, int, str]] = []
    for at, comes in requests:
        if comes:
            happened.append((at + delay_ms, at, "record"))
    happened += [(at, at, "reading") for at in (*readings, 61_000)]
    happened += [(at, at, "look") for at in range(0, 100_000, 1000)]
    lost = 0
    for now, at, what in sorted(happened):
        now_us = START + now * 1000
        if what == "record":
            of.take(START + at * 1000)
        elif what == "reading":
            ended = sum(other <= at for other, _ in requests)
            of.count(counters(ended), now_us)
        else:
            lost += sum(found.lost for found in of.settle(now_us))
            assert lost <= sum(not comes for _, comes in requests)
    assert lost == sum(not comes for _, comes in requests)


def test_a_successor_goes_on_where_the_store_ends() -> None:
    told = loss.PriorCounts(began_us=1_000, received=7, lost=2, sequence=9)
    watch = loss.LossWatch(0, settle_s=1.0, prior=told)
    watch.count(loss.GateCounters(ended=12, dropped=0, uptime_s=1), 2_000_000)
    assert watch.take(1_500_000) == 10
    (found,) = watch.settle(4_000_000) or watch.settle(6_000_000)
    assert found.lost == 2  # twelve answered; eight have records, two were told as lost before


def test_what_is_lost_in_a_life_is_told_as_of_its_end() -> None:
    watch = loss.LossWatch(0, settle_s=1.0)
    watch.count(loss.GateCounters(ended=3, dropped=0, uptime_s=1), 2_000_000)
    watch.restarted(2_500_000)
    (found, last) = watch.settle(9_000_000)
    assert (found.lost, found.over_us) == (3, 2_500_000)
    assert last.lost == 0
