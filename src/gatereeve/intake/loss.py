"""How many requests a gate answered whose records never came: the exact number, never a guess above it.

Envoy's access log loses entries by design, and counts. Here its counters are held against the
records received. A reading of the counters becomes a `_Mark`; records of requests that ended before
the mark must come, and once none has come for `settle_s` the difference is the loss. Requests that
end while the counters are read are given the benefit of the doubt, so a busy gate's loss may be
reported late (at the next quiet moment of `SLACK_US`), but never too high.

Pure state: no clock is read and nothing is awaited. Times are microseconds since 1970; gate and
recorder must share a clock to `SLACK_US` (they do on one machine).
Source: Envoy v1.40, statistics of the HTTP connection manager and of the gRPC access log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

STATS: Final = (
    r"^(http\..*\.downstream_rq_(total|active)"
    r"|access_logs\.grpc_access_log\.logs_(written|dropped)|server\.uptime)$"
)
"""Regular expression of the counters and gauges that `counters_of` reads."""

SLACK_US: Final = 2_000
SETTLE_S: Final = 5.0
_UPTIME_SLACK_US: Final = 10_000_000
"""Envoy brings `server.uptime` up to date every 5 s only."""

_ADMIN: Final = "http.admin."
_DROPPED: Final = "access_logs.grpc_access_log.logs_dropped"
_WRITTEN: Final = "access_logs.grpc_access_log.logs_written"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateCounters:
    """One reading. ended: requests over since the gate started. dropped: log entries it threw away."""

    ended: int
    dropped: int
    uptime_s: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """lost: records that will not come any more, beyond those already reported.

    over_us: when the life of the gate's process in which they were lost ended; None for this one.
    """

    lost: int
    reason: str
    over_us: int | None = None


def counters_of(stats: Mapping[str, int]) -> GateCounters:
    """Read the statistics named by `STATS`. One that is not there yet counts nothing."""
    total = active = 0
    for name, value in stats.items():
        if name.startswith(_ADMIN):
            continue
        total += value if name.endswith(".downstream_rq_total") else 0
        active += value if name.endswith(".downstream_rq_active") else 0
    dropped = stats.get(_DROPPED, 0)
    return GateCounters(
        # Both count the same requests; where they differ, the larger has seen more.
        ended=max(total - active, stats.get(_WRITTEN, 0) + dropped),
        dropped=dropped,
        uptime_s=stats.get("server.uptime", 0),
    )


@dataclasses.dataclass(slots=True)
class _Mark:
    """A reading at `at_us`. later: records received of requests that ended after it.

    moved: a record from before it has come since `quiet_since_us` was set.
    """

    at_us: int
    ended: int
    dropped: int
    quiet_since_us: int
    later: int = 0
    moved: bool = False


@dataclasses.dataclass(slots=True)
class _Run:
    """One life of the gate's process. received: records of requests that ended in it.

    base: what its counters had counted before this recorder listened; None until it is known.
    read_us: the mark of its last reading; since_read: records of requests that ended after it.
    """

    began_us: int
    base: int | None = 0
    received: int = 0
    read_us: int = 0
    since_read: int = 0
    lost: int = 0
    dropped: int = 0
    ended: int = 0
    uptime_s: int = 0
    marks: list[_Mark] = dataclasses.field(default_factory=list)
    over_us: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PriorCounts:
    """What the store already has of this life of the gate's process, which began at `began_us`.

    received: records of requests that ended in it. lost: as loss records say. sequence: the
    highest number given.
    """

    began_us: int
    received: int = 0
    lost: int = 0
    sequence: int = 0


class LossWatch:
    """The stream of one gate: numbers its records, and finds what is missing.

    since_us: when this recorder began to listen; 0 when none did before. prior: what an earlier
    process of it had taken.
    """

    def __init__(
        self, since_us: int, *, settle_s: float = SETTLE_S, prior: PriorCounts | None = None
    ) -> None:
        prior = prior or PriorCounts(began_us=0)
        self._since_us = since_us
        self._settle_us = int(settle_s * 1_000_000)
        self._sequence = max(prior.sequence, prior.received + prior.lost)
        self._run = _Run(began_us=prior.began_us, received=prior.received, lost=prior.lost)
        self._past: list[_Run] = []

    def take(self, finished_us: int) -> int:
        """Count one record received; the number it gets. Rises by one, and skips what was lost."""
        run = self._run
        if self._past and finished_us <= run.began_us:
            run = self._past[-1]
        run.received += 1
        run.since_read += finished_us > run.read_us
        for mark in run.marks:
            if finished_us > mark.at_us:
                mark.later += 1
            else:
                mark.moved = True
        self._sequence += 1
        return self._sequence

    def count(self, counters: GateCounters, answered_us: int) -> None:
        """Hold a reading that the gate gave before `answered_us` against what is to come."""
        run = self._run
        if counters.ended < run.ended or counters.uptime_s < run.uptime_s:
            run = self._started_anew(run)
        if not run.ended and not self._past and not run.uptime_s:
            started_us = answered_us - counters.uptime_s * 1_000_000
            run.base = None if started_us + _UPTIME_SLACK_US < self._since_us else 0
        run.ended, run.uptime_s = counters.ended, counters.uptime_s
        at_us = answered_us + SLACK_US
        run.read_us, run.since_read = at_us, 0
        run.marks.append(
            _Mark(
                at_us=at_us,
                ended=counters.ended,
                dropped=counters.dropped,
                quiet_since_us=at_us,
            )
        )

    def _started_anew(self, old: _Run) -> _Run:
        """It restarted without notice: its old run ends where it was last seen."""
        self.restarted(old.read_us)
        new, moved = self._run, old.since_read
        new.received += moved
        old.received -= moved
        for mark in old.marks:
            mark.later -= moved
        return new

    def restarted(self, at_us: int) -> None:
        """The gate's process ended at `at_us`; its counters begin anew."""
        self._run.over_us = at_us
        self._past.append(self._run)
        self._run = _Run(began_us=at_us)

    def settle(self, now_us: int) -> tuple[Loss, ...]:
        """The losses that are certain by now. To be called from time to time."""
        losses: list[Loss] = []
        for run in (*self._past, self._run):
            for mark in tuple(run.marks):
                if mark.moved:
                    mark.moved, mark.quiet_since_us = False, now_us
                elif now_us - mark.quiet_since_us >= self._settle_us:
                    run.marks.remove(mark)
                    losses.extend(_judge(run, mark))
        for run in tuple(self._past):
            if not run.marks and now_us - (run.over_us or 0) >= self._settle_us:
                self._past.remove(run)
                losses.append(_last_word(run))
        self._sequence += sum(loss.lost for loss in losses)
        return tuple(losses)

    def finish(self) -> tuple[Loss, ...]:
        """The losses, when the gate is gone and nothing more can come."""
        losses = [
            loss
            for run in (*self._past, self._run)
            for mark in run.marks
            for loss in _judge(run, mark)
        ]
        losses.extend(_last_word(run) for run in self._past)
        for run in (*self._past, self._run):
            run.marks.clear()
        self._past.clear()
        return tuple(losses)


def _judge(run: _Run, mark: _Mark) -> list[Loss]:
    came = run.received - mark.later
    if run.base is None:
        run.base = max(0, mark.ended - came)
        run.dropped = mark.dropped
        if not run.base:
            return []
        reason = f"the gate had counted {run.base} requests before this recorder listened"
        return [Loss(lost=0, reason=f"{reason}; an earlier one may have their records")]
    lost = max(mark.ended - run.base - came, 0) - run.lost
    if lost <= 0:
        return []
    dropped = min(lost, max(mark.dropped - run.dropped, 0))
    run.lost += lost
    run.dropped += dropped
    parts = (
        f"{dropped} dropped by the gate's log" if dropped else "",
        f"{lost - dropped} lost on the way" if lost > dropped else "",
    )
    reason = ", ".join(part for part in parts if part)
    return [Loss(lost=lost, reason=reason, over_us=run.over_us)]


def _last_word(run: _Run) -> Loss:
    uncounted = "the gate's process ended; what it answered after its last count is uncounted"
    return Loss(lost=0, reason=f"{uncounted} ({run.ended} requests, {run.received} records)")
