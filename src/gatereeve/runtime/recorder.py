"""`recorder`: takes the access log of the gate beside it, into a store of records.

It listens on a Unix socket in a directory that both share, and holds the gate's own counters against
what came. The gate never waits for it: while it is away or slow, Envoy drops entries and counts
them, and what was dropped is counted exactly, also by its successor: the store says
what was received of this life of the gate (`envoy_lifecycle`), the gate says what it answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from itertools import chain
from typing import Final

from gatereeve.core.errors import ProxyError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.intake import access_log, loss
from gatereeve.ledger.store import LedgerStore, open_store
from gatereeve.proxy import bootstrap
from gatereeve.proxy.admin import Admin
from gatereeve.runtime import envoy_lifecycle, metrics, web
from gatereeve.runtime.envoy_lifecycle import EnvoyLifecycle
from gatereeve.runtime.ledger_commits import commit_records
from gatereeve.runtime.settings import RecorderSettings, prepare
from gatereeve.runtime.signals import stop_event
from gatereeve.runtime.supervise import Supervisor, SystemClock

_LOG = EventLog(__name__)

_LOOK_S: Final = 0.5
_GONE_AFTER: Final = 10
"""So many looks at a gate that does not answer: it ended without a word."""


async def recorder(settings: RecorderSettings) -> None:
    """Record until SIGINT, SIGTERM or SIGHUP, and then until the gate has ended.

    Raises SettingsError or RecordError when it cannot start.
    """
    stop = stop_event("the gate's last records are waited for")
    prepare(settings.paths.root, hint="name another --run")
    prepare(settings.state, hint="name another --state")
    clock = SystemClock()
    store = open_store(settings.state, clock)
    try:
        async with asyncio.TaskGroup() as group:
            process = RecorderProcess(settings, clock, store, Supervisor(group))
            await process.run(stop)
    finally:
        store.close()


class RecorderProcess:
    """The parts of one running recorder and how they are connected."""

    def __init__(
        self, settings: RecorderSettings, clock: Clock, store: LedgerStore, supervisor: Supervisor
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._store = store
        self._stream = settings.gate, bootstrap.node_id(settings.gate, settings.replica)
        self._intake = access_log.AccessLog(store, clock=clock, on_stream=self._came)
        self._admin = Admin(settings.paths.admin_socket)
        self._life: EnvoyLifecycle | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, wait for the end of the gate, stop everything."""
        keep, settings = self._supervisor.keep, self._settings
        await self._resume()
        with web.listen(settings.http) as place:
            async with self._admin, access_log.serve(settings.paths.records_socket, self._intake):
                _LOG.info("keeping_records", gate=self._stream[1], state=settings.state)
                keep("health", partial(web.serve_health, place, lambda: "", self._measure))
                keep("ledger", partial(commit_records, self._store))
                keep("losses", partial(self._intake.reconcile, *self._stream, self._read))
                await stop.wait()
                await self._gate_gone()
                await self._supervisor.end()

    async def _resume(self) -> None:
        """Go on where an earlier process of ours ended. It was the only one this gate ever had."""
        self._life = envoy_lifecycle.read(self._settings.paths.life)
        if self._life is not None:
            kept = await asyncio.to_thread(self._store.count, self._stream[1], self._life.began_us)
            self._intake.resume(
                *self._stream,
                loss.PriorCounts(
                    began_us=self._life.began_us,
                    received=kept.received,
                    lost=kept.lost,
                    sequence=kept.sequence,
                ),
            )

    def _came(self, gate: str, node: str) -> None:
        if (gate, node) == self._stream:
            self._follow()

    def _follow(self) -> None:
        """Another life of the gate is noticed before anything of it is counted."""
        life = envoy_lifecycle.read(self._settings.paths.life)
        if life is None or life == self._life:
            return
        if self._life is None:
            self._intake.resume(*self._stream, loss.PriorCounts(began_us=life.began_us))
        else:
            self._intake.restarted(*self._stream, at_us=life.began_us)
        self._life = life

    async def _read(self) -> Mapping[str, int]:
        """The gate's counters, of the life that is known. Raises ProxyError."""
        self._follow()
        before = self._life
        found = await self._admin.numbers(loss.STATS)
        if envoy_lifecycle.read(self._settings.paths.life) != before:
            raise ProxyError("the gate began anew while it was asked")
        return found

    async def _gate_gone(self) -> None:
        """Return when the gate has ended, or was waited for long enough."""
        silent = 0
        try:
            async with asyncio.timeout(self._settings.last_s):
                while envoy_lifecycle.read(self._settings.paths.life) is not None:
                    silent = 0 if await self._admin.answers() else silent + 1
                    if silent >= _GONE_AFTER:
                        return
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            _LOG.warning("gate_still_runs", consequence="its further records are lost")

    async def _measure(self) -> bytes:
        return metrics.render(
            chain(
                metrics.of_recorder(self._intake),
                metrics.of_tasks(self._supervisor.failures),
                metrics.of_ledger(self._store),
            )
        )
