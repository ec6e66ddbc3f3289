"""`python -m tests.fuzz.callout [N=100000] [SEED=…] [ONLY=…]`: frames of clients, most of them broken.

Each input is a conversation: what a gRPC client does, as frames, with the answers of handlers, drains
and lost connections in between. Three of four are then damaged: a field of a frame changed, bytes cut,
repeated or swapped, frames of any kind put in between. Each is made from its number and the seed
alone, so a failure is repeated with `ONLY`.

What must hold for every input:

1. nothing but a clean end leaves the connection: no exception, no frame after an error;
2. the server obeys RFC 9113 itself: windows, order of frames (`callout_wire.Observer`);
3. the limits hold, and the counters of bytes agree with what is really held;
4. a session is cancelled at most once, and at the end nothing is open;
5. an undamaged conversation has no fault, and every call gets its own answer;
6. the same bytes in other pieces give the same calls and the same fault;
7. what the h2 library refuses, this server refuses too (for every eighth input).
"""

# ruff: noqa: T201  # a program

from __future__ import annotations

import os
import random
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.exceptions
import h2.settings

from gatereeve.intake.callout import limits, service
from tests.support import callout_wire as wire
from tests.support.callout_wire import Wire, frame, message

SMALL = limits.Limits(
    streams=4, message_bytes=3_000, stream_window=65_535, connection_window=65_535,
    partial_bytes=4_000, pending_bytes=9_000, stream_unsent_bytes=150_000, connection_unsent_bytes=250_000,
    header_block_bytes=700, header_list_bytes=900, header_fields=20, continuations=3,
    control_budget=60, control_per_s=1, control_per_message=2,
)  # fmt: skip
FULL = limits.Limits()
H2_EVERY = 8
PIECES_EVERY = 4

Step = bytes | str
"""Bytes of the client, or what happens on the server's side: `answer`, `drain`, `send`, `lose`."""


@dataclass(slots=True)
class Conversation:
    """steps: in order. expected: the requests of unary calls, when nothing is damaged."""

    is_damaged: bool
    steps: list[Step] = field(default_factory=list)
    expected: list[bytes] = field(default_factory=list)


