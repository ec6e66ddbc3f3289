"""Digests of objects by their names, kept in one file over restarts. Decides nothing.

What was seen last is compared with what is there now; a file that is lost or damaged only means
that everything is new.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gatereeve.core.refs import Ref

_LOG = logging.getLogger(__name__)

_SAVE_EVERY_S: Final = 2.0
_Stored = list[tuple[str, str, str, str, str]]


class Digests:
    """See the module. Used from one event loop; the file is written by `run`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[Ref, str] = {}
        self._unsaved = asyncio.Event()

    def load(self) -> None:
        """What an earlier process kept."""
        try:
            stored = msgspec.msgpack.decode(self._path.read_bytes(), type=_Stored)
        except FileNotFoundError:
            return
        except (OSError, msgspec.MsgspecError) as error:
            _LOG.warning("%s cannot be used, everything counts as new: %s", self._path, error)
            return
        self._known = {Ref(*place): digest for *place, digest in stored}

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
        self._unsaved.set()

    async def run(self) -> None:
        """Keep the file up to date, until cancelled: off the loop, not more often than needed."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            stored = [(*_words(ref), digest) for ref, digest in self._known.items()]
            try:
                await asyncio.to_thread(_save, self._path, stored)
            except OSError as error:
                _LOG.warning("%s is not written: %s", self._path, error.strerror)
            await asyncio.sleep(_SAVE_EVERY_S)


def _words(ref: Ref) -> tuple[str, str, str, str]:
    return ref.group, ref.kind, ref.namespace, ref.name


def _save(path: Path, stored: _Stored) -> None:
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(stored))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
