"""The client's side of a call-out connection in tests: frames as bytes, and an observer of answers.

The observer is written from RFC 9113 and knows nothing of the server's code. It reads all that the
server sends, and fails where the server breaks a rule: a frame of a wrong size, DATA beyond a window
that was granted, a header block that does not decode, anything after the end of a stream.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import hpack

from gatereeve.intake.callout import connection, limits, service
from gatereeve.intake.callout.streams import Stream

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE = 0, 1, 2, 3, 4, 5
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR = 0, 1, 3, 5, 6
REFUSED_STREAM, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 7, 9, 11

UNARY, DEFERRED, STREAMING = b"/t.S/Unary", b"/t.S/Deferred", b"/t.S/Streaming"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def rst(stream: int, code: int = 8) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def message(body: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(body)) + body


def literals(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block of literals without indexing; names and values below 127 bytes."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields
    )


def request_fields(
    path: bytes = UNARY, changed: Mapping[bytes, bytes | None] | None = None
) -> list[tuple[bytes, bytes]]:
    """The fields of a gRPC call. changed: other values, None to leave one out."""
    fields = {
        b":method": b"POST", b":scheme": b"http", b":path": path, b":authority": b"t",
        b"te": b"trailers", b"content-type": b"application/grpc",
    }  # fmt: skip
    merged: dict[bytes, bytes | None] = {**fields, **(changed or {})}
    return [(name, value) for name, value in merged.items() if value is not None]


def headers(stream: int, path: bytes = UNARY, *, flags: int = END_HEADERS) -> bytes:
    """HEADERS of a call, after the table was reduced to 0."""
    return frame(HEADERS, flags, stream, literals(request_fields(path)))


def unary(stream: int, body: bytes = b"q", path: bytes = UNARY) -> bytes:
    """A whole unary call."""
    return headers(stream, path) + frame(DATA, END_STREAM, stream, message(body))


@dataclass(slots=True)
class Seen:
    """What the server sent on one stream."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    data: bytes = b""
    has_ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int | None:
        """The gRPC status."""
        found = dict(self.headers) | dict(self.trailers)
        return int(found["grpc-status"]) if "grpc-status" in found else None

    @property
    def messages(self) -> list[bytes]:
        """The whole messages so far."""
        found, at = [], 0
        while len(self.data) - at >= 5:
            flag, size = struct.unpack_from(">BI", self.data, at)
            assert flag == 0
            if len(self.data) - at - 5 < size:
                break
            found.append(self.data[at + 5 : at + 5 + size])
            at += 5 + size
        return found


class Observer:
    """Reads what a server sends. windows: what the client has granted, kept by `grant`."""

    def __init__(self, initial_window: int = 65_535) -> None:
        self.streams: dict[int, Seen] = {}
        self.goaways: list[tuple[int, int, bytes]] = []
        self.settings: dict[int, int] = {}
        self.settings_acks = 0
        self.pings: list[tuple[bool, bytes]] = []
        self.credit: dict[int, int] = {}
        self.initial_window = initial_window
        self.window = 65_535
        self.windows: dict[int, int] = {}
        self._decoder = hpack.Decoder()
        self._rest = b""

    @property
    def error(self) -> int | None:
        """The error code with which the server closed the connection."""
        return self.goaways[-1][1] if self.goaways and self.goaways[-1][1] else None

    def grant(self, stream: int, increment: int) -> None:
        """The client has sent this WINDOW_UPDATE."""
        if stream:
            self.windows[stream] = self.windows.get(stream, self.initial_window) + increment
        else:
            self.window += increment

    def set_initial_window(self, size: int) -> None:
        """The client has sent this SETTINGS_INITIAL_WINDOW_SIZE."""
        for stream in self.windows:
            self.windows[stream] += size - self.initial_window
        self.initial_window = size

    def read(self, data: bytes) -> None:
        data, at = self._rest + data, 0
        while len(data) - at >= 9:
            size = int.from_bytes(data[at : at + 3])
            kind, flags, stream = struct.unpack_from(">BBI", data, at + 3)
            assert size <= 16_384
            if len(data) - at - 9 < size:
                break
            self._take(kind, flags, stream, data[at + 9 : at + 9 + size])
            at += 9 + size
        self._rest = data[at:]

    @property
    def is_between_frames(self) -> bool:
        return not self._rest

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        assert self.error is None, "a frame after a GOAWAY with an error"
        if kind in {HEADERS, DATA, RST_STREAM}:
            assert stream & 1
            seen = self.streams.setdefault(stream, Seen())
            assert seen.reset is None, "a frame after RST_STREAM"
            if kind == RST_STREAM:
                (seen.reset,) = struct.unpack(">I", payload)
                return
            assert not seen.has_ended, "a frame after END_STREAM"
            if kind == HEADERS:
                assert flags in {END_HEADERS, END_HEADERS | END_STREAM}
                found = [(str(f[0]), str(f[1])) for f in self._decoder.decode(payload)]
                if seen.headers:
                    assert flags & END_STREAM
                    seen.trailers = found
                else:
                    seen.headers = found
            else:
                assert seen.headers, "DATA before HEADERS"
                self.window -= len(payload)
                self.windows[stream] = self.windows.get(stream, self.initial_window) - len(payload)
                assert self.window >= 0, "the connection's window is exceeded"
                assert self.windows[stream] >= 0 or not payload, "a stream's window is exceeded"
                seen.data += payload
            seen.has_ended = bool(flags & END_STREAM)
        elif kind == SETTINGS:
            if flags & ACK:
                assert not payload
                self.settings_acks += 1
            else:
                self.settings = dict(struct.iter_unpack(">HI", payload))
        elif kind == PING:
            assert len(payload) == 8
            self.pings.append((bool(flags & ACK), payload))
        elif kind == GOAWAY:
            last, code = struct.unpack_from(">II", payload)
            self.goaways.append((last, code, payload[8:]))
        else:
            assert kind == WINDOW_UPDATE, f"a frame of type {kind}"
            (increment,) = struct.unpack(">I", payload)
            assert 0 < increment < 1 << 31
            self.credit[stream] = self.credit.get(stream, 0) + increment


