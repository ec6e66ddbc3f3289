"""One real gate with many hosts, callers that ask without end over kept connections, and the moment
from which on the gate is told as current.

Everything behind the documents is real: compiler, control plane, xDS, Envoy with several workers, its
proof. `House.bring` applies what the folder says and returns when the control plane calls the gate
current, with that moment; each `Caller` knows when it last asked and was served by the model.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.core.findings import Severity
from gatereeve.proxy import activation, bootstrap, drain
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.local import envoy_process
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.store import assemble
from tests.envoy import http2
from tests.envoy.withdrawn_documents import GATE, Folder, Host
from tests.recording import MemoryRecorder
from tests.support import gate as gates
from tests.support.ports import free_port

PROTOCOLS = ("http/1.1", "h2")
DEADLINE_S = 60.0
_PAUSE_S = 0.02
_NODE = bootstrap.node_id(GATE, "test")


@dataclass(slots=True, kw_only=True)
class Caller:
    """Asks one host over one kept connection; opens another when the gate closes it.

    served_at: when the last request that the model answered was sent. answered_at: when the last
    request that was answered was sent. opened_at: when the present connection was made; cut_at: when
    the one before ended.
    old: answers after `mark` on a connection made before it. statuses: since `mark`.
    """

    host: Host
    protocol: str
    tls: ssl.SSLContext
    port: int
    heard: asyncio.Event
    served_at: float = 0.0
    answered_at: float = 0.0
    opened_at: float = 0.0
    cut_at: float = 0.0
    marked_at: float = 0.0
    old: int = 0
    statuses: Counter[int] = field(default_factory=Counter)

    def mark(self) -> None:
        """A change begins."""
        self.marked_at, self.old = time.monotonic(), 0
        self.statuses.clear()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(OSError, ssl.SSLError):
                await self._connection()
            self.cut_at = time.monotonic()
            self.heard.set()
            await asyncio.sleep(_PAUSE_S)

    async def _connection(self) -> None:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.tls, server_hostname=self.host.name
        )
        self.opened_at = time.monotonic()
        try:
            over = gates.Connection(reader, writer)
            if self.protocol == "h2":
                await self._ask_over_http2(http2.Http2(over))
            else:
                await self._ask_over_http1(over)
        finally:
            writer.transport.abort()

    async def _ask_over_http1(self, over: gates.Connection) -> None:
        lines = [f"{name}: {value}" for name, value in self.host.headers()]
        head = ["POST / HTTP/1.1", f"host: {self.host.name}", "content-length: 2", *lines, "", ""]
        request = "\r\n".join(head).encode() + b"{}"
        while True:
            sent = time.monotonic()
            await over.send(request)
            answer = await over.answer()
            self._note(sent, answer.status)
            if not answer.status or answer.header("connection") == "close":
                return
            await asyncio.sleep(_PAUSE_S)

    async def _ask_over_http2(self, over: http2.Http2) -> None:
        await over.start()
        fields = http2.request("/", *self.host.headers(), host=self.host.name)
        while not over.gone:
            sent = time.monotonic()
            stream = await over.send(fields, b"{}")
            status = await over.status(stream)
            over.statuses.clear()
            self._note(sent, status)
            await asyncio.sleep(_PAUSE_S)

    def _note(self, sent: float, status: int) -> None:
        if not status:
            return
        self.heard.set()
        self.statuses[status] += 1
        self.answered_at = sent
        if status == 200:
            self.served_at = sent
        if sent > self.marked_at > self.opened_at:
            self.old += 1


@dataclass(slots=True, kw_only=True)
class House:
    """The gate, its control plane and its callers. news: of the plane; heard: of the callers."""

    folder: Folder
    plane: ControlPlane
    admin: Admin
    callers: list[Caller]
    server: gates.Server
    news: asyncio.Event
    heard: asyncio.Event

    async def bring(self) -> float:
        """Apply the folder; the moment at which the gate was told as current."""
        world = assemble(self.folder.parsed(), at=datetime.now(UTC))
        await self.plane.apply(world)
        async with asyncio.timeout(DEADLINE_S):
            while self.plane.runs and not self.plane.runs[GATE].is_current:
                self.news.clear()
                await self.news.wait()
        return time.monotonic()

    async def tried_since(self, moment: float, callers: Iterable[Caller]) -> None:
        """Until each of them asked after the moment, and was answered or cut off."""
        await self._until(callers, lambda one: max(one.answered_at, one.cut_at) > moment)

    async def refused(self, callers: Iterable[Caller]) -> None:
        """Until each of them was refused since its mark."""
        await self._until(callers, lambda one: bool(set(one.statuses) - {200}))

    async def served_since(self, moment: float, callers: Iterable[Caller]) -> None:
        """Until each of them asked after the moment and the model answered."""
        await self._until(callers, lambda one: one.served_at > moment)

    async def _until(self, callers: Iterable[Caller], holds: Callable[[Caller], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not all(map(holds, callers)):
                self.heard.clear()
                await self.heard.wait()

    def of(self, numbers: Iterable[int]) -> list[Caller]:
        wanted = set(numbers)
        return [one for one in self.callers if one.host.number in wanted]

    def errors(self) -> list[str]:
        assert self.plane.compiled is not None
        found = self.plane.compiled.findings
        return [f.message for f in found if f.severity is Severity.ERROR]


@contextlib.asynccontextmanager
async def house(hosts: tuple[Host, ...], *, drain_s: float = 1.0) -> AsyncIterator[House]:
    """All hosts served, every caller answered by the model over a connection that is kept."""
    async with contextlib.AsyncExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gr")))
        server = await stack.enter_async_context(gates.serving("model"))
        folder = Folder(hosts=hosts, https=free_port(), server=server.port)
        made = await _begin(stack, root, folder, server, drain_s)
        began = await made.bring()
        assert not made.errors()
        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(one.run()) for one in made.callers]
        stack.callback(lambda: [task.cancel() for task in tasks])
        await made.served_since(began, made.callers)
        yield made


async def _begin(
    stack: contextlib.AsyncExitStack,
    root: Path,
    folder: Folder,
    server: gates.Server,
    drain_s: float,
) -> House:
    clock, changes, news = (
        SystemClock(),
        ChangeRecords(MemoryRecorder(), SystemClock()),
        asyncio.Event(),
    )
    planes: list[ControlPlane] = []

    def observe(event: events.GateEvent) -> None:
        for plane in planes:
            plane.observe(event)

    xds, socket = root / "xds.sock", root / "admin.sock"
    controller = await stack.enter_async_context(
        AdsServer(AdsSettings(socket=xds), clock=clock, observer=observe)
    )
    plane = ControlPlane(
        clock=clock,
        server=controller,
        changes=changes,
        documents=DocumentRecords(changes, clock, Digests(root / "digests"), DeletionLog(clock)),
        reserve_address=lambda _gate: "",
        on_gates=lambda _gates: news.set(),
        on_active=lambda _name: news.set(),
    )
    planes.append(plane)
    controller.add_gate(GATE)
    message = bootstrap.build(
        bootstrap.BootstrapSettings(
            gate=GATE, replica="test", xds=bootstrap.Upstream(socket=xds), admin=socket
        )
    )
    settings = envoy_process.LocalSettings(
        binary=(await envoy_process.find_envoy()).path,
        bootstrap=bootstrap.to_json(message),
        run_dir=root,
        admin=socket,
        concurrency=2,
        draining=drain.Draining(longest_s=drain_s),
    )
    await stack.enter_async_context(
        envoy_process.LocalEnvoy(settings, clock=clock, observer=lambda _event: None)
    )
    admin = await stack.enter_async_context(Admin(socket))
    made = House(
        folder=folder,
        plane=plane,
        admin=admin,
        callers=[],
        server=server,
        news=news,
        heard=asyncio.Event(),
    )
    proving = asyncio.create_task(_prove(made))
    stack.callback(proving.cancel)
    for host in folder.hosts:
        load = _certificate(root, folder, host)
        for protocol in PROTOCOLS:
            tls = gates.client_tls((protocol,), load)
            caller = Caller(
                host=host, protocol=protocol, tls=tls, port=folder.https, heard=made.heard
            )
            made.callers.append(caller)
    return made


async def _prove(made: House) -> None:
    """Asks the gate for its proof, again when the Gate comes back."""
    while True:
        await made.plane.prove(GATE, _NODE, activation.AdminVerifier(made.admin))
        await asyncio.sleep(_PAUSE_S)


def _certificate(root: Path, folder: Folder, host: Host) -> Callable[[ssl.SSLContext], None] | None:
    if not host.by_certificate:
        return None
    pair = folder.authority.issue(uris=(host.uri,), client=True)
    file = root / f"client{host.number}.pem"
    file.write_text(pair.certificate + pair.key)
    return lambda context: context.load_cert_chain(file)
