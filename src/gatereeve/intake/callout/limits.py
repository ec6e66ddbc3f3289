"""Every limit of the call-out server, with its default. A peer that exceeds one is disconnected
or its call is refused; nothing here depends on the peer's good will.

Defaults fit Envoy on the same machine: some connections (one for each worker thread), up to a
thousand calls in progress, messages of some kilobytes to one megabyte.
"""

from __future__ import annotations

import dataclasses

from gatereeve.intake.callout import frames


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one socket accepts. Sizes are bytes, times are seconds.

    connections: open at once on one socket; the next ones are closed at once.
    streams: calls in progress for each connection (SETTINGS_MAX_CONCURRENT_STREAMS).
    message_bytes: one gRPC message.
    stream_window, connection_window: what the peer may send before we return credit.
    partial_bytes: parts of unfinished messages that one connection may hold, over all its calls.
    pending_bytes: requests of unary calls that one connection has open, from the message to its answer.
    stream_unsent_bytes: answers of one call that wait for the peer's window.
    connection_unsent_bytes: the same over all calls, and what waits for a slow reader.
    header_block_bytes, header_list_bytes, header_fields: one header block, coded and decoded.
    continuations: CONTINUATION frames of one header block.
    control_budget, control_per_s, control_per_message: control frames (PING, SETTINGS, PRIORITY,
        RST_STREAM, WINDOW_UPDATE, empty DATA, unknown types) cost one from a budget, calls that are
        reset before their first message cost ten; time and messages refill it up to its start.
    handshake_s: until the client preface and the acknowledgement of our SETTINGS must be there.
    stalled_s: how long a peer may read nothing while we have something to send.
    """

    connections: int = 64
    streams: int = 1_000
    message_bytes: int = 4 * 1024 * 1024
    stream_window: int = 1024 * 1024
    connection_window: int = 16 * 1024 * 1024
    partial_bytes: int = 32 * 1024 * 1024
    pending_bytes: int = 64 * 1024 * 1024
    stream_unsent_bytes: int = 8 * 1024 * 1024
    connection_unsent_bytes: int = 32 * 1024 * 1024
    header_block_bytes: int = 16 * 1024
    header_list_bytes: int = 16 * 1024
    header_fields: int = 100
    continuations: int = 8
    control_budget: int = 2_000
    control_per_s: int = 200
    control_per_message: int = 4
    handshake_s: float = 10.0
    stalled_s: float = 10.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) <= 0:
                raise ValueError(f"{field.name} must be more than 0")
        for name in ("stream_window", "connection_window"):
            value = getattr(self, name)
            if not frames.DEFAULT_WINDOW <= value <= frames.MAX_WINDOW:
                raise ValueError(f"{name} is {value}; RFC 9113 allows 65535 to 2147483647 here")
