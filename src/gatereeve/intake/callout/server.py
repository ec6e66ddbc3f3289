"""The sockets of call-outs: connections, batches for each turn of the event loop, drain.

All unary requests that arrive in one turn of the loop, over all connections of a socket, go to the
handler as one batch; then each connection gets everything that it must send in one write. While a
handler blocks (a group commit), the kernel collects the requests of the next batch.

A socket is private: its directory belongs to the running user with mode 0700, the socket has mode
0600. Only processes of this user, and root, can connect.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import socket as sockets
import stat
from collections.abc import AsyncIterator, Sequence

from gatereeve.core import errors
from gatereeve.core.logs import EventLog
from gatereeve.intake.callout import frames, service
from gatereeve.intake.callout.connection import Connection, Counts
from gatereeve.intake.callout.limits import Limits
from gatereeve.intake.callout.service import Deferred, Refusal, Status, Unary
from gatereeve.intake.callout.streams import Stream

_LOG = EventLog(__name__)
_BACKLOG = 128
_FAILED = Refusal(Status.INTERNAL, "the handler failed")


class CalloutServer:
    """Serves one service to all connections of one socket. See `serving` for its life.

    One event loop owns it; handlers run on that loop.
    """

    def __init__(self, offered: service.Service, limits: Limits) -> None:
        self.counts = Counts()
        self._limits = limits
        self._paths = offered.paths()
        self._loop = asyncio.get_running_loop()
        self._peers: set[_Peer] = set()
        self._calls: list[Stream] = []
        self._awake: dict[_Peer, None] = {}
        self._is_scheduled = False
        self._is_draining = False
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    @property
    def open_connections(self) -> int:
        return len(self._peers)

    @property
    def open_calls(self) -> int:
        """Calls in progress, over all connections."""
        return sum(peer.connection.open_streams for peer in self._peers)

    async def drain(self, grace_s: float) -> None:
        """End all connections: calls in progress have grace_s seconds to finish, then they fail."""
        self._is_draining = True
        for peer in tuple(self._peers):
            peer.connection.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._is_empty.wait()
        for peer in tuple(self._peers):
            peer.abort()
        await self._is_empty.wait()

    def make_peer(self) -> asyncio.Protocol:
        """Return the protocol of a new connection, for `create_unix_server`."""
        peer = _Peer(self, self._limits, self._loop)
        peer.connection = Connection(
            self._paths,
            self._limits,
            calls=self._calls,
            counts=self.counts,
            wake=lambda: self.wake(peer),
        )
        return peer

    # ── for the connections ─────────────────────────────────────────────────────────────────────

    def admit(self, peer: _Peer) -> bool:
        if self._is_draining or len(self._peers) >= self._limits.connections:
            return False
        self.counts.connections += 1
        self._peers.add(peer)
        self._is_empty.clear()
        return True

    def remove(self, peer: _Peer) -> None:
        self._peers.discard(peer)
        if not self._peers:
            self._is_empty.set()

    def wake(self, peer: _Peer) -> None:
        """This connection has something to send, or calls to run: at the end of this turn."""
        self._awake[peer] = None
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._run_turn)

    def _run_turn(self) -> None:
        """Run the calls of this turn, then write once for each connection."""
        try:
            if self._calls:
                calls = [call for call in self._calls if call.is_open]
                self._calls.clear()
                if calls:
                    self._run(calls)
            while self._awake:
                awake, self._awake = self._awake, {}
                for peer in awake:
                    peer.flush()
        finally:
            self._is_scheduled = False

    def _run(self, calls: list[Stream]) -> None:
        method = calls[0].method
        rest = [call for call in calls if call.method is not method]
        if rest:
            calls = [call for call in calls if call.method is method]
        try:
            if isinstance(method, Unary):
                _answer_all(method, calls)
            elif isinstance(method, Deferred):
                for call in calls:
                    call.is_taken = True
                method.take(calls)
        except Exception:  # noqa: BLE001  # the edge of a batch
            _LOG.exception("callout_handler_failed", calls=len(calls))
            self.counts.handler_errors += 1
            for call in calls:
                call.answer(_FAILED)
        if rest:
            self._run(rest)


def _answer_all(method: Unary, calls: Sequence[Stream]) -> None:
    """Run a batch. Raises what the handler raises, and ValueError when answers are missing."""
    answers = method.answer([call.request for call in calls])
    if len(answers) != len(calls):
        raise ValueError(f"{len(answers)} answers to {len(calls)} requests")
    for call, answer in zip(calls, answers, strict=True):
        call.answer(answer)


class _Peer(asyncio.Protocol):
    """The transport of one connection: what is read goes in, what must be written comes out."""

    connection: Connection

    def __init__(
        self, server: CalloutServer, limits: Limits, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._server = server
        self._limits = limits
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport) or not self._server.admit(self):
            _LOG.warning("callout_connection_refused", open=self._server.open_connections)
            transport.close()
            return
        self._transport = transport
        self._limit_time(self._limits.handshake_s, "settings were not acknowledged in time")
        self.connection.start()
        self._wake()

    def data_received(self, data: bytes) -> None:
        connection = self.connection
        is_new = not connection.is_ready
        connection.receive(data, self._loop.time())
        if is_new and connection.is_ready and not self._is_paused:
            self._stop_timer()
        self._wake()

    def connection_lost(self, _error: Exception | None) -> None:
        self._stop_timer()
        self._transport = None
        self.connection.lose()
        self.flush()  # sessions are cancelled before this connection counts as closed
        self._server.remove(self)

    def pause_writing(self) -> None:
        """The peer reads too slowly: it gets no more answers, and we read none of its requests."""
        self._is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()
        self._limit_time(self._limits.stalled_s, "the peer does not read")

    def resume_writing(self) -> None:
        self._is_paused = False
        self._stop_timer()
        if self._transport is not None:
            if not self._transport.is_closing():
                self._transport.resume_reading()
            self._wake()

    def flush(self) -> None:
        """Write everything that there is, unless the peer reads too slowly."""
        out = self.connection.take_output()
        transport = self._transport
        if transport is None:
            return
        if self._is_paused:
            self._held.append(out)
            self._held_bytes += len(out)
            if self._held_bytes > self._limits.connection_unsent_bytes:
                self._abort("too many bytes wait for a slow reader")
            return
        if self._held:
            out = b"".join((*self._held, out))
            self._held.clear()
            self._held_bytes = 0
        if out:
            transport.write(out)
        if self.connection.is_finished and not transport.is_closing():
            transport.close()
            self._limit_time(self._limits.stalled_s, "the peer does not read")

    def abort(self) -> None:
        """Close at once; calls in progress fail."""
        if self._transport is not None:
            self._transport.abort()

    def _abort(self, reason: str) -> None:
        faults = self._server.counts.faults
        faults[frames.ErrorCode.ENHANCE_YOUR_CALM] = (
            faults.get(frames.ErrorCode.ENHANCE_YOUR_CALM, 0) + 1
        )
        _LOG.warning("callout_connection_aborted", reason=reason)
        self.abort()

    def _wake(self) -> None:
        self._server.wake(self)

    def _limit_time(self, seconds: float, reason: str) -> None:
        self._stop_timer()
        self._timer = self._loop.call_later(seconds, self._abort, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@contextlib.asynccontextmanager
async def serving(
    path: pathlib.Path,
    offered: service.Service,
    *,
    limits: Limits | None = None,
    grace_s: float = 5.0,
) -> AsyncIterator[CalloutServer]:
    """Serve one service on the Unix socket `path` until left; then drain.

    path: its directory is made with mode 0700 when it does not exist. A socket file that no process
    listens on is replaced. grace_s: for calls in progress when this ends.
    Raises SettingsError when the directory is not private, or the path cannot be used.
    """
    _prepare_place(path)
    server = CalloutServer(offered, limits or Limits())
    with contextlib.closing(_bind(path)) as bound:
        listener = await asyncio.get_running_loop().create_unix_server(
            server.make_peer, sock=bound, backlog=_BACKLOG
        )
        _LOG.info("callout_serving", service=offered.name, socket=path)
        try:
            yield server
        finally:
            listener.close()
            _remove(path)
            await server.drain(grace_s)


def _prepare_place(path: pathlib.Path) -> None:
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        found = directory.lstat()
    except OSError as error:
        raise errors.SettingsError(f"{directory} cannot be used: {error.strerror}") from error
    is_private = not stat.S_IMODE(found.st_mode) & 0o077 and found.st_uid == os.getuid()
    if not stat.S_ISDIR(found.st_mode) or not is_private:
        raise errors.SettingsError(
            f"{directory} must be a directory of the running user with mode 0700",
            hint=f"mkdir -m 700 {directory}",
        )


def _bind(path: pathlib.Path) -> sockets.socket:
    """A socket with mode 0600 at `path`; it does not listen yet."""
    bound = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        _remove_stale(path)
        bound.bind(str(path))
        path.chmod(0o600)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise errors.SettingsError(f"{path} cannot be listened on: {reason}") from error
    except errors.SettingsError:
        bound.close()
        raise
    return bound


def _remove(path: pathlib.Path) -> None:
    path.unlink(missing_ok=True)


def _remove_stale(path: pathlib.Path) -> None:
    try:
        is_socket = stat.S_ISSOCK(path.lstat().st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise errors.SettingsError(f"{path} exists and is not a socket", hint="choose another path")
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass
    raise errors.SettingsError(
        f"{path} is served by another process", hint="stop it, or choose another path"
    )
