"""A real gate in tests: an Envoy under our xDS server, servers behind it that remember what they
saw, and connections that carry exactly the bytes they are given.

`running_gate` starts one; `publish` compiles documents and returns when the Envoy has proved that it
runs the result. Nothing here waits by the clock: an answer, the end of a connection or a deadline.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from gatereeve.ir import gates as ir_gates
from gatereeve.proxy import bootstrap, configuration, drain
from gatereeve.proxy.activation import expected_of, wait_active
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.proxy.xds.snapshot import Snapshot
from gatereeve.runtime.supervise import SystemClock
from tests.support.ports import free_port
from tests.support.worlds import world_of

T = TypeVar("T")

DEADLINE_S = 60.0
_MAX_SEEN = 1 << 20

WEB = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: team}
spec: {ports: [{name: http, port: 80, targetPort: SERVER}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: team, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: SERVER}]
endpoints: [{addresses: [127.0.0.1]}]
"""
"""The Service `team/web` with its server on this machine. SERVER: its port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as it reached a server. head: its request line and headers, as bytes."""

    head: bytes
    body: bytes

    @property
    def target(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1")

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order."""
        found = []
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.encode():
                found.append(value.strip().decode("latin-1"))
        return found


@dataclass(slots=True, kw_only=True)
class Server:
    """Answers every request with 200 and its name. seen: all of them, whole or torn."""

    name: str
    port: int = 0
    seen: list[Seen] = field(default_factory=list)

    def take(self) -> list[Seen]:
        """What came since the last call."""
        found, self.seen = self.seen, []
        return found


@contextlib.asynccontextmanager
async def serving(name: str) -> AsyncIterator[Server]:
    """A server on a free port of this machine."""
    found = Server(name=name)
    writers: set[asyncio.StreamWriter] = set()
    answer = f"HTTP/1.1 200 OK\r\nx-served-by: {name}\r\ncontent-length: {len(name)}\r\n\r\n{name}"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        head = b""
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            try:
                while True:
                    head = b""
                    head = await reader.readuntil(b"\r\n\r\n")
                    found.seen.append(Seen(head=head, body=await read_body(head, reader)))
                    writer.write(answer.encode())
                    await writer.drain()
            except asyncio.IncompleteReadError as torn:
                if head or torn.partial:
                    found.seen.append(Seen(head=head or torn.partial, body=torn.partial))
        writer.close()
        writers.discard(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=_MAX_SEEN)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in tuple(writers):
            writer.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP/1.1 answer. status 0: the connection ended without one."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        return next((v for n, v in self.headers if n == name), None)

    @property
    def code(self) -> str | None:
        """Our refusal code."""
        return self.header("x-gatereeve-code")

    @property
    def server(self) -> str | None:
        """The name of the server that answered; None when the gate did."""
        return self.header("x-served-by")


NOTHING = Answer(status=0)


class Connection:
    """Bytes to the gate and answers from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    async def answer(self) -> Answer:
        """The next answer; NOTHING when the connection ends first."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await read_answer(self.reader)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            return NOTHING

    async def answers(self) -> list[Answer]:
        """Every answer until the gate closes the connection; TimeoutError when it does not."""
        found = []
        while (answer := await self.answer()) is not NOTHING:
            found.append(answer)
        return found


class Events:
    """What became of the Envoy, in order. One that died is started again, and here it is told."""

    def __init__(self) -> None:
        self.all: list[envoy_process.EnvoyEvent] = []
        self._news = asyncio.Event()

    def __call__(self, event: envoy_process.EnvoyEvent) -> None:
        self.all.append(event)
        self._news.set()

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.all if isinstance(event, kind)]

    async def wait(self, kind: type[T], count: int) -> T:
        """The event number `count` of a kind, when it is there."""
        async with asyncio.timeout(DEADLINE_S):
            while len(found := self.of(kind)) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]


@dataclass(slots=True, kw_only=True)
class Gate:
    """A running gate. http, https: its ports, free for listeners of the documents."""

    http: int
    https: int
    log: Path
    controller: AdsServer
    name: str
    events: Events
    admin: Admin
    _builder: configuration.Builder = field(default_factory=configuration.Builder)

    def compile(self, *texts: str) -> Compiled:
        return compiler.compile(world_of(*texts, at=datetime.now(UTC)))

    async def publish(self, *texts: str) -> Compiled:
        """Serves these documents, and returns when the Envoy runs them."""
        made = self.compile(*texts)
        await self.publish_compiled(made)
        return made

    async def publish_compiled(self, made: Compiled) -> None:
        """Serves a compilation, and returns when the Envoy runs it."""
        snapshot = self.offer(made)
        await wait_active(self.admin, expected_of(snapshot), timeout_s=DEADLINE_S * 2)

    def offer(self, made: Compiled) -> Snapshot:
        """Serves a compilation, and waits for nothing."""
        (gate,) = made.ir.gates
        return self.offer_gate(gate)

    def offer_gate(self, gate: ir_gates.Gate) -> Snapshot:
        """Serves a Gate that need not come from documents."""
        snapshot = self._builder.build(gate)
        self.controller.set_snapshot(self.name, snapshot)
        return snapshot

    @contextlib.asynccontextmanager
    async def connect(
        self, tls: ssl.SSLContext | None = None, *, sni: str = "", port: int | None = None
    ) -> AsyncIterator[Connection]:
        """A connection to the https port when `tls` is given, else to the http port."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            port or (self.http if tls is None else self.https),
            ssl=tls,
            server_hostname=None if tls is None else sni,
            limit=_MAX_SEEN,
        )
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()  # nobody waits for the other side's farewell


