"""A drain, step by step, against an admin socket that answers as Envoy's does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from gatereeve.proxy import drain
from gatereeve.proxy.admin import Admin
from gatereeve.runtime.supervise import SystemClock

QUIET = {"http.public.downstream_cx_active": 0, "http.public.downstream_rq_active": 0,
         "http.admin.downstream_cx_active": 1, "http.admin.downstream_rq_active": 1}  # fmt: skip


class Envoy:
    """asked: paths, in order. Each question for statistics gets the next of `stats`, the last stays."""

    def __init__(self, *stats: dict[str, int]) -> None:
        self.asked: list[str] = []
        self.stats = list(stats)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split()[1].decode().replace("=", "")
                self.asked.append(path.split("?filter")[0])
                body = b"OK\n"
                if path.startswith("/stats"):
                    now = self.stats.pop(0) if len(self.stats) > 1 else self.stats[0]
                    listed = [{"name": name, "value": value} for name, value in now.items()]
                    body = json.dumps({"stats": listed}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()


@contextlib.asynccontextmanager
async def admin(envoy: Envoy) -> AsyncIterator[Admin]:
    with tempfile.TemporaryDirectory(prefix="gr-") as name:
        path = Path(name) / "admin.sock"
        async with await asyncio.start_unix_server(envoy.answer, path), Admin(path) as found:
            yield found


async def test_clients_are_sent_away_before_load_balancers_are_told() -> None:
    envoy = Envoy(QUIET)
    async with admin(envoy) as talk:
        await drain.drain(talk, drain.Draining(), clock=SystemClock())
    assert envoy.asked[:2] == ["/drain_listeners?graceful&skip_exit", "/healthcheck/fail"]


async def test_it_waits_for_requests_and_not_for_its_own() -> None:
    busy = QUIET | {"http.public.downstream_rq_active": 1}
    envoy = Envoy(busy, busy, QUIET)
    async with admin(envoy) as talk:
        await drain.drain(talk, drain.Draining(longest_s=10), clock=SystemClock())
    assert envoy.asked[2:] == ["/stats"] * 4  # three looks, and one at the log


async def test_it_waits_for_connections_where_clients_have_somewhere_to_go() -> None:
    idle = QUIET | {"http.public.downstream_cx_active": 3}
    settings = drain.Draining(longest_s=0.5, connections=True)
    envoy = Envoy(idle)
    async with admin(envoy) as talk, asyncio.timeout(10):
        await drain.drain(talk, settings, clock=SystemClock())
    assert "/healthcheck/fail" in envoy.asked


async def test_it_waits_at_least_so_long() -> None:
    envoy, clock = Envoy(QUIET), SystemClock()
    began = clock.monotonic()
    async with admin(envoy) as talk:
        await drain.drain(talk, drain.Draining(least_s=0.3), clock=clock)
    assert clock.monotonic() - began >= 0.3


async def test_the_log_may_send_what_it_holds() -> None:
    log = "access_logs.grpc_access_log."
    holds = {f"{log}logs_written": 5, f"{log}grpc_entries_flushed": 3}
    sent = holds | {f"{log}grpc_entries_flush_failed": 2}
    envoy = Envoy(QUIET, holds, holds, sent)
    async with admin(envoy) as talk:
        await drain.drain(talk, drain.Draining(), clock=SystemClock())
    assert envoy.stats == [sent]


async def test_a_gate_that_is_away_is_not_waited_for() -> None:
    async with Admin(Path("/nowhere/admin.sock")) as talk, asyncio.timeout(10):
        await drain.drain(talk, drain.Draining(longest_s=60), clock=SystemClock())
