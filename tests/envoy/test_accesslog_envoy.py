"""What the real Envoy reports: every request once, and the exact number of what it lost."""

# ruff: noqa: ASYNC110  # Envoy cannot tell us when it has sent or started something

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import os
import pathlib
import signal
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import httpx2
import pytest
from envoy.extensions.access_loggers.grpc.v3 import als_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from google.protobuf import duration_pb2

from gatereeve.core import records
from gatereeve.intake import access_log, loss
from gatereeve.ir import record_fields
from gatereeve.proxy import activation, admin, bootstrap
from gatereeve.proxy.local import envoy_process
from tests.envoy.xds_gate import DEADLINE_S, backend
from tests.features import xds_messages as msg
from tests.features.xds_serving import RealClock, Seen, serving, short_directory
from tests.recording import MemoryRecorder
from tests.support.ports import free_port

pytestmark = pytest.mark.envoy
NODE = "gate/public-1"
SETTLE_S = 0.5
"""Ten times what the log here waits before it sends."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Reporting:
    """A gate that reports to `log`."""

    url: str
    log: access_log.AccessLog
    recorder: MemoryRecorder
    admin: admin.Admin
    envoy: envoy_process.LocalEnvoy
    socket: pathlib.Path

    async def ask(self, path: str, times: int = 1) -> None:
        async with httpx2.AsyncClient(base_url=self.url) as client:
            for _ in range(times):
                await client.get(path)

    async def received(self, number: int) -> None:
        """Until so many requests are recorded: arrived, and in the store."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.recorder.requests) < number:  # the flush is Envoy's
                await asyncio.sleep(0.02)

    async def checked(self) -> None:
        """Hold the gate's counters against the records once, now."""
        await self.log.check("public", NODE, functools.partial(self.admin.numbers, loss.STATS))

    async def balanced(self) -> int:
        """Until every request that the gate counted is recorded or told as lost; how many."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                await self.checked()
                counted = loss.counters_of(await self.admin.numbers(loss.STATS)).ended
                if self.log.received + self.log.lost == counted:
                    return counted
                await asyncio.sleep(0.05)

    async def certain(self) -> list[int]:
        """The losses recorded, once what was counted by now can no longer change."""
        await self.checked()
        for _ in range(2):
            await asyncio.sleep(2 * SETTLE_S)
            await self.checked()
        return [found.lost for found in self.recorder.losses]


def logging_listener(port: int) -> Any:
    """`msg.listener` with the access log that a gate has."""
    listener = msg.listener("web", port)
    wrapped = listener.filter_chains[0].filters[0].typed_config
    manager = hcm_pb2.HttpConnectionManager()
    wrapped.Unpack(manager)
    log = als_pb2.HttpGrpcAccessLogConfig()
    log.common_config.log_name = record_fields.LOG_NAME
    log.common_config.transport_api_version = 2  # V3
    log.common_config.buffer_flush_interval.CopyFrom(duration_pb2.Duration(nanos=50_000_000))
    log.common_config.grpc_service.envoy_grpc.cluster_name = bootstrap.ACCESS_LOG_CLUSTER
    manager.access_log.add(name="envoy.access_loggers.http_grpc", typed_config=msg.packed(log))
    wrapped.CopyFrom(msg.packed(manager))
    return listener


@contextlib.asynccontextmanager
async def reporting() -> AsyncIterator[Reporting]:
    recorder = MemoryRecorder()
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(short_directory())
        xds = await stack.enter_async_context(serving(socket=directory / "xds.sock"))
        xds.server.add_gate("public")
        log = access_log.AccessLog(recorder, clock=RealClock(), settle_s=SETTLE_S)
        target = await stack.enter_async_context(backend())
        envoy = await stack.enter_async_context(_envoy(directory))
        talk = await stack.enter_async_context(admin.Admin(directory / "admin.sock"))
        port = free_port()
        snapshot = msg.snapshot(
            "v1",
            msg.cluster("model"),
            msg.endpoints("model", target.port),
            msg.cluster("gone"),
            msg.endpoints("gone", free_port()),
            logging_listener(port),
            msg.cluster("halves"),
            msg.endpoints("halves", await stack.enter_async_context(half_answers())),
            msg.routes(served="model", gone="gone", half="halves", refused=403),
        )
        xds.server.set_snapshot("public", snapshot)
        await activation.wait_active(talk, activation.expected_of(snapshot))
        yield Reporting(
            url=f"http://127.0.0.1:{port}",
            log=log,
            recorder=recorder,
            admin=talk,
            envoy=envoy,
            socket=directory / "als.sock",
        )


@contextlib.asynccontextmanager
async def half_answers() -> AsyncIterator[int]:
    """A server that begins every answer; it breaks off `/half/cut` and never ends the others."""
    writers: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nbegun")
            await writer.drain()
            if b"/half/cut" in head:
                writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for writer in writers:
        writer.close()


@contextlib.asynccontextmanager
async def _envoy(directory: pathlib.Path) -> AsyncIterator[envoy_process.LocalEnvoy]:
    binary = await envoy_process.find_envoy()
    settings = bootstrap.BootstrapSettings(
        gate="public",
        replica="1",
        xds=bootstrap.Upstream(socket=directory / "xds.sock"),
        records=bootstrap.Upstream(socket=directory / "als.sock"),
        admin=directory / "admin.sock",
    )
    process = envoy_process.LocalEnvoy(
        envoy_process.LocalSettings(
            binary=binary.path,
            bootstrap=bootstrap.to_json(bootstrap.build(settings)),
            run_dir=directory,
            admin=directory / "admin.sock",
        ),
        clock=RealClock(),
        observer=Seen(),
    )
    async with process:
        yield process


async def test_every_request_is_recorded_once_and_nothing_is_missing() -> None:
    async with reporting() as gate, access_log.serve(gate.socket, gate.log):
        await gate.ask("/served", 20)
        await gate.ask("/refused", 5)
        await gate.ask("/gone", 2)
        await gate.ask("/unknown", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gate.url[-5:]))
        writer.write(b"GET / HTTP/1.1\r\nbad header\r\n\r\n")
        await reader.read()
        writer.close()
        await gate.received(29)
        assert await gate.certain() == []
        found = gate.recorder.requests
        assert sorted(record.sequence for record in found) == list(range(1, 30))
        assert len({record.record_id for record in found}) == 29
        by_path = {record.path: record for record in found}
        assert by_path["/served"].outcome == "served"
        assert by_path["/served"].cluster == "model"
        assert by_path["/gone"].outcome == "broken"
        assert by_path["/gone"].flags == ("UF",)
        assert by_path["/unknown"].outcome == "refused"
        assert by_path["/unknown"].flags == ("NR",)
        assert {record.node for record in found} == {NODE}


@contextlib.asynccontextmanager
async def listening(gate: Reporting) -> AsyncIterator[None]:
    """The service alone: it may go and come back while what it knows stays."""
    server = grpc.aio.server()
    gate.log.add_to(server)
    server.add_insecure_port(f"unix:{gate.socket}")
    await server.start()
    yield
    await server.stop(grace=None)


async def test_while_nobody_listens_what_is_lost_is_counted() -> None:
    async with reporting() as gate:
        async with listening(gate):
            await gate.ask("/served", 3)
            await gate.received(3)
        await gate.ask("/served", 300)
        async with listening(gate):
            async with asyncio.timeout(DEADLINE_S):
                while gate.log.received < 4:
                    # It opens its stream again when it has something to say.
                    await gate.ask("/served", 1)
                    await asyncio.sleep(0.1)
            await gate.ask("/served", 5)
            counted = await gate.balanced()
            assert sum(await gate.certain()) == gate.log.lost
            assert gate.log.lost > 0
            assert counted == len(gate.recorder.requests) + gate.log.lost
            assert gate.recorder.requests[-1].sequence <= counted


async def test_a_gate_that_is_killed_begins_a_new_count() -> None:
    async with reporting() as gate, access_log.serve(gate.socket, gate.log):
        await gate.ask("/served", 4)
        await gate.received(4)
        assert await gate.certain() == []
        pid = gate.envoy.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        gate.log.restarted("public", NODE)
        async with asyncio.timeout(DEADLINE_S):
            while gate.envoy.pid in {None, pid} or not await gate.admin.is_ready():
                await asyncio.sleep(0.02)
        await gate.ask("/served", 2)
        await gate.received(6)
        assert await gate.certain() == [0]
        (word,) = gate.recorder.losses
        assert "uncounted" in word.reason


async def test_answers_that_do_not_end() -> None:
    async with reporting() as gate, access_log.serve(gate.socket, gate.log):
        async with httpx2.AsyncClient(base_url=gate.url) as client:
            with pytest.raises(httpx2.RemoteProtocolError):
                await client.get("/half/cut")
            async with client.stream("GET", "/half/left") as response:
                await anext(response.aiter_raw())  # the caller has seen enough
        await gate.received(2)
        by_path = {record.path: record for record in gate.recorder.requests}
        assert by_path["/half/cut"].outcome == "broken"
        assert by_path["/half/left"].outcome == "reset"
        for record in by_path.values():
            assert (record.status, record.code, record.duration_us) == (200, None, None)


async def test_an_encoded_record_of_the_real_gate_comes_back() -> None:
    async with reporting() as gate, access_log.serve(gate.socket, gate.log):
        await gate.ask("/served?secret=1", 1)
        await gate.received(1)
        (record,) = gate.recorder.requests
        assert records.decode(records.encode(record)) == record
        assert record.path == "/served"
        assert record.source_ip == "127.0.0.1"
        assert record.duration_us is not None
        assert record.user_agent is not None
        assert record.user_agent.startswith("python-httpx2/")


async def test_a_gate_that_stops_in_order_tells_of_every_request() -> None:
    async with contextlib.AsyncExitStack() as stack:
        gate = await stack.enter_async_context(reporting())
        async with access_log.serve(gate.socket, gate.log):
            await gate.ask("/served", 30)
            await stack.aclose()  # drained, its log emptied, ended
        assert gate.log.received == 30
