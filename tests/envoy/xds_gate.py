"""A real Envoy under our xDS server, a backend to route to, and load that notes every answer."""

import asyncio
import collections
import contextlib
import dataclasses
import pathlib
from collections.abc import AsyncIterator
from typing import Any, Self

import httpx2

from gatereeve.proxy import admin, bootstrap
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds import session
from tests.features.xds_serving import RealClock, Seen, Serving, serving, short_directory
from tests.support.ports import free_port

DEADLINE_S = 60.0


@dataclasses.dataclass(slots=True, kw_only=True)
class Backend:
    """Answers every request with 200 and its name, after being let go if it is held."""

    port: int
    arrived: asyncio.Event
    open: asyncio.Event


@contextlib.asynccontextmanager
async def backend(name: str = "backend") -> AsyncIterator[Backend]:
    found = Backend(port=0, arrived=asyncio.Event(), open=asyncio.Event())
    found.open.set()
    writers: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(name)}\r\n\r\n{name}".encode()
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
        ):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                found.arrived.set()
                await found.open.wait()
                writer.write(head)
                await writer.drain()
        writer.close()
        writers.discard(writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in writers:
            writer.close()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A real gate. `port` is free for a listener of the test."""

    xds: Serving
    envoy: envoy_process.LocalEnvoy
    admin: admin.Admin
    seen: Seen
    port: int
    directory: pathlib.Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def running(directory: pathlib.Path, upstream: bootstrap.Upstream) -> AsyncIterator[Any]:
    """(LocalEnvoy, its events) for Gate `public` on an xDS server at `upstream`."""
    binary = await envoy_process.find_envoy()
    admin_socket = directory / "admin.sock"
    settings = bootstrap.BootstrapSettings(
        gate="public", replica="1", xds=upstream, admin=admin_socket
    )
    seen = Seen()
    envoy = envoy_process.LocalEnvoy(
        envoy_process.LocalSettings(
            binary=binary.path,
            bootstrap=bootstrap.to_json(bootstrap.build(settings)),
            run_dir=directory,
            admin=admin_socket,
        ),
        clock=RealClock(),
        observer=seen,
    )
    async with envoy:
        yield envoy, seen


@contextlib.asynccontextmanager
async def gate(*, grace_s: float = 0, **options: Any) -> AsyncIterator[Gate]:
    """A gate that starts; the test publishes."""
    with short_directory() as directory:
        async with serving(
            socket=directory / "xds.sock",
            discipline=session.Discipline(grace_s=grace_s),
            **options,
        ) as xds:
            xds.server.add_gate("public")
            async with (
                running(directory, bootstrap.Upstream(socket=xds.socket)) as (envoy, seen),
                admin.Admin(directory / "admin.sock") as talk,
            ):
                yield Gate(
                    xds=xds,
                    envoy=envoy,
                    admin=talk,
                    seen=seen,
                    port=free_port(),
                    directory=directory,
                )


class Load:
    """Requests without pause on some paths, until the context ends; counts the answers."""

    def __init__(self, url: str, *paths: str) -> None:
        self._url = url
        self._paths = paths
        self.answers: dict[str, collections.Counter[int]] = {
            path: collections.Counter() for path in paths
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._client = httpx2.AsyncClient(base_url=self._url, timeout=DEADLINE_S)
        self._tasks = [asyncio.create_task(self._ask(path)) for path in self._paths]
        return self

    async def __aexit__(self, *_exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def until(self, path: str, status: int, more: int = 1) -> None:
        """Until `path` was answered `more` times more with `status`."""
        goal = self.answers[path][status] + more
        async with asyncio.timeout(DEADLINE_S):
            while self.answers[path][status] < goal:
                for task in self._tasks:
                    if task.done():
                        task.result()
                self._news.clear()
                await self._news.wait()

    async def _ask(self, path: str) -> None:
        while True:
            response = await self._client.get(path)
            self.answers[path][response.status_code] += 1
            self._news.set()
