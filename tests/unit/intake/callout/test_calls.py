"""Calls on one connection, without sockets: messages, windows in both directions, limits, drain."""

from __future__ import annotations

import pytest

from gatereeve.intake.callout import limits, service
from gatereeve.intake.callout.service import Refusal, Status
from tests.support import callout_wire as wire
from tests.support.callout_wire import (
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    HEADERS,
    NO_ERROR,
    REFUSED_STREAM,
    Wire,
    frame,
    headers,
    literals,
    message,
    request_fields,
    settings,
    unary,
)  # fmt: skip

STREAMING = wire.STREAMING


def call_with(stream: int, body: bytes, **changed: bytes) -> bytes:
    """A unary call whose DATA is `body`, with other header values."""
    names = {name.replace("_", "-").encode(): value for name, value in changed.items()}
    block = literals(request_fields(changed=names))
    return frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, body)


def test_many_calls_of_one_read_are_answered_in_order() -> None:
    peer = Wire()
    peer.send(b"".join(unary(n, b"%d" % n) for n in range(3, 103, 2)))
    assert peer.answer_all() == [b"%d" % n for n in range(3, 103, 2)]
    for n in range(3, 103, 2):
        seen = peer.seen.streams[n]
        assert (seen.messages, seen.status) == ([b"%d" % n], 0)
        assert seen.headers == [(":status", "200"), ("content-type", "application/grpc")]
        assert seen.reset is None
    assert peer.connection.open_streams == 0
    assert peer.counts.calls == 50


@pytest.mark.parametrize("size", [0, 1, 16_378, 16_379, 16_380, 65_530, 65_531])
def test_answers_of_every_size_arrive_whole(size: int) -> None:
    peer = Wire(window=1 << 20)
    peer.grant(0, 1 << 20)
    peer.send(unary(3, b"x" * 3))
    peer.calls.pop().answer(b"a" * size)
    peer.flush()
    seen = peer.seen.streams[3]
    assert (seen.messages, seen.status, seen.has_ended) == ([b"a" * size], 0, True)


def test_a_refusal_has_a_status_and_a_text() -> None:
    peer = Wire()
    peer.send(unary(3))
    peer.calls.pop().answer(Refusal(Status.UNAVAILABLE, "100 % full: ä"))
    peer.flush()
    seen = peer.seen.streams[3]
    assert seen.has_ended
    assert dict(seen.headers) == {
        ":status": "200", "content-type": "application/grpc",
        "grpc-status": "14", "grpc-message": "100 %25 full: %C3%A4",
    }  # fmt: skip


