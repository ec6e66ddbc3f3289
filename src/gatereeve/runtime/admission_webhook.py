"""The admission webhook beside a controller: its place, its certificate, the World that it judges by.

Indexing a World for reviews happens off the hot path of a change: the newest waits, older ones are
skipped. What cannot be had (a certificate, a World) means that governed changes are refused, never
that one comes in unseen; nothing else of the controller waits for this.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.admission.server import AdmissionServer, Counts, Tls
from gatereeve.admission.webhook_connections import read_authority
from gatereeve.admission.world_subset import WorldIndex, index_world
from gatereeve.api.world import World
from gatereeve.compile.compiler import CompilerTables
from gatereeve.core.errors import SettingsError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime import web

_LOG = EventLog(__name__)

_LOOK_S: Final = 2.0
"""How often a renewed certificate is looked for; it is renewed days before the old one ends."""
_QUIET_S: Final = 0.1
"""A change goes to the gates first. A review by the World before it is no hole: compiling checks again."""
_SHARE: Final = 2.0
_LONGEST_S: Final = 2.0
"""After indexing a World, so many times as long is left to everything else, at most so long."""

Credentials = Callable[[], MutualTls | None]
"""The webhook's certificate now, None before there is one. Raises SettingsError where it is unusable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """Who may ask: the API server, by a certificate that `authority` (a PEM file) signed for a name.

    The file is read again and again, because it may be renewed while we run.
    """

    authority: Path
    names: tuple[str, ...]


class AdmissionWebhook:
    """See the module. Used from one event loop.

    address: `host:port`. departures: is notified who deletes documents, if `clients` is there to prove
    who asks. clients: None where the API server shows no certificate.
    """

    def __init__(
        self,
        address: str,
        tls: Credentials,
        clock: Clock,
        departures: DeletionLog,
        clients: Clients | None = None,
    ) -> None:
        web.split_address(address)
        self._address = address
        self._tls = tls
        self._clients = clients
        self._server = AdmissionServer(lambda: self._seen, departures, clock)
        self._tables = CompilerTables()
        self._seen: WorldIndex | None = None
        self._newest: World | None = None
        self._come = asyncio.Event()
        self._shown: Tls | None = None
        self._last_problem = ""

    @property
    def counts(self) -> Counts:
        return self._server.counts

    @property
    def expires(self) -> datetime | None:
        """When the certificate that is shown ends."""
        return self._server.expires

    def show(self, world: World) -> None:
        """Judge by this World from soon on."""
        self._newest = world
        self._come.set()

    async def index_worlds(self) -> None:
        """Index Worlds as they come, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._come.wait()
            await asyncio.sleep(_QUIET_S)
            self._come.clear()
            world = self._newest
            if world is None:
                continue
            began = loop.time()
            self._seen = await asyncio.to_thread(index_world, world, self._tables)
            await asyncio.sleep(min(_SHARE * (loop.time() - began), _LONGEST_S))

    async def run(self) -> None:
        """Serve from the first certificate on, until cancelled."""
        with tempfile.TemporaryDirectory(prefix="gatereeve-") as scratch:
            while not self._renew(Path(scratch)):  # noqa: ASYNC110 - stores and directories do not tell
                await asyncio.sleep(_LOOK_S)
            with web.listen(self._address) as place:
                _LOG.info("serving_reviews", address=self._address)
                async with asyncio.TaskGroup() as group:
                    renewing = group.create_task(self._keep_renewed(Path(scratch)))
                    await self._server.serve(place)
                    renewing.cancel()

    async def _keep_renewed(self, scratch: Path) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self._renew(scratch)

    def _renew(self, scratch: Path) -> bool:
        """Show the newest certificate that can be used; whether one is shown."""
        try:
            certificate = self._wanted()
            if certificate is not None and certificate != self._shown:
                self._server.renew(certificate, scratch)
                self._shown, self._last_problem = certificate, ""
        except SettingsError as error:
            if self._last_problem != str(error):
                self._last_problem = str(error)
                _LOG.warning("webhook_certificate_not_renewed", error=error)
        return self._shown is not None

    def _wanted(self) -> Tls | None:
        """None before there is a certificate. Raises SettingsError for what cannot be read."""
        own = self._tls()
        if own is None:
            return None
        authority, names = b"", frozenset[str]()
        if self._clients is not None:
            authority = read_authority(self._clients.authority)
            names = frozenset(self._clients.names)
        return Tls(
            certificate=own.certificate_chain, key=own.private_key, clients=authority, names=names
        )
