"""Digests of objects by their names, kept in one file over restarts. Decides nothing.

What was seen last is compared with what is there now; a file that is lost or damaged only means
that everything is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gatereeve.core.logs import EventLog
from gatereeve.core.refs import Ref
from gatereeve.runtime.journal import Journal

_LOG = EventLog(__name__)

_SAVE_EVERY_S: Final = 2.0


class Digests:
    """See the module. Used from one event loop; the file is written by `run`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = Journal(path)
        self._known: dict[Ref, str] = {}
        self._changed: dict[Ref, str | None] = {}
        self._unsaved = asyncio.Event()

    def load(self) -> None:
        """What an earlier process kept."""
        stored = self._journal.load()
        self._known = {_ref(key): digest.decode() for key, digest in stored.items()}

    def get(self, ref: Ref) -> str | None:
        return self._known.get(ref)

    def __iter__(self) -> Iterator[Ref]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def put(self, ref: Ref, digest: str | None) -> None:
        """None: it is gone."""
        if digest is None:
            self._known.pop(ref, None)
        else:
            self._known[ref] = digest
        self._changed[ref] = digest
        self._unsaved.set()

    async def run(self) -> None:
        """Keep the file up to date, until cancelled: off the loop, not more often than needed."""
        try:
            while True:
                await self._unsaved.wait()
                await asyncio.to_thread(self._save, *self._taken())
                await asyncio.sleep(_SAVE_EVERY_S)
        finally:
            if self._unsaved.is_set():  # what is noted is not noted again by the next process
                self._save(*self._taken())

    def _taken(self) -> tuple[Mapping[Ref, str | None], Mapping[Ref, str]]:
        """What changed since the last time, and everything."""
        self._unsaved.clear()
        changed, self._changed = self._changed, {}
        return changed, dict(self._known)

    def _save(self, changed: Mapping[Ref, str | None], known: Mapping[Ref, str]) -> None:
        try:
            self._journal.save(
                {
                    _key(ref): None if digest is None else digest.encode()
                    for ref, digest in changed.items()
                },
                lambda: ((_key(ref), digest.encode()) for ref, digest in known.items()),
            )
        except OSError as error:
            _LOG.warning("file_not_written", file=self._path, error=error.strerror)


def _key(ref: Ref) -> str:
    return f"{ref.group} {ref.kind} {ref.namespace} {ref.name}"


def _ref(key: str) -> Ref:
    return Ref(*key.split(" ", 3))
