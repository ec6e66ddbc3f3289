"""What a handler of a call-out receives and returns. Everything runs on the event loop's thread.

A method of a service is one of three:

    Unary      a function from all requests of one loop turn to their answers, in order
    Deferred   a function that is given the calls of one loop turn and answers each when it can
    Streaming  a function that opens a session for each stream (client, server or both streaming)

Messages are bytes, without gRPC's five-byte prefix. Handlers must not block for longer than the
gate's time-out. A Unary or Deferred handler may block for one group commit (one write and fdatasync
for the whole batch): requests that come meanwhile form the next batch.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias


class Status(enum.IntEnum):
    """gRPC status codes (gRPC statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An answer without a message: a status that is not OK, and a text for the peer's log."""

    status: Status
    text: str = ""

    def __post_init__(self) -> None:
        if self.status == Status.OK:
            raise ValueError("a refusal cannot have the status OK")


Answer: TypeAlias = bytes | Refusal
"""What one call gets: the message, or why there is none."""


class PendingCall(Protocol):
    """One unary call that a Deferred handler answers."""

    @property
    def request(self) -> bytes: ...

    @property
    def is_open(self) -> bool:
        """Whether the peer still waits: False after `answer`, a reset or the end of the connection."""
        ...

    def answer(self, answer: Answer, /) -> None:
        """Send the answer, together with all others of this loop turn. At most once.

        Does nothing when the call is not open any more. A call that the peer has reset occupies
        its place among `Limits.streams` until `answer` is called, so work for such calls is bounded.
        """
        ...


class CallStream(Protocol):
    """One stream, for its session. Every method does nothing once the stream is not open."""

    @property
    def is_open(self) -> bool:
        """Whether anything can be sent still."""
        ...

    @property
    def unsent_bytes(self) -> int:
        """Bytes given to `send` that wait for the peer's window."""
        ...

    def send(self, message: bytes, /) -> None:
        """Send one message, after all earlier ones.

        When more than `Limits.stream_unsent_bytes` wait, the stream is reset and the session is
        cancelled: a slow reader cannot fill the memory.
        """
        ...

    def finish(self, status: Status = Status.OK, text: str = "") -> None:
        """End the stream after all messages. The session is not called any more."""
        ...

    def pause(self) -> None:
        """Return no more credit to the peer: it can send at most `Limits.stream_window` more."""
        ...

    def resume(self) -> None:
        """Return the credit that was held back."""
        ...


class StreamSession(Protocol):
    """What a handler does with one stream. Calls come in order and never overlap.

    An exception ends this stream with INTERNAL; the others go on.
    """

    def receive(self, messages: Sequence[bytes], /) -> None:
        """Take the messages of one DATA frame, in order; at least one."""
        ...

    def end(self) -> None:
        """The peer sends no more messages. The session may still send, and must `finish`."""
        ...

    def cancel(self) -> None:
        """The stream is gone: the peer reset it, broke a rule, or the connection ended.

        Called at most once, never after `finish`.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Unary:
    """answer: all requests of one loop turn, over all connections → as many answers, in order.

    The requests are at least one. An exception, or another number of answers, ends all calls of the
    batch with INTERNAL: the gate then refuses its requests.
    """

    answer: Callable[[Sequence[bytes]], Sequence[Answer]]


@dataclasses.dataclass(frozen=True, slots=True)
class Deferred:
    """take: all calls of one loop turn, over all connections; each must be answered some time.

    An exception ends those calls of the batch that are not answered yet, with INTERNAL.
    """

    take: Callable[[Sequence[PendingCall]], None]


@dataclasses.dataclass(frozen=True, slots=True)
class Streaming:
    """open: returns the session of a new stream; it may refuse the stream with `finish`."""

    open: Callable[[CallStream], StreamSession]


Method: TypeAlias = Unary | Deferred | Streaming


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One gRPC service. name: its full name in protobuf, as in `envoy.service.auth.v3.Authorization`.

    methods: by name, as in `Check`. Every other method is answered with UNIMPLEMENTED.
    """

    name: str
    methods: Mapping[str, Method]

    def paths(self) -> dict[bytes, Method]:
        """Return the methods by `:path` (gRPC PROTOCOL-HTTP2.md, "Path")."""
        return {f"/{self.name}/{name}".encode(): m for name, m in self.methods.items()}
