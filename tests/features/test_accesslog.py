"""The access-log service over its real wire: a gRPC client on a Unix socket, as Envoy speaks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from envoy.service.accesslog.v3 import als_pb2, als_pb2_grpc

from gatereeve.core import errors, records
from gatereeve.intake import access_log
from gatereeve.ir import record_fields
from gatereeve.ledger.reading import RecordLog
from gatereeve.ledger.store import open_store
from tests.recording import MemoryRecorder, StillClock
from tests.unit.intake import entries

pytestmark = pytest.mark.features
NODE = "gate/edge-0"


@pytest.fixture
def run_dir() -> Iterable[Path]:
    # Not tmp_path: a Unix socket's path is 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="gr-als-") as directory:
        yield Path(directory)


@pytest.fixture
def recorder() -> MemoryRecorder:
    return MemoryRecorder()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def log(
    run_dir: Path, recorder: MemoryRecorder, clock: StillClock
) -> AsyncIterator[access_log.AccessLog]:
    made = access_log.AccessLog(recorder, clock=clock)
    async with access_log.serve(run_dir / "als.sock", made):
        yield made


@contextlib.asynccontextmanager
async def stream(run_dir: Path) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"unix:{run_dir / 'als.sock'}") as channel:
        yield als_pb2_grpc.AccessLogServiceStub(channel).StreamAccessLogs()


def message(
    *given: Any, gate: str = "edge", node: str = NODE, name: str = record_fields.LOG_NAME
) -> Any:
    made = als_pb2.StreamAccessLogsMessage()
    made.identifier.log_name = name
    made.identifier.node.id = node
    made.identifier.node.cluster = gate
    made.http_logs.log_entry.extend(given)
    return made


def more(*given: Any) -> Any:
    made = als_pb2.StreamAccessLogsMessage()
    made.http_logs.log_entry.extend(given)
    return made


async def send(run_dir: Path, *messages: Any) -> Any:
    async with stream(run_dir) as call:
        for each in messages:
            await call.write(each)
        await call.done_writing()
        return await call


async def test_entries_become_records(
    log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder
) -> None:
    refused = entries.refused("no-allow-rule", 403)
    await send(run_dir, message(entries.entry(), refused), more(entries.entry()))
    assert [record.sequence for record in recorder.requests] == [1, 2, 3]
    assert [record.outcome for record in recorder.requests] == ["served", "refused", "served"]
    assert {(record.gate, record.node) for record in recorder.requests} == {("edge", NODE)}
    assert log.received == 3


async def test_workers_of_one_gate_share_its_numbers(
    log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder
) -> None:
    many = [entries.entry()] * 50
    first, second = message(*many), message(*many)
    await asyncio.gather(send(run_dir, first, more(*many)), send(run_dir, second, more(*many)))
    await send(run_dir, message(entries.entry(), gate="other", node="gate/other"))
    numbers = [record.sequence for record in recorder.requests if record.gate == "edge"]
    assert numbers == list(range(1, 201))
    assert recorder.requests[-1].sequence == 1
    assert log.received == 201


@pytest.mark.parametrize(
    "first",
    [
        more(entries.entry()),
        message(entries.entry(), name="other"),
        message(entries.entry(), node=""),
        message(entries.entry(), gate=""),
    ],
)
async def test_a_stream_says_whose_it_is(
    first: Any, log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await send(run_dir, first)
    assert refusal.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert recorder.kept == []
    assert log.received == 0


async def test_a_store_that_fails_for_a_while_loses_nothing(
    log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder
) -> None:
    recorder.full = True
    await send(run_dir, message(entries.entry(), entries.entry()))
    assert recorder.kept == []
    recorder.full = False
    await send(run_dir, message(entries.entry()))
    assert [record.sequence for record in recorder.requests] == [1, 2, 3]
    assert log.lost == 0


async def test_a_store_that_fails_for_long_loses_a_known_number(
    log: access_log.AccessLog,
    run_dir: Path,
    recorder: MemoryRecorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access_log, "MAX_BACKLOG", 10)
    recorder.full = True
    await send(run_dir, message(*[entries.entry()] * 25))
    recorder.full = False
    await send(run_dir, message(entries.entry()))
    numbers = [record.sequence for record in recorder.requests]
    assert numbers == list(range(1, 11))  # the 26th found no room either
    (lost,) = recorder.losses
    assert (lost.gate, lost.node, lost.lost) == ("edge", NODE, 16)
    assert log.lost == 16
    await send(run_dir, message(entries.entry()))
    assert recorder.requests[-1].sequence == 27


async def test_what_the_gate_counted_and_never_sent_is_recorded(
    log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder, clock: StillClock
) -> None:
    counted = {"http.edge.downstream_rq_total": 5, "access_logs.grpc_access_log.logs_dropped": 1}

    async def read() -> Mapping[str, int]:
        return counted

    await send(run_dir, message(entries.entry(), entries.entry()))
    await log.check("edge", NODE, read)
    clock.move(6)
    await log.check("edge", NODE, read)
    clock.move(6)
    await log.check("edge", NODE, read)
    (lost,) = recorder.losses
    assert (lost.lost, lost.reason) == (3, "1 dropped by the gate's log, 2 lost on the way")
    assert lost.at == "2026-11-24T12:00:06.000000Z"
    await send(run_dir, message(entries.entry()))
    assert recorder.requests[-1].sequence == 6  # the hole is as wide as the loss


async def test_a_gate_that_does_not_answer_is_asked_again(
    log: access_log.AccessLog, recorder: MemoryRecorder
) -> None:
    asked = asyncio.Event()
    answers: Iterator[Mapping[str, int] | errors.ProxyError] = iter(
        (errors.ProxyTimeoutError("no"), {})
    )

    async def read() -> Mapping[str, int]:
        answer = next(answers)
        if isinstance(answer, errors.ProxyError):
            raise answer
        asked.set()
        return answer

    task = asyncio.create_task(log.reconcile("edge", NODE, read, every_s=0.001))
    async with asyncio.timeout(5):
        await asked.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, StopIteration, RuntimeError):
        await task
    assert recorder.losses == []


async def test_at_the_end_all_is_stored_and_told(
    run_dir: Path, recorder: MemoryRecorder, clock: StillClock
) -> None:
    log = access_log.AccessLog(recorder, clock=clock)

    async def read() -> Mapping[str, int]:
        return {"http.edge.downstream_rq_total": 2}

    async with access_log.serve(run_dir / "als.sock", log):
        recorder.full = True
        await send(run_dir, message(entries.entry()))
        await log.check("edge", NODE, read)
        recorder.full = False
    assert len(recorder.requests) == 1
    assert [lost.lost for lost in recorder.losses] == [1]
    assert not (run_dir / "als.sock").exists()


async def test_gates_that_are_gone_are_let_go(
    log: access_log.AccessLog, run_dir: Path, recorder: MemoryRecorder
) -> None:
    async def read() -> Mapping[str, int]:
        return {"http.edge.downstream_rq_total": 2}

    await send(run_dir, message(entries.entry()))
    await log.check("edge", NODE, read)
    log.follow(())
    await send(run_dir, message(entries.entry(), gate="other", node="gate/other"))
    assert [lost.lost for lost in recorder.losses] == [1]


async def test_it_writes_through_to_the_real_store(run_dir: Path, clock: StillClock) -> None:
    (run_dir / "state").mkdir()
    store = open_store(run_dir / "state", clock)
    log = access_log.AccessLog(store, clock=clock)
    async with access_log.serve(run_dir / "als.sock", log):
        await send(run_dir, message(*[entries.entry()] * 300))
    store.close()
    lines = [records.decode(line) for _, line in RecordLog(run_dir / "state").read()]
    numbers = [line.sequence for line in lines if isinstance(line, records.RequestRecord)]
    assert numbers == list(range(1, 301))


async def test_the_socket_is_ours_alone(run_dir: Path, recorder: MemoryRecorder) -> None:
    log = access_log.AccessLog(recorder, clock=StillClock())
    os.chmod(run_dir, 0o755)  # noqa: PTH101
    with pytest.raises(errors.SettingsError, match="0700"):
        async with access_log.serve(run_dir / "als.sock", log):
            pytest.fail("served in a directory that others may enter")
    os.chmod(run_dir, 0o700)  # noqa: PTH101
    async with access_log.serve(run_dir / "als.sock", log):
        assert (run_dir / "als.sock").stat().st_mode & 0o077 == 0