REFUSED = {
    "no message": (headers(3) + frame(DATA, END_STREAM, 3), Status.INTERNAL),
    "no data": (headers(3, flags=END_HEADERS | END_STREAM), Status.INTERNAL),
    "two messages": (call_with(3, message(b"a") + message(b"b")), Status.INTERNAL),
    "two messages in two frames": (
        headers(3) + frame(DATA, 0, 3, message(b"a")) + frame(DATA, END_STREAM, 3, message(b"b")),
        Status.INTERNAL),
    "a message that is cut": (call_with(3, message(b"abc")[:-1]), Status.INTERNAL),
    "a prefix that is cut": (call_with(3, message(b"")[:-1]), Status.INTERNAL),
    "a compressed message": (
        call_with(3, message(b"a", flag=1), grpc_encoding=b"gzip"), Status.UNIMPLEMENTED),
    "a compressed message without an encoding": (
        call_with(3, message(b"a", flag=1)), Status.INTERNAL),
    "another flag": (call_with(3, message(b"a", flag=2), grpc_encoding=b"gzip"), Status.INTERNAL),
    "a message that is too large": (
        headers(3) + frame(DATA, 0, 3, b"\x00\x00\x00\x04\x01"), Status.RESOURCE_EXHAUSTED),
    "a whole message that is too large": (
        call_with(3, message(bytes(1_025))), Status.RESOURCE_EXHAUSTED),
    "an unknown method": (unary(3, path=b"/t.S/None"), Status.UNIMPLEMENTED),
    "an unknown service": (unary(3, path=b"/Unary"), Status.UNIMPLEMENTED),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_belongs_to_one_call_ends_that_call(name: str) -> None:
    data, status = REFUSED[name]
    peer = Wire(limits.Limits(message_bytes=1_024))
    peer.send(data + unary(5, b"next"))
    seen = peer.seen.streams[3]
    assert (seen.status, seen.has_ended) == (status, True)
    assert peer.counts.refused == 1
    assert peer.seen.error is None
    assert peer.answer_all() == [b"next"]
    assert peer.connection.partial_bytes == 0


def test_other_content_is_not_acceptable() -> None:
    peer = Wire()
    peer.send(call_with(3, message(b"a"), content_type=b"application/grpcx"))
    peer.send(call_with(5, message(b"a"), content_type=b"application/grpc+proto"))
    assert dict(peer.seen.streams[3].headers) == {":status": "415"}
    assert peer.answer_all() == [b"a"]


def test_a_refused_call_may_go_on_for_a_while() -> None:
    """DATA that was on its way when we refused is ignored, and its credit comes back."""
    limit = limits.Limits(connection_window=65_535)
    peer = Wire(limit)
    peer.send(headers(3, b"/t.S/None"))
    assert peer.seen.streams[3].reset == NO_ERROR
    for _ in range(40):
        peer.send(frame(DATA, 0, 3, bytes(8_000)))
    assert peer.seen.error is None
    assert peer.seen.credit[0] > 40 * 8_000 - 65_535
    peer.send(wire.rst(3) + wire.window_update(3, 5) + unary(5))
    assert peer.answer_all() == [b"q"]


def test_calls_over_the_limit_are_refused_and_may_be_tried_again() -> None:
    peer = Wire(limits.Limits(streams=2))
    peer.send(unary(3) + unary(5) + unary(7))
    assert peer.seen.streams[7].reset == REFUSED_STREAM
    assert len(peer.answer_all()) == 2
    peer.send(unary(9))
    assert peer.answer_all() == [b"q"]


# ── streams ─────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_receives_sends_and_finishes() -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"a") + message(b"echo 1")[:7]))
    (session,) = peer.sessions
    assert session.received == [b"a"]
    peer.send(frame(DATA, 0, 3, message(b"echo 1")[7:] + message(b"echo 2")))
    assert session.received == [b"a", b"echo 1", b"echo 2"]
    assert peer.seen.streams[3].messages == [b"echo 1", b"echo 2"]
    peer.send(frame(DATA, END_STREAM, 3))
    assert session.has_ended
    assert peer.seen.streams[3].status == 0
    assert session.cancelled == 0
    assert peer.connection.open_streams == 0


def test_a_session_that_finishes_early_is_not_called_any_more() -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"finish") + message(b"late")))
    peer.send(frame(DATA, END_STREAM, 3, message(b"later")))
    (session,) = peer.sessions
    assert (peer.seen.streams[3].status, peer.seen.streams[3].reset) == (0, NO_ERROR)
    assert (session.has_ended, session.cancelled) == (False, 0)
    session.stream.send(b"nothing happens")
    peer.flush()
    assert peer.seen.error is None


def test_an_exception_ends_one_stream() -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + headers(5, STREAMING) + frame(DATA, 0, 3, message(b"fail")))
    peer.send(frame(DATA, END_STREAM, 5, message(b"echo")))
    assert peer.seen.streams[3].status == Status.INTERNAL
    assert peer.seen.streams[5].messages == [b"echo"]
    assert peer.counts.handler_errors == 1


@pytest.mark.parametrize("how", ["reset", "fault", "lost", "refused"])
def test_a_stream_that_is_gone_is_cancelled_once(how: str) -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"a")))
    if how == "lost":
        peer.connection.lose()
        peer.flush()
    else:
        peer.send({
            "reset": wire.rst(3),
            "fault": frame(DATA, 0, 0),
            "refused": frame(DATA, 0, 3, message(b"", flag=1)),
        }[how])  # fmt: skip
    (session,) = peer.sessions
    assert session.cancelled == 1
    assert not session.stream.is_open
    session.stream.send(b"x")
    session.stream.finish()
    session.stream.resume()
    peer.connection.lose()
    peer.flush()
    assert session.cancelled == 1


