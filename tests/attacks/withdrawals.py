"""Withdrawals, seen from connections that are open already.

For every way to take access back: callers who are served, over HTTP/1.1 and HTTP/2, keep asking on
the connections that they have. Once `status` says that the gate runs the new configuration, none of
these connections may be answered by the model's server again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from gatereeve.core import errors
from gatereeve.runtime import control_socket
from gatereeve.runtime.settings import StatePaths
from tests.attacks import cells, wire
from tests.attacks import documents as docs
from tests.attacks.battery import Answered, Attack, Outcome
from tests.attacks.cells import Cell
from tests.attacks.documents import Folder
from tests.attacks.running import DEADLINE_S, Running
from tests.attacks.servers import MARK
from tests.envoy import http2
from tests.support import gate as gates
from tests.support import keys

OLD, OLD_HTTP2, ASKED = 5, 3, 3
"""Connections of each protocol, and what each asks after the withdrawal."""

Change = Callable[[Cell], dict[str, bytes | None]]
TOKEN, KEY = docs.bearer("alice"), docs.key("acme")


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """One way to take a caller's access back. who: the header of that caller."""

    name: str
    change: Change
    who: str = KEY


def _file(what: str, *documents: docs.Document) -> Change:
    return lambda cell: {f"{cell.ns}-{what}.yaml": docs.text(*documents) if documents else None}


def _made(what: str, make: Callable[[Cell], docs.Document]) -> Change:
    return lambda cell: {f"{cell.ns}-{what}.yaml": docs.text(make(cell))}


def _deny(**rule: object) -> Change:
    return _made("deny", lambda cell: docs.policy("deny", cell.ns, "k", deny=[rule]))


def _allow(*subjects: docs.Document, **rule: object) -> Change:
    return _made("allow", lambda cell: docs.policy("allow", cell.ns, "k", allow=[{"subjects": list(subjects)} | rule]))  # fmt: skip


def _route(host: str = "", path: str = "/", model: str = "k") -> Change:
    return _made("route", lambda c: docs.ingress("model", c.ns, host or c.model_host, docs.to_model(model), path))  # fmt: skip


def _gate(edit: Callable[[docs.Document], None]) -> Change:
    def change(cell: Cell) -> dict[str, bytes | None]:
        made = json.loads(json.dumps(docs.gate(cell.ports)))
        edit(made["spec"])
        return {"gate.yaml": docs.text(made)}

    return change


def _secrets(name: str, key: str) -> Change:
    def change(_cell: Cell) -> dict[str, bytes | None]:
        made = [one for one in docs.secrets() if one["metadata"]["name"] != name]
        fresh = docs.document("Secret", name, "platform", None, "v1", type="Opaque", stringData={"key": key})  # fmt: skip
        return {"secrets.yaml": docs.text(*made, fresh)}

    return change


def _no_keys(spec: docs.Document) -> None:
    del spec["identity"]["apiKeys"]["keys"][0]


def _other_keys(spec: docs.Document) -> None:
    spec["identity"]["jwt"][0]["jwks"]["inline"] = keys.jwks("rotated")


def _exponent_1(spec: docs.Document) -> None:
    """A set that Envoy rejects must not leave the old one in force."""
    key = {"kty": "RSA", "kid": "corp", "alg": "RS256", "use": "sig", "n": keys.b64(b"\xc1" + bytes(254) + b"\1"), "e": "AQ"}  # fmt: skip
    spec["identity"]["jwt"][0]["jwks"]["inline"] = json.dumps({"keys": [key]})


def _no_provider(spec: docs.Document) -> None:
    del spec["identity"]["jwt"]


def _other_issuer(spec: docs.Document) -> None:
    spec["identity"]["jwt"][0]["issuer"] = "https://other.test"


def _other_audience(spec: docs.Document) -> None:
    spec["identity"]["jwt"][0]["audiences"] = ["other"]


