"""What tests about records share: a clock that stands still, records, and a recorder in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gatereeve.core import errors, records

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


class StillClock:
    """Stands at `at` until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return (self.at - NOON).total_seconds()

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class MemoryRecorder:
    """Keeps the contract of `protocols.Recorder` in a list. `full` makes it refuse."""

    def __init__(self) -> None:
        self.kept: list[records.Record] = []
        self.full = False
        self.closed = False

    def append(self, given: Sequence[records.Record]) -> None:
        if self.full:
            raise errors.RecordError("no space left")
        self.kept.extend(given)

    def sync(self) -> None:
        if self.full:
            raise errors.RecordError("no space left")

    def close(self) -> None:
        self.closed = True

    @property
    def requests(self) -> list[records.RequestRecord]:
        return [record for record in self.kept if isinstance(record, records.RequestRecord)]

    @property
    def losses(self) -> list[records.LossRecord]:
        return [record for record in self.kept if isinstance(record, records.LossRecord)]


def request(number: int, **fields: object) -> records.RequestRecord:
    """A served request with `number` as its sequence."""
    values: dict[str, object] = {
        "record_id": f"00000000-0000-4000-8000-{number:012d}",
        "gate": "edge",
        "node": "gate/edge-0",
        "sequence": number,
        "started_at": "2026-11-24T12:00:00.000000Z",
        "outcome": "served",
        "status": 200,
        "path": "/v2/models/credit/infer",
    }
    return records.RequestRecord(**{**values, **fields})  # type: ignore[arg-type]  # checked by the round trip
