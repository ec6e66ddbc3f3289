"""Just enough HTTP/2 to say what a library would not let one say: raw frames, literal headers.

RFC 9113 frames; RFC 7541 with literals only and no dynamic table, so that no byte of a field is
touched. Of an answer only the status of each stream is read, and whether it was reset.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support import gate

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
END_STREAM, END_HEADERS = 1, 4
CLOSED = 0
"""As a status: the stream or the connection was ended without an answer."""

_STATUSES = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
_DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5",
           "011100": "6", "011101": "7", "011110": "8", "011111": "9"}  # fmt: skip

Field = tuple[bytes | str, bytes | str]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def block(fields: Iterable[Field]) -> bytes:
    """A header block: every field a literal that is not indexed (RFC 7541, 6.2.2)."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def _text(text: bytes | str) -> bytes:
    raw = text.encode("latin-1") if isinstance(text, str) else text
    if len(raw) < 127:
        return bytes([len(raw)]) + raw
    rest, found = len(raw) - 127, b"\x7f"
    while rest >= 128:
        found, rest = found + bytes([rest % 128 + 128]), rest // 128
    return found + bytes([rest]) + raw


def request(
    path: str = "/",
    *more: Field,
    host: str = "models.test",
    method: str = "POST",
    drop: Iterable[str] = (),
) -> list[Field]:
    """The fields of a plain request, then `more`."""
    pseudo: list[Field] = [
        (":method", method),
        (":scheme", "https"),
        (":authority", host),
        (":path", path),
    ]
    return [item for item in pseudo if item[0] not in tuple(drop)] + list(more)


@dataclass(slots=True)
class Http2:
    """One connection. Streams are numbered as a client numbers them."""

    connection: gate.Connection
    statuses: dict[int, int] = field(default_factory=dict)
    gone: bool = False
    _next: int = 1

    async def start(self) -> None:
        """The preface; a header table of size 0 keeps the answers simple."""
        settings = struct.pack(">HI", 1, 0)
        await self.connection.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    async def send(self, fields: Iterable[Field], body: bytes | None = None) -> int:
        """A request as one HEADERS frame, and one DATA frame when there is a body."""
        data = frame(
            HEADERS, END_HEADERS | (END_STREAM if body is None else 0), self._next, block(fields)
        )
        if body is not None:
            data += frame(DATA, END_STREAM, self._next, body)
        return await self.send_raw(data)

    async def send_raw(self, data: bytes) -> int:
        """Frames as they are, for the next stream."""
        await self.connection.send(data)
        self._next += 2
        return self._next - 2

    async def status(self, stream: int) -> int:
        """The status of a stream, or CLOSED."""
        try:
            async with asyncio.timeout(gate.DEADLINE_S):
                while stream not in self.statuses and not self.gone:
                    await self._read()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone = True
        return self.statuses.get(stream, CLOSED)

    async def _read(self) -> None:
        head = await self.connection.reader.readexactly(9)
        length = int.from_bytes(head[:3])
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        payload = await self.connection.reader.readexactly(length)
        if kind == SETTINGS and not flags:
            await self.connection.send(frame(SETTINGS, 1, 0, b""))
        elif kind == HEADERS:
            self.statuses.setdefault(stream, _status(payload))
        elif kind == RST_STREAM:
            self.statuses.setdefault(stream, CLOSED)
        elif kind == GOAWAY:
            self.gone = True


def _status(payload: bytes) -> int:
    """The first field of an answer's block is its status."""
    at = 0
    while payload[at] & 0xE0 == 0x20:  # a change of the table's size
        at += 1
    if payload[at] in _STATUSES:
        return _STATUSES[payload[at]]
    length, coded = payload[at + 1] & 0x7F, payload[at + 1] & 0x80
    raw = payload[at + 2 : at + 2 + length]
    if not coded:
        return int(raw)
    bits, found = "".join(f"{byte:08b}" for byte in raw), ""
    while len(found) < 3:
        code = next(c for c in _DIGITS if bits.startswith(c))
        found, bits = found + _DIGITS[code], bits[len(code) :]
    return int(found)