@pytest.mark.parametrize("flags", [END_HEADERS, END_HEADERS | END_STREAM])
def test_a_stream_can_be_refused_when_it_opens(flags: int) -> None:
    peer = Wire()

    def open_and_refuse(stream: service.CallStream) -> wire.Session:
        session = wire.Session(stream)
        stream.finish(Status.UNAVAILABLE, "full")
        peer.sessions.append(session)
        return session

    peer.streaming = open_and_refuse
    peer.send(headers(3, STREAMING, flags=flags) + unary(5))
    assert peer.seen.streams[3].status == Status.UNAVAILABLE
    assert peer.seen.streams[3].reset == (None if flags & END_STREAM else NO_ERROR)
    (session,) = peer.sessions
    assert (session.has_ended, session.cancelled) == (False, 0)
    assert peer.answer_all() == [b"q"]


def test_a_second_answer_changes_nothing() -> None:
    peer = Wire(window=10)
    peer.send(unary(3, b"0123456789"))
    (call,) = peer.calls
    call.answer(b"0123456789")
    call.answer(b"another")
    call.answer(Refusal(Status.INTERNAL))
    peer.grant(3, 100)
    seen = peer.seen.streams[3]
    assert (seen.messages, seen.status) == ([b"0123456789"], 0)


# ── flow control, towards the peer (RFC 9113 section 5.2) ───────────────────────────────────────


def test_answers_wait_for_the_window_of_the_stream() -> None:
    peer = Wire(window=10)
    peer.send(unary(3, b"0123456789"))
    peer.answer_all()
    assert peer.seen.streams[3].data == message(b"0123456789")[:10]
    peer.grant(3, 4)
    assert not peer.seen.streams[3].has_ended
    peer.grant(3, 1)
    assert (peer.seen.streams[3].messages, peer.seen.streams[3].status) == ([b"0123456789"], 0)
    assert peer.connection.unsent_bytes == 0


def test_answers_wait_for_the_window_of_the_connection_and_share_it() -> None:
    peer = Wire(window=1 << 20)
    peer.send(unary(3, b"a") + unary(5, b"b"))
    for call in peer.calls:
        call.answer(call.request * 100_000)
    peer.flush()
    sent = {n: len(peer.seen.streams[n].data) for n in (3, 5)}
    assert sum(sent.values()) == 65_535
    peer.grant(0, 100_000)
    after = {n: len(peer.seen.streams[n].data) for n in (3, 5)}
    assert min(after[n] - sent[n] for n in (3, 5)) > 30_000
    peer.grant(0, 100_000)
    assert [peer.seen.streams[n].messages for n in (3, 5)] == [[b"a" * 100_000], [b"b" * 100_000]]


def test_a_smaller_initial_window_may_make_windows_negative() -> None:
    peer = Wire()
    peer.send(unary(3, b"a"))
    peer.calls.pop().answer(bytes(100_000))
    peer.flush()
    peer.seen.set_initial_window(0)
    peer.send(settings((4, 0)))
    peer.grant(0, 100_000)
    assert len(peer.seen.streams[3].data) == 65_535
    peer.grant(3, 65_535)
    assert len(peer.seen.streams[3].data) == 65_535
    peer.seen.set_initial_window(50_000)
    peer.send(settings((4, 50_000)))
    assert peer.seen.streams[3].status == 0


def test_what_waits_for_a_window_is_bounded_by_stream() -> None:
    peer = Wire(limits.Limits(stream_unsent_bytes=100_000))
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"big")))
    assert peer.seen.streams[3].reset is None
    peer.send(frame(DATA, 0, 3, message(b"big")))
    assert peer.seen.streams[3].reset == ENHANCE_YOUR_CALM
    assert peer.sessions[0].cancelled == 1
    assert peer.connection.unsent_bytes == 0
    peer.send(unary(5))
    assert peer.answer_all() == [b"q"]


def test_what_waits_for_windows_is_bounded_by_connection() -> None:
    peer = Wire(limits.Limits(connection_unsent_bytes=200_000))
    for stream in (3, 5):
        peer.send(headers(stream, STREAMING) + frame(DATA, 0, stream, message(b"big")))
    assert peer.seen.error is None
    peer.send(headers(7, STREAMING) + frame(DATA, 0, 7, message(b"big")))
    assert peer.seen.error == ENHANCE_YOUR_CALM
    assert [session.cancelled for session in peer.sessions] == [1, 1, 1]


