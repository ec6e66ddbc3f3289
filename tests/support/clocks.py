"""The two kinds of clock that judge what tests make.

A clock that stands still judges Worlds that are compiled without serving them: it is at `AT`, or at
another instant of `STILL`. The real clock judges everything else: Envoy, `ssl`, an API server,
`gatereeve up`. Test certificates are valid by both kinds, on any day: see `VALID`. Nothing that the
real clock may judge takes its dates from a fixed instant; `make test-clocks` runs the suites with
the real clock years ahead and years behind.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

AT = datetime(2026, 11, 1, tzinfo=UTC)
"""The instant of Worlds in tests."""


class Period(NamedTuple):
    """From `start` to `end`, both in UTC."""

    start: datetime
    end: datetime


STILL = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
"""Every clock of the suite that stands still stands within this period."""


def now() -> datetime:
    """The time by the clock of this machine, as every real program sees it."""
    return datetime.now(UTC)


def _valid() -> Period:
    margin = timedelta(days=30)
    return Period(min(STILL.start, now() - margin), max(STILL.end, now() + margin))


VALID = _valid()
"""When test certificates are valid: by the clocks that stand still, and by the real one."""
