"""A gRPC client over raw HTTP/2 frames for `bench.callouts`: many unary calls on one connection.

It keeps a fixed number of calls in flight, begins a new one for each that ends, and obeys the send
windows that the server grants. All servers get the same bytes.
"""

from __future__ import annotations

import dataclasses
import socket as sockets
import struct
import time
from pathlib import Path

from bench.processes import BenchError

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_HEAD = struct.Struct(">HBBBI")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """calls: all that ended well, with those of the warm-up; seconds: of all."""

    calls: int
    seconds: float


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def block(path: str) -> bytes:
    """The header block that Envoy's client would send, as literals that are not indexed."""
    fields = {
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "callout",
        "te": "trailers", "grpc-timeout": "1000m", "content-type": "application/grpc",
        "x-envoy-internal": "true", "x-forwarded-for": "10.0.0.1",
    }  # fmt: skip
    return b"".join(
        b"\x00" + bytes((len(n),)) + n.encode() + bytes((len(v),)) + v.encode()
        for n, v in fields.items()
    )


class Client:
    """One connection. in_flight: calls at once."""

    def __init__(self, address: Path, path: str, message: bytes, in_flight: int) -> None:
        self._socket = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        self._socket.settimeout(20)
        self._socket.connect(str(address))
        self._block = block(path)
        self._body = b"\x00" + len(message).to_bytes(4, "big") + message
        self._in_flight = in_flight
        self._next = 1
        self._window = 65_535
        self._received = 0
        self._rest = b""
        self._answered: set[int] = set()

    def close(self) -> None:
        self._socket.close()

    def run(self, seconds: float) -> Result:
        """Call for so long. Raises BenchError when a call fails."""
        began = time.monotonic()
        settings = struct.pack(">HIHI", 1, 0, 4, 2**31 - 1)
        opening = frame(_SETTINGS, 0, 0, settings)
        opening += frame(_WINDOW_UPDATE, 0, 0, (2**31 - 1 - 65_535).to_bytes(4, "big"))
        self._socket.sendall(_PREFACE + opening)
        calls, waiting, end = 0, self._in_flight, began + seconds
        while time.monotonic() < end:
            can = min(waiting, self._window // len(self._body))
            if can:
                self._socket.sendall(b"".join(self._call() for _ in range(can)))
                waiting -= can
            ended = self._read()
            calls += ended
            waiting += ended
        return Result(calls=calls, seconds=time.monotonic() - began)

    def _call(self) -> bytes:
        stream, self._next = self._next, self._next + 2
        self._window -= len(self._body)
        table = b"\x20" if stream == 1 else b""  # no dynamic table (RFC 7541 section 6.3)
        return frame(_HEADERS, 4, stream, table + self._block) + frame(_DATA, 1, stream, self._body)

    def _read(self) -> int:  # noqa: C901  # one branch for each kind of frame
        """Calls that ended within the next read."""
        read = self._socket.recv(1 << 18)
        if not read:
            raise BenchError("the server closed the connection")
        data, at, ended, replies = self._rest + read, 0, 0, []
        while len(data) - at >= 9:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            end = at + 9 + (high << 8 | low)
            if end > len(data):
                break
            if kind in {_DATA, _HEADERS}:
                if kind == _DATA:
                    self._received += end - at - 9
                    self._answered.add(stream)
                if flags & 1:
                    if stream not in self._answered:
                        raise BenchError(f"stream {stream} ended without an answer")
                    self._answered.discard(stream)
                    ended += 1
            elif kind in {_SETTINGS, _PING} and not flags & 1:
                replies.append(frame(kind, 1, 0, data[at + 9 : end] if kind == _PING else b""))
            elif kind == _WINDOW_UPDATE and stream == 0:
                self._window += int.from_bytes(data[at + 9 : end], "big")
            elif kind in {_RST, _GOAWAY}:
                raise BenchError(f"the server sent frame {kind}: {data[at + 9 : end]!r}")
            at = end
        self._rest = data[at:]
        if self._received > 1 << 24:
            replies.append(frame(_WINDOW_UPDATE, 0, 0, self._received.to_bytes(4, "big")))
            self._received = 0
        if replies:
            self._socket.sendall(b"".join(replies))
        return ended
