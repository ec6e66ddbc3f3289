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

from gatereeve.core import errors
from gatereeve.core.records import Record, RequestRecord
from gatereeve.decide.request import ClientCertificate, Request
from gatereeve.intake.access_log import AccessLog
from gatereeve.ir.gates import Gate
from gatereeve.proxy import bootstrap, configuration, drain
from gatereeve.proxy.activation import expected_of, wait_active
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds.events import GateEvent, Nacked
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.proxy.xds.session import Discipline
from gatereeve.runtime.supervise import SystemClock
from tests.differential import cast
from tests.support.ports import free_port

GATE = "g"
SERVERS = 6
_TRIES = 5
_PATIENCE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as a server got it."""

    port: int
    path: str
    host: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. code: our refusal code. seen: by the server that answered; None for the gate."""

    status: int
    code: str | None
    content_type: str | None
    location: str | None
    record_id: str | None
    body: bytes
    seen: Seen | None

    @property
    def server(self) -> int | None:
        """The port of the server that answered."""
        return None if self.seen is None else self.seen.port


_NO_ANSWER = Answer(
    status=0, code=None, content_type=None, location=None, record_id=None, body=b"", seen=None
)


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
    """One Envoy for many folders; `publish` a compiled Gate, then `ask` requests."""

    def __init__(self) -> None:
        self.ports = cast.Ports(0, 0, ())
        self.records = Collector()
        self._stack = contextlib.AsyncExitStack()
        self._builder = configuration.Builder()
        self._contexts: dict[ClientCertificate | None, ssl.SSLContext] = {}
        self._seen: dict[str, Seen] = {}
        self._published: str | None = None
        self.rejections: list[Nacked] = []

    async def __aenter__(self) -> Self:
        root = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="gd")))
        (root / "run").mkdir(mode=0o700)
        clock = SystemClock()
        servers = [await self._serve() for _ in range(SERVERS)]
        self.ports = cast.Ports(free_port(), free_port(), tuple(servers))
        self._root = root
        self._intake = AccessLog(self.records, clock=clock)
        self._server = await self._stack.enter_async_context(
            AdsServer(
                AdsSettings(socket=root / "run" / "xds.sock", discipline=Discipline(grace_s=0.0)),
                clock=clock,
                observer=self._note,
                register=(self._intake.add_to,),
            )
        )
        self._server.add_gate(GATE)
        await self._start_envoy(root, clock)
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    async def _start_envoy(self, root: Path, clock: SystemClock) -> None:
        admin = root / "run" / "admin.sock"
        binary = await envoy_process.find_envoy()
        message = bootstrap.build(
            bootstrap.BootstrapSettings(
                gate=GATE,
                replica="test",
                xds=bootstrap.Upstream(socket=root / "run" / "xds.sock"),
                admin=admin,
            )
        )
        settings = envoy_process.LocalSettings(
            binary=binary.path,
            bootstrap=bootstrap.to_json(message),
            run_dir=root / "run",
            admin=admin,
            concurrency=1,
            draining=drain.Draining(longest_s=0.1),
        )
        await self._stack.enter_async_context(
            envoy_process.LocalEnvoy(settings, clock=clock, observer=lambda _event: None)
        )
        self._admin = await self._stack.enter_async_context(Admin(admin))

    def _note(self, event: GateEvent) -> None:
        if isinstance(event, Nacked):
            self.rejections.append(event)

    async def publish(self, gate: Gate) -> None:
        """Serve `gate`, and return when the Envoy has proved that it runs it."""
        if gate.hash == self._published:
            return
        self._published = None
        snapshot = self._builder.build(gate)
        self._intake.follow((gate,))
        self.rejections.clear()
        self._server.set_snapshot(GATE, snapshot)
        try:
            await wait_active(self._admin, expected_of(snapshot), timeout_s=20)
        except errors.ProxyTimeoutError as error:
            raise AssertionError(f"not active; rejected: {self.rejections}") from error
        self._published = gate.hash

    async def ask(
        self, requests: Sequence[Request], config: str
    ) -> Sequence[tuple[Answer, RequestRecord | None]]:
        """Answers with their records, in order.

        config: hash of the published gate. A worker may still run the one before it: what another
        configuration answered is asked again.
        """
        answers = await self.send_all(requests)
        for _ in range(_TRIES):
            stale = [n for n, a in enumerate(answers) if self._is_stale(a, config)]
            if not stale:
                break
            again = await self.send_all([requests[number] for number in stale])
            for number, answer in zip(stale, again, strict=True):
                answers[number] = answer
        return [(a, self.records.by_id.get(a.record_id or "")) for a in answers]

    async def ask_only(
        self, requests: Sequence[Request]
    ) -> Sequence[tuple[Answer, RequestRecord | None]]:
        """Answers without their records, which come later."""
        return [(await self.send(request), None) for request in requests]

    def _is_stale(self, answer: Answer, config: str) -> bool:
        record = self.records.by_id.get(answer.record_id or "")
        return record is not None and record.config not in (None, config)

    async def send_all(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in order; every answer's record is there when this returns."""
        answers = [await self.send(request) for request in requests]
        await self.records.wait({a.record_id for a in answers if a.record_id})
        return answers

    async def send(self, request: Request) -> Answer:
        """Exactly the bytes of `request`, on a connection of its own."""
        secure = request.scheme == "https"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.ports.https if secure else self.ports.http,
            ssl=self._context(request) if secure else None,
            server_hostname=(request.sni or "") if secure else None,
            local_addr=(request.peer, 0),
        )
        try:
            writer.write(wire(request))
            await writer.drain()
            async with asyncio.timeout(_PATIENCE_S):
                return await self._answer(reader, request.method)
        except (TimeoutError, EOFError):
            return _NO_ANSWER
        finally:
            # Not `close`: Envoy leaves a TLS farewell unanswered for a tenth of a second.
            writer.transport.abort()

    def _context(self, request: Request) -> ssl.SSLContext:
        shown = request.certificate
        if shown not in self._contexts:
            context = ssl.create_default_context(cadata=cast.server_authority().certificate)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if shown is not None:
                pair = cast.authority().issue(uris=shown.uris, dns=shown.dns, client=True)
                chain = self._root / f"{len(self._contexts)}.pem"
                chain.write_text(pair.certificate + pair.key)
                context.load_cert_chain(chain)
            self._contexts[shown] = context
        return self._contexts[shown]

    async def _answer(self, reader: asyncio.StreamReader, method: str) -> Answer:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        headers = dict(_headers(head))
        body = b"" if method == "HEAD" else await _read_body(headers, reader)
        record_id = headers.get("x-request-id")
        return Answer(
            status=status,
            code=headers.get("x-gatereeve-code"),
            content_type=headers.get("content-type"),
            location=headers.get("location"),
            record_id=record_id,
            body=body,
            seen=self._seen.get(headers.get("x-seen", "")),
        )

    async def _serve(self) -> int:
        """A server that remembers every request and answers with its number."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    headers = _headers(head)
                    await _read_body(dict(headers), reader)
                    number = str(len(self._seen))
                    self._seen[number] = Seen(
                        port=writer.get_extra_info("sockname")[1],
                        path=head.split(b" ", 2)[1].decode("latin-1"),
                        host=dict(headers).get("host", ""),
                        headers=headers,
                    )
                    writer.write(
                        f"HTTP/1.1 200 OK\r\nx-seen: {number}\r\ncontent-length: 2\r\n\r\n".encode()
                    )
                    if not head.startswith(b"HEAD "):
                        writer.write(b"ok")
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
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body


def _headers(head: bytes) -> tuple[tuple[str, str], ...]:
    found = []
    for line in head.split(b"\r\n")[1:]:
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.strip().lower().decode(), value.strip().decode("latin-1")))
    return tuple(found)


async def _read_body(headers: dict[str, str], reader: asyncio.StreamReader) -> bytes:
    if "chunked" in headers.get("transfer-encoding", ""):
        found = b""
        while size := int(await reader.readline(), 16):
            found += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
        return found
    return await reader.readexactly(int(headers.get("content-length", "0")))
