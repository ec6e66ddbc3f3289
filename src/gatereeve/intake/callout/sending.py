"""What one connection sends: answers as frames, within the windows that the peer grants.

A Sender knows flow control towards the peer and the bytes of gRPC answers. It does not know what the
peer sent; `connection` keeps the bounds of what may wait here.
Sources: RFC 9113 sections 5.2, 6.9; gRPC PROTOCOL-HTTP2.md, "Responses".
"""

from __future__ import annotations

import struct
import urllib.parse
from collections import deque
from collections.abc import Callable
from typing import Final

from gatereeve.intake.callout import frames
from gatereeve.intake.callout.service import Status
from gatereeve.intake.callout.streams import Stream

NOT_GRPC: Final = frames.literal(b":status", b"415")
"""The header block for other content (gRPC "Requests": 415 when the content type is not gRPC)."""

_RESPONSE: Final = b"\x88" + frames.literal(b"content-type", b"application/grpc")
"""`:status 200` and the content type. 0x88 is entry 8 of the static table."""
_TRAILERS_OK: Final = frames.literal(b"grpc-status", b"0")
_NO_TABLE: Final = b"\x20"
"""Reduces our dynamic table to 0 (RFC 7541 section 6.3): begins our first header block, so that no
later change of the peer's SETTINGS has to be answered."""

_PREFIX: Final = struct.Struct(">HBBBIBI")
"""The header of a DATA frame and gRPC's prefix (compressed flag, length of the message)."""
_MESSAGE: Final = struct.Struct(">BI")
_PREFIX_BYTES: Final = 5
_PRINTABLE: Final = "".join(chr(c) for c in range(0x20, 0x7F) if chr(c) != "%")
_MAX_TEXT: Final = 1024


def _headers_start(block: bytes, flags: int) -> bytes:
    size = len(block)
    return bytes((size >> 16, size >> 8 & 0xFF, size & 0xFF, frames.HEADERS, flags))


_RESPONSE_START: Final = _headers_start(_RESPONSE, frames.END_HEADERS)
_TRAILERS_START: Final = _headers_start(_TRAILERS_OK, frames.END_HEADERS | frames.END_STREAM)


def refusal(status: Status, text: str) -> bytes:
    """Return the header block of an answer that is nothing but a status (gRPC "Trailers-Only")."""
    return _RESPONSE + _trailers(status, text)


class Sender:
    """out: what is to be written now. window: of the connection; initial_window: of new streams.

    unsent_bytes: what waits for a window, over all streams. on_ended: called when the last frame of a
    stream is in `out`.
    """

    def __init__(self, on_ended: Callable[[Stream], None]) -> None:
        self.out: list[bytes] = []
        self.window = frames.DEFAULT_WINDOW
        self.initial_window = frames.DEFAULT_WINDOW
        self.unsent_bytes = 0
        self._on_ended = on_ended
        self._blocked: dict[int, Stream] = {}
        self._has_sent_block = False

    def answer(self, stream: Stream, message: bytes) -> bool:
        """Send the only message of a call and end it with OK, if it fits into one frame now.

        Returns False, and has sent nothing, when `send` and `finish` must do it.
        """
        size = len(message)
        whole = size + _PREFIX_BYTES
        if (
            whole > frames.MIN_FRAME_SIZE
            or whole > self.window
            or whole > stream.send_window
            or not self._has_sent_block
        ):
            return False
        self.window -= whole
        raw_id = stream.id.to_bytes(4, "big")
        self.out += (
            _RESPONSE_START, raw_id, _RESPONSE,
            _PREFIX.pack(whole >> 8, whole & 0xFF, frames.DATA, 0, stream.id, 0, size), message,
            _TRAILERS_START, raw_id, _TRAILERS_OK,
        )  # fmt: skip
        self._on_ended(stream)
        return True

    def send(self, stream: Stream, message: bytes) -> None:
        """Send a message after the stream's earlier ones, now or when the windows allow it."""
        if not stream.has_sent_headers:
            stream.has_sent_headers = True
            block = self.first_block(_RESPONSE)
            self.out.append(frames.frame(frames.HEADERS, frames.END_HEADERS, stream.id, block))
        size = len(message)
        whole = size + _PREFIX_BYTES
        if (
            stream.unsent is None
            and whole <= frames.MIN_FRAME_SIZE
            and whole <= self.window
            and whole <= stream.send_window
        ):
            self.window -= whole
            stream.send_window -= whole
            prefix = _PREFIX.pack(whole >> 8, whole & 0xFF, frames.DATA, 0, stream.id, 0, size)
            self.out += (prefix, message)
            return
        if stream.unsent is None:
            stream.unsent = deque()
            self._blocked[stream.id] = stream
        stream.unsent.append(_MESSAGE.pack(0, size) + message)
        stream.unsent_bytes += whole
        self.unsent_bytes += whole
        self.send_blocked()

    def finish(self, stream: Stream, status: Status, text: str) -> None:
        """End a stream with a status, after what was sent."""
        trailers = _TRAILERS_OK if status == Status.OK else _trailers(status, text)
        if stream.unsent is not None:
            stream.trailers = trailers
            return
        self.end(stream.id, trailers if stream.has_sent_headers else _RESPONSE + trailers)
        self._on_ended(stream)

    def end(self, stream_id: int, block: bytes) -> None:
        """Send the last header block of a stream."""
        flags = frames.END_HEADERS | frames.END_STREAM
        self.out.append(frames.frame(frames.HEADERS, flags, stream_id, self.first_block(block)))

    def first_block(self, block: bytes) -> bytes:
        """Return a header block of ours; the first one says that we have no dynamic table."""
        if self._has_sent_block:
            return block
        self._has_sent_block = True
        return _NO_TABLE + block

    def send_blocked(self) -> None:
        """Send what the windows allow, one frame of each stream in turn."""
        while self._blocked and self.window > 0:
            has_sent = False
            for stream in tuple(self._blocked.values()):
                size = min(self.window, stream.send_window, frames.MIN_FRAME_SIZE)
                if size > 0 and stream.unsent:
                    self._send_part(stream, size)
                    has_sent = True
            if not has_sent:
                return

    def _send_part(self, stream: Stream, size: int) -> None:
        unsent = stream.unsent
        if unsent is None:
            return
        parts: list[bytes] = []
        room = size
        while unsent and room:
            part = unsent.popleft()
            if len(part) > room:
                unsent.appendleft(part[room:])
                part = part[:room]
            parts.append(part)
            room -= len(part)
        sent = size - room
        self.out.append(frames.frame(frames.DATA, 0, stream.id, b"".join(parts)))
        self.window -= sent
        stream.send_window -= sent
        stream.unsent_bytes -= sent
        self.unsent_bytes -= sent
        if not unsent:
            stream.unsent = None
            del self._blocked[stream.id]
            if stream.trailers is not None:
                self.end(stream.id, stream.trailers)
                self._on_ended(stream)

    def discard(self, stream: Stream) -> None:
        """Forget what a stream had to send still."""
        if stream.unsent is not None:
            self._blocked.pop(stream.id, None)
            self.unsent_bytes -= stream.unsent_bytes
            stream.unsent, stream.unsent_bytes, stream.trailers = None, 0, None


def _trailers(status: Status, text: str) -> bytes:
    """Trailers of a call that fails (gRPC "Status-Message" is percent-encoded UTF-8)."""
    message = urllib.parse.quote(text[:_MAX_TEXT], safe=_PRINTABLE).encode("ascii")
    fields = frames.literal(b"grpc-status", b"%d" % status)
    return fields + (frames.literal(b"grpc-message", message) if message else b"")
