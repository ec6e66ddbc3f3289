"""Tasks under supervision: each has a name and an owner, and none dies unseen.

One of the three places that catch everything (house style 4.5): a task that fails is logged with
its stack and counted, and what it stood for falls to the safe side, which is to keep what is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic

from gatereeve.core.errors import GatereeveError
from gatereeve.core.logs import EventLog

_LOG = EventLog(__name__)


class SystemClock:
    """The real clock; the only reader of time in the control plane."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()


class Supervisor:
    """Runs named tasks in one TaskGroup. A task that must not end is started again with back-off.

    failures: how often each named task failed, for status and metrics.
    """

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False
        self.failures: dict[str, int] = {}

    def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Run `run` until it returns or the task is cancelled; after a failure, again."""
        task = self._group.create_task(self._forever(name, run), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """End every task, and begin none again. The TaskGroup waits for them."""
        self._ending = True
        for task in self._tasks:
            task.cancel()

    async def end(self) -> None:
        """The same, and wait until they have released what they use."""
        self.cancel()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def _forever(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        delay_s = 0.1
        while True:
            started = monotonic()
            if await self._guarded(name, run) or self._ending:
                return
            delay_s = 0.1 if monotonic() - started > 60 else min(delay_s * 2, 10.0)
            await asyncio.sleep(delay_s)

    async def _guarded(self, name: str, run: Callable[[], Awaitable[None]]) -> bool:
        """Whether `run` ended by itself."""
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except GatereeveError as error:  # an operator can read it; the stack says nothing more
            _LOG.error("task_failed", task=name, error=error)
        except Exception:  # noqa: BLE001 - one of the three catch-alls
            _LOG.exception("task_failed", task=name)
        else:
            return True
        self.failures[name] = self.failures.get(name, 0) + 1
        return False
