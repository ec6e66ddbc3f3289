"""A server of gRPC call-outs for `bench.callouts`: `callout_server.py SIDE SOCKET`.

Every side does the same: it takes `Check` of ext_authz as bytes and answers with an empty message,
which allows the request. No protobuf, so the figure is the transport's alone. Runs in the virtual
environment of its side, so it imports nothing of ours at the top.
"""

# ruff: noqa: PLC0415  # each side imports its own library

import asyncio
import pathlib
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

SERVICE = "envoy.service.auth.v3.Authorization"
ANSWER = b""


async def serve_ours(socket: str) -> None:
    from gatereeve.intake.callout import server, service

    check = service.Unary(lambda requests: [ANSWER] * len(requests))
    offered = service.Service(name=SERVICE, methods={"Check": check})
    async with server.serving(pathlib.Path(socket), offered):
        await asyncio.Event().wait()


async def serve_grpc_aio(socket: str) -> None:
    import grpc
    import grpc.aio

    async def check(_request: bytes, _context: object) -> bytes:
        return ANSWER

    method = grpc.unary_unary_rpc_method_handler(check)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Check": method}),)
    )
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    await asyncio.Event().wait()


async def serve_grpclib(socket: str) -> None:
    from grpclib.const import Cardinality, Handler
    from grpclib.encoding.base import CodecBase
    from grpclib.server import Server

    class Bytes(CodecBase):  # type: ignore[misc]  # no types: it is not installed here
        __content_subtype__ = "proto"

        def encode(self, message: bytes, _message_type: object) -> bytes:
            return message

        def decode(self, data: bytes, _message_type: object) -> bytes:
            return data

    class Authorization:
        async def check(self, stream: Any) -> None:
            await stream.recv_message()
            await stream.send_message(ANSWER)

        def __mapping__(self) -> dict[str, Any]:
            return {f"/{SERVICE}/Check": Handler(self.check, Cardinality.UNARY_UNARY, bytes, bytes)}

    server = Server([Authorization()], codec=Bytes())
    await server.start(path=socket)
    await asyncio.Event().wait()


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """ASGI, for hypercorn and granian."""
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": kind + ".complete"})
            if kind == "lifespan.shutdown":
                return
    while (await receive()).get("more_body"):
        pass
    has_trailers = "http.response.trailers" in scope.get("extensions", {})
    headers = [(b"content-type", b"application/grpc")]
    start: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": headers}
    await send(start | ({"trailers": True} if has_trailers else {}))
    body = b"\x00" + len(ANSWER).to_bytes(4, "big") + ANSWER
    await send({"type": "http.response.body", "body": body, "more_body": False})
    if has_trailers:
        status = [(b"grpc-status", b"0")]
        await send({"type": "http.response.trailers", "headers": status, "more_trailers": False})


async def serve_hypercorn(socket: str) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"unix:{socket}"]
    config.loglevel = "ERROR"
    config.keep_alive_max_requests = 2**31  # else it closes the connection after 1 000 calls
    await serve(app, config, shutdown_trigger=asyncio.Event().wait)


def serve_granian(socket: str) -> None:
    command: list[str | pathlib.Path] = [
        pathlib.Path(sys.executable).parent / "granian", "--interface", "asgi", "--http", "2",
        "--uds", socket, "--no-ws", "--log-level", "error", "--workers", "1",
        f"{pathlib.Path(__file__).stem}:app",
    ]  # fmt: skip
    subprocess.run(command, cwd=pathlib.Path(__file__).parent, check=True)


def main() -> None:
    side, socket = sys.argv[1:]
    if side == "granian":
        serve_granian(socket)
        return
    serve = {
        "ours": serve_ours, "grpc.aio": serve_grpc_aio, "grpclib": serve_grpclib,
        "hypercorn": serve_hypercorn,
    }[side]  # fmt: skip
    asyncio.run(serve(socket))


if __name__ == "__main__":
    main()
