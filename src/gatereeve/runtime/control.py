"""The control socket: what runs, asked by `gatereeve status` over a Unix socket of this user only.

Read-only. Answers are JSON; no secret and no payload is ever in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gatereeve.core.errors import ProxyTimeoutError, SettingsError

Status = Mapping[str, object]


async def serve(socket: Path, status: Callable[[], Status]) -> None:
    """Serve until cancelled. `socket` lies in a directory of mode 0700."""

    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse(dict(status()))

    socket.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call, before anything is served
    app = Starlette(routes=[Route("/status", answer)])
    config = uvicorn.Config(
        app, uds=str(socket), log_level="warning", lifespan="off", access_log=False
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # ours are in `up`
    try:
        await server._serve()  # noqa: SLF001 - `serve` would take over the signals
    finally:
        socket.unlink(missing_ok=True)  # noqa: ASYNC240 - the same


async def ask(socket: Path) -> dict[str, object]:
    """The status of the Gatereeve behind `socket`.

    Raises SettingsError when nothing runs there, ProxyTimeoutError when it does not answer.
    """
    import httpx  # noqa: PLC0415 - 60 ms that only `status` pays

    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    try:
        async with httpx.AsyncClient(transport=transport, timeout=5.0) as client:
            answer = await client.get("http://gatereeve/status")
    except httpx.TimeoutException as error:
        raise ProxyTimeoutError("the running gatereeve does not answer") from error
    except httpx.TransportError as error:
        raise SettingsError(
            f"no gatereeve is running with the state directory {socket.parent.parent}",
            hint="start one with `gatereeve up FOLDER`, or name its state directory with --state",
        ) from error
    found: dict[str, object] = answer.json()
    return found


def wait_current(socket: Path, timeout_s: float) -> dict[str, object]:
    """The status as soon as every gate runs what it should, or when `timeout_s` has passed.

    Raises what `ask` raises when nothing answers until then.
    """
    return asyncio.run(_wait_current(socket, timeout_s))


async def _wait_current(socket: Path, timeout_s: float) -> dict[str, object]:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        late = asyncio.get_running_loop().time() >= deadline
        try:
            found = await ask(socket)
        except SettingsError:
            if late:
                raise
        else:
            gates = found.get("gates")
            if late or (isinstance(gates, list) and gates and all(g["current"] for g in gates)):
                return found
        await asyncio.sleep(0.05)
