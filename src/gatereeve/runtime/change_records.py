"""Notes of what happened to gates and documents, on their way into the store of records.

A store that fails must not stop a change: a revocation matters more than its note. Notes wait in
memory while it fails, at most MAX_WAITING; what does not fit is lost, counted and owned up to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Final
from uuid import uuid4

from gatereeve.core import records
from gatereeve.core.errors import RecordError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock, Recorder

MAX_WAITING: Final = 50_000
"""A large cluster's documents, once, and then some; about 400 bytes each."""
EVERY_GATE: Final = "*"
NODE: Final = "control-plane"
_AT_ONCE: Final = 5_000

_LOG = EventLog(__name__)


class ChangeRecords:
    """Notes changes in order. Called from one event loop; never raises for a failing store."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._waiting: deque[records.Record] = deque()
        self._lost = 0
        self._failing = False

    def note(
        self,
        gate: str,
        event: records.Event,
        before: str | None,
        after: str | None,
        *,
        by: str | None = None,
        documents: tuple[str, ...] = (),
        findings: int = 0,
        reason: str | None = None,
    ) -> None:
        """Record one change of one gate, now; the fields are those of `records.ChangeRecord`."""
        record = records.change(
            event, record_id=str(uuid4()), gate=gate, at=self._clock.now(), before=before,
            after=after, by=by, documents=documents, findings=findings, reason=reason,
        )  # fmt: skip
        self.keep((record,))

    def keep(self, new: Iterable[records.Record]) -> None:
        """Store these records, in their order."""
        for record in new:
            if len(self._waiting) == MAX_WAITING:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(record)
        self.flush()

    def flush(self) -> None:
        """Try to store the records that wait."""
        try:
            if self._lost:
                self._recorder.append([self._loss()])
                self._lost = 0
            while self._waiting:
                batch = list(islice(self._waiting, _AT_ONCE))
                self._recorder.append(batch)
                for _ in batch:
                    self._waiting.popleft()
        except RecordError as error:
            if not self._failing:
                _LOG.error("changes_kept_in_memory", error=error)
            self._failing = True
            return
        self._failing = False

    def _loss(self) -> records.LossRecord:
        reason = "changes: the store failed for longer than the memory for them lasts"
        return records.LossRecord(
            record_id=str(uuid4()), gate=EVERY_GATE, node=NODE, lost=self._lost,
            at=records.instant(self._clock.now()), reason=reason,
        )  # fmt: skip
