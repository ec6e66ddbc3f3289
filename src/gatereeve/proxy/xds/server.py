"""The ADS server: delta streams over gRPC, on a Unix socket, on TCP with mutual TLS, or on both.

The edge between the wire and the state machines: it accepts streams (`peers`), feeds each request
to that stream's `session`, writes what the session has to say, and passes to the Gate's `gate.GateState`
what was accepted or rejected. Everything of the protocol is decided in those modules.

The variant "state of the world" answers UNIMPLEMENTED, single-type services do not exist. All
methods belong to one event loop. Memory is bounded: no queue, one stream per node, at most
`_NODES_KEPT` nodes remembered per Gate beside the connected ones.
"""

import asyncio
import contextlib
import dataclasses
import os
import pathlib
import stat
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, Self

import grpc
import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc

from gatereeve.core import errors, protocols, refs
from gatereeve.proxy.xds import events, gate, peers, session
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.stream import EOF, Bucket, NodeRecord, Stream

CLOSED: Final = refs.ConfigHash("closed")
"""The version of the snapshot of a Gate that is gone."""

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024
_SOCKET_PATH_BYTES: Final = 107  # sun_path without its terminating NUL
_NODES_KEPT: Final = 256
_STREAMS_PER_CONNECTION: Final = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MutualTls:
    """Our certificate and key, and the authority of the gates' certificates; all PEM."""

    certificate_chain: bytes
    private_key: bytes = dataclasses.field(repr=False)
    client_authority: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TcpListener:
    """A TCP address (`host:port`, port 0 for any) with mutual TLS; `tls` is asked at each handshake."""

    address: str
    tls: Callable[[], MutualTls]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdsSettings:
    """Where and how the server listens.

    socket: in a directory of our own with mode 0700; None for none. first_request_s: how long a
    stream may stay silent. requests_per_s, burst: beyond these a stream is closed.
    """

    socket: pathlib.Path | None = None
    tcp: TcpListener | None = None
    discipline: session.Discipline = dataclasses.field(default_factory=session.Discipline)
    first_request_s: float = 10.0
    streams_per_gate: int = 1000
    requests_per_s: float = 1000.0
    burst: int = 10_000


class AdsServer:
    """See the module. `async with` starts and stops it.

    register: adds further services to the same gRPC server, before it starts.
    """

    def __init__(
        self,
        settings: AdsSettings,
        *,
        clock: protocols.Clock,
        observer: events.GateObserver,
        register: Sequence[Callable[[grpc.aio.Server], None]] = (),
    ) -> None:
        self.counters = events.XdsCounters()
        self.tcp_port: int | None = None
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._register = register
        self._gates: dict[str, gate.GateState] = {}
        self._nodes: dict[tuple[str, str], NodeRecord] = {}
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises SettingsError for an unsafe socket place, PublishError when it is taken."""
        path = self._settings.socket
        if path is not None:
            check_socket_place(path)
        server = grpc.aio.server(options=_server_options())
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(_Servicer(self), server)
        for register in self._register:
            register(server)
        try:
            if path is not None:
                server.add_insecure_port(f"unix:{path}")
            if self._settings.tcp is not None:
                self.tcp_port = server.add_secure_port(
                    self._settings.tcp.address, server_credentials(self._settings.tcp.tls)
                )
        except RuntimeError as error:
            raise errors.PublishError(f"the xDS server cannot listen: {error}") from error
        await server.start()
        if path is not None:
            path.chmod(0o600)
        self._server = server

    async def stop(self) -> None:
        """End all streams and stop listening. Gates keep what they have and try again."""
        if self._server is None:
            return
        for record in self._nodes.values():
            if record.stream is not None:
                record.stream.close(grpc.StatusCode.UNAVAILABLE, "the controller is stopping")
        server, self._server = self._server, None
        await server.stop(grace=1.0)
        if self._settings.socket is not None:
            self._settings.socket.unlink(missing_ok=True)

    def add_gate(self, name: str) -> None:
        """Let gates of this Gate connect; they wait for its first snapshot."""
        self._gates.setdefault(name, gate.GateState(name))

    def close_gate(self, name: str) -> None:
        """Take from all gates of this Gate everything that they serve: no host, then no listener is left.

        They stay connected, and so do those that come later, until the Gate is published again.
        """
        self.set_snapshot(name, snap.Snapshot(version=CLOSED, resources={}))

    def set_snapshot(self, name: str, snapshot: snap.Snapshot) -> None:
        """Publish: every gate of this Gate is brought to the snapshot; the newest wins.

        Equal content is not sent again. Raises ResourceError, and keeps the old snapshot, when one
        resource is larger than a message may be.
        """
        for type_url, resources in snapshot.resources.items():
            sizes = [*map(len, map(attrgetter("body"), resources.values()))]
            if max(sizes, default=0) > MAX_MESSAGE_BYTES - 1024:
                size, too_large = max(zip(sizes, resources, strict=True))
                message = f"has {size} bytes, too large to send"
                raise snap.ResourceError((type_url, too_large), message)
        self.add_gate(name)
        state = self._gates[name]
        if not state.publish(snapshot):
            return
        self._observer(events.Published(gate=name, version=snapshot.version))
        if state.view is not None and state.view.is_whole():
            for key, record in self._nodes.items():
                if key[0] == name:
                    record.last_nack = None
        self._wake(name)

    def last_good(self, name: str) -> snap.Snapshot | None:
        """What gates of this Gate accepted, for `remember` after a restart; None before a snapshot."""
        state = self._gates.get(name)
        return state.last_good() if state else None

    def remember(self, name: str, last_good: snap.Snapshot) -> None:
        """Hand in the last good of an earlier process, before the first snapshot."""
        self.add_gate(name)
        self._gates[name].remember(last_good)

    def served(self, name: str) -> gate.View | None:
        """What the Gate is served now: its snapshot, with the last good of what was rejected."""
        state = self._gates.get(name)
        return state.view if state else None

    def has_accepted(self, name: str, type_url: snap.TypeUrl, resource: str, version: str) -> bool:
        """Whether some gate of this Gate accepted this content of a resource."""
        state = self._gates.get(name)
        return state is not None and state.has_accepted(type_url, resource, version)

    def rejected(self, name: str) -> frozenset[snap.Need]:
        """What of the Gate's snapshot its gates rejected."""
        state = self._gates.get(name)
        return state.rejected if state else frozenset()

    def status(self) -> tuple[events.GateStatus, ...]:
        """Every node seen, connected or not; sorted by Gate and node."""
        return tuple(
            record.status(self._gates[gate_name].view)
            for (gate_name, _), record in sorted(self._nodes.items())
        )

    def _wake(self, name: str) -> None:
        for (gate_name, _), record in self._nodes.items():
            if gate_name == name and record.stream is not None:
                record.stream.wake()

    def _admit(self, identity: peers.PeerIdentity) -> tuple[gate.GateState, NodeRecord]:
        """The state a new stream works on. Raises RefusedError for an unknown Gate or too many."""
        state = self._gates.get(identity.gate)
        if state is None:
            raise peers.PeerRefusedError(
                grpc.StatusCode.PERMISSION_DENIED, f"no Gate is named {identity.gate!r}"
            )
        of_gate = {key: record for key, record in self._nodes.items() if key[0] == identity.gate}
        record = self._nodes.get((identity.gate, identity.node))
        streams = sum(other.stream is not None for other in of_gate.values())
        if streams >= self._settings.streams_per_gate and (record is None or record.stream is None):
            raise peers.PeerRefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many gates of this Gate are connected"
            )
        if record is None:
            record = NodeRecord(identity=identity, since=self._clock.now())
            self._nodes[identity.gate, identity.node] = record
            gone = [key for key, other in of_gate.items() if other.stream is None]
            for key in gone[: max(0, len(gone) - _NODES_KEPT)]:
                del self._nodes[key]
        return state, record

    async def serve(self, context: Any) -> None:
        """One delta stream from its first request to its end. Raises RefusedError to end it."""
        try:
            async with asyncio.timeout(self._settings.first_request_s):
                first = await context.read()
        except TimeoutError as error:
            text = "the first request did not come in time"
            raise peers.PeerRefusedError(grpc.StatusCode.DEADLINE_EXCEEDED, text) from error
        if first is EOF:
            return
        peer = peers.peer_of(context.peer(), context.auth_context())
        identity = peers.identify(first.node, peer)
        state, record = self._admit(identity)
        older = record.stream
        unwarmed = older.exchange.unwarmed() if older else record.unwarmed
        stream = Stream(
            context=context,
            identity=identity,
            state=state,
            record=record,
            exchange=session.Session(self._settings.discipline, unwarmed),
            bucket=_bucket(self._settings, self._clock),
            clock=self._clock,
            counters=self.counters,
            observer=self._observer,
            wake_all=lambda: self._wake(identity.gate),
        )
        if older is not None:
            older.close(grpc.StatusCode.ABORTED, "the node opened another stream")
        await stream.run(first)


