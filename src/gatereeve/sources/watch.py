"""Worlds as they come: the folder's own notifications, a wake-up, and now and then a full look.

What changed is read when it is over (`settling`), by the source's clock. Reading happens in a thread. A folder that vanishes is waited for; meanwhile its last World stays.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

from watchfiles import Change, awatch

from gatereeve.api.world import World
from gatereeve.sources.folder import file_names
from gatereeve.sources.folder.folder_source import FolderSource

RESCAN_S = 30.0
"""A full look this often, should a notification ever be lost."""

_STEP_MS = 2
_DEBOUNCE_MS = 20
_ALIVE_MS = 1000
_LEAST_S = 0.005
_GATHER_S = 0.005
_RETRY_S = 0.5


class Watch:
    """Watches one source. Used from one event loop; `run` or `worlds` once at a time."""

    def __init__(self, source: FolderSource, *, rescan_s: float = RESCAN_S) -> None:
        self._source = source
        self._rescan_s = rescan_s
        self._event = asyncio.Event()
        self._changed: set[Path] = set()
        self._everything = False
        self._woken = False

    def wake(self) -> None:
        """A World is wanted soon although no file changed: time went on, or a key set arrived."""
        self._woken = True
        self._event.set()

    async def run(self, apply: Callable[[World], Awaitable[None]]) -> None:
        """Gives every World to `apply`, one after the other, the first one at once. Never returns.

        Raises SourceError when the folder is not there at the start, and what `apply` raises.
        """
        async with contextlib.aclosing(self.worlds()) as worlds:
            async for world in worlds:
                await apply(world)

    async def worlds(self) -> AsyncGenerator[World, None]:
        """The World now, and then each that differs from the one before, or was asked for.

        While the caller is busy with one World, changes are gathered for the next. Close the
        iterator (`contextlib.aclosing`) to stop watching. Raises SourceError as `run` does.
        """
        listening = asyncio.Event()
        listener = asyncio.create_task(self._listen(listening), name="folder-notifications")
        try:
            await listening.wait()
            yield await asyncio.to_thread(self._source.follow, None)
            while True:
                await self._something()
                world = await self._next()
                if world is not None:
                    yield world
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)

    async def _something(self) -> None:
        """Returns when there is a reason to read: a change, a wish, or what changed may be over."""
        due = await asyncio.to_thread(lambda: self._source.settles_in)
        wait = self._rescan_s if due is None else max(due, _LEAST_S)
        try:
            async with asyncio.timeout(wait):
                await self._event.wait()
        except TimeoutError:
            self._everything = self._everything or due is None
            return
        if not self._woken:  # more of the same save is likely on its way
            await asyncio.sleep(_GATHER_S)

    async def _next(self) -> World | None:
        """Reads what is due; None when that changed nothing and no World was asked for."""
        changed = None if self._everything else frozenset(self._changed)
        woken, before = self._woken, self._source.revision
        self._changed.clear()
        self._everything = self._woken = False
        self._event.clear()
        world = await asyncio.to_thread(self._source.follow, changed)
        return world if woken or self._source.revision != before else None

    def _note(self, changes: set[tuple[Change, str]]) -> None:
        self._changed.update(Path(path) for _, path in changes)
        self._event.set()

    def _note_everything(self) -> None:
        self._everything = True
        self._event.set()

    async def _listen(self, listening: asyncio.Event) -> None:
        """Collects notifications; begins again when the folder is replaced or comes back."""
        folder = self._source.folder
        while True:
            identity = _identity(folder)
            if identity is not None:
                # The watcher stands before the first suspension inside, so before anybody reads.
                if listening.is_set():
                    self._note_everything()
                listening.set()
                with contextlib.suppress(OSError, RuntimeError):
                    await self._collect(folder, identity)
            listening.set()
            self._note_everything()
            await asyncio.sleep(_RETRY_S)

    async def _collect(self, folder: Path, identity: tuple[int, int]) -> None:
        changes = awatch(
            folder,
            watch_filter=self._is_wanted,
            step=_STEP_MS,
            debounce=_DEBOUNCE_MS,
            rust_timeout=_ALIVE_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        async with contextlib.aclosing(changes):
            async for batch in changes:
                if batch:
                    self._note(batch)
                if _identity(folder) != identity:
                    return

    def _is_wanted(self, _change: Change, path: str) -> bool:
        """What is in hidden folders of programs is not; by those that begin with `..` Kubernetes swaps
        whole folders."""
        *folders, _ = os.path.relpath(path, self._source.folder).split("/")
        return all(file_names.is_entered(part) or part.startswith("..") for part in folders)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
