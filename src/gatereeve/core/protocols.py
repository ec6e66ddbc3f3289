"""The seams between stages, each as small as its one caller needs.

Stages do not import each other; `runtime` hands them to each other through these Protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gatereeve.core.records import Record
from gatereeve.core.refs import Ref


class Clock(Protocol):
    """Time, passed in so that tests run on their own."""

    def now(self) -> datetime:
        """The wall clock, in UTC, with time zone."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything."""
        ...


class Recorder(Protocol):
    """Keeps records, in the order in which they are given.

    When `append` returns, every record of the call is in the operating system's hands, in order,
    after all records of earlier calls (`sync` makes them durable). Either all of the call's
    records are kept or `RecordError` is raised and none may be assumed. One caller at a time.
    At most 10 000 records a call.
    """

    def append(self, records: Sequence[Record]) -> None:
        """Keep `records`. Raises RecordError; giving the same records again is then allowed."""
        ...

    def sync(self) -> None:
        """Return when everything appended so far would survive a power cut."""
        ...

    def close(self) -> None:
        """Sync and let go. Nothing may be appended afterwards."""
        ...


class Witness(Protocol):
    """Learns who deletes a document, before it is gone: afterwards that is not known.

    Called on the event loop, for requests that the API server may still refuse for other reasons;
    it keeps what it hears until the World lacks the document, at most as long as it likes. Returns
    at once and never raises.
    """

    def deleted(self, ref: Ref, by: str) -> None: ...