class _Servicer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]  # untyped base
    """The gRPC face of the server; its method names are the protocol's."""

    def __init__(self, server: AdsServer) -> None:
        self._server = server

    async def StreamAggregatedResources(self, _requests: Any, context: Any) -> None:  # noqa: N802
        await context.abort(
            grpc.StatusCode.UNIMPLEMENTED, "only DeltaAggregatedResources is served"
        )

    async def DeltaAggregatedResources(self, _requests: Any, context: Any) -> None:  # noqa: N802
        counters = self._server.counters
        counters.streams += 1
        try:
            await self._server.serve(context)
        except peers.PeerRefusedError as refusal:
            counters.streams_refused += 1
            await context.abort(refusal.code, refusal.text)


def check_socket_place(path: pathlib.Path) -> None:
    """Raise SettingsError unless only this user can reach a Unix socket at `path`."""
    if len(str(path).encode()) > _SOCKET_PATH_BYTES:
        raise errors.SettingsError(
            f"{path} is too long for a Unix socket ({_SOCKET_PATH_BYTES} bytes at most)",
            hint="choose a shorter run directory",
        )
    with contextlib.suppress(FileNotFoundError):
        found = path.parent.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode) and not mode & 0o077 and found.st_uid == os.getuid():
            return
    raise errors.SettingsError(
        f"{path.parent} must be a directory of the running user with mode 0700",
        hint=f"mkdir -m 700 {path.parent}",
    )


def _bucket(settings: AdsSettings, clock: protocols.Clock) -> Bucket:
    return Bucket(
        per_s=settings.requests_per_s,
        burst=settings.burst,
        level=float(settings.burst),
        at=clock.monotonic(),
    )


def server_credentials(tls: Callable[[], MutualTls]) -> grpc.ServerCredentials:
    """Server credentials that follow a rotation: the files are asked for at each handshake."""

    def configuration() -> grpc.ServerCertificateConfiguration:
        current = tls()
        return grpc.ssl_server_certificate_configuration(
            [(current.private_key, current.certificate_chain)],
            root_certificates=current.client_authority,
        )

    return grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )


def _server_options() -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_concurrent_streams", _STREAMS_PER_CONNECTION),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.so_reuseport", 0),
    ]