@contextlib.asynccontextmanager
async def running_gate(
    name: str, *, grace_s: float = 0.0, workers: int = 1, drain_s: float = 0.1
) -> AsyncIterator[Gate]:
    """An Envoy that asks for the configuration of Gate `name`. grace_s: as in `Discipline`."""
    async with contextlib.AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gr")))
        clock = SystemClock()
        xds, admin = root / "xds.sock", root / "admin.sock"
        server = await stack.enter_async_context(
            AdsServer(
                AdsSettings(socket=xds, discipline=Discipline(grace_s=grace_s)),
                clock=clock,
                observer=lambda _event: None,
            )
        )
        server.add_gate(name)
        message = bootstrap.build(
            bootstrap.BootstrapSettings(
                gate=name, replica="test", xds=bootstrap.Upstream(socket=xds), admin=admin
            )
        )
        settings = envoy_process.LocalSettings(
            binary=(await envoy_process.find_envoy()).path,
            bootstrap=bootstrap.to_json(message),
            run_dir=root,
            admin=admin,
            concurrency=workers,
            draining=drain.Draining(longest_s=drain_s),
        )
        events = Events()
        await stack.enter_async_context(
            envoy_process.LocalEnvoy(settings, clock=clock, observer=events)
        )
        yield Gate(
            http=free_port(),
            https=free_port(),
            log=settings.log,
            controller=server,
            name=name,
            events=events,
            admin=await stack.enter_async_context(Admin(admin)),
        )


def client_tls(
    protocols: tuple[str, ...] = ("http/1.1",), load: Callable[[ssl.SSLContext], None] | None = None
) -> ssl.SSLContext:
    """A client that believes every certificate. load: adds its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    if load is not None:
        load(context)
    return context


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """One answer; informational ones before it are passed over."""
    head = b"HTTP/1.1 100 \r\n"
    while head.split(b" ", 2)[1].startswith(b"1"):
        head = await reader.readuntil(b"\r\n\r\n")
    headers = []
    for line in head.split(b"\r\n")[1:-2]:
        name, _, value = line.partition(b":")
        headers.append((name.strip().lower().decode("latin-1"), value.strip().decode("latin-1")))
    status = int(head.split(b" ", 2)[1])
    return Answer(status=status, headers=tuple(headers), body=await read_body(head, reader))


async def read_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """The body that `head` announces: chunked, by length, or none."""
    lowered = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lowered:
        found = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            found += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return found
    if b"\r\ncontent-length:" in lowered:
        length = int(lowered.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)
    return b""
