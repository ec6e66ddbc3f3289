"""A small HTTPS server for key sets that can be told to misbehave."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.keys import Authority

HOST = "issuer.example.com"
JWKS = '{"keys": []}'


def response(
    body: str | bytes = JWKS, status: str = "200 OK", headers: tuple[str, ...] = ()
) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    lines = (f"HTTP/1.1 {status}", f"content-length: {len(data)}", "connection: close", *headers)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data


@dataclass(slots=True)
class KeyServer:
    """port: where it listens. answer: what it says; b"" for nothing at all, ever."""

    authority: Authority
    port: int = 0
    answer: bytes = field(default_factory=response)
    requests: list[str] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"https://{HOST}:{self.port}/jwks"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        if not self.answer:
            await reader.read()
        writer.write(self.answer)
        try:
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass


@asynccontextmanager
async def serving(*, dns: str = HOST, tls: bool = True) -> AsyncIterator[KeyServer]:
    server = KeyServer(Authority("keys"))
    context = _context(server.authority, dns) if tls else None
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()


def _context(authority: Authority, dns: str) -> ssl.SSLContext:
    pair = authority.issue(dns=(dns,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(pair.certificate + pair.key)
        file.flush()
        context.load_cert_chain(file.name)
    return context
