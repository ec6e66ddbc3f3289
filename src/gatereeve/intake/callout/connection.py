"""One HTTP/2 connection of a gRPC client, without I/O: bytes in, bytes out, calls to handlers.

`receive` takes what was read; `take_output` returns what to write. Frames that this server does not
expect from a gRPC client end the connection with GOAWAY and the error code of RFC 9113, also where
the RFC would let a server end only the stream: the peer is one Envoy on this machine, and a gate
whose call-out fails refuses its requests. What belongs to one call (an unknown method, a message that
is too large or compressed) ends that call with a gRPC status.

Steps of `receive`:
(1) the client preface and its SETTINGS; (2) a frame's header and size; (3) inside a header block only
CONTINUATION; (4) the rules of the frame's type; (5) credit for the connection's receive window.

Sources: RFC 9113; gRPC PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Mapping
from typing import Final

from gatereeve.core.logs import EventLog
from gatereeve.intake.callout import fields, frames, limits, sending, service
from gatereeve.intake.callout.frames import ErrorCode, ProtocolFault
from gatereeve.intake.callout.service import Status, Streaming
from gatereeve.intake.callout.streams import Stream

_LOG = EventLog(__name__)

_MESSAGE: Final = struct.Struct(">BI")
_PREFIX_BYTES: Final = 5
_RESET_COST: Final = 10
_DRAIN_MARK: Final = b"draining"


@dataclasses.dataclass(slots=True)
class Counts:
    """What a server has seen since it started.

    calls: complete unary requests. streams: opened streaming calls. refused: calls that ended with a
    status of ours before a handler had them, or were reset for a limit. resets: by the peer.
    faults: connections that broke a rule or a limit, by error code.
    """

    connections: int = 0
    calls: int = 0
    streams: int = 0
    refused: int = 0
    resets: int = 0
    handler_errors: int = 0
    faults: dict[ErrorCode, int] = dataclasses.field(default_factory=dict)


class Connection:
    """The state of one connection.

    calls: where complete unary calls are put; the server runs and empties the list.
    wake: called when there is output, or a cancelled session, outside of `receive`.
    """

    def __init__(
        self,
        paths: Mapping[bytes, service.Method],
        limit: limits.Limits,
        *,
        calls: list[Stream],
        counts: Counts,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.is_finished = False
        self.last_stream_id = 0
        self.partial_bytes = 0
        self.pending_bytes = 0
        self._limit = limit
        self._calls = calls
        self._counts = counts
        self._wake = wake
        self._decoder = fields.HeadDecoder(paths, limit)
        self._streams: dict[int, Stream] = {}
        self._reset: dict[int, None] = {}
        self._abandoned = 0
        self._cancelled: list[Stream] = []
        self._sender = sending.Sender(on_ended=self._close)
        self._rest = b""
        self._has_preface = False
        self._has_settings = False
        self._is_acknowledged = False
        self._block: tuple[int, int, list[bytes], int] | None = None
        self._drain_step = 0
        self._is_peer_leaving = False
        self._budget: float = limit.control_budget
        self._refilled_at = 0.0
        self._now = 0.0
        self._receive_window = limit.connection_window
        self._credit = 0

    # ── for the server ──────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Write our SETTINGS (RFC 9113 section 3.4)."""
        limit = self._limit
        self._sender.out.append(
            frames.settings(
                (
                    (frames.HEADER_TABLE_SIZE, 0),
                    (frames.MAX_CONCURRENT_STREAMS, limit.streams),
                    (frames.INITIAL_WINDOW_SIZE, limit.stream_window),
                    (frames.MAX_HEADER_LIST_SIZE, limit.header_list_bytes),
                )
            )
        )
        if more := limit.connection_window - frames.DEFAULT_WINDOW:
            self._sender.out.append(frames.window_update(0, more))

    @property
    def open_streams(self) -> int:
        """Calls in progress, with those that were reset and that a Deferred handler still has."""
        return len(self._streams) + self._abandoned

    @property
    def unsent_bytes(self) -> int:
        """Answers that wait for the peer's windows."""
        return self._sender.unsent_bytes

    @property
    def is_ready(self) -> bool:
        """Whether preface, SETTINGS and acknowledgement have come."""
        return self._is_acknowledged

    def receive(self, data: bytes, now: float) -> None:
        """Take what was read. now: seconds on a clock that never goes back. Never raises."""
        if self.is_finished:
            return
        self._now = now
        try:
            self._receive(self._rest + data if self._rest else data)
        except ProtocolFault as fault:
            self.fail(fault.code, fault.text)

    def take_output(self) -> bytes:
        """Return what must be written now, and cancel the sessions of streams that are gone."""
        while self._cancelled:
            cancelled, self._cancelled = self._cancelled, []
            for stream in cancelled:
                self._cancel_session(stream)
        if not self._sender.out:
            return b""
        out, self._sender.out = self._sender.out, []
        return b"".join(out)

    def drain(self) -> None:
        """Begin to end: no new calls after one round trip, those in progress finish.

        GOAWAY with the largest stream id and a PING; its acknowledgement proves that the peer knows,
        and is answered with the GOAWAY that counts (RFC 9113 section 6.8).
        """
        if self._drain_step or self.is_finished:
            return
        if not self._has_settings:
            self._sender.out.append(frames.goaway(0, ErrorCode.NO_ERROR, "draining"))
            self.lose()
            return
        self._drain_step = 1
        self._sender.out.append(frames.goaway(frames.MAX_STREAM_ID, ErrorCode.NO_ERROR, "draining"))
        self._sender.out.append(frames.frame(frames.PING, 0, 0, _DRAIN_MARK))
        self._wake()

    def fail(self, code: ErrorCode, text: str) -> None:
        """End the connection: GOAWAY is its last frame, every open call is gone."""
        if self.is_finished:
            return
        self._counts.faults[code] = self._counts.faults.get(code, 0) + 1
        _LOG.warning("callout_connection_closed", code=code.name, reason=text)
        self._sender.out.append(frames.goaway(self.last_stream_id, code, text))
        self.lose()

    def lose(self) -> None:
        """The connection is gone: nothing is received or sent any more."""
        if not self.is_finished:
            self.is_finished = True
            self._rest = b""
            self._block = None
            for stream in tuple(self._streams.values()):
                self._forget(stream)
            self._wake()

    # ── (1) and (2): frames ─────────────────────────────────────────────────────────────────────

    def _receive(self, data: bytes) -> None:
        at, size = 0, len(data)
        if not self._has_preface:
            if not data.startswith(frames.PREFACE[:size]):
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "no client preface")
            if size < len(frames.PREFACE):
                self._rest = data
                return
            self._has_preface = True
            self._refilled_at = self._now
            at = len(frames.PREFACE)
        unpack, head_bytes = frames.HEADER.unpack_from, frames.HEADER_BYTES
        while size - at >= head_bytes and not self.is_finished:
            high, low, kind, flags, stream_id = unpack(data, at)
            length = high << 8 | low
            if length > frames.MIN_FRAME_SIZE:
                raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            start = at + head_bytes
            at = start + length
            if at > size:
                at = start - head_bytes
                break
            stream_id &= 0x7FFFFFFF
            if kind == frames.DATA and self._block is None and self._has_settings:
                self._take_data(data[start:at], flags, stream_id)
            elif (
                kind == frames.HEADERS
                and flags == frames.END_HEADERS
                and self._block is None
                and self._has_settings
            ):
                self._open(stream_id, data[start:at], flags)
            else:
                self._take_other(kind, flags, stream_id, data[start:at])
        self._rest = b"" if self.is_finished else data[at:]
        if self._credit * 2 >= self._limit.connection_window and not self.is_finished:
            self._sender.out.append(frames.window_update(0, self._credit))  # (5)
            self._receive_window += self._credit
            self._credit = 0

    def _take_other(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        """Every frame but the usual DATA and HEADERS."""
        if not self._has_settings:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS")
            self._has_settings = True
        if self._block is not None:  # (3)
            self._continue_block(kind, flags, stream_id, payload)
        elif kind == frames.HEADERS:
            self._take_headers(flags, stream_id, payload)
        elif (take := self._KINDS.get(kind)) is not None:  # (4)
            self._spend(1)
            take(self, flags, stream_id, payload)
        else:
            self._spend(1)  # an unknown type is ignored (RFC 9113 section 5.5)

    def _spend(self, cost: int) -> None:
        """Take from the budget of control frames; time refills it."""
        self._budget -= cost
        if self._budget < 0:
            limit = self._limit
            self._budget += (self._now - self._refilled_at) * limit.control_per_s
            self._budget = min(self._budget, limit.control_budget)
            self._refilled_at = self._now
            if self._budget < 0:
                raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "too many control frames")

    # ── HEADERS and CONTINUATION (RFC 9113 sections 6.2, 6.10) ──────────────────────────────────

    def _take_headers(self, flags: int, stream_id: int, payload: bytes) -> None:
        payload = _without_padding(payload, flags)
        if flags & frames.PRIORITIZED:
            if len(payload) < 5:
                raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short")
            if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == stream_id:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")
            payload = payload[5:]
        if len(payload) > self._limit.header_block_bytes:
            raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too large")
        if flags & frames.END_HEADERS:
            self._open(stream_id, payload, flags)
        else:
            self._check_is_new(stream_id)
            self._block = (stream_id, flags, [payload], len(payload))

    def _continue_block(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if self._block is None or kind != frames.CONTINUATION or stream_id != self._block[0]:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "a header block was interrupted")
        _, first_flags, parts, size = self._block
        self._spend(1)
        size += len(payload)
        if size > self._limit.header_block_bytes or len(parts) > self._limit.continuations:
            raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too large")
        parts.append(payload)
        if flags & frames.END_HEADERS:
            self._block = None
            self._open(stream_id, b"".join(parts), first_flags)
        else:
            self._block = (stream_id, first_flags, parts, size)

    def _open(self, stream_id: int, block: bytes, flags: int) -> None:
        """A whole header block: a new call."""
        self._check_is_new(stream_id)
        if len(block) > self._limit.header_block_bytes:
            raise ProtocolFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too large")
        head = self._decoder.decode(block)
        if self._drain_step == 2:
            self._reject(stream_id)  # after our last GOAWAY, so it is not processed
            return
        self.last_stream_id = stream_id
        has_ended = flags & frames.END_STREAM
        if len(self._streams) + self._abandoned >= self._limit.streams:
            self._spend(_RESET_COST)
            self._reject(stream_id)
            return
        if not head.is_grpc:
            self._end_unopened(stream_id, sending.NOT_GRPC, is_receiving=not has_ended)
            return
        method = head.method
        if method is None:
            block = sending.refusal(Status.UNIMPLEMENTED, "no such method")
            self._end_unopened(stream_id, block, is_receiving=not has_ended)
            return
        stream = self._streams[stream_id] = Stream(
            self, stream_id, method, self._sender.initial_window, self._limit.stream_window,
            has_encoding=head.has_encoding,
        )  # fmt: skip
        stream.is_receiving = not has_ended
        if type(method) is Streaming:
            self._counts.streams += 1
            self._open_session(stream, method)
        if has_ended and stream.is_open:
            self._end_receiving(stream)

    def _end_unopened(self, stream_id: int, block: bytes, *, is_receiving: bool) -> None:
        """Answer a call that no handler has; what the peer still sends for it is ignored."""
        self._counts.refused += 1
        self._sender.end(stream_id, block)
        if is_receiving:
            self._sender.out.append(frames.rst_stream(stream_id, ErrorCode.NO_ERROR))
            self._note_reset(stream_id)

    def _check_is_new(self, stream_id: int) -> None:
        """Streams of a client have odd, growing numbers (RFC 9113 section 5.1.1)."""
        if stream_id <= self.last_stream_id or not stream_id & 1:
            if stream_id in self._streams:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "trailers in a gRPC request")
            raise ProtocolFault(
                ErrorCode.PROTOCOL_ERROR if not stream_id & 1 else ErrorCode.STREAM_CLOSED,
                f"HEADERS on stream {stream_id}",
            )

    def _reject(self, stream_id: int) -> None:
        """A call that no handler has seen: the peer may send it again elsewhere."""
        self._counts.refused += 1
        self._sender.out.append(frames.rst_stream(stream_id, ErrorCode.REFUSED_STREAM))
        self._note_reset(stream_id)

    # ── DATA (RFC 9113 section 6.1; gRPC "Length-Prefixed-Message") ──────────────────────────────

    def _take_data(self, payload: bytes, flags: int, stream_id: int) -> None:
        length = len(payload)
        self._receive_window -= length
        self._credit += length
        if self._receive_window < 0:
            raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window exceeded")
        if flags & frames.PADDED:
            payload = _without_padding(payload, flags)
        stream = self._streams.get(stream_id)
        if stream is None or not stream.is_receiving:
            self._ignore_data(stream_id)
            return
        stream.receive_window -= length
        if stream.receive_window < 0:
            raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, f"window of stream {stream_id}")
        if payload:
            self._take_payload(stream, payload)
        elif not flags & frames.END_STREAM:
            self._spend(1)
        if not stream.is_receiving:
            return
        if flags & frames.END_STREAM:
            self._end_receiving(stream)
        else:
            stream.credit += length
            if not stream.is_paused and stream.credit * 2 >= self._limit.stream_window:
                self.grant(stream)

    def _ignore_data(self, stream_id: int) -> None:
        """DATA of a call that we ended is still on its way; everything else is a fault."""
        if stream_id not in self._reset:
            if stream_id == 0 or stream_id > self.last_stream_id:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"DATA on stream {stream_id}")
            raise ProtocolFault(ErrorCode.STREAM_CLOSED, f"DATA on stream {stream_id}")
        self._spend(1)

    def _take_payload(self, stream: Stream, payload: bytes) -> None:
        size = len(payload)
        if (
            stream.partial is None
            and size >= _PREFIX_BYTES
            and payload[0] == 0
            and int.from_bytes(payload[1:5], "big") == size - _PREFIX_BYTES
            and size <= self._limit.message_bytes
        ):
            self._deliver(stream, [payload[_PREFIX_BYTES:]])
            return
        buffer = stream.partial
        if buffer is None:
            buffer = stream.partial = bytearray()
        buffer += payload
        self.partial_bytes += size
        messages, at, size = [], 0, len(buffer)
        while size - at >= _PREFIX_BYTES:
            compressed, length = _MESSAGE.unpack_from(buffer, at)
            if compressed or length > self._limit.message_bytes:
                self._refuse_message(stream, compressed)
                return
            end = at + _PREFIX_BYTES + length
            if end > size:
                break
            messages.append(bytes(buffer[at + _PREFIX_BYTES : end]))
            at = end
        self.partial_bytes -= at
        if at == size:
            stream.partial = None
        else:
            del buffer[:at]
        if messages:
            self._deliver(stream, messages)
        if self.partial_bytes > self._limit.partial_bytes and stream.is_open:
            self._refuse(stream, Status.RESOURCE_EXHAUSTED, "too many unfinished messages")

    def _refuse_message(self, stream: Stream, compressed: int) -> None:
        """The prefix of a message that is not taken (gRPC compression.md; status of large messages)."""
        if not compressed:
            text = f"a message of more than {self._limit.message_bytes} bytes"
            self._refuse(stream, Status.RESOURCE_EXHAUSTED, text)
        elif compressed == 1 and stream.has_encoding:
            self._refuse(stream, Status.UNIMPLEMENTED, "compressed messages are not supported")
        else:
            self._refuse(stream, Status.INTERNAL, "a compressed flag without an encoding")

    def _deliver(self, stream: Stream, messages: list[bytes]) -> None:
        if stream.trailers is not None:  # finished; its last answers wait for a window
            return
        if self._budget < self._limit.control_budget:
            self._budget += self._limit.control_per_message * len(messages)
        stream.messages += len(messages)
        if stream.session is not None:
            try:
                stream.session.receive(messages)
            except Exception:  # noqa: BLE001  # the edge of one call
                self._handler_failed(stream)
        elif stream.messages > 1:
            self._refuse(stream, Status.INTERNAL, "more than one message in a unary call")
        else:
            stream.request = messages[0]
            self.pending_bytes += len(messages[0])
            if self.pending_bytes > self._limit.pending_bytes:
                self._refuse(stream, Status.RESOURCE_EXHAUSTED, "too many bytes in open calls")

    def _end_receiving(self, stream: Stream) -> None:
        """The peer has sent END_STREAM."""
        stream.is_receiving = False
        if stream.trailers is not None:
            return
        if stream.partial is not None:
            self._refuse(stream, Status.INTERNAL, "the last message is not complete")
        elif stream.session is not None:
            try:
                stream.session.end()
            except Exception:  # noqa: BLE001  # the edge of one call
                self._handler_failed(stream)
        elif stream.messages == 1:
            self._counts.calls += 1
            self._calls.append(stream)
        elif stream.is_open:
            self._refuse(stream, Status.INTERNAL, "no message in a unary call")

    def grant(self, stream: Stream) -> None:
        """Return the credit of a stream to the peer."""
        if stream.credit:
            self._sender.out.append(frames.window_update(stream.id, stream.credit))
            stream.receive_window += stream.credit
            stream.credit = 0
            self._wake()

    # ── the other frames (RFC 9113 sections 6.3 to 6.9) ─────────────────────────────────────────

    def _take_priority(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id == 0:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "PRIORITY on stream 0")
        if len(payload) != 5:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "PRIORITY of a wrong size")
        if int.from_bytes(payload[:4], "big") & 0x7FFFFFFF == stream_id:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "a stream depends on itself")

    def _take_rst_stream(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "RST_STREAM of a wrong size")
        self._check_not_idle(stream_id, "RST_STREAM")
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        self._counts.resets += 1
        if not stream.messages:
            self._spend(_RESET_COST)
        self._forget(stream)

    def _take_settings(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS on a stream")
        if flags & frames.ACK:
            if payload:
                raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS ACK with a payload")
            if self._is_acknowledged:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "SETTINGS ACK that nothing asked for")
            self._is_acknowledged = True
            self._decoder.forbid_table()
            return
        if len(payload) % 6:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS of a wrong size")
        self._spend(len(payload) // 6)
        for identifier, value in struct.iter_unpack(">HI", payload):
            self._set(identifier, value)
        self._sender.out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._sender.send_blocked()

    def _set(self, identifier: int, value: int) -> None:
        """One setting of the peer (RFC 9113 section 6.5.2). We send no table and small frames."""
        if identifier == frames.INITIAL_WINDOW_SIZE:
            if value > frames.MAX_WINDOW:
                raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, "initial window too large")
            change = value - self._sender.initial_window
            self._sender.initial_window = value
            for stream in self._streams.values():
                stream.send_window += change
                if stream.send_window > frames.MAX_WINDOW:
                    raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, "window too large")
        elif identifier == frames.MAX_FRAME_SIZE:
            if not frames.MIN_FRAME_SIZE <= value < 1 << 24:
                raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"a maximum frame size of {value}")
        elif identifier == frames.ENABLE_PUSH and value > 1:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"ENABLE_PUSH is {value}")

    def _take_push_promise(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE of a client")

    def _take_ping(self, flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "PING on a stream")
        if len(payload) != 8:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "PING of a wrong size")
        if not flags & frames.ACK:
            self._sender.out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif self._drain_step == 1 and payload == _DRAIN_MARK:
            self._drain_step = 2
            self._sender.out.append(
                frames.goaway(self.last_stream_id, ErrorCode.NO_ERROR, "draining")
            )
            self._check_drained()
        else:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "PING ACK that nothing asked for")

    def _take_goaway(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if stream_id:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "GOAWAY on a stream")
        if len(payload) < 8:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY of a wrong size")
        self._is_peer_leaving = True
        self._check_drained()

    def _take_window_update(self, _flags: int, stream_id: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise ProtocolFault(ErrorCode.FRAME_SIZE_ERROR, "WINDOW_UPDATE of a wrong size")
        increment = int.from_bytes(payload, "big") & 0x7FFFFFFF
        if not increment:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0")
        if stream_id == 0:
            self._sender.window += increment
            if self._sender.window > frames.MAX_WINDOW:
                raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window too large")
        else:
            self._check_not_idle(stream_id, "WINDOW_UPDATE")
            stream = self._streams.get(stream_id)
            if stream is None:
                return
            stream.send_window += increment
            if stream.send_window > frames.MAX_WINDOW:
                raise ProtocolFault(ErrorCode.FLOW_CONTROL_ERROR, "stream window too large")
        self._sender.send_blocked()

    def _take_continuation(self, _flags: int, _stream_id: int, _payload: bytes) -> None:
        raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without HEADERS")

    def _check_not_idle(self, stream_id: int, what: str) -> None:
        if stream_id == 0 or (stream_id > self.last_stream_id and stream_id not in self._reset):
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"{what} on idle stream {stream_id}")
        if not stream_id & 1:
            raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, f"{what} on stream {stream_id}")

    _KINDS: Final[Mapping[int, Callable[[Connection, int, int, bytes], None]]] = {
        frames.PRIORITY: _take_priority,
        frames.RST_STREAM: _take_rst_stream,
        frames.SETTINGS: _take_settings,
        frames.PUSH_PROMISE: _take_push_promise,
        frames.PING: _take_ping,
        frames.GOAWAY: _take_goaway,
        frames.WINDOW_UPDATE: _take_window_update,
        frames.CONTINUATION: _take_continuation,
    }

    # ── for the streams ─────────────────────────────────────────────────────────────────────────

    def answer(self, stream: Stream, message: bytes) -> None:
        """Send the only message of a call and end it with OK."""
        if not self._sender.answer(stream, message):
            self.send(stream, message)
            stream.finish()

    def send(self, stream: Stream, message: bytes) -> None:
        """Send a message, now or when the windows allow it; see `CallStream.send` for its bound."""
        sender, limit = self._sender, self._limit
        sender.send(stream, message)
        if stream.unsent_bytes > limit.stream_unsent_bytes:
            self._counts.refused += 1
            sender.out.append(frames.rst_stream(stream.id, ErrorCode.ENHANCE_YOUR_CALM))
            self._note_reset(stream.id)
            self._forget(stream)
        if sender.unsent_bytes > limit.connection_unsent_bytes:
            self.fail(ErrorCode.ENHANCE_YOUR_CALM, "too many bytes wait for the peer's window")
        self._wake()

    def finish(self, stream: Stream, status: Status, text: str) -> None:
        """End a call with a status, after what was sent."""
        self._sender.finish(stream, status, text)

    def _close(self, stream: Stream) -> None:
        """The sender has sent the end of this call; when the peer has not ended, it need not go on.

        Source: RFC 9113 section 8.1.
        """
        if stream.is_receiving:
            self._sender.out.append(frames.rst_stream(stream.id, ErrorCode.NO_ERROR))
            self._note_reset(stream.id)
        self._drop(stream)
        self._wake()

    # ── the ends of calls ───────────────────────────────────────────────────────────────────────

    def _refuse(self, stream: Stream, status: Status, text: str) -> None:
        """End a call for a fault of the peer; its session is cancelled."""
        self._counts.refused += 1
        self._sender.discard(stream)
        self.finish(stream, status, text)
        if stream.session is not None:
            self._cancelled.append(stream)

    def _handler_failed(self, stream: Stream) -> None:
        """End a call for a defect of its handler; the others go on."""
        _LOG.exception("callout_handler_failed", stream=stream.id)
        self._counts.handler_errors += 1
        stream.session = None
        if stream.is_open:
            self._sender.discard(stream)
            self.finish(stream, Status.INTERNAL, "the handler failed")

    def _open_session(self, stream: Stream, method: Streaming) -> None:
        try:
            stream.session = method.open(stream)
        except Exception:  # noqa: BLE001  # the edge of one call
            self._handler_failed(stream)

    def _cancel_session(self, stream: Stream) -> None:
        session, stream.session = stream.session, None
        if session is not None:
            try:
                session.cancel()
            except Exception:  # noqa: BLE001  # the edge of one call
                _LOG.exception("callout_handler_failed", stream=stream.id)
                self._counts.handler_errors += 1

    def _forget(self, stream: Stream) -> None:
        """A call that ends without our END_STREAM."""
        is_finished = stream.trailers is not None
        self._drop(stream)
        if stream.is_taken and not is_finished:
            stream.is_abandoned = True
            self._abandoned += 1
            self.pending_bytes += len(stream.request)
        if stream.session is not None and not is_finished:
            self._cancelled.append(stream)
            self._wake()

    def _drop(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        stream.is_open = stream.is_receiving = False
        self.pending_bytes -= len(stream.request)
        self._sender.discard(stream)
        if stream.partial is not None:
            self.partial_bytes -= len(stream.partial)
            stream.partial = None
        self._check_drained()

    def _note_reset(self, stream_id: int) -> None:
        """Frames of this stream may still be on their way (RFC 9113 section 5.1, "closed")."""
        self._reset[stream_id] = None
        if len(self._reset) > 2 * self._limit.streams:
            del self._reset[next(iter(self._reset))]

    def release(self, stream: Stream) -> None:
        """A Deferred handler has answered a call that the peer had reset."""
        self._abandoned -= 1
        self.pending_bytes -= len(stream.request)

    def _check_drained(self) -> None:
        """Whether this connection is over: asked to end, and nothing in progress."""
        if self.is_finished or self._streams:
            return
        if self._drain_step == 2 or self._is_peer_leaving:
            self.is_finished = True
            self._wake()


def _without_padding(payload: bytes, flags: int) -> bytes:
    """The payload without its padding (RFC 9113 section 6.1)."""
    if not flags & frames.PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ProtocolFault(ErrorCode.PROTOCOL_ERROR, "more padding than payload")
    return payload[1 : len(payload) - payload[0]]
