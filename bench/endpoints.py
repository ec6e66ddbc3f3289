"""Endpoints: from a written EndpointSlice to the first answer of the new server, at 1 000 models.

As `changes`, but what changes is where one model's server listens: to and fro between two servers
that answer with different statuses. It is the way that a dead pod leaves rotation.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from bench import backend, credentials, documents, governed, processes
from bench.caller import Caller
from bench.changes import CHANGES, PATIENCE_S, PAUSE_S, POLL_S, QUICK_CHANGES, WORKERS
from bench.context import Benchmark, Context
from bench.data_plane import BODY
from bench.figures import Figure, percentile
from bench.processes import BenchError

MODELS = 1_000
QUICK_MODELS = 10
_FIRST, _SECOND = 200, 201


def run(context: Context) -> Iterator[Figure]:
    models = QUICK_MODELS if context.quick else MODELS
    changes = QUICK_CHANGES if context.quick else CHANGES
    made = credentials.make()
    authority = made.write_authority(context.work / "ca.pem")
    port = processes.free_port()
    index = models // 2 - models // 2 % 2
    caller = Caller(
        port=port,
        host=documents.host_of(index),
        path=f"/v2/models/model-{index:05d}/infer",
        headers={"authorization": f"Bearer {made.token}", "content-type": "application/json"},
        body=BODY,
        authority=authority,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(caller)
        first = stack.enter_context(backend.serving(_FIRST))
        second = stack.enter_context(backend.serving(_SECOND))
        setup = made.setup(https=port, backend=first)
        gate = stack.enter_context(
            governed.serving(
                context.work,
                documents.folder(models, setup),
                workers=WORKERS,
                is_ready=lambda: caller.ask() == _FIRST,
            )
        )
        file = gate.folder / documents.policy_file(index)
        text = documents.model_text(index, setup)
        moved = text.replace(f"ports: [{{name: http, port: {first}}}]",
                             f"ports: [{{name: http, port: {second}}}]")  # fmt: skip
        times = list(_moves(caller, file, {_FIRST: text, _SECOND: moved}, changes))
    note = f"p50 {percentile(times, 0.5):.0f}, max {max(times):.0f} of {changes} changes"
    yield Figure(f"endpoints-{models}", percentile(times, 0.99), "ms", note)


def _moves(caller: Caller, file: Path, texts: dict[int, str], changes: int) -> Iterator[float]:
    new = file.with_name(f".{file.name}.new")
    for number in range(changes):
        wanted = _FIRST if number % 2 else _SECOND
        time.sleep(PAUSE_S + number % 7 * 0.01)
        new.write_text(texts[wanted], "utf-8")
        began = time.perf_counter()
        new.replace(file)
        while (answer := caller.ask()) != wanted:
            if answer not in (_FIRST, _SECOND):
                raise BenchError(f"the gate answered {answer} while endpoints changed")
            if time.perf_counter() - began > PATIENCE_S:
                raise BenchError(f"the endpoints did not change within {PATIENCE_S:g} s")
            time.sleep(POLL_S)
        yield (time.perf_counter() - began) * 1000


BENCHMARK = Benchmark(
    name="endpoints",
    about="from a written EndpointSlice to the first answer of the new server",
    names=(f"endpoints-{MODELS}",),
    run=run,
)
