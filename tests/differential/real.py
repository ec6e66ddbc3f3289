"""The real side of the differential test: an Envoy under our xDS, servers behind it, raw requests."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gatereeve.compile.request import Request
from gatereeve.core.records import Record, RequestRecord
from gatereeve.intake.accesslog import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.proxy import bootstrap, configuration, local
from gatereeve.proxy.activation import expected_of, wait_active
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime.supervise import SystemClock
from tests.differential import generate

GATE = "g"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. code: our refusal code; server: the port that answered, None for the gate."""

    status: int
    code: str | None
    server: int | None
    record_id: str | None
    location: str | None
    body: bytes


class Collector:
    """A Recorder that remembers; `wait` until all of some ids are there."""

    def __init__(self) -> None:
        self.by_id: dict[str, RequestRecord] = {}
        self._more = asyncio.Event()

    def append(self, records: Sequence[Record]) -> None:
        for record in records:
            if isinstance(record, RequestRecord):
                self.by_id[record.record_id] = record
        self._more.set()

    def sync(self) -> None: ...

    def close(self) -> None: ...

    async def wait(self, ids: set[str]) -> None:
        async with asyncio.timeout(10):
            while not ids <= self.by_id.keys():
                self._more.clear()
                await self._more.wait()


class RealGate:
    """One Envoy for many folders; `publish` a compiled Gate, then `send` requests."""

    def __init__(self) -> None:
        self.ports = generate.Ports(0, 0, ())
        self.records = Collector()
        self._stack = contextlib.AsyncExitStack()
        self._builder = configuration.Builder()
        self._client_files: dict[str, tuple[Path, Path]] = {}

    async def __aenter__(self) -> Self:
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gd")))
        (root / "run").mkdir(mode=0o700)
        clock = SystemClock()
        servers = [await self._serve() for _ in range(5)]
        self.ports = generate.Ports(_free_port(), _free_port(), tuple(servers))
        self._root = root
        intake = AccessLog(self.records, clock=clock)
        self._intake = intake
        self._server = await self._stack.enter_async_context(
            AdsServer(
                AdsSettings(socket=root / "run" / "xds.sock", discipline=Discipline(grace_s=0.0)),
                clock=clock,
                observer=lambda _event: None,
                register=(intake.add_to,),
            )
        )
        self._server.add_gate(GATE)
        await self._start_envoy(root, clock)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    async def _start_envoy(self, root: Path, clock: SystemClock) -> None:
        admin = root / "run" / "admin.sock"
        binary = await local.find_envoy()
        message = bootstrap.build(
            bootstrap.BootstrapSettings(
                gate=GATE,
                replica="test",
                xds=bootstrap.Upstream(socket=root / "run" / "xds.sock"),
                admin=admin,
            )
        )
        settings = local.LocalSettings(
            binary=binary.path,
            bootstrap=bootstrap.to_json(message),
            run_dir=root / "run",
            admin=admin,
            concurrency=1,
            drain_s=0.1,
        )
        await self._stack.enter_async_context(
            local.LocalEnvoy(settings, clock=clock, observer=lambda _event: None)
        )
        self.log = settings.log
        self._admin = await self._stack.enter_async_context(Admin(admin))

    async def publish(self, gate: Gate) -> None:
        """Serve `gate`, and return when the Envoy has proved that it runs it."""
        snapshot = self._builder.build(gate)
        self._intake.follow((gate,))
        self._server.set_snapshot(GATE, snapshot)
        await wait_active(self._admin, expected_of(snapshot), timeout_s=20)

    async def send_all(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in order; every answer's record is there when this returns."""
        answers = [await self.send(request) for request in requests]
        await self.records.wait({a.record_id for a in answers if a.record_id})
        return answers

    async def send(self, request: Request) -> Answer:
        """Exactly the bytes of `request`, on a connection of its own."""
        secure = request.scheme == "https"
        context = self._context(request) if secure else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.ports.https if secure else self.ports.http,
            ssl=context,
            server_hostname=(request.sni or "") if secure else None,
            local_addr=(request.peer, 0),
        )
        try:
            writer.write(wire(request))
            await writer.drain()
            async with asyncio.timeout(15):
                return await _answer(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    def _context(self, request: Request) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=generate.server_authority().certificate)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if request.certificate is not None:
            uri = request.certificate.uris[0]
            if uri not in self._client_files:
                pair = generate.authority().issue(uris=(uri,), client=True)
                number = len(self._client_files)
                chain, key = self._root / f"{number}.crt", self._root / f"{number}.key"
                chain.write_text(pair.certificate)
                key.write_text(pair.key)
                self._client_files[uri] = chain, key
            context.load_cert_chain(*self._client_files[uri])
        return context

    async def _serve(self) -> int:
        """A server that answers every request with its own port."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await _read_body(head, reader)
                    port = writer.get_extra_info("sockname")[1]
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nx-served-by: %d\r\ncontent-length: 2\r\n\r\nok" % port
                    )
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        self._stack.push_async_callback(server.wait_closed)
        self._stack.callback(server.close)
        port: int = server.sockets[0].getsockname()[1]
        return port


def wire(request: Request) -> bytes:
    """The request as HTTP/1.1 bytes."""
    lines = [f"{request.method} {request.path} HTTP/1.1", f"host: {request.host}"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    if request.body or request.method in ("POST", "PUT"):
        lines.append(f"content-length: {len(request.body)}")
    lines.append("connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    headers = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.strip().lower().decode()] = value.strip().decode("latin-1")
    body = await _read_body(head, reader)
    server = headers.get("x-served-by")
    return Answer(
        status=status,
        code=headers.get("x-gatereeve-code"),
        server=int(server) if server else None,
        record_id=headers.get("x-request-id"),
        location=headers.get("location"),
        body=body,
    )


async def _read_body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    lowered = head.lower()
    if b"transfer-encoding: chunked" in lowered:
        found = b""
        while size := int(await reader.readline(), 16):
            found += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return found
    if b"content-length:" in lowered:
        length = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
        return await reader.readexactly(length)
    return b""


def _free_port() -> int:
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
