"""Sends attacks to a gate: many connections at once, kept alive where the attack allows it.

HTTP/1.1 as raw bytes, HTTP/2 as raw frames. A connection is used for one TLS server name, and given
up after anything but a whole answer, so that one attack never decides about the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.attacks.battery import Answered, Attack, Outcome
from tests.attacks.servers import MARK, Servers
from tests.envoy import http2
from tests.support import gate as gates

AT_ONCE, LONELY_AT_ONCE = 12, 64
PER_CONNECTION = 60
_LONELY_S = 1.5
"""How long the client of an `alone` attack reads on; who may be left waiting is the gate."""
_GONE = (OSError, EOFError, asyncio.IncompleteReadError, ssl.SSLError, ValueError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gate listens."""

    http: int
    https: int


def request(
    target: str | bytes,
    *headers: str,
    mark: str,
    host: str,
    body: bytes = b"{}",
    method: str = "POST",
) -> bytes:
    """A request as bytes. headers: as they stand, latin-1."""
    lines = [
        f"Host: {host}",
        *([f"Content-Length: {len(body)}"] if body or method == "POST" else []),
        f"{MARK}: {mark}",
        *headers,
    ]
    path = target.encode("latin-1") if isinstance(target, str) else target
    return (
        method.encode() + b" " + path + b" HTTP/1.1\r\n"
        + "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    )  # fmt: skip


async def run(place: Place, servers: Servers, attacks: Sequence[Attack], outcome: Outcome) -> None:
    """Sends all of them and judges them, when the servers have seen what they will see."""
    servers.take()
    answers = await _send(place, attacks)
    seen = servers.take()
    for attack, answered in zip(attacks, answers, strict=True):
        outcome.judge(attack, answered, seen)
    outcome.judge_strays(seen, [a.id for a in attacks])


async def _send(place: Place, attacks: Sequence[Attack]) -> list[Answered]:
    """Answers in the order of the attacks."""
    found: dict[int, Answered] = {}
    order = sorted(range(len(attacks)), key=lambda n: _way(attacks[n]))
    groups = [
        group
        for _, run in itertools.groupby(order, key=lambda n: _way(attacks[n]))
        for group in _cut(run)
    ]

    async def worker(waiting: Iterator[list[int]]) -> None:
        for numbers in waiting:
            left = numbers
            while left:
                left = await _batch(place, attacks, left, found)

    for alone, workers in ((False, AT_ONCE), (True, LONELY_AT_ONCE)):
        waiting = iter([group for group in groups if attacks[group[0]].alone is alone])
        async with asyncio.TaskGroup() as tasks:
            for _ in range(workers):
                tasks.create_task(worker(waiting))
    return [found[number] for number in range(len(attacks))]


def _way(attack: Attack) -> tuple[str, bool, str]:
    """Attacks with the same one may share a connection."""
    return (attack.sni or "", bool(attack.fields), attack.id if attack.alone else "")


def _cut(numbers: Iterable[int]) -> list[list[int]]:
    listed = list(numbers)
    return [listed[n : n + PER_CONNECTION] for n in range(0, len(listed), PER_CONNECTION)]


@contextlib.asynccontextmanager
async def connected(
    place: Place, sni: str | None, *protocols: str
) -> AsyncIterator[gates.Connection]:
    """A connection to the gate, ended at once when it is done with."""
    tls = None if sni is None else _tls(*(protocols or ("http/1.1",)))
    async with asyncio.timeout(gates.DEADLINE_S):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", place.http if tls is None else place.https, ssl=tls,
            server_hostname=sni if tls is not None else None, limit=1 << 20,
        )  # fmt: skip
    try:
        yield gates.Connection(reader, writer)
    finally:
        writer.transport.abort()


_CONTEXTS: dict[tuple[str, ...], ssl.SSLContext] = {}


def _tls(*protocols: str) -> ssl.SSLContext:
    return _CONTEXTS.setdefault(protocols, gates.client_tls(protocols))


async def _batch(
    place: Place, attacks: Sequence[Attack], numbers: list[int], found: dict[int, Answered]
) -> list[int]:
    """Those that are left when the connection is. At least one of them is answered for."""
    first = attacks[numbers[0]]
    try:
        if first.fields:
            return await _streams(place, attacks, numbers, found)
        if first.alone:
            for number in numbers:
                found[number] = await _lonely(place, attacks[number])
            return []
        return await _kept_alive(place, attacks, numbers, found)
    except _GONE:
        left = [n for n in numbers if n not in found]
        if left:
            found[left[0]] = Answered(status=0)
        return left[1:]


async def _kept_alive(
    place: Place, attacks: Sequence[Attack], numbers: list[int], found: dict[int, Answered]
) -> list[int]:
    async with connected(place, attacks[numbers[0]].sni) as connection:
        for at, number in enumerate(numbers):
            attack = attacks[number]
            await connection.send(attack.data)
            answer = await connection.answer()
            if answer is gates.NOTHING and at > 0:
                return numbers[at:]  # the one before had the connection closed: ask anew
            found[number] = Answered(status=answer.status, code=answer.code)
            closing = (answer.header("connection") or "").lower() == "close"
            if closing or answer.status in (0, 400) or attack.data.startswith(b"HEAD "):
                return numbers[at + 1 :]
    return []


async def _lonely(place: Place, attack: Attack) -> Answered:
    """The last answer on a connection of its own."""
    last = gates.NOTHING
    with contextlib.suppress(*_GONE):
        async with connected(place, attack.sni) as connection:
            await connection.send(attack.data)
            with contextlib.suppress(*_GONE):
                async with asyncio.timeout(_LONELY_S):
                    while True:
                        last = await gates.read_answer(connection.reader)
    return Answered(status=last.status, code=last.code)


async def _streams(
    place: Place, attacks: Sequence[Attack], numbers: list[int], found: dict[int, Answered]
) -> list[int]:
    async with connected(place, attacks[numbers[0]].sni, "h2") as connection:
        client = http2.Http2(connection)
        await client.start()
        for at, number in enumerate(numbers):
            stream = await client.send(attacks[number].fields, attacks[number].data or None)
            status = await client.status(stream)
            if client.gone and status == http2.CLOSED and at > 0:
                return numbers[at:]
            found[number] = Answered(status=status)
            if client.gone:
                return numbers[at + 1 :]
    return []
