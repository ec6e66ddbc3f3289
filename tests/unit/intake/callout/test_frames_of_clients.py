"""Every kind of frame that a client can send: what is answered, and what closes the connection."""

from __future__ import annotations

import struct

import pytest

from gatereeve.intake.callout import limits
from tests.support import callout_wire as wire
from tests.support.callout_wire import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Wire,
    frame,
    headers,
    literals,
    message,
    request_fields,
    settings,
    unary,
    window_update,
)  # fmt: skip

BLOCK = literals(request_fields())


def block(**changed: bytes | None) -> bytes:
    """A header block with other values; `_` stands for `-`, a leading `_` for `:`."""
    names = {
        (":" + n[1:] if n[0] == "_" else n).replace("_", "-").encode(): v
        for n, v in changed.items()
    }
    return literals(request_fields(changed=names))


OPEN = headers(3, wire.STREAMING)
FAULTS = {
    "data on stream 0": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "data on an idle stream": (frame(DATA, 0, 3, b"x"), PROTOCOL_ERROR),
    "data after the end": (unary(3) + frame(DATA, 0, 3, b"x"), STREAM_CLOSED),
    "data with too much padding": (OPEN + frame(DATA, PADDED, 3, b"\x05xxxx"), PROTOCOL_ERROR),
    "data that is padded and empty": (OPEN + frame(DATA, PADDED, 3), PROTOCOL_ERROR),
    "data of a refused call with too much padding": (
        headers(3, b"/t.S/None") + frame(DATA, PADDED, 3), PROTOCOL_ERROR),
    "a frame larger than allowed": (OPEN + frame(DATA, 0, 3, bytes(16_385)), FRAME_SIZE_ERROR),
    "headers on stream 0": (headers(0), PROTOCOL_ERROR),
    "headers on an even stream": (headers(4), PROTOCOL_ERROR),
    "headers on an older stream": (unary(5) + headers(3), STREAM_CLOSED),
    "headers twice": (headers(3) + headers(3), PROTOCOL_ERROR),
    "trailers": (OPEN + headers(3, flags=END_HEADERS | END_STREAM), PROTOCOL_ERROR),
    "headers with too much padding": (
        frame(HEADERS, END_HEADERS | PADDED, 3, b"\xff" + BLOCK), PROTOCOL_ERROR),
    "headers without room for a priority": (
        frame(HEADERS, END_HEADERS | PRIORITIZED, 3, b"\x00" * 4), FRAME_SIZE_ERROR),
    "headers that depend on themselves": (
        frame(HEADERS, END_HEADERS | PRIORITIZED, 3, struct.pack(">IB", 3, 0) + BLOCK),
        PROTOCOL_ERROR),
    "a header block that is cut": (frame(HEADERS, END_HEADERS, 3, BLOCK[:-1]), COMPRESSION_ERROR),
    "an index that does not exist": (frame(HEADERS, END_HEADERS, 3, b"\xbe"), COMPRESSION_ERROR),
    "a table that is too large": (
        frame(HEADERS, END_HEADERS, 3, b"\x3f\x01" + BLOCK), COMPRESSION_ERROR),
    "a Huffman code that is not complete": (
        frame(HEADERS, END_HEADERS, 3, b"\x00\x81\x00\x00"), COMPRESSION_ERROR),
    "an empty header block": (frame(HEADERS, END_HEADERS, 3), PROTOCOL_ERROR),
    "a GET": (frame(HEADERS, END_HEADERS, 3, block(_method=b"GET")), PROTOCOL_ERROR),
    "no scheme": (frame(HEADERS, END_HEADERS, 3, block(_scheme=None)), PROTOCOL_ERROR),
    "no path": (frame(HEADERS, END_HEADERS, 3, block(_path=b"")), PROTOCOL_ERROR),
    "no authority": (frame(HEADERS, END_HEADERS, 3, block(_authority=None)), PROTOCOL_ERROR),
    "a host": (frame(HEADERS, END_HEADERS, 3, block(host=b"t")), PROTOCOL_ERROR),
    "another pseudo-header": (frame(HEADERS, END_HEADERS, 3, block(_status=b"1")), PROTOCOL_ERROR),
    "a pseudo-header twice": (
        frame(HEADERS, END_HEADERS, 3, literals([(b":method", b"POST")]) + BLOCK), PROTOCOL_ERROR),
    "a pseudo-header at the end": (
        frame(HEADERS, END_HEADERS, 3, block(_authority=None) + literals([(b":authority", b"t")])),
        PROTOCOL_ERROR),
    "a field of HTTP/1.1": (frame(HEADERS, END_HEADERS, 3, block(connection=b"x")), PROTOCOL_ERROR),
    "a content length": (frame(HEADERS, END_HEADERS, 3, block(content_length=b"1")), PROTOCOL_ERROR),
    "another TE": (frame(HEADERS, END_HEADERS, 3, block(te=b"gzip")), PROTOCOL_ERROR),
    "a name in upper case": (frame(HEADERS, END_HEADERS, 3, block(X=b"x")), PROTOCOL_ERROR),
    "a name with a space": (
        frame(HEADERS, END_HEADERS, 3, BLOCK + literals([(b"x y", b"1")])), PROTOCOL_ERROR),
    "a value with a line end": (frame(HEADERS, END_HEADERS, 3, block(x=b"a\nb")), PROTOCOL_ERROR),
    "a value that begins with a space": (
        frame(HEADERS, END_HEADERS, 3, block(x=b" a")), PROTOCOL_ERROR),
    "too many fields": (
        frame(HEADERS, END_HEADERS, 3, BLOCK + literals([(b"a", b"b")]) * 100), ENHANCE_YOUR_CALM),
    "a header list that is too large": (
        frame(HEADERS, END_HEADERS, 3, BLOCK + b"\x82" * 8_000), ENHANCE_YOUR_CALM),
    "a header block that is interrupted": (
        frame(HEADERS, 0, 3, BLOCK) + frame(PING, 0, 0, bytes(8)), PROTOCOL_ERROR),
    "a header block that is interrupted by an unknown type": (
        frame(HEADERS, 0, 3, BLOCK) + frame(0x4D), PROTOCOL_ERROR),
    "a header block that is interrupted by data": (
        OPEN + frame(HEADERS, 0, 5, BLOCK) + frame(DATA, 0, 3, b"x"), PROTOCOL_ERROR),
    "a continuation on another stream": (
        frame(HEADERS, 0, 3, BLOCK) + frame(CONTINUATION, END_HEADERS, 5), PROTOCOL_ERROR),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, 3, BLOCK), PROTOCOL_ERROR),
    "the beginning of a header block on stream 0": (frame(HEADERS, 0, 0), PROTOCOL_ERROR),
    "the beginning of trailers": (OPEN + frame(HEADERS, 0, 3), PROTOCOL_ERROR),
    "many continuations": (
        frame(HEADERS, 0, 3, BLOCK) + frame(CONTINUATION, 0, 3) * 9, ENHANCE_YOUR_CALM),
    "large continuations": (
        frame(HEADERS, 0, 3, BLOCK) + frame(CONTINUATION, 0, 3, bytes(16_384)), ENHANCE_YOUR_CALM),
    "priority on stream 0": (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL_ERROR),
    "priority of a wrong size": (frame(PRIORITY, 0, 3, bytes(4)), FRAME_SIZE_ERROR),
    "priority on itself": (frame(PRIORITY, 0, 3, struct.pack(">IB", 3, 0)), PROTOCOL_ERROR),
    "reset of stream 0": (wire.rst(0), PROTOCOL_ERROR),
    "reset of an idle stream": (wire.rst(3), PROTOCOL_ERROR),
    "reset of a wrong size": (OPEN + frame(RST_STREAM, 0, 3, bytes(3)), FRAME_SIZE_ERROR),
    "settings on a stream": (frame(SETTINGS, 0, 3), PROTOCOL_ERROR),
    "settings of a wrong size": (frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "settings acknowledgement with a payload": (frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
    "settings acknowledged twice": (frame(SETTINGS, ACK), PROTOCOL_ERROR),
    "an initial window that is too large": (settings((4, 1 << 31)), FLOW_CONTROL_ERROR),
    "an initial window that overflows": (
        OPEN + window_update(3, 2**31 - 1 - 65_535) + settings((4, 65_536)), FLOW_CONTROL_ERROR),
    "a maximum frame size below the minimum": (settings((5, 16_383)), PROTOCOL_ERROR),
    "a maximum frame size above the maximum": (settings((5, 1 << 24)), PROTOCOL_ERROR),
    "push that is neither on nor off": (settings((2, 2)), PROTOCOL_ERROR),
    "a push promise": (frame(PUSH_PROMISE, END_HEADERS, 3, bytes(4)), PROTOCOL_ERROR),
    "ping on a stream": (frame(PING, 0, 3, bytes(8)), PROTOCOL_ERROR),
    "ping of a wrong size": (frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "ping acknowledgement of nothing": (frame(PING, ACK, 0, bytes(8)), PROTOCOL_ERROR),
    "goaway on a stream": (frame(GOAWAY, 0, 3, bytes(8)), PROTOCOL_ERROR),
    "goaway of a wrong size": (frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "window update of 0": (window_update(0, 0), PROTOCOL_ERROR),
    "window update of 0 on a stream": (OPEN + window_update(3, 0), PROTOCOL_ERROR),
    "window update of a wrong size": (frame(WINDOW_UPDATE, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "window update on an idle stream": (window_update(3, 1), PROTOCOL_ERROR),
    "window update that overflows": (window_update(0, 2**31 - 1), FLOW_CONTROL_ERROR),
    "window update that overflows a stream": (OPEN + window_update(3, 2**31 - 1), FLOW_CONTROL_ERROR),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_grpc_client_never_sends_closes_the_connection(name: str) -> None:
    data, code = FAULTS[name]
    peer = Wire()
    peer.send(data)
    assert peer.seen.error == code
    assert peer.counts.faults == {code: 1}
    assert peer.connection.is_finished
    peer.send(unary(101))  # nothing is taken any more
    assert peer.answer_all() == []


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_found_byte_by_byte(name: str) -> None:
    data, code = FAULTS[name]
    peer = Wire()
    for at in range(len(data)):
        peer.send(data[at : at + 1])
    assert peer.seen.error == code


def test_each_fault_is_alone_in_its_bytes() -> None:
    """What comes before the fault in the cases above is fine by itself."""
    peer = Wire()
    peer.send(OPEN + unary(5) + unary(7) + frame(HEADERS, END_HEADERS, 9, BLOCK))
    assert peer.seen.error is None
    assert peer.answer_all() == [b"q", b"q"]


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n\r\n", wire.PREFACE[:-1] + b"x", b"\x16\x03\x01"],
    ids=["HTTP/1.1", "almost", "TLS"],
)
def test_a_connection_begins_with_the_preface(data: bytes) -> None:
    peer = Wire(ready=False)
    peer.send(data)
    assert peer.seen.error == PROTOCOL_ERROR


@pytest.mark.parametrize(
    "first",
    [frame(PING, 0, 0, bytes(8)), unary(1), frame(SETTINGS, ACK), frame(0x4D)],
    ids=["ping", "call", "acknowledgement", "unknown"],
)
def test_the_first_frame_is_settings(first: bytes) -> None:
    peer = Wire(ready=False)
    peer.send(wire.PREFACE + first)
    assert peer.seen.error == PROTOCOL_ERROR


def test_our_settings_say_what_we_keep() -> None:
    limit = limits.Limits(streams=7, stream_window=70_000, connection_window=80_000)
    peer = Wire(limit, ready=False)
    assert peer.seen.settings == {1: 0, 3: 7, 4: 70_000, 6: limit.header_list_bytes}
    assert peer.seen.credit == {0: 80_000 - 65_535}


def test_a_table_that_is_used_after_the_acknowledgement_is_a_fault() -> None:
    peer = Wire(ready=False)
    peer.send(wire.PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, BLOCK))
    assert peer.seen.error is None
    peer.send(frame(SETTINGS, ACK) + frame(HEADERS, END_HEADERS, 3, BLOCK))
    assert peer.seen.error == COMPRESSION_ERROR


def test_a_table_may_be_used_before_the_acknowledgement() -> None:
    peer = Wire(ready=False)
    stored = BLOCK + b"\x40\x01a\x01b"  # entry 62
    peer.send(wire.PREFACE + settings() + frame(HEADERS, END_HEADERS, 1, stored))
    peer.send(frame(DATA, END_STREAM, 1, message(b"1")))
    peer.send(frame(HEADERS, END_HEADERS, 3, BLOCK + b"\xbe"))
    peer.send(frame(DATA, END_STREAM, 3, message(b"2")))
    assert peer.answer_all() == [b"1", b"2"]
    peer.send(frame(SETTINGS, ACK) + frame(HEADERS, END_HEADERS, 5, b"\x20" + BLOCK + b"\xbe"))
    assert peer.seen.error == COMPRESSION_ERROR


def test_a_known_block_does_not_hide_a_change_of_the_table() -> None:
    """The same bytes mean something else once the table was used; kept blocks must not lie."""
    peer = Wire(ready=False)
    peer.send(wire.PREFACE + settings())
    shrink = frame(HEADERS, END_HEADERS, 1, b"\x20" + BLOCK)
    peer.send(shrink + frame(HEADERS, END_HEADERS, 3, b"\x20" + BLOCK))  # now it is known
    grow = b"\x3f\xe1\x1f" + BLOCK + b"\x40\x01a\x01b"  # 4096 bytes, and entry 62
    peer.send(frame(HEADERS, END_HEADERS, 5, grow))
    peer.send(frame(HEADERS, END_HEADERS, 7, b"\x20" + BLOCK))  # empties the table
    assert peer.seen.error is None
    peer.send(frame(HEADERS, END_HEADERS, 9, BLOCK + b"\xbe"))
    assert peer.seen.error == COMPRESSION_ERROR


ALLOWED = {
    "padding": frame(HEADERS, END_HEADERS | PADDED, 3, b"\x03" + BLOCK + bytes(3))
    + frame(DATA, END_STREAM | PADDED, 3, b"\x02" + message(b"q") + bytes(2)),
    "priority": frame(HEADERS, END_HEADERS | PRIORITIZED, 3, struct.pack(">IB", 1, 9) + BLOCK)
    + frame(DATA, END_STREAM, 3, message(b"q")),
    "continuations": frame(HEADERS, 0, 3, BLOCK[:9])
    + frame(CONTINUATION, 0, 3, BLOCK[9:20])
    + frame(CONTINUATION, END_HEADERS, 3, BLOCK[20:])
    + frame(DATA, END_STREAM, 3, message(b"q")),
    "the end in an empty frame": headers(3)
    + frame(DATA, 0, 3, message(b"q"))
    + frame(DATA, END_STREAM, 3),
    "a message in parts": headers(3)
    + b"".join(frame(DATA, 0, 3, message(b"q")[n : n + 1]) for n in range(6))
    + frame(DATA, END_STREAM, 3),
    "an unknown type": frame(0x4D, 0xFF, 3, b"x") + unary(3),
    "an unknown setting": settings((0x99, 7)) + unary(3),
    "priority on an idle stream": frame(PRIORITY, 0, 99, bytes(5)) + unary(3),
    "flags that mean nothing": headers(3, flags=END_HEADERS | 0x80)
    + frame(DATA, END_STREAM | 0x80, 3, message(b"q")),
    "the reserved bit": frame(HEADERS, END_HEADERS, 3 | 1 << 31, BLOCK)
    + frame(DATA, END_STREAM, 3, message(b"q")),
    "the reserved bit of a window update": window_update(0, 1 << 31 | 1) + unary(3),
    "a reset of what has ended": unary(1 + 2) + unary(5) + wire.rst(5),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_what_the_rules_allow_is_taken(name: str) -> None:
    whole, parts = Wire(), Wire()
    whole.send(ALLOWED[name])
    for at in range(len(ALLOWED[name])):
        parts.send(ALLOWED[name][at : at + 1])
    for peer in (whole, parts):
        assert peer.seen.error is None
        assert peer.answer_all() == [b"q"]
        assert peer.seen.streams[3].messages == [b"q"]
        assert peer.seen.streams[3].status == 0


def test_ping_and_settings_are_acknowledged() -> None:
    peer = Wire()
    peer.send(frame(PING, 0, 0, b"12345678") + settings((3, 1)))
    assert peer.seen.pings == [(True, b"12345678")]
    assert peer.seen.settings_acks == 2  # one was the handshake's


FLOODS = {
    "ping": frame(PING, 0, 0, bytes(8)),
    "settings": settings(),
    "priority": frame(PRIORITY, 0, 9, bytes(5)),
    "unknown types": frame(0x4D),
    "empty data": frame(DATA, 0, 3),
    "window updates": window_update(0, 1),
    "window updates of a stream": window_update(3, 1),
    "resets of what has ended": wire.rst(3),
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_control_frames_closes_the_connection(name: str) -> None:
    peer = Wire(limits.Limits(control_budget=100))
    peer.send(OPEN + FLOODS[name] * 80)
    assert peer.seen.error is None
    peer.send(FLOODS[name] * 30)
    assert peer.seen.error == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("name", FLOODS)
def test_time_refills_the_budget(name: str) -> None:
    peer = Wire(limits.Limits(control_budget=100, control_per_s=10))
    peer.send(OPEN)
    for _ in range(50):
        peer.now += 10
        peer.send(FLOODS[name] * 50)
    assert peer.seen.error is None


def test_calls_refill_the_budget() -> None:
    peer = Wire(limits.Limits(control_budget=100))
    for stream in range(3, 2_003, 2):
        peer.send(frame(PING, 0, 0, bytes(8)) + unary(stream) + window_update(0, 6))
        peer.seen.grant(0, 6)
        assert peer.answer_all() == [b"q"]
    assert peer.seen.error is None


def test_rapid_resets_close_the_connection() -> None:
    """CVE-2023-44487: calls that are reset before they say anything."""
    peer = Wire(limits.Limits(control_budget=100))
    for stream in range(3, 103, 2):
        peer.send(headers(stream) + wire.rst(stream))
    assert peer.seen.error == ENHANCE_YOUR_CALM
    assert len(peer.calls) == 0


def test_resets_of_calls_with_a_message_are_work_and_no_flood() -> None:
    """So ends every stream of ext_proc in observability mode."""
    peer = Wire(limits.Limits(control_budget=100))
    for stream in range(3, 4_003, 2):
        peer.send(
            headers(stream, wire.STREAMING)
            + frame(DATA, 0, stream, message(b"x"))
            + wire.rst(stream)
        )
    assert peer.seen.error is None
    assert [session.cancelled for session in peer.sessions] == [1] * 2_000
