"""The server on real sockets: privacy, batches, slow and dying peers, drain; beside grpc.aio."""

# ruff: noqa: ASYNC110  # what a kernel's buffer holds announces nothing

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
import pytest

from gatereeve.core import errors
from gatereeve.intake.callout import limits, server, service
from gatereeve.intake.callout.service import Refusal, Status
from tests.support import callout_wire as wire
from tests.support.callout_wire import DATA, Session, frame, headers, message, settings, unary

DEADLINE_S = 60.0
OPENING = wire.PREFACE + settings((4, 2**31 - 1)) + wire.window_update(0, 2**31 - 1 - 65_535)


@dataclass(slots=True)
class Handlers:
    """What the service of these tests does."""

    batches: list[list[bytes]] = field(default_factory=list)
    taken: list[service.PendingCall] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    def offered(self) -> service.Service:
        methods: dict[str, service.Method] = {
            "Unary": service.Unary(self.answer),
            "Deferred": service.Deferred(self.take),
            "Streaming": service.Streaming(self.open),
        }
        return service.Service(name="t.S", methods=methods)

    def answer(self, requests: Sequence[bytes]) -> Sequence[service.Answer]:
        self.batches.append(list(requests))
        if b"fail" in requests:
            raise RuntimeError("on purpose")
        if b"miscount" in requests:
            return []
        if b"no bytes" in requests:
            return [None for _ in requests]  # type: ignore[misc]  # a defect of a handler
        return [self._answer(request) for request in requests]

    @staticmethod
    def _answer(request: bytes) -> service.Answer:
        if request.startswith(b"refuse"):
            return Refusal(Status.PERMISSION_DENIED, "no: ü %")
        return request.upper()

    def take(self, calls: Sequence[service.PendingCall]) -> None:
        self.taken += calls
        if any(call.request == b"fail" for call in calls):
            calls[0].answer(b"done")
            raise RuntimeError("on purpose")

    def open(self, stream: service.CallStream) -> Session:
        session = Session(stream)
        self.sessions.append(session)
        return session


@dataclass(slots=True, kw_only=True)
class Scene:
    path: Path
    handlers: Handlers
    server: server.CalloutServer


@contextlib.asynccontextmanager
async def scene(
    directory: Path, limit: limits.Limits | None = None, grace_s: float = DEADLINE_S
) -> AsyncIterator[Scene]:
    path, handlers = directory / "private" / "s", Handlers()
    async with server.serving(path, handlers.offered(), limits=limit, grace_s=grace_s) as running:
        yield Scene(path=path, handlers=handlers, server=running)


@contextlib.asynccontextmanager
async def channel(path: Path) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"unix:{path}") as made:
        yield made


def _same(message: bytes) -> bytes:
    return message


async def ask(client: grpc.aio.Channel, path: str, request: bytes) -> bytes:
    """A unary call. Raises AioRpcError."""
    answer: bytes = await client.unary_unary(path, _same, _same)(request)
    return answer


