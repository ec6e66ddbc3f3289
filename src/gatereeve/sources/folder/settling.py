"""Which changes of files are over, so that no World is made of a file that is being written.

A file that looks different is taken when it, and every other one, has stayed as it is for QUIET_S;
after BURST_S of changes without end, when it has itself. Editors delete and write again, so a file
that vanished, lost documents or its last line, or came under a name that is not read, has to stay so
for GONE_S. Time comes from outside; nothing here reads files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatereeve.sources.folder.listing import Look

QUIET_S = 0.1
GONE_S = 1.0
BURST_S = 2.0
LONGEST_S = 5.0
"""So long a file that vanished waits for others, of which one may be it under another name."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """look: how the file is now; since: when it was first seen so; first: when it began to change."""

    look: Look
    since: float
    first: float


class Settling:
    """Files that look different from what is known of them, by path. Times are a monotonic clock's."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    @property
    def paths(self) -> frozenset[str]:
        """The files that wait."""
        return frozenset(self._waiting)

    def see(self, path: str, look: Look, now: float) -> bool:
        """The file is so now; whether that is new."""
        before = self._waiting.get(path)
        if before is not None and before.look == look:
            return False
        first = now if before is None else before.first
        self._waiting[path] = _Waiting(look=look, since=now, first=first)
        return True

    def ages(self, now: float) -> float:
        """Seconds since the first of them began to change."""
        return max((now - one.first for one in self._waiting.values()), default=0.0)

    def end(self, path: str) -> None:
        """What is known of the file is what it is."""
        self._waiting.pop(path, None)

    def waits(self, path: str, now: float, quiet_s: float) -> float:
        """Seconds until the file counts as settled, 0 when it does.

        quiet_s: how long it has to stay as it is.
        """
        waiting = self._waiting[path]
        everywhere = max(one.since for one in self._waiting.values())
        burst = min(one.first for one in self._waiting.values()) + BURST_S
        return max(waiting.since + quiet_s, min(everywhere + QUIET_S, burst)) - now

    def due(self, now: float, quiet: Iterable[tuple[str, float]]) -> float | None:
        """Seconds until the next file is settled; None when none waits. quiet: for each of them."""
        return min((max(0.0, self.waits(path, now, s)) for path, s in quiet), default=None)
