"""One call on a connection: its flow-control windows, its unfinished message, its unsent answers.

A Stream is what handlers hold (`service.PendingCall`, `service.CallStream`). It decides nothing: the
rules of HTTP/2 are in `connection`, which reads and writes the fields here.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from gatereeve.intake.callout import service
from gatereeve.intake.callout.service import Answer, Refusal, Status


class Carrier(Protocol):
    """The connection, as a stream sees it."""

    def answer(self, stream: Stream, message: bytes) -> None: ...
    def send(self, stream: Stream, message: bytes) -> None: ...
    def finish(self, stream: Stream, status: Status, text: str) -> None: ...
    def grant(self, stream: Stream) -> None: ...
    def release(self, stream: Stream) -> None: ...


class Stream:
    """The state of one call, owned by its connection.

    is_open: we may send. is_receiving: the peer may send. send_window, receive_window: bytes that
    we, and the peer, may still send. credit: bytes received that were not given back to the peer.
    partial: the beginning of a message. unsent: frames' payloads that wait for a window.
    is_abandoned: the peer reset it while a Deferred handler has it.
    """

    __slots__ = (
        "_carrier", "credit", "has_encoding", "has_sent_headers", "id", "is_abandoned", "is_open",
        "is_paused", "is_receiving", "is_taken", "messages", "method", "partial", "receive_window",
        "request", "send_window", "session", "trailers", "unsent", "unsent_bytes",
    )  # fmt: skip

    def __init__(
        self,
        carrier: Carrier,
        stream_id: int,
        method: service.Method,
        send_window: int,
        receive_window: int,
        *,
        has_encoding: bool,
    ) -> None:
        self._carrier = carrier
        self.id = stream_id
        self.method = method
        self.send_window = send_window
        self.receive_window = receive_window
        self.has_encoding = has_encoding
        self.is_open = True
        self.is_receiving = True
        self.is_abandoned = False
        self.is_taken = False
        self.is_paused = False
        self.has_sent_headers = False
        self.credit = 0
        self.messages = 0
        self.request = b""
        self.partial: bytearray | None = None
        self.session: service.StreamSession | None = None
        self.unsent: deque[bytes] | None = None
        self.unsent_bytes = 0
        self.trailers: bytes | None = None

    def answer(self, answer: Answer) -> None:
        """See `service.PendingCall.answer`."""
        if not self.is_open or self.trailers is not None:
            if self.is_abandoned:
                self.is_abandoned = False
                self._carrier.release(self)
        elif isinstance(answer, Refusal):
            self._carrier.finish(self, answer.status, answer.text)
        else:
            self._carrier.answer(self, answer)

    def send(self, message: bytes) -> None:
        """See `service.CallStream.send`."""
        if self.is_open and self.trailers is None:
            self._carrier.send(self, message)

    def finish(self, status: Status = Status.OK, text: str = "") -> None:
        """See `service.CallStream.finish`."""
        if self.is_open and self.trailers is None:
            self._carrier.finish(self, status, text)

    def pause(self) -> None:
        """See `service.CallStream.pause`."""
        self.is_paused = True

    def resume(self) -> None:
        """See `service.CallStream.resume`."""
        self.is_paused = False
        if self.is_open and self.is_receiving:
            self._carrier.grant(self)