WAYS: Sequence[Withdrawal] = (
    Withdrawal(name="grant-deleted", change=_file("grant")),
    Withdrawal(name="grant-of-another-host", change=_made("grant", lambda c: docs.grant(c.ns, c.ns, [docs.host("other")]))),
    Withdrawal(name="grant-of-another-path", change=_made("grant", lambda c: _under(docs.grant(c.ns, c.ns, [c.model_host]), "/x"))),
    Withdrawal(name="grant-of-another-namespace", change=_made("grant", lambda c: docs.grant(c.ns, "nobody", [c.model_host]))),
    Withdrawal(name="route-deleted", change=_file("route")),
    Withdrawal(name="route-to-another-host", change=_route(host=docs.host("elsewhere"))),
    Withdrawal(name="route-to-another-path", change=_route(path="/x")),
    Withdrawal(name="route-to-no-model", change=_route(model="none")),
    Withdrawal(name="allow-deleted", change=_file("allow")),
    Withdrawal(name="allow-of-another", change=_allow({"principal": "partners/globex"})),
    Withdrawal(name="allow-for-a-region", change=_allow({"provider": "partners"}, regions=["us"])),
    Withdrawal(name="allow-for-a-purpose", change=_allow({"provider": "partners"}, purposes=["support"])),
    Withdrawal(name="deny-principal", change=_deny(subjects=[{"principal": "partners/acme"}])),
    Withdrawal(name="deny-provider", change=_deny(subjects=[{"provider": "partners"}])),
    Withdrawal(name="deny-group", change=_deny(subjects=[{"group": "corp/staff"}]), who=TOKEN),
    Withdrawal(name="deny-operation", change=_deny(operations=["infer"])),
    Withdrawal(name="version-deleted", change=_file("version")),
    Withdrawal(name="model-deleted", change=_file("model")),
    Withdrawal(name="model-prohibited", change=_made("model", lambda c: docs.model("k", c.ns, riskClass="prohibited"))),
    Withdrawal(name="model-needs-approval", change=_made("model", lambda c: docs.model("k", c.ns, riskClass="limited"))),
    Withdrawal(name="service-deleted", change=_file("service")),
    Withdrawal(name="slice-deleted", change=_file("slice")),
    Withdrawal(name="key-changed", change=_secrets("acme", "another-0123456789ab")),
    Withdrawal(name="key-removed", change=_gate(_no_keys)),
    Withdrawal(name="keys-rotated", change=_gate(_other_keys), who=TOKEN),
    Withdrawal(name="keys-rejected-by-envoy", change=_gate(_exponent_1), who=TOKEN),
    Withdrawal(name="provider-removed", change=_gate(_no_provider), who=TOKEN),
    Withdrawal(name="issuer-changed", change=_gate(_other_issuer), who=TOKEN),
    Withdrawal(name="audience-changed", change=_gate(_other_audience), who=TOKEN),
)  # fmt: skip


def _under(grant: docs.Document, path: str) -> docs.Document:
    grant["spec"]["paths"] = [path]
    return grant


async def run(running: Running, ways: Sequence[Withdrawal], outcome: Outcome) -> None:
    """One withdrawal after the other, each in a cell of its own, while one `up` serves."""
    ports = running.ports
    shared = docs.platform(ports) | {"gateway.yaml": cells.gateway(ports)}
    made = {way.name: Cell(number=number, ports=ports) for number, way in enumerate(ways)}
    running.write(shared)
    for cell in made.values():
        running.write(cell.files())
    await running.start()
    await wait_current(running, None)
    for way in ways:
        await _withdraw(running, way, made[way.name], shared, outcome)


