"""The ledger's log: append, verify, start, memory; each in a process of its own, on the disk of the work folder.

Rates depend on the disk and on what else uses it, so the same bytes are also written to one plain file with one
fdatasync for each batch, in the same run: the ratio to that is what the log costs.

    python -m bench.ledger append|grow|start|store|verify FOLDER RECORDS      one measurement, as JSON
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict

from bench import processes
from bench.context import Benchmark, Context
from bench.figures import Figure, percentile
from gatereeve.core.records import Caller, RequestRecord
from gatereeve.ledger.store import open_store
from gatereeve.ledger.tlog import notes, recovery, verify
from gatereeve.ledger.tlog.writer import Writer
from gatereeve.runtime.supervise import SystemClock

SIGNER = notes.Signer("bench.example.com/log", bytes(range(32)))
ENTRY_BYTES = 600
"""About what a request record takes."""
BATCH = 1_000
APPENDED, QUICK_APPENDED = 300_000, 10_000
GROWN, QUICK_GROWN = 10_000_000, 200_000
_SMALL_BATCHES = (1, 64)
_STORED_BATCH = 64
_REPEATS = 3


class Sample(TypedDict, total=False):
    """Seconds, MB (10^6 bytes), records per second."""

    rate: float
    plain_rate: float
    cpu_us: float
    commits_ms: dict[str, float]
    start: float
    peak: float
    growth: float
    size: int
    append_ms: float
    sync_ms: float


def append(folder: Path, records: int) -> Sample:
    """Batches of 1,000 entries of 600 bytes; the same bytes in a plain file; small batches."""
    entries = [os.urandom(ENTRY_BYTES) for _ in range(BATCH)]
    data = b"".join(entries)
    began = time.perf_counter()
    with (folder / "plain").open("wb", buffering=0) as file:
        for _ in range(records // BATCH):
            file.write(data)
            os.fdatasync(file.fileno())
    plain = time.perf_counter() - began
    (folder / "plain").unlink()
    writer = recovery.create_log(folder / "log", SIGNER)
    began, cpu = time.perf_counter(), time.process_time()
    for _ in range(records // BATCH):
        writer.append(entries)
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    commits = {str(count): _commit_ms(writer, entries[:count]) for count in _SMALL_BATCHES}
    writer.close()
    return Sample(
        rate=records / took,
        plain_rate=records / plain,
        cpu_us=cpu / records * 1e6,
        commits_ms=commits,
    )


def _commit_ms(writer: Writer, entries: list[bytes]) -> float:
    times = []
    for _ in range(50):
        began = time.perf_counter()
        writer.append(entries)
        times.append((time.perf_counter() - began) * 1e3)
    return percentile(times, 0.5)


def grow(folder: Path, records: int) -> Sample:
    """A long log of short entries. growth: of the peak of memory after its first tenth."""
    writer = recovery.create_log(folder / "log", SIGNER)
    early = 0.0
    batch = 50_000
    for start in range(0, records, batch):
        if start >= records // 10 and not early:
            early = processes.peak_mb()
        writer.append([b"%d" % number for number in range(start, start + batch)])
    writer.close()
    return Sample(growth=processes.peak_mb() - early, peak=processes.peak_mb())


def start(folder: Path, records: int) -> Sample:
    began = time.perf_counter()
    writer = recovery.open_log(folder / "log", SIGNER)
    took = time.perf_counter() - began
    if writer.size != records:
        raise processes.BenchError(f"{writer.size} records of {records}")
    writer.close()
    return Sample(start=took)


def keep(folder: Path, records: int) -> Sample:
    """Request records through the store, as the intake gives them: 64 at a time, a commit for each 1,280."""
    state = folder / "state"
    state.mkdir()
    batch = [_record(number) for number in range(_STORED_BATCH)]
    store = open_store(state, SystemClock())
    appends = []
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(records // _STORED_BATCH):
        at = time.perf_counter()
        store.append(batch)
        appends.append((time.perf_counter() - at) * 1e3)
        if number % 20 == 19:
            store.commit()
    store.commit()
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    syncs = []
    for _ in range(200):
        store.append(batch[:1])
        at = time.perf_counter()
        store.sync()
        syncs.append((time.perf_counter() - at) * 1e3)
    store.close()
    began = time.perf_counter()
    store = open_store(state, SystemClock())
    store.count("gate/edge-0", 0)
    started = time.perf_counter() - began
    store.close()
    stored = records // _STORED_BATCH * _STORED_BATCH
    return Sample(
        rate=stored / took,
        cpu_us=cpu / stored * 1e6,
        append_ms=percentile(appends, 0.99),
        sync_ms=percentile(syncs, 0.5),
        start=started,
    )


def _record(number: int) -> RequestRecord:
    return RequestRecord(
        record_id=str(uuid.UUID(int=number)), gate="edge", node="gate/edge-0", sequence=number,
        started_at="2026-11-24T12:00:00.000000Z", outcome="served", status=200, duration_us=2345,
        scheme="https", host="credit.example", method="POST", path="/v2/models/credit/infer",
        protocol="kserve-v2", source_ip="192.0.2.1", region="eu", purpose="underwriting",
        caller=Caller(provider="corp", id="u-17", method="jwt", groups=("staff",)),
        operation="infer", model="lending/credit", version="v1", route_rule="default",
        rule="lending/staff/allow[0]", policy="sha256:" + "a" * 64, config="sha256:" + "b" * 64,
        audit="recorded", upstream="192.0.2.9:8080", attempts=1, request_bytes=300, response_bytes=90,
    )  # fmt: skip


def verify_all(folder: Path, records: int) -> Sample:
    began = time.perf_counter()
    verdict = verify.verify(folder / "log", SIGNER.verifier)
    took = time.perf_counter() - began
    if not verdict.is_intact or verdict.size < records:
        raise processes.BenchError(f"{verdict.size} of {records}: {verdict.faults[:3]}")
    return Sample(rate=verdict.size / took, peak=processes.peak_mb())


MEASUREMENTS = {
    "append": append,
    "grow": grow,
    "start": start,
    "store": keep,
    "verify": verify_all,
}


def run(context: Context) -> Iterator[Figure]:
    records = QUICK_APPENDED if context.quick else APPENDED
    samples, verified = [], []
    for number in range(1 if context.quick else _REPEATS):
        folder = context.work / f"append-{number}"
        folder.mkdir()
        samples.append(_in_process("append", folder, records))
        verified.append(_in_process("verify", folder, records))
        shutil.rmtree(folder)
    rates = sorted(sample["rate"] for sample in samples)
    runs = ", ".join(f"{rate:,.0f}" for rate in rates)
    cpu = percentile([sample["cpu_us"] for sample in samples], 0.5)
    note = f"{ENTRY_BYTES} bytes each, {BATCH} in a batch, durable and signed; runs {runs}"
    yield Figure("ledger-append-rate", percentile(rates, 0.5), "records/s", note)
    ratio = percentile([sample["rate"] / sample["plain_rate"] for sample in samples], 0.5)
    yield Figure(
        "ledger-append-ratio", ratio, "", "to the same bytes in one file, one fdatasync a batch"
    )
    yield Figure("ledger-append-cpu", cpu, "µs", "of one core for each record")
    for count in _SMALL_BATCHES:
        median = percentile([sample["commits_ms"][str(count)] for sample in samples], 0.5)
        yield Figure(f"ledger-commit-{count}-p50", median, "ms", f"a batch of {count}")
    rate = percentile([sample["rate"] for sample in verified], 0.5)
    yield Figure("ledger-verify-rate", rate, "records/s", f"{ENTRY_BYTES} bytes each, one core")
    yield from _store(context)
    records = QUICK_GROWN if context.quick else GROWN
    folder = context.work / "grown"
    folder.mkdir()
    grown = _in_process("grow", folder, records)
    note = f"of the writer between {records // 10:,} and {records:,} records; peak {grown['peak']:.0f} MB"
    yield Figure("ledger-memory-growth", grown["growth"], "MB", note)
    started = [_in_process("start", folder, records)["start"] for _ in range(3)]
    yield Figure("ledger-start-time", max(started), "s", f"the longest of 3, {records:,} records")
    long = _in_process("verify", folder, records)
    note = f"{records:,} short records; peak {long['peak']:.0f} MB"
    yield Figure("ledger-verify-long-rate", long["rate"], "records/s", note)


def _store(context: Context) -> Iterator[Figure]:
    records = QUICK_APPENDED if context.quick else APPENDED
    samples = []
    for number in range(1 if context.quick else _REPEATS):
        folder = context.work / f"store-{number}"
        folder.mkdir()
        samples.append(_in_process("store", folder, records))
        shutil.rmtree(folder)
    cpu = percentile([sample["cpu_us"] for sample in samples], 0.5)
    yield Figure(
        "ledger-store-cpu", cpu, "µs", "for each request record, from record to signed log"
    )
    rate = percentile([sample["rate"] for sample in samples], 0.5)
    yield Figure("ledger-store-rate", rate, "records/s", f"{_STORED_BATCH} at a time, in the log")
    late = percentile([sample["append_ms"] for sample in samples], 0.5)
    yield Figure("ledger-store-append-p99", late, "ms", f"{_STORED_BATCH} records, no sync")
    sync = percentile([sample["sync_ms"] for sample in samples], 0.5)
    yield Figure("ledger-store-sync-p50", sync, "ms", "one record is durable, not yet in the log")
    started = max(sample["start"] for sample in samples)
    yield Figure(
        "ledger-store-start", started, "s", f"open and count for resume, {records:,} records"
    )


def _in_process(what: str, folder: Path, records: int) -> Sample:
    command = [sys.executable, "-m", "bench.ledger", what, str(folder), str(records)]
    said: Sample = json.loads(processes.check_output(f"ledger {what}", command, timeout_s=1200))
    return said


BENCHMARK = Benchmark(
    name="ledger",
    about="the log: append, verify, start",
    names=(
        *("ledger-append-rate", "ledger-append-ratio", "ledger-append-cpu"),
        *(f"ledger-commit-{count}-p50" for count in _SMALL_BATCHES),
        *("ledger-verify-rate", "ledger-memory-growth", "ledger-start-time"),
        "ledger-verify-long-rate",
    ),
    run=run,
)

if __name__ == "__main__":
    print(json.dumps(MEASUREMENTS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))))
