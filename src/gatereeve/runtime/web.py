"""Small web servers in our own loop: places to listen at, and health with metrics for clusters.

`serve` gives an ASGI application a place until it is cancelled; uvicorn's own signals stay out of it.
What is served by `health` is for probes and Prometheus inside a cluster: it says nothing secret, and
nothing a caller sends changes anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gatereeve.core.errors import SettingsError

_METRICS = "text/plain; version=0.0.4; charset=utf-8"


async def serve(app: Starlette, place: socket.socket) -> None:
    """Serve at a bound socket until cancelled; the socket stays the caller's."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    # Not `serve`, which would take over the signals: ours are in `stopping`.
    serving = asyncio.create_task(server._serve([place]), name="web")  # noqa: SLF001
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


def listen(address: str) -> socket.socket:
    """A socket bound to `host:port`. Raises SettingsError when that cannot be."""
    host, port = split_address(address)
    with contextlib.ExitStack() as undo:
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            # With its protocol: asyncio sets TCP_NODELAY only on sockets that say they are TCP.
            listening = undo.enter_context(socket.socket(info[0], info[1], info[2]))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(info[4])
        except OSError as error:
            why = error.strerror or error
            raise SettingsError(f"{address} cannot be listened on: {why}") from error
        undo.pop_all()
    return listening


def split_address(address: str) -> tuple[str, int]:
    """`host:port`, `[::]:port`. Raises SettingsError for anything else."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{address!r} is not HOST:PORT", hint="as in 0.0.0.0:8081")
    return host.removeprefix("[").removesuffix("]"), int(port)


def health(unready: Callable[[], str], metrics: Callable[[], Awaitable[bytes]]) -> Starlette:
    """`/healthz` (this loop runs), `/readyz` (503 and why not, while there is a why), `/metrics`."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        why = unready()
        return PlainTextResponse(f"{why or 'ok'}\n", status_code=503 if why else 200)

    async def measured(_request: Request) -> Response:
        return Response(await metrics(), media_type=_METRICS)

    return Starlette(
        routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", measured)]
    )


async def serve_health(
    place: socket.socket, unready: Callable[[], str], metrics: Callable[[], Awaitable[bytes]]
) -> None:
    """`health` at a bound socket until cancelled."""
    await serve(health(unready, metrics), place)
