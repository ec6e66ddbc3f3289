"""The control socket: what runs, asked by `gatereeve status` over a Unix socket of this user only.

Read-only. Answers are JSON; no secret and no payload is ever in one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gatereeve.core.errors import ProxyTimeoutError, SettingsError
from gatereeve.runtime import web
from gatereeve.runtime.settings import StatePaths

Status = Mapping[str, object]


async def serve(path: Path, status: Callable[[], Status]) -> None:
    """Serve until cancelled. `path` lies in a directory of mode 0700.

    Raises SettingsError when it cannot be listened on.
    """

    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse(dict(status()))

    app = Starlette(routes=[Route("/status", answer)])
    with _listening(path) as place:
        await web.serve(app, place)


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as place:
        try:
            place.bind(str(path))
            path.chmod(0o600)
        except OSError as error:
            raise SettingsError(f"{path} cannot be listened on: {error.strerror}") from error
        try:
            yield place
        finally:
            path.unlink(missing_ok=True)


async def ask(paths: StatePaths) -> dict[str, Any]:
    """The status of the Gatereeve that runs with this state directory.

    Raises SettingsError when nothing runs there, ProxyTimeoutError when it does not answer.
    """
    import httpx2  # noqa: PLC0415 - 60 ms that only `status` pays

    transport = httpx2.AsyncHTTPTransport(uds=str(paths.control_socket))
    try:
        async with httpx2.AsyncClient(transport=transport, timeout=5.0) as client:
            answer = await client.get("http://gatereeve/status")
    except httpx2.TimeoutException as error:
        raise ProxyTimeoutError("the running gatereeve does not answer") from error
    except httpx2.TransportError as error:
        raise SettingsError(
            f"no gatereeve is running with the state directory {paths.root}",
            hint="start one with `gatereeve up FOLDER`, or name its state directory with --state",
        ) from error
    status: dict[str, Any] = answer.json()
    return status


def wait_current(paths: StatePaths, timeout_s: float) -> dict[str, Any]:
    """The status as soon as every gate runs what it should, or when `timeout_s` has passed.

    Raises what `ask` raises when nothing answers until then.
    """
    return asyncio.run(_wait_current(paths, timeout_s))


async def _wait_current(paths: StatePaths, timeout_s: float) -> dict[str, Any]:
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        late = asyncio.get_running_loop().time() >= deadline
        try:
            status = await ask(paths)
        except (SettingsError, ProxyTimeoutError):
            if late:
                raise
        else:
            gates = status.get("gates")
            if late or (isinstance(gates, list) and gates and all(g["current"] for g in gates)):
                return status
        await asyncio.sleep(0.05)
