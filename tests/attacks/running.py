"""The real `gatereeve up` on a folder that a stage writes, and the wait for what was written.

A canary tells that a change was read: an ordinary host that comes with it, written last.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from tests.attacks import documents as docs
from tests.attacks import wire
from tests.attacks.documents import Folder, Ports
from tests.attacks.servers import Servers
from tests.envoy import upping
from tests.envoy.upping import Up
from tests.support.ports import free_port

DEADLINE_S = 60.0


@dataclass(slots=True, kw_only=True)
class Running:
    """One folder, served. ports: also of the servers behind it."""

    up: Up
    servers: Servers
    ports: Ports
    _canary: int = 0
    _written: Folder = field(default_factory=dict)

    @property
    def place(self) -> wire.Place:
        return wire.Place(http=self.ports.http, https=self.ports.https)

    def write(self, files: Mapping[str, bytes | None]) -> None:
        """Files to be there, or gone; each is replaced by renaming, as a careful editor does."""
        for name, data in files.items():
            path = self.up.folder / name
            if data is None:
                path.unlink(missing_ok=True)
                continue
            fresh = self.up.folder.parent / f"new-{name}"
            fresh.write_bytes(data)
            fresh.replace(path)

    async def start(self) -> None:
        self.up.start()
        await self.wait_read()

    async def wait_read(self) -> None:
        """Returns when what was written before is served."""
        self._canary += 1
        self.write({"zz-canary.yaml": docs.canary(self._canary)})
        name = docs.host(f"canary-{self._canary}")
        await until_served(self, name)

    async def status_of(self, host: str, *headers: str) -> int:
        """The answer to one request on a connection of its own; 0 for none."""
        data = wire.request("/", *headers, mark="canary", host=host)
        try:
            async with wire.connected(self.place, host) as connection:
                await connection.send(data)
                return (await connection.answer()).status
        except (OSError, EOFError, TimeoutError):
            return 0


async def until_served(running: Running, host: str, *headers: str) -> None:
    end = time.monotonic() + DEADLINE_S
    while await running.status_of(host, *headers) != 200:
        process = running.up.process
        ended = process is not None and process.poll() is not None
        if ended or time.monotonic() > end:
            raise AssertionError(
                f"{host} is not served to {headers}\n{running.up.output()[-3000:]}"
            )
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def folder(servers: Servers) -> AsyncIterator[Running]:
    """A folder with nothing in it; `start` serves it."""
    with upping.a_folder() as up:
        ports = Ports(http=free_port(), https=free_port(), server=servers.port, node=servers.node)
        yield Running(up=up, servers=servers, ports=ports)
        if up.process is not None:
            await asyncio.to_thread(up.end)
