"""Commits what waits in the store of records to the log, a few times a second.

A commit that fails ends the task; the supervisor logs it and starts it again with back-off. The records wait.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

EVERY_S: Final = 0.25
"""So long a record waits at most before it is in the log, on a disk that works."""


class CommittingStore(Protocol):
    """What of `ledger.store.LedgerStore` is used here."""

    @property
    def waiting(self) -> int: ...

    def commit(self) -> None: ...


async def commit_records(store: CommittingStore) -> None:
    """Runs until cancelled. Raises LedgerError when a commit failed."""
    while True:
        await asyncio.sleep(EVERY_S)
        if store.waiting:
            await asyncio.to_thread(store.commit)
