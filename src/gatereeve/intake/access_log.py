"""The access-log service: what the gates report, over gRPC, becomes records in the store.

A thin edge: `translate` makes the records, `loss` numbers them and finds what is missing, the
`Recorder` keeps them. One event loop owns everything here; the store is called in a thread, one
call at a time, in the order in which messages came. A gate's next message is read when the one
before is stored, so a slow store slows the gates' logs (they drop and count) and never the memory
here or the loop.

Source: envoy.service.accesslog.v3.AccessLogService.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import pathlib
import stat
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from envoy.service.accesslog.v3 import als_pb2

from gatereeve.core import errors, protocols, records
from gatereeve.core.logs import EventLog
from gatereeve.intake import loss, translate
from gatereeve.ir import gates, record_fields

SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
GATE_URI: Final = "spiffe://gatereeve.dev/gate/"
"""A gate's client certificate names it so (URI), when it is not on this machine."""

MAX_BACKLOG: Final = 10_000
"""Records kept here while the store fails; what comes beyond is lost, and counted."""

_BREATH: Final = 256
_SHARE: Final = 20.0
"""A gate is not asked again for so many times as long as it took to answer, at most `_SELDOM_S`."""
_SELDOM_S: Final = 4.0
"""Below `loss.SETTLE_S`. What a gate answers after its last count, before it ends, is uncounted."""
_MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
_LOG = EventLog(__name__)

ReadStats: TypeAlias = Callable[[], Awaitable[Mapping[str, int]]]
"""The gate's statistics whose names match `loss.STATS`. Raises ProxyError when it does not answer."""

_Stream: TypeAlias = tuple[str, str]