class Raw:
    """A client that writes the frames that it is given, and reads when it is asked to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.seen = wire.Observer(2**31 - 1)
        self.seen.window = 2**31 - 1

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def start(self) -> None:
        """SETTINGS both ways; the next header block must reduce the table."""
        await self.send(OPENING + frame(wire.SETTINGS, wire.ACK))
        await self.send(
            frame(wire.HEADERS, 5, 1, b"\x20" + wire.literals(wire.request_fields(b"/t.S/None")))
        )
        await self.until(lambda: 1 in self.seen.streams)

    async def until(self, condition: object) -> None:
        """Read until it holds."""
        assert callable(condition)
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                data = await self.reader.read(1 << 16)
                assert data, "the server closed the connection"
                self.seen.read(data)

    async def until_closed(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(1 << 16):
                    self.seen.read(data)


@contextlib.asynccontextmanager
async def raw(path: Path, *, ready: bool = True) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    client = Raw(reader, writer)
    try:
        if ready:
            await client.start()
        yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def wait(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


# ── privacy ─────────────────────────────────────────────────────────────────────────────────────


async def test_the_socket_is_private_and_goes_away(tmp_path: Path) -> None:
    async with scene(tmp_path) as running:
        assert stat.S_IMODE(running.path.lstat().st_mode) == 0o600
        assert stat.S_IMODE(running.path.parent.lstat().st_mode) == 0o700
    assert not running.path.exists()


async def test_a_directory_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    (tmp_path / "private").chmod(0o750)
    with pytest.raises(errors.SettingsError, match="mode 0700"):
        async with scene(tmp_path):
            pass


async def test_a_link_to_a_directory_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "private").symlink_to(tmp_path / "real")
    with pytest.raises(errors.SettingsError, match="mode 0700"):
        async with scene(tmp_path):
            pass


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    with sockets.socket(sockets.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "private" / "s"))
    async with scene(tmp_path) as running, channel(running.path) as client:
        assert await ask(client, "/t.S/Unary", b"a") == b"A"


async def test_a_socket_in_use_is_left_alone(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, channel(running.path) as client:
        with pytest.raises(errors.SettingsError, match="another process"):
            async with scene(tmp_path):
                pass
        assert await ask(client, "/t.S/Unary", b"a") == b"A"


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "private" / "s").write_text("kept")
    with pytest.raises(errors.SettingsError, match="not a socket"):
        async with scene(tmp_path):
            pass
    assert (tmp_path / "private" / "s").read_text() == "kept"


# ── beside grpc.aio ─────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def reference(path: Path) -> AsyncIterator[None]:
    """The same service on grpc.aio."""
    handlers = Handlers()

    async def unary_call(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        (answer,) = handlers.answer([request])
        if isinstance(answer, Refusal):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, answer.text)
        assert isinstance(answer, bytes)
        return answer

    async def stream_call(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        async for request in requests:
            if request.startswith(b"echo"):
                yield request
            elif request.startswith(b"big"):
                yield request * 40_000
            elif request == b"finish":
                return

    made = grpc.aio.server()
    methods = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary_call),
        "Streaming": grpc.stream_stream_rpc_method_handler(stream_call),
    }
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.S", methods),))
    made.add_insecure_port(f"unix:{path}")
    await made.start()
    try:
        yield
    finally:
        await made.stop(grace=0)


Outcome = tuple[str, str, list[bytes]]
CALLS: list[tuple[str, list[bytes]]] = [
    ("Unary", [b""]),
    ("Unary", [b"a"]),
    ("Unary", [b"x" * 16_379]),
    ("Unary", [b"x" * 16_380]),
    ("Unary", [b"x" * 300_000]),
    ("Unary", [b"refuse"]),
    ("None", [b"a"]),
    ("Streaming", []),
    ("Streaming", [b""]),
    ("Streaming", [b"echo 1", b"quiet", b"echo 2", b"echo" * 50_000]),
    ("Streaming", [b"big", b"echo", b"big"]),
    # A message after `finish` is left out: a client of grpc.aio that still writes then fails by
    # itself sometimes, on both servers ("Failed execute_batch").
    ("Streaming", [b"echo 1", b"finish"]),
    ("Streaming", [b"echo %d" % n for n in range(500)]),
]


async def outcome(client: grpc.aio.Channel, method: str, requests: list[bytes]) -> Outcome:
    async def feed() -> AsyncIterator[bytes]:
        for request in requests:
            yield request

    answers: list[bytes] = []
    try:
        if method == "Streaming":
            async for answer in client.stream_stream(f"/t.S/{method}", _same, _same)(feed()):
                answers.append(answer)
        else:
            answers.append(await ask(client, f"/t.S/{method}", requests[0]))
    except grpc.aio.AioRpcError as error:
        text = error.details() if error.code() == grpc.StatusCode.PERMISSION_DENIED else ""
        return error.code().name, text or "", answers
    return "OK", "", answers


async def test_every_call_ends_as_on_grpc_aio(tmp_path: Path) -> None:
    async with (
        scene(tmp_path) as running,
        reference(tmp_path / "r"),
        channel(running.path) as ours,
        channel(tmp_path / "r") as theirs,
    ):
        for method, requests in CALLS:
            async with asyncio.timeout(DEADLINE_S):
                expected = await outcome(theirs, method, requests)
                found = await outcome(ours, method, requests)
            assert found == expected, (method, [r[:10] for r in requests])
        together = await asyncio.gather(*(outcome(ours, *call) for call in CALLS * 3))
        apart = await asyncio.gather(*(outcome(theirs, *call) for call in CALLS * 3))
        assert together == apart
        assert not running.server.counts.faults


# ── batches ─────────────────────────────────────────────────────────────────────────────────────


async def test_calls_of_all_connections_in_one_turn_are_one_batch(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as one, raw(running.path) as two:
        one.writer.write(unary(3, b"a") + unary(5, b"b"))
        two.writer.write(unary(3, b"c"))
        await one.until(lambda: len(one.seen.streams) == 3)
        await two.until(lambda: len(two.seen.streams) == 2)
        assert [sorted(batch) for batch in running.handlers.batches] == [[b"a", b"b", b"c"]]
        assert one.seen.streams[5].messages == [b"B"]
        assert two.seen.streams[3].messages == [b"C"]


async def test_a_batch_that_fails_fails_its_calls_only(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as client:
        for first, word in ((3, b"fail"), (7, b"miscount"), (11, b"no bytes")):
            await client.send(unary(first, word) + unary(first + 2))
            await client.until(lambda first=first: first + 2 in client.seen.streams)
            for stream in (first, first + 2):
                assert client.seen.streams[stream].status == Status.INTERNAL
        await client.send(unary(15))
        await client.until(lambda: 15 in client.seen.streams)
        assert client.seen.streams[15].messages == [b"Q"]
        assert running.server.counts.handler_errors == 3


async def test_a_call_that_is_reset_in_the_same_read_is_not_run(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as client:
        await client.send(unary(3, b"gone") + unary(5, b"here") + wire.rst(3))
        await client.until(lambda: 5 in client.seen.streams)
        assert running.handlers.batches == [[b"here"]]
        assert 3 not in client.seen.streams


async def test_deferred_calls_are_answered_later(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as client:
        await client.send(unary(3, b"a", wire.DEFERRED) + unary(5, b"b", wire.DEFERRED))
        taken = running.handlers.taken
        await wait(lambda: len(taken) == 2)
        taken[1].answer(b"second")
        await client.until(lambda: 5 in client.seen.streams)
        assert 3 not in client.seen.streams
        taken[0].answer(Refusal(Status.UNAVAILABLE))
        await client.until(lambda: 3 in client.seen.streams)
        assert client.seen.streams[5].messages == [b"second"]
        assert client.seen.streams[3].status == Status.UNAVAILABLE


async def test_a_deferred_batch_that_fails_is_answered(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as client:
        await client.send(unary(3, b"a", wire.DEFERRED) + unary(5, b"fail", wire.DEFERRED))
        await client.until(lambda: 5 in client.seen.streams)
        assert client.seen.streams[3].messages == [b"done"]
        assert client.seen.streams[5].status == Status.INTERNAL
        assert running.server.open_calls == 0


# ── peers that die, stall or flood ──────────────────────────────────────────────────────────────


async def test_a_client_that_dies_halfway_leaves_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as running:
        async with raw(running.path) as client:
            await client.send(unary(3, b"a", wire.DEFERRED) + headers(5, wire.STREAMING))
            await client.send(frame(DATA, 0, 5, message(b"abc") + b"\x00\x00"))
            await client.send(headers(7) + frame(DATA, 1, 7, message(b"whole"))[:-1])
            handlers = running.handlers
            await wait(
                lambda: handlers.taken and handlers.sessions and handlers.sessions[0].received
            )
            client.writer.transport.abort()
        await wait(lambda: running.server.open_connections == 0)
        assert running.handlers.sessions[0].cancelled == 1
        assert running.handlers.batches == []
        (call,) = running.handlers.taken
        assert not call.is_open
        call.answer(b"late")
        async with channel(running.path) as other:
            assert await ask(other, "/t.S/Unary", b"a") == b"A"


async def test_a_slow_reader_is_not_read_until_it_reads(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as client, channel(running.path) as ok:
        count, body = 200, bytes(16_000)
        sending = asyncio.ensure_future(
            client.send(b"".join(unary(n, body) for n in range(3, 3 + 2 * count, 2)))
        )
        before = -1
        while before != (before := len(running.handlers.batches)) or not before:
            await asyncio.sleep(0.1)
        done = sum(map(len, running.handlers.batches))
        assert done < count  # the rest waits in the kernel, not here
        assert await ask(ok, "/t.S/Unary", b"a") == b"A"
        await client.until(lambda: len(client.seen.streams) == count + 1)
        await sending
        assert all(seen.status in {0, 12} for seen in client.seen.streams.values())


async def test_a_reader_that_stalls_is_disconnected(tmp_path: Path) -> None:
    limit = limits.Limits(stalled_s=0.2)
    async with scene(tmp_path, limit) as running, raw(running.path) as client:
        await client.send(headers(3, wire.STREAMING))
        for _ in range(20):
            await client.send(frame(DATA, 0, 3, message(b"big")))
        await wait(lambda: running.server.open_connections == 0)
        assert running.handlers.sessions[0].cancelled == 1
        assert running.server.counts.faults == {wire.ENHANCE_YOUR_CALM: 1}


async def test_what_waits_for_a_slow_reader_is_bounded(tmp_path: Path) -> None:
    limit = limits.Limits(connection_unsent_bytes=1_000_000)
    async with scene(tmp_path, limit) as running, raw(running.path) as client:
        await client.send(headers(3, wire.STREAMING))
        await wait(lambda: running.handlers.sessions)
        session = running.handlers.sessions[0]
        async with asyncio.timeout(DEADLINE_S):
            while session.stream.is_open:  # it sends by itself, the peer never reads
                session.stream.send(bytes(10_000))
                await asyncio.sleep(0)
        await wait(lambda: running.server.open_connections == 0)
        assert session.cancelled == 1


async def test_a_connection_must_say_what_it_is_in_time(tmp_path: Path) -> None:
    limit = limits.Limits(handshake_s=0.1)
    async with scene(tmp_path, limit) as running:
        async with raw(running.path, ready=False) as silent:
            await silent.until_closed()
        async with raw(running.path, ready=False) as half:
            await half.send(OPENING)  # and never acknowledges
            await half.until_closed()
        async with raw(running.path) as good:
            await asyncio.sleep(0.3)
            await good.send(unary(3))
            await good.until(lambda: 3 in good.seen.streams)


async def test_connections_over_the_limit_are_closed(tmp_path: Path) -> None:
    async with scene(tmp_path, limits.Limits(connections=1)) as running:
        async with raw(running.path) as first:
            async with raw(running.path, ready=False) as second:
                await second.until_closed()
                assert second.seen.settings == {}
            await first.send(unary(3))
            await first.until(lambda: 3 in first.seen.streams)
        await wait(lambda: running.server.open_connections == 0)
        async with raw(running.path):
            assert running.server.open_connections == 1


async def test_a_fault_reaches_the_peer_and_the_others_go_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path) as bad, raw(running.path) as good:
        await bad.send(headers(3, wire.STREAMING) + frame(DATA, 0, 0, b"x"))
        await bad.until_closed()
        assert bad.seen.error == wire.PROTOCOL_ERROR
        assert running.handlers.sessions[0].cancelled == 1
        await good.send(unary(3))
        await good.until(lambda: 3 in good.seen.streams)


# ── drain ───────────────────────────────────────────────────────────────────────────────────────


async def test_leaving_waits_for_calls_in_progress(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(scene(tmp_path))
        client = await stack.enter_async_context(channel(running.path))
        call = asyncio.ensure_future(ask(client, "/t.S/Deferred", b"a"))
        await wait(lambda: running.handlers.taken)
        leaving = asyncio.ensure_future(running.server.drain(DEADLINE_S))
        await asyncio.sleep(0.05)
        assert not leaving.done()
        running.handlers.taken[0].answer(b"late and whole")
        assert await call == b"late and whole"
        await leaving
        assert running.server.open_connections == 0


async def test_leaving_ends_what_takes_too_long(tmp_path: Path) -> None:
    async with scene(tmp_path, grace_s=0.05) as running, raw(running.path) as silent:
        await silent.send(headers(3, wire.STREAMING))
        await wait(lambda: running.handlers.sessions)
        await running.server.drain(0.05)
        assert running.handlers.sessions[0].cancelled == 1
        assert running.server.open_connections == 0


async def test_a_connection_without_a_preface_does_not_hold_the_end_up(tmp_path: Path) -> None:
    async with scene(tmp_path) as running, raw(running.path, ready=False) as silent:
        await wait(lambda: running.server.open_connections == 1)
        async with asyncio.timeout(DEADLINE_S / 2):
            await running.server.drain(DEADLINE_S)
        await silent.until_closed()
