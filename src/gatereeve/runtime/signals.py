"""The signals that end a process: the first asks, the second insists."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable

from gatereeve.core.logs import EventLog

_LOG = EventLog(__name__)


def stop_event(what: str) -> asyncio.Event:
    """Set by the first signal to stop, which logs `what`. The next one meets the
    default again and ends the process; the kernel then ends its Envoys, and stores are safe
    against that.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # else it is meant to outlive a terminal
        numbers.append(signal.SIGHUP)

    def first() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        _LOG.info("stopping", note=f"{what}; a second signal ends at once")
        stop.set()

    for number in numbers:
        loop.add_signal_handler(number, first)
    return stop


async def unless_stopped(stop: asyncio.Event, ready: Awaitable[None]) -> bool:
    """Wait for what is needed first, or for the end; whether there is no end yet."""
    tasks = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(ready)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return not stop.is_set()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
