"""A running xDS server for tests, the events it told, and clocks."""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import pathlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

from gatereeve.core import protocols
from gatereeve.proxy.xds import events, server, session

DEADLINE_S = 60.0
Event = TypeVar("Event")


class RealClock:
    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """Stands still until told otherwise."""

    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self.at, dt.UTC)

    def monotonic(self) -> float:
        return self.at


class Seen:
    """Every event so far; waiting for one is waiting for its place in the order, not for time."""

    def __init__(self) -> None:
        self.all: list[Any] = []
        self._news = asyncio.Event()

    def __call__(self, event: Any) -> None:
        self.all.append(event)
        self._news.set()

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.all if isinstance(event, kind)]

    async def wait(
        self, kind: type[Event], fits: Callable[[Event], bool] = lambda _: True, after: int = 0
    ) -> Event:
        """The first event of a kind that fits, from place `after` on."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                self._news.clear()
                for event in self.all[after:]:
                    if isinstance(event, kind) and fits(event):
                        return event
                await self._news.wait()

    async def settled(self, version: str) -> events.Settled:
        return await self.wait(events.Settled, lambda event: event.version == version)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    server: server.AdsServer
    socket: pathlib.Path
    seen: Seen


@contextlib.contextmanager
def short_directory() -> Iterator[pathlib.Path]:
    """A directory of our own (0700) whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="gr-") as name:
        yield pathlib.Path(name)


@contextlib.asynccontextmanager
async def serving(
    *,
    discipline: session.Discipline | None = None,
    clock: protocols.Clock | None = None,
    socket: pathlib.Path | None = None,
    **settings: Any,
) -> AsyncIterator[Serving]:
    """A server on a Unix socket, without grace unless the test wants some."""
    seen = Seen()
    with short_directory() as directory:
        where = socket or directory / "xds.sock"
        ads = server.AdsServer(
            server.AdsSettings(
                socket=where, discipline=discipline or session.Discipline(grace_s=0), **settings
            ),
            clock=clock or RealClock(),
            observer=seen,
        )
        async with ads:
            yield Serving(server=ads, socket=where, seen=seen)