def test_a_finished_stream_still_sends_what_waits() -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"big") + message(b"finish")))
    assert not peer.seen.streams[3].has_ended
    peer.send(frame(DATA, END_STREAM, 3, message(b"late")))
    peer.grant(0, 100_000)
    peer.grant(3, 100_000)
    seen, (session,) = peer.seen.streams[3], peer.sessions
    assert (len(seen.messages[0]), seen.status) == (120_000, 0)
    assert (session.received[-1], session.has_ended) == (b"finish", False)
    peer.send(wire.rst(3))
    assert session.cancelled == 0


def test_a_reset_of_a_finished_stream_is_no_cancellation() -> None:
    peer = Wire()
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"big") + message(b"finish")))
    peer.send(wire.rst(3))
    assert peer.sessions[0].cancelled == 0
    assert peer.connection.open_streams == 0


# ── flow control, towards us ────────────────────────────────────────────────────────────────────

SMALL = limits.Limits(stream_window=65_535, connection_window=65_535)


def test_more_than_the_window_of_a_stream_is_a_fault() -> None:
    peer = Wire(limits.Limits(stream_window=65_535))
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"pause")))
    for _ in range(6):
        peer.send(frame(DATA, 0, 3, message(bytes(10_000))))
    assert peer.seen.error is None
    peer.send(frame(DATA, 0, 3, message(bytes(10_000))))
    assert peer.seen.error == FLOW_CONTROL_ERROR


def test_more_than_the_window_of_the_connection_is_a_fault() -> None:
    peer = Wire(SMALL)
    whole = frame(DATA, 0, 3, bytes(16_384))
    peer.send(headers(3, STREAMING) + headers(5, STREAMING) + headers(7, STREAMING))
    peer.send(whole * 2 + frame(DATA, 0, 5, bytes(16_384)) * 2 + frame(DATA, 0, 7, bytes(16_384)))
    assert peer.seen.error == FLOW_CONTROL_ERROR


def test_credit_returns_as_messages_are_taken() -> None:
    peer = Wire(SMALL)
    peer.send(headers(3, STREAMING))
    granted = sent = 65_535
    sent = 0
    for _ in range(100):
        data = message(bytes(16_000))
        granted = 65_535 + peer.seen.credit.get(3, 0)
        assert sent + len(data) <= granted
        assert sent + len(data) <= 65_535 + peer.seen.credit.get(0, 0)
        peer.send(frame(DATA, 0, 3, data))
        sent += len(data)
    assert len(peer.sessions[0].received) == 100


def test_a_message_larger_than_the_window_arrives() -> None:
    peer = Wire(SMALL)
    body = message(bytes(1_000_000))
    peer.send(headers(3))
    for at in range(0, len(body), 16_000):
        part = body[at : at + 16_000]
        last = at + 16_000 >= len(body)
        peer.send(frame(DATA, END_STREAM if last else 0, 3, part))
        if not last:
            assert at + 16_000 <= 65_535 + peer.seen.credit.get(3, 0)
    assert peer.answer_all() == [bytes(1_000_000)]
    assert peer.connection.partial_bytes == 0


def test_a_paused_stream_gets_its_credit_when_it_resumes() -> None:
    peer = Wire(SMALL)
    peer.send(headers(3, STREAMING) + frame(DATA, 0, 3, message(b"pause")))
    for _ in range(6):
        peer.send(frame(DATA, 0, 3, message(bytes(10_000))))
    assert 3 not in peer.seen.credit
    peer.sessions[0].stream.resume()
    peer.flush()
    assert peer.seen.credit[3] == 10 + 6 * 10_005


