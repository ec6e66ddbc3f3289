"""Validity windows: the same documents are applied again when one closes. Proxies know no time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gatereeve.core.protocols import Clock

_LOOK_AT_CLOCK_S: Final = 30.0
"""The longest time slept at once: a machine that was suspended wakes late."""


class ExpiryTimer:
    """See the module. due: when the next window closes, if any. wake: asks for another World."""

    def __init__(
        self, clock: Clock, due: Callable[[], datetime | None], wake: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._due = due
        self._wake = wake
        self._applied = asyncio.Event()

    def applied(self) -> None:
        """A World was applied: `due` may be another."""
        self._applied.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            wait_s = _LOOK_AT_CLOCK_S
            due = self._due()
            if due is not None:
                wait_s = min(wait_s, (due - self._clock.now()).total_seconds())
            if wait_s <= 0:
                self._wake()
                wait_s = _LOOK_AT_CLOCK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._applied.wait()
            self._applied.clear()