class Maker:
    """Makes one conversation."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.made = Conversation(is_damaged=chance.random() < 0.75)
        self.next = 1
        self.streams: list[int] = []
        self.has_table = True

    def make(self) -> Conversation:
        chance, steps = self.chance, self.made.steps
        steps.append(wire.PREFACE + wire.settings((4, chance.choice((0, 10, 65_535, 1 << 20)))))
        if chance.random() < 0.9:
            steps.append(frame(wire.SETTINGS, wire.ACK))
            self.has_table = False
        for _ in range(chance.randrange(2, 14)):
            chance.choices(*self.ACTIONS)[0](self)
            if chance.random() < 0.2:
                steps.append(chance.choice(("answer", "answer", "answer", "send", "drain")))
        steps.append("answer")
        if self.made.is_damaged:
            self._damage()
            if chance.random() < 0.1:
                steps.insert(chance.randrange(len(steps)), "lose")
        return self.made

    def _open(self, path: bytes, flags: int = 0) -> int:
        chance, stream = self.chance, self.next
        self.next += 2 * chance.choice((1, 1, 1, 5))
        block = wire.literals(wire.request_fields(path))
        if chance.random() < 0.2:
            block += wire.literals([(b"x-%d" % n, b"v" * chance.randrange(9)) for n in range(3)])
        if self.has_table and chance.random() < 0.5:
            block += b"\x40\x01a\x01b\xbe"
        elif stream == 1 or chance.random() < 0.05:
            block = b"\x20" + block
            self.has_table = False
        steps = self.made.steps
        how = chance.random()
        if how < 0.8:
            steps.append(frame(wire.HEADERS, flags | wire.END_HEADERS, stream, block))
        elif how < 0.9:
            cut = chance.randrange(len(block))
            steps.append(frame(wire.HEADERS, flags, stream, block[:cut]))
            steps.append(frame(wire.CONTINUATION, wire.END_HEADERS, stream, block[cut:]))
        else:
            padded = bytes([3]) + bytes(4) + b"\x07" + block + bytes(3)
            kinds = wire.END_HEADERS | wire.PADDED | wire.PRIORITIZED
            steps.append(frame(wire.HEADERS, flags | kinds, stream, padded))
        return stream

    def call(self) -> None:
        """A unary call, in one frame or several."""
        chance = self.chance
        stream = self._open(chance.choice((wire.UNARY, wire.UNARY, wire.DEFERRED)))
        body = b"%d " % stream + bytes(chance.choice((0, 1, 100, 2_900)))
        self.made.expected.append(body)
        self._data(stream, message(body), ends=True)

    def unknown(self) -> None:
        self._open(b"/t.S/None", wire.END_STREAM)

    def stream(self) -> None:
        self.streams.append(self._open(wire.STREAMING))

    def say(self) -> None:
        """Messages on an open stream."""
        if self.streams:
            words: tuple[bytes, ...] = (b"echo", b"x", b"pause", b"echo" * 200)
            if self.made.is_damaged:
                words += (b"big", b"finish", b"fail")
            parts = b"".join(
                message(self.chance.choice(words)) for _ in range(self.chance.choice((1, 1, 2, 5)))
            )
            self._data(self.chance.choice(self.streams), parts, ends=False)

    def end(self) -> None:
        if self.streams:
            stream = self.streams.pop(self.chance.randrange(len(self.streams)))
            self.made.steps.append(frame(wire.DATA, wire.END_STREAM, stream))

    def reset(self) -> None:
        if self.streams:
            stream = self.streams.pop(self.chance.randrange(len(self.streams)))
            self.made.steps.append(wire.rst(stream, self.chance.randrange(14)))

    def control(self) -> None:
        chance = self.chance
        self.made.steps.append(
            chance.choice((
                frame(wire.PING, 0, 0, bytes(8)),
                wire.settings((3, 9), (4, chance.choice((0, 5, 70_000))), (6, 99)),
                wire.settings((0x99, 1)),
                wire.window_update(0, chance.choice((1, 100, 100_000))),
                frame(wire.PRIORITY, 0, 99, bytes(5)),
                frame(chance.randrange(10, 256), chance.randrange(256), 1, b"unknown"),
            ))
        )  # fmt: skip
        if self.streams and chance.random() < 0.5:
            update = wire.window_update(chance.choice(self.streams), chance.choice((1, 99_999)))
            self.made.steps.append(update)

    def leave(self) -> None:
        if self.made.is_damaged and self.chance.random() < 0.3:
            self.made.steps.append(frame(wire.GOAWAY, 0, 0, bytes(8)))

    ACTIONS = (
        (call, unknown, stream, say, end, reset, control, leave),
        (30, 4, 12, 25, 6, 4, 12, 2),
    )

    def _data(self, stream: int, data: bytes, *, ends: bool) -> None:
        chance, steps = self.chance, self.made.steps
        cuts = sorted(
            chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 0, 0, 1, 2)))
        )
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        for number, part in enumerate(parts, 1):
            flags = wire.END_STREAM if ends and number == len(parts) else 0
            if chance.random() < 0.1:
                steps.append(
                    frame(wire.DATA, flags | wire.PADDED, stream, b"\x02" + part + b"\0\0")
                )
            else:
                steps.append(frame(wire.DATA, flags, stream, part))

    def _damage(self) -> None:
        chance, steps = self.chance, self.made.steps
        for _ in range(chance.choice((1, 1, 2, 4))):
            at = chance.randrange(len(steps))
            step = steps[at]
            if isinstance(step, str) or not step:
                continue
            how = chance.randrange(9)
            if how == 0:
                steps[at] = _change(chance, step, chance.randrange(min(9, len(step))))
            elif how in {1, 2}:
                steps[at] = _change(chance, step, chance.randrange(len(step)))
            elif how == 3:
                steps[at] = step[: chance.randrange(len(step))]
            elif how == 4:
                steps[at:at] = [step] * chance.choice((1, 2, 70))
            elif how == 5:
                other = chance.randrange(len(steps))
                steps[at], steps[other] = steps[other], steps[at]
            elif how == 6:
                del steps[at]
            elif how == 7:
                steps.insert(at, self._any_frame())
            else:
                steps.insert(at, bytes(chance.randrange(256) for _ in range(chance.randrange(40))))

    def _any_frame(self) -> bytes:
        chance = self.chance
        size = chance.choice((0, 1, 4, 5, 6, 8, 9, 100, 16_384, 16_385))
        payload = bytes(size) if chance.random() < 0.5 else chance.randbytes(size)
        stream = chance.choice((0, 0, 1, 3, 5, 7, 9, 2, self.next, 2**31 - 1, 2**32 - 1))
        flags = chance.choice((0, 1, 4, 5, 8, 0x20, 0xFF))
        return frame(chance.randrange(11), flags, stream, payload)


def _change(chance: random.Random, data: bytes, at: int) -> bytes:
    value = chance.choice((0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1 << chance.randrange(8)))
    return data[:at] + bytes([value]) + data[at + 1 :]


@dataclass(slots=True)
class Outcome:
    requests: list[bytes]
    received: list[list[bytes]]
    error: int | None
    has_taken_all: bool


class Run:
    """Plays a conversation against a connection, and checks what must hold."""

    def __init__(self, made: Conversation, limit: limits.Limits) -> None:
        self.made, self.limit = made, limit
        self.wire = Wire(limit, ready=False)
        self.requests: list[bytes] = []
        self._read = b""

    def play(self, pieces: random.Random | None = None) -> Outcome:
        for step in self.made.steps:
            if isinstance(step, str):
                self._act(step)
            elif pieces is None:
                self._send(step)
            else:
                at = 0
                while at < len(step):
                    size = pieces.choice((1, 2, 7, 100, 20_000))
                    self._send(step[at : at + size])
                    at += size
            self._check()
        error = self.wire.seen.error
        connection = self.wire.connection
        has_taken_all = not connection.is_finished and not connection._rest
        self._act("lose")
        self._check_end()
        received = [session.received for session in self.wire.sessions]
        return Outcome(
            requests=self.requests, received=received, error=error, has_taken_all=has_taken_all
        )

    def _send(self, data: bytes) -> None:
        self._note_grants(data)
        self.wire.send(data)

    def _note_grants(self, data: bytes) -> None:
        """What the client grants with these bytes, for the observer."""
        seen = self.wire.seen
        self._read += data
        if not self._read.startswith(wire.PREFACE):
            return
        at = len(wire.PREFACE)
        while len(self._read) - at >= 9:
            size = int.from_bytes(self._read[at : at + 3])
            kind, flags = self._read[at + 3], self._read[at + 4]
            stream = int.from_bytes(self._read[at + 5 : at + 9]) & 0x7FFFFFFF
            payload = self._read[at + 9 : at + 9 + size]
            if len(payload) < size:
                break
            at += 9 + size
            if kind == wire.WINDOW_UPDATE and size == 4:
                seen.grant(stream, int.from_bytes(payload) & 0x7FFFFFFF)
            elif kind == wire.SETTINGS and not flags & 1 and size % 6 == 0:
                for n in range(0, size, 6):
                    if payload[n : n + 2] == b"\0\4":
                        seen.set_initial_window(int.from_bytes(payload[n + 2 : n + 6]))
        self._read = wire.PREFACE + self._read[at:]

    def _act(self, step: str) -> None:
        peer = self.wire
        if step == "answer":
            for call in peer.calls:
                call.is_taken = isinstance(call.method, service.Deferred) and call.is_open
            late = [call for call in peer.calls if call.is_taken and self.made.is_damaged]
            peer.calls[:] = [call for call in peer.calls if call not in late]
            for call in peer.taken:
                call.answer(call.request)
            peer.taken[:] = late
            self.requests += peer.answer_all()
        elif step == "drain":
            peer.connection.drain()
            peer.flush()
        elif step == "send":
            for session in peer.sessions:
                session.stream.resume()
                session.stream.send(b"by itself")
            peer.flush()
        else:
            peer.connection.lose()
            peer.flush()

    def _check(self) -> None:
        connection, limit = self.wire.connection, self.limit
        streams = connection._streams.values()
        assert connection.open_streams <= limit.streams
        assert connection.partial_bytes == sum(len(s.partial or b"") for s in streams)
        assert connection.partial_bytes <= limit.partial_bytes
        assert connection.pending_bytes >= sum(len(s.request) for s in streams)
        assert connection.pending_bytes <= limit.pending_bytes
        assert connection.unsent_bytes == sum(s.unsent_bytes for s in streams)
        assert connection.unsent_bytes <= limit.connection_unsent_bytes
        assert all(s.unsent_bytes == sum(map(len, s.unsent or ())) for s in streams)
        assert all(s.unsent_bytes <= limit.stream_unsent_bytes for s in streams)
        assert len(connection._rest) <= 16_384 + 9
        assert len(connection._reset) <= 2 * limit.streams
        assert all(session.cancelled <= 1 for session in self.wire.sessions)
        assert self.wire.seen.is_between_frames
        assert (self.wire.seen.error is None) <= (not self.wire.counts.faults)
        assert connection.is_finished or not self.wire.counts.faults

    def _check_end(self) -> None:
        assert self.wire.connection.is_finished
        assert not self.wire.connection._streams
        assert self.wire.connection.partial_bytes == self.wire.connection.unsent_bytes == 0
        for call in self.wire.taken:
            call.answer(b"late")
        assert self.wire.connection.pending_bytes == self.wire.connection.open_streams == 0
        for session in self.wire.sessions:
            assert not session.stream.is_open
            assert session.cancelled + session.has_ended <= 1
            finished = b"finish" in session.received or b"fail" in session.received
            assert session.cancelled or session.has_ended or finished


def check(number: int, seed: int) -> str:
    """Check one input; returns what became of it, for statistics. Raises AssertionError."""
    chance = random.Random(f"{seed}/{number}")
    made = Maker(chance).make()
    limit = SMALL if made.is_damaged and chance.random() < 0.7 else FULL
    found = Run(made, limit).play()
    if not made.is_damaged:
        assert found.error is None, found.error
        assert sorted(found.requests) == sorted(made.expected)
    if number % PIECES_EVERY == 0:
        again = Run(made, limit).play(chance)
        assert again.error == found.error
        assert again.requests == found.requests
        assert [b"".join(r) for r in again.received] == [b"".join(r) for r in found.received]
    if number % H2_EVERY == 0 and found.has_taken_all:
        _check_h2(made, limit)
    if found.error is None:
        return "whole" if not made.is_damaged else "survived"
    return f"error {found.error}"


def _check_h2(made: Conversation, limit: limits.Limits) -> None:
    """We accepted everything: so must h2."""
    ours = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    ours.local_settings = h2.settings.Settings(
        client=False,
        initial_values={
            h2.settings.SettingCodes.HEADER_TABLE_SIZE: 4_096,
            h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: limit.stream_window,
        },
    )
    ours.initiate_connection()
    ours.increment_flow_control_window(limit.connection_window * 2)
    data = b"".join(step for step in made.steps if isinstance(step, bytes))
    try:
        ours.receive_data(data)
    except h2.exceptions.StreamClosedError:
        return  # it does not know which streams we have reset
    except h2.exceptions.FlowControlError:
        return  # it does not know the credit that we have returned
    except h2.exceptions.ProtocolError as error:
        if "ConnectionState.CLOSED" in str(error):
            return  # it takes nothing after a GOAWAY of the client; RFC 9113 lets calls go on
        if "ALTSVC" in str(error.__cause__):
            return  # it knows this type of frame; to us it is unknown, so it is ignored
        if "1 to 2^31-1" in str(error.__cause__):
            return  # it does not ignore the reserved bit of WINDOW_UPDATE (RFC 9113 section 6.9)
        raise AssertionError(f"h2 refuses: {type(error).__name__}: {error}") from error


def main() -> int:
    given = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
    count, seed = (
        int(given.get("N", 100_000)),
        int(given.get("SEED", int.from_bytes(os.urandom(4)))),
    )
    numbers = [int(given["ONLY"])] if "ONLY" in given else range(count)
    print(f"{len(numbers)} inputs, SEED={seed}", flush=True)
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    failed = 0
    for number in numbers:
        try:
            outcomes[check(number, seed)] += 1
        except Exception:  # noqa: BLE001  # a failure is what is searched for
            failed += 1
            print(f"SEED={seed} ONLY={number}:\n{traceback.format_exc()}", flush=True)
            if failed >= 5:
                break
        if number and number % 100_000 == 0:
            print(f"{number} after {time.monotonic() - began:.0f} s", flush=True)
    kinds = "; ".join(f"{kind}: {times}" for kind, times in sorted(outcomes.items()))
    print(f"{kinds} in {time.monotonic() - began:.0f} s; {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    sys.exit(main())