def test_unfinished_messages_are_bounded_by_connection() -> None:
    peer = Wire(limits.Limits(partial_bytes=50_000))
    peer.send(b"".join(headers(n, STREAMING) for n in (3, 5, 7, 9)))
    start = message(bytes(100_000))[:16_000]
    for stream in (3, 5, 7):
        peer.send(frame(DATA, 0, stream, start))
    assert peer.connection.partial_bytes == 48_000
    peer.send(frame(DATA, 0, 9, start))
    assert peer.seen.streams[9].status == Status.RESOURCE_EXHAUSTED
    assert peer.connection.partial_bytes == 48_000
    assert [session.cancelled for session in peer.sessions] == [0, 0, 0, 1]


def test_requests_of_open_calls_are_bounded_by_connection() -> None:
    peer = Wire(limits.Limits(pending_bytes=25_000))
    call = bytes(10_000)
    peer.send(b"".join(unary(n, call, wire.DEFERRED) for n in (3, 5, 7)))
    assert peer.seen.streams[7].status == Status.RESOURCE_EXHAUSTED
    assert peer.connection.pending_bytes == 20_000
    first, second = (c for c in peer.calls if c.is_open)
    first.is_taken = True
    peer.send(wire.rst(3))  # the handler has it still
    assert peer.connection.pending_bytes == 20_000
    first.answer(b"")
    second.answer(b"")
    peer.flush()
    assert peer.connection.pending_bytes == 0
    assert peer.seen.streams[5].status == 0


# ── deferred calls ──────────────────────────────────────────────────────────────────────────────


def test_calls_that_were_reset_keep_their_place_until_answered() -> None:
    peer = Wire(limits.Limits(streams=2))
    peer.send(unary(3, path=wire.DEFERRED) + unary(5, path=wire.DEFERRED))
    first, second = peer.calls
    first.is_taken = second.is_taken = True
    peer.send(wire.rst(3) + wire.rst(5))
    assert (first.is_open, peer.connection.open_streams) == (False, 2)
    peer.send(unary(7))
    assert peer.seen.streams[7].reset == REFUSED_STREAM
    first.answer(b"late")
    first.answer(b"twice")
    peer.flush()
    assert peer.connection.open_streams == 1
    peer.send(unary(9))
    assert peer.seen.streams.keys() == {7}


# ── the end ─────────────────────────────────────────────────────────────────────────────────────


def test_a_drain_lets_calls_finish_and_takes_no_new_ones() -> None:
    peer = Wire()
    peer.send(unary(3, b"before"))
    peer.connection.drain()
    peer.flush()
    assert peer.seen.goaways == [(2**31 - 1, NO_ERROR, b"draining")]
    peer.send(unary(5, b"on its way"))  # the peer had not read the GOAWAY
    ((is_ack, mark),) = peer.seen.pings
    assert not is_ack
    peer.send(frame(wire.PING, wire.ACK, 0, mark) + unary(7, b"too late"))
    assert peer.seen.goaways[1:] == [(5, NO_ERROR, b"draining")]
    assert peer.seen.streams[7].reset == REFUSED_STREAM
    assert not peer.connection.is_finished
    assert peer.answer_all() == [b"before", b"on its way"]
    peer.flush()
    assert peer.connection.is_finished
    assert not peer.counts.faults


def test_an_idle_connection_drains_after_one_round_trip() -> None:
    peer = Wire()
    peer.connection.drain()
    peer.connection.drain()
    peer.flush()
    assert len(peer.seen.goaways) == 1
    assert not peer.connection.is_finished
    peer.send(frame(wire.PING, wire.ACK, 0, peer.seen.pings[0][1]))
    assert peer.connection.is_finished


def test_a_peer_that_leaves_gets_its_answers() -> None:
    peer = Wire()
    peer.send(unary(3) + frame(GOAWAY, 0, 0, bytes(8)))
    assert not peer.connection.is_finished
    assert peer.answer_all() == [b"q"]
    assert peer.seen.streams[3].status == 0
    peer.flush()
    assert peer.connection.is_finished


@pytest.mark.parametrize("name", ["streams", "message_bytes", "stalled_s"])
def test_limits_are_positive(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        limits.Limits(**{name: 0})


def test_windows_are_those_of_the_rfc() -> None:
    with pytest.raises(ValueError, match="stream_window is 65534"):
        limits.Limits(stream_window=65_534)
    with pytest.raises(ValueError, match="OK"):
        service.Refusal(Status.OK)