async def _withdraw(
    running: Running, way: Withdrawal, cell: Cell, shared: Folder, outcome: Outcome
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        old = [
            await stack.enter_async_context(_asker(running, cell, way, "h1" if n < OLD else "h2"))
            for n in range(OLD + OLD_HTTP2)
        ]
        asked = [await one.ask(n, "before", control=True) for n, one in enumerate(old)]
        before = await wait_current(running, None)
        running.write(way.change(cell))
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_load(old, over))
            await wait_current(running, before)
            over.set()
        for turn in range(ASKED):
            asked += [await one.ask(n, f"after-{turn}") for n, one in enumerate(old)]
    asked.append(await _anew(running, cell, way))
    seen = running.servers.take()
    for attack, answered in asked:
        outcome.judge(attack, answered, seen)
    before = await wait_current(running, None)
    running.write(shared | cell.files())
    await wait_current(running, before)


async def wait_current(running: Running, before: str | None) -> str:
    """The hash that the gate proved to run; not `before`."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        with contextlib.suppress(errors.GatereeveError):
            found = await control_socket.ask(StatePaths(root=running.up.state))
            for gate in found["gates"]:
                if gate["current"] and gate["wanted"] == gate["active"] != before:
                    hash_: str = gate["active"]
                    return hash_
        await asyncio.sleep(0.02)
    raise AssertionError(f"never current\n{running.up.output()[-3000:]}")


@dataclass(slots=True)
class Asker:
    """A caller on one connection, which asks again and again; a connection that ended stays so."""

    cell: Cell
    way: Withdrawal
    protocol: str
    connection: gates.Connection
    client: http2.Http2 | None = None
    ended: bool = False

    async def ask(
        self, number: int, moment: str, *, control: bool = False
    ) -> tuple[Attack, Answered]:
        attack = _attack(self.cell, self.way, f"{self.protocol}-{number}/{moment}", self.protocol, control=control)  # fmt: skip
        if self.ended:
            return attack, Answered(status=0)
        if self.client is not None:
            status = await self.client.status(await self.client.send(attack.fields, attack.data))
            self.ended = self.client.gone
            return attack, Answered(status=status)
        await self.connection.send(attack.data)
        answer = await self.connection.answer()
        self.ended = answer.status == 0
        return attack, Answered(status=answer.status, code=answer.code)


def _attack(
    cell: Cell, way: Withdrawal, label: str, protocol: str, *, control: bool = False
) -> Attack:
    mark = f"withdraw/{way.name}/{label}"
    name, may = cell.model_host, frozenset({cell.server}) if control else frozenset()
    if protocol == "h1":
        data = wire.request("/", way.who, mark=mark, host=name)
        return Attack(id=mark, sni=name, data=data, control=control, may=may, told=way.name)
    key, _, value = way.who.partition(": ")
    fields = http2.request("/", (key.lower(), value), (MARK, mark), host=name)
    return Attack(id=mark, sni=name, data=b"{}", fields=tuple(fields), control=control, may=may, told=way.name)  # fmt: skip


@contextlib.asynccontextmanager
async def _asker(
    running: Running, cell: Cell, way: Withdrawal, protocol: str
) -> AsyncIterator[Asker]:
    alpn = "h2" if protocol == "h2" else "http/1.1"
    async with wire.connected(running.place, cell.model_host, alpn) as connection:
        made = Asker(cell=cell, way=way, protocol=protocol, connection=connection)
        if protocol == "h2":
            made.client = http2.Http2(connection)
            await made.client.start()
        yield made


async def _load(askers: Sequence[Asker], over: asyncio.Event) -> None:
    """Asks on, connection by connection, while the change makes its way. A reply is always read."""
    while not over.is_set():
        for number, asker in enumerate(askers):
            await asker.ask(number, "meanwhile")
        await asyncio.sleep(0.005)


async def _anew(running: Running, cell: Cell, way: Withdrawal) -> tuple[Attack, Answered]:
    """A connection that is opened afterwards."""
    attack = _attack(cell, way, "anew", "h1")
    with contextlib.suppress(OSError, EOFError, TimeoutError):
        async with wire.connected(running.place, cell.model_host) as connection:
            await connection.send(attack.data)
            answer = await connection.answer()
            return attack, Answered(status=answer.status, code=answer.code)
    return attack, Answered(status=0)