@dataclass(slots=True)
class Session:
    """A streaming session that notes everything and does what `script` says for each message."""

    stream: service.CallStream
    received: list[bytes] = field(default_factory=list)
    has_ended: bool = False
    cancelled: int = 0

    def receive(self, messages: Iterable[bytes]) -> None:
        for body in messages:
            self.received.append(body)
            if body.startswith(b"echo"):
                self.stream.send(body)
            elif body.startswith(b"big"):
                self.stream.send(body * 40_000)
            elif body == b"finish":
                self.stream.finish()
            elif body == b"pause":
                self.stream.pause()
            elif body == b"fail":
                raise RuntimeError("on purpose")

    def end(self) -> None:
        self.has_ended = True
        self.stream.finish()

    def cancel(self) -> None:
        self.cancelled += 1


class Wire:
    """A connection and its client, without sockets. ready: after the exchange of SETTINGS.

    calls: complete and not run yet. taken: those that a Deferred handler would have.
    """

    def __init__(
        self, limit: limits.Limits | None = None, *, ready: bool = True, window: int = 65_535
    ) -> None:
        self.sessions: list[Session] = []
        self.calls: list[Stream] = []
        self.taken: list[Stream] = []
        self.counts = connection.Counts()
        self.now = 0.0
        self.streaming: Callable[[service.CallStream], Session] = self._open
        self.seen = Observer(window)
        offered = service.Service(
            name="t.S",
            methods={
                "Unary": service.Unary(list),
                "Deferred": service.Deferred(lambda _calls: None),
                "Streaming": service.Streaming(lambda stream: self.streaming(stream)),  # noqa: PLW0108  # tests replace it
            },
        )
        self.connection = connection.Connection(
            offered.paths(), limit or limits.Limits(), calls=self.calls, counts=self.counts
        )
        self.connection.start()
        self.flush()
        if ready:
            first = [] if window == 65_535 else [(4, window)]
            self.send(PREFACE + settings(*first) + frame(SETTINGS, ACK))
            # The table is reduced by the first block of a call that does not exist.
            block = b"\x20" + literals(request_fields(b"/t.S/None"))
            self.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block))
            assert self.seen.streams.pop(1).status == service.Status.UNIMPLEMENTED
            self.counts.refused = 0

    def _open(self, stream: service.CallStream) -> Session:
        session = Session(stream)
        self.sessions.append(session)
        return session

    def send(self, data: bytes) -> None:
        self.connection.receive(data, self.now)
        self.flush()

    def flush(self) -> None:
        self.seen.read(self.connection.take_output())

    def grant(self, stream: int, increment: int) -> None:
        self.seen.grant(stream, increment)
        self.send(window_update(stream, increment))

    def answer_all(self) -> list[bytes]:
        """Answer every complete unary call with its request; returns the requests."""
        calls = [call for call in self.calls if call.is_open]
        self.calls.clear()
        for call in calls:
            call.answer(call.request)
        self.flush()
        return [call.request for call in calls]