class AccessLog:
    """Takes the access logs of all gates. received, lost: requests since the start, for status.

    settle_s: how long a gate's records may be on their way before they count as lost; longer than
    the gate's log waits before it sends. fresh_id: makes ids of records (UUIDs). on_stream: called
    with gate and node when a stream says whose it is, before anything of it is taken.
    """

    def __init__(
        self,
        recorder: protocols.Recorder,
        *,
        clock: protocols.Clock,
        settle_s: float = loss.SETTLE_S,
        fresh_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        on_stream: Callable[[str, str], None] = lambda _gate, _node: None,
    ) -> None:
        self.received = 0
        self.lost = 0
        self._recorder = recorder
        self._clock = clock
        self._settle_s = settle_s
        self._fresh_id = fresh_id
        self._on_stream = on_stream
        self._since_us = self._now_us()
        self._watches: dict[_Stream, loss.LossWatch] = {}
        self._backlog: list[records.Record] = []
        self._overflow: dict[_Stream, int] = {}
        self._storing = asyncio.Lock()
        self._failing = False
        self._unsynced = False

    @property
    def waiting(self) -> int:
        """Records that the store has not taken yet."""
        return len(self._backlog)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serve here as well; before the server starts."""
        method = grpc.stream_unary_rpc_method_handler(
            self._take_stream,
            request_deserializer=als_pb2.StreamAccessLogsMessage.FromString,
            response_serializer=als_pb2.StreamAccessLogsResponse.SerializeToString,
        )
        handler = grpc.method_handlers_generic_handler(SERVICE, {"StreamAccessLogs": method})
        server.add_generic_rpc_handlers((handler,))

    def follow(self, current: Collection[gates.Gate]) -> None:
        """These gates there are: what is known about the streams of others is finished and let go."""
        names = {gate.name for gate in current}
        for stream in [stream for stream in self._watches if stream[0] not in names]:
            self._note(stream, self._watches.pop(stream).finish())

    def restarted(self, gate: str, node: str, *, at_us: int | None = None) -> None:
        """The process of this gate ended, just now or at `at_us`; its counters begin anew."""
        self._watch((gate, node)).restarted(self._now_us() if at_us is None else at_us)

    def resume(self, gate: str, node: str, prior: loss.PriorCounts) -> None:
        """Go on where an earlier recorder of this store ended, in the same life of the gate."""
        self._watches[gate, node] = loss.LossWatch(0, settle_s=self._settle_s, prior=prior)

    async def reconcile(
        self, gate: str, node: str, read: ReadStats, *, every_s: float = 1.0
    ) -> None:
        """Hold the gate's counters against its records, for as long as the gate lives.

        Runs until cancelled. Each round also tries again to store what a failing store left behind,
        and makes durable what was stored. A gate with thousands of models answers on the thread that
        also takes changes, so it is asked more seldom the longer that takes.
        """
        loop = asyncio.get_running_loop()
        ask_at = 0.0
        while True:
            with contextlib.suppress(errors.ProxyError):
                if loop.time() < ask_at:
                    await self._settle((gate, node))
                else:
                    took_s = await self.check(gate, node, read)
                    ask_at = loop.time() + min(_SHARE * took_s, _SELDOM_S)
            await asyncio.sleep(every_s)

    async def check(self, gate: str, node: str, read: ReadStats) -> float:
        """One round of `reconcile`. Returns the seconds that the gate took to answer. Raises ProxyError
        when it does not."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            stats = await read()
            took_s = loop.time() - began
            self._watch((gate, node)).count(loss.counters_of(stats), self._now_us())
        finally:
            await self._settle((gate, node))
        return took_s

    async def _settle(self, stream: _Stream) -> None:
        self._note(stream, self._watch(stream).settle(self._now_us()))
        await self._keep(())
        await self._sync()

    async def aclose(self) -> None:
        """Store what is left, when the gates and the server are gone."""
        for stream, watch in self._watches.items():
            self._note(stream, watch.finish())
        self._watches.clear()
        await self._keep(())
        await self._keep(())  # the note of what did not fit, if there was any
        if self._backlog:
            _LOG.error("records_lost", count=len(self._backlog))

    async def _take_stream(self, messages: AsyncIterator[Any], context: Any) -> Any:
        """One stream of one worker of a gate, from its first message to its end."""
        stream: _Stream | None = None
        async for message in messages:
            if stream is None:
                stream = await _identify(message, context)
                self._on_stream(*stream)
            await self._take(stream, message.http_logs.log_entry)
        return als_pb2.StreamAccessLogsResponse()

    async def _take(self, stream: _Stream, entries: Collection[Any]) -> None:
        gate, node = stream
        batch: list[records.Record] = []
        for entry in entries:
            sequence = self._watch(stream).take(translate.finished_us(entry))
            batch.append(
                translate.translate(
                    entry, gate=gate, node=node, sequence=sequence, fresh_id=self._fresh_id
                )
            )
            if len(batch) == _BREATH:  # the loop has others to serve
                await self._keep(batch)
                batch = []
        await self._keep(batch)

    async def _keep(self, batch: Collection[records.Record]) -> None:
        """Store the batch behind what is still to be stored, even when the stream is cancelled."""
        self.received += sum(isinstance(record, records.RequestRecord) for record in batch)
        self._queue(batch)
        if self._backlog:
            await asyncio.shield(self._store())

    def _queue(self, batch: Collection[records.Record]) -> None:
        """Put the batch behind the backlog; requests beyond its bound are lost and counted."""
        for record in batch:
            if len(self._backlog) < MAX_BACKLOG or not isinstance(record, records.RequestRecord):
                self._backlog.append(record)
            else:
                stream = (record.gate, record.node)
                self._overflow[stream] = self._overflow.get(stream, 0) + 1

    async def _store(self) -> None:
        async with self._storing:
            while waiting := self._backlog[:MAX_BACKLOG]:
                try:
                    await asyncio.to_thread(self._recorder.append, tuple(waiting))
                except errors.RecordError:
                    if not self._failing:
                        _LOG.exception("records_kept_in_memory", at_most=MAX_BACKLOG)
                    self._failing = True
                    return
                self._failing, self._unsynced = False, True
                del self._backlog[: len(waiting)]
                self._own_up()

    async def _sync(self) -> None:
        """Make durable what was stored since the last time; a power cut costs one round at most."""
        async with self._storing:
            if not self._unsynced:
                return
            self._unsynced = False
            try:
                await asyncio.to_thread(self._recorder.sync)
            except errors.RecordError:
                _LOG.exception("records_not_synced", consequence="they may not survive a power cut")

    def _own_up(self) -> None:
        overflow, self._overflow = self._overflow, {}
        reason = "not stored: the store failed for longer than the memory for records lasts"
        for stream, lost in overflow.items():
            self._note(stream, (loss.Loss(lost=lost, reason=reason),))

    def _note(self, stream: _Stream, losses: Collection[loss.Loss]) -> None:
        """Queue loss records; the next `_keep` stores them."""
        now = self._clock.now()
        for item in losses:
            at = now if item.over_us is None else _from_us(item.over_us)
            self.lost += item.lost
            note = records.LossRecord(
                record_id=self._fresh_id(),
                gate=stream[0],
                node=stream[1],
                at=records.instant(at),
                lost=item.lost,
                reason=item.reason,
            )
            self._queue((note,))
            log = _LOG.warning if item.lost else _LOG.info
            log("records_lost", node=stream[1], count=item.lost, reason=item.reason)

    def _watch(self, stream: _Stream) -> loss.LossWatch:
        watch = self._watches.get(stream)
        if watch is None:
            watch = self._watches[stream] = loss.LossWatch(self._since_us, settle_s=self._settle_s)
        return watch

    def _now_us(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000)


