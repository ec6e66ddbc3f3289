"""Keeps what gates accepted over a restart of the control plane (`last_good` has the files)."""

from __future__ import annotations

import asyncio
from typing import Final

from gatereeve.proxy.xds.server import AdsServer
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.last_good import LastGood
from gatereeve.runtime.settings import StatePaths

_SAVE_EVERY_S: Final = 5.0


class LastGoodSaver:
    """Hands in what an earlier process kept, and keeps it up to date."""

    def __init__(self, paths: StatePaths, server: AdsServer, plane: ControlPlane) -> None:
        self._paths = paths
        self._server = server
        self._plane = plane
        self._unsaved = asyncio.Event()
        self._kept: dict[str, LastGood] = {}
        self._saved: set[str] = set()

    def remember(self) -> None:
        """Before the first snapshot."""
        for path in sorted(self._paths.last_good_files()):
            kept = self._kept[path.stem] = LastGood(path)
            found = kept.load()
            if found is not None:
                self._server.remember(path.stem, found)

    def notify(self) -> None:
        """There may be something to keep."""
        self._unsaved.set()

    async def run(self) -> None:
        """Until cancelled: off the loop, and not more often than every few seconds."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            runs = dict(self._plane.runs)
            for name in self._saved - runs.keys():  # its keys and certificates go with the Gate
                self._kept.pop(name, None)
                self._paths.last_good(name).unlink(missing_ok=True)
            self._saved = set(runs)
            for name, run in runs.items():
                good = self._server.last_good(name)
                if good is not None and run.is_current:
                    kept = self._kept.setdefault(name, LastGood(self._paths.last_good(name)))
                    await asyncio.to_thread(kept.save, good)
            await asyncio.sleep(_SAVE_EVERY_S)
