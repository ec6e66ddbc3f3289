"""Waiting for a condition, within a deadline. Nothing in these tests waits for a time to pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

DEADLINE_S = 60.0
_PAUSE_S = 0.05


class InVainError(Exception):
    """The condition did not come. Says which, and what was last seen."""


def until(
    holds: Callable[[], Found | None],
    what: str,
    *,
    deadline_s: float = DEADLINE_S,
    pause_s: float = _PAUSE_S,
    seen: Callable[[], object] | None = None,
) -> Found:
    """What `holds` returns, as soon as it is true. seen: what to add to the complaint."""
    end = time.monotonic() + deadline_s
    while not (found := holds()):
        if time.monotonic() > end:
            last = "" if seen is None else f"; last seen: {seen()}"
            raise InVainError(f"waited {deadline_s:.0f} s in vain: {what}{last}")
        time.sleep(pause_s)
    return found
