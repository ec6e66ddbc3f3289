"""Full compile: World → IR → Envoy messages, with nothing remembered, at several sizes.

Each size runs in a process of its own, so its peak memory is its own: interpreter, documents, IR and
messages together. Reading the documents is timed beside, it is not part of the compile.

    python -m bench.compiling MODELS        one size, as JSON
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypedDict

from bench import credentials, documents, processes
from bench.context import Benchmark, Context
from bench.figures import Figure, percentile
from gatereeve.compile import compiler
from gatereeve.proxy import configuration
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.runtime import garbage_collection

SIZES = (1, 100, 1_000, 10_000)
QUICK_SIZES = (1, 100)
_REPEAT_BELOW = 10_000


class Sample(TypedDict):
    """Seconds, MB (10^6 bytes); cpu: of compile and build; rows: routes in all; served: bytes of the
    messages."""

    read: float
    compile: float
    build: float
    cpu: float
    peak: float
    rows: int
    served: int


def once(models: int) -> Sample:
    """One size, cold, in this process."""
    setup = credentials.make().setup(https=8443, backend=9000)
    texts = documents.folder(models, setup)
    began = time.perf_counter()
    world = documents.world(texts, datetime.now(UTC))
    read, cpu = time.perf_counter(), time.process_time()
    compiled = compiler.compile(world)
    middle = time.perf_counter()
    gate = compiled.ir.gates[0]
    snapshot = configuration.Builder().build(gate)
    end, cpu = time.perf_counter(), time.process_time() - cpu
    hosts = [host for listener in gate.listeners for host in listener.hosts]
    if len(hosts) != models:
        raise processes.BenchError(
            f"{len(hosts)} hosts of {models} are served: {compiled.findings[:3]}"
        )
    return Sample(
        read=read - began,
        compile=middle - read,
        build=end - middle,
        cpu=cpu,
        peak=processes.peak_mb(),
        rows=sum(len(host.routes) for host in hosts),
        served=sum(len(r.body) for kind in snap.TYPES for r in snapshot.of(kind).values()),
    )


def run(context: Context) -> Iterator[Figure]:
    for models in QUICK_SIZES if context.quick else SIZES:
        times = 3 if models < _REPEAT_BELOW and not context.quick else 1
        samples = [_in_process(models) for _ in range(times)]
        total = percentile([s["compile"] + s["build"] for s in samples], 0.5)
        peak = max(s["peak"] for s in samples)
        last = samples[-1]
        note = (
            f"{last['rows']} routes, {last['served'] / 1e6:.1f} MB of messages; IR"
            f" {last['compile']:.2f} s, messages {last['build']:.2f} s, of it {last['cpu']:.2f} s"
            f" of CPU: {last['cpu'] / last['rows'] * 1e6:.0f} µs for each route; before that,"
            f" reading {6 * models} documents took {last['read']:.2f} s; {_runs(times)}"
        )
        yield Figure(f"compile-{models}-time", total, "s", note)
        only = percentile([s["compile"] for s in samples], 0.5)
        yield Figure(f"compile-{models}-ir-time", only, "s", "`compile.compile` alone: World → IR")
        yield Figure(
            f"compile-{models}-memory", peak, "MB", "peak of the whole process, documents included"
        )


def _runs(times: int) -> str:
    return "one run" if times == 1 else f"median of {times} runs"


def _in_process(models: int) -> Sample:
    command = [sys.executable, "-m", "bench.compiling", str(models)]
    said: Sample = json.loads(processes.check_output(f"compile {models}", command, timeout_s=300))
    return said


BENCHMARK = Benchmark(
    name="compile",
    about="full compile, cold: World → IR → Envoy messages",
    names=tuple(f"compile-{n}-{what}" for n in SIZES for what in ("time", "ir-time", "memory")),
    run=run,
)

if __name__ == "__main__":
    garbage_collection.begin()  # as `gatereeve up` does: the collector waits until the first World is in force
    print(json.dumps(once(int(sys.argv[1]))))
