"""The servers behind the gate: one process, one port, an address of its own for each model.

Every address of 10.0.0.0/8 leads here (`network`), so an address names the server, and what reached it is
counted by the mark that each attack carries. A second port stands for a node port. Nothing that
arrives is ever refused here: what must not arrive is the gate's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

MARK = "x-attack"
NODE_PORTS = range(30000, 32768)
_MAX_HEAD = 1 << 18
_MARKED = re.compile(rb"(?:^|[\r\n])x-attack:[ \t]*([!-~]+)", re.IGNORECASE)
_IN_TARGET = re.compile(rb"x-attack=([!-~]+?)(?:[ &?]|$)")


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived. server: the address that it was sent to."""

    server: str
    head: bytes

    @property
    def target(self) -> bytes:
        return self.head.split(b" ", 2)[1] if self.head.count(b" ") >= 2 else self.head

    def values(self, name: str) -> list[str]:
        found = []
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                found.append(value.strip().decode("latin-1"))
        return found


@dataclass(slots=True, kw_only=True)
class Servers:
    """port and node: where every address answers. seen: by mark; `""` for what carries none."""

    port: int = 0
    node: int = 0
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))

    def note(self, server: str, head: bytes) -> None:
        found = _MARKED.search(head) or _IN_TARGET.search(head.split(b"\r\n", 1)[0])
        mark = found[1].decode() if found else ""
        self.seen[mark].append(Seen(server, head))

    def take(self) -> dict[str, list[Seen]]:
        """What came since the last call."""
        found, self.seen = self.seen, defaultdict(list)
        return found


def _listening(port: int) -> socket.socket:
    """On every address of both families."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("::", port))
    made.listen(512)
    return made


def _on_a_node_port() -> socket.socket:
    for port in NODE_PORTS:
        with contextlib.suppress(OSError):
            return _listening(port)
    raise OSError("no node port is free")


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Servers]:
    found = Servers()
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("sockname")[0]).removeprefix("::ffff:")
        writers.add(writer)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, ValueError):
            try:
                while True:
                    await _answer(found, address, reader, writer)
            except asyncio.IncompleteReadError as torn:
                if torn.partial:
                    found.note(address, torn.partial)
        writers.discard(writer)
        writer.close()

    first, second = _listening(0), _on_a_node_port()
    found.port, found.node = first.getsockname()[1], second.getsockname()[1]
    made = [await asyncio.start_server(handle, sock=one, limit=_MAX_HEAD) for one in (first, second)]  # fmt: skip
    try:
        yield found
    finally:
        for one in made:
            one.close()
        for writer in tuple(writers):
            writer.transport.abort()


async def _answer(
    found: Servers, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    found.note(address, head)
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lowered:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif b"\r\ncontent-length:" in lowered:
        length = int(lowered.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    text = address.encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\nx-served-by: %s\r\ncontent-length: %d\r\n\r\n" % (text, len(text))
        + (b"" if head.startswith(b"HEAD ") else text)
    )
    await writer.drain()