def _from_us(at_us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(at_us / 1_000_000, dt.UTC)


async def _identify(message: Any, context: Any) -> _Stream:
    """Whose log it is: said in the first message, and proved by the place or the certificate."""
    identifier = message.identifier
    gate, node = identifier.node.cluster, identifier.node.id
    if identifier.log_name != record_fields.LOG_NAME or not gate or not node:
        await context.abort(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"the first message must name the log {record_fields.LOG_NAME!r} and the gate's node",
        )
    if not context.peer().startswith("unix:"):
        uris = context.auth_context().get("peer_uri", ())
        if f"{GATE_URI}{gate}".encode() not in uris:
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED, "the client certificate names another gate"
            )
    return gate, node


@contextlib.asynccontextmanager
async def serve(socket: pathlib.Path, log: AccessLog) -> AsyncIterator[grpc.aio.Server]:
    """Serve `log` alone on a Unix socket, in a directory of this user with mode 0700, until left.

    Raises SettingsError when the place is not ours alone or cannot be used.
    """
    _check_place(socket)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)])
    log.add_to(server)
    try:
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
    except RuntimeError as error:
        raise errors.SettingsError(f"{socket} cannot be listened on: {error}") from error
    _make_private(socket)
    try:
        yield server
    finally:
        await server.stop(grace=1.0)
        await log.aclose()
        _remove(socket)


def _check_place(socket: pathlib.Path) -> None:
    try:
        directory_stat = socket.parent.lstat()
    except OSError as error:
        raise errors.SettingsError(f"{socket.parent} cannot be used: {error.strerror}") from error
    mode = stat.S_IMODE(directory_stat.st_mode)
    if (
        not stat.S_ISDIR(directory_stat.st_mode)
        or mode & 0o077
        or directory_stat.st_uid != os.getuid()
    ):
        raise errors.SettingsError(
            f"{socket.parent} must be a directory of the running user with mode 0700",
            hint=f"mkdir -m 700 {socket.parent}",
        )


def _make_private(socket: pathlib.Path) -> None:
    socket.chmod(0o600)


def _remove(socket: pathlib.Path) -> None:
    socket.unlink(missing_ok=True)
