"""Change to enforced: from a written file to the first answer that obeys it, at several sizes.

The control plane and Envoy are those of `gatereeve up`, on a real folder with that many models. One
AccessPolicy is written to and fro, so that one principal is denied and then allowed again; a caller
with that principal asks the gate all the time. Counted is the time from just before the file is put
in its place (`os.replace`) to the end of the first answer of the new kind: notification, reading,
compiling, publishing, Envoy's own work and the request itself.

Changes come one at a time, far enough apart that none is gathered with the one before. The bar is
held against p99, which for so few changes is the slowest.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from bench import backend, credentials, documents, governed, hops, processes
from bench.caller import Caller
from bench.context import Benchmark, Context
from bench.data_plane import BODY
from bench.figures import Figure, percentile
from bench.processes import BenchError
from gatereeve.runtime import settings
from gatereeve.runtime.last_good import LastGood

SIZES = (1_000, 10_000)
QUICK_SIZES = (10,)
CHANGES = 24
QUICK_CHANGES = 4
PAUSE_S = 0.65
"""Between changes; the source gathers what follows a change within half a second."""
POLL_S = 0.001
PATIENCE_S = 30.0
SAVED_S = 8.0
"""By then the last good configuration of the last change is saved."""
WORKERS = 1


def run(context: Context) -> Iterator[Figure]:
    for models in QUICK_SIZES if context.quick else SIZES:
        changes = QUICK_CHANGES if context.quick else CHANGES
        yield from _at(models, context.work / str(models), changes)


def _at(models: int, work: Path, changes: int) -> Iterator[Figure]:
    work.mkdir()
    made = credentials.make()
    authority = made.write_authority(work / "ca.pem")
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
        setup = made.setup(https=port, backend=stack.enter_context(backend.serving()))
        texts = documents.folder(models, setup)
        began = time.perf_counter()

        def is_ready() -> bool:
            return caller.ask() == _ALLOWED

        with governed.serving(work, texts, workers=WORKERS, is_ready=is_ready) as gate:
            started = time.perf_counter() - began
            file = gate.folder / documents.policy_file(index)
            variants = {
                denied: documents.model_text(index, setup, denied=denied)
                for denied in (True, False)
            }
            times = list(flips(caller, file, variants, changes))
            memory = processes.resident_mb(gate.control), processes.resident_mb(gate.envoy)
            time.sleep(SAVED_S)
        began = time.perf_counter()
        (kept,) = settings.state_paths(gate.state).last_good_files()
        if LastGood(kept).load() is None:
            raise BenchError("no last good configuration was kept")
        loaded = time.perf_counter() - began
        began = time.perf_counter()
        with governed.serving(work, {}, workers=WORKERS, is_ready=is_ready):
            restarted = time.perf_counter() - began
    note = (
        f"p50 {percentile(times, 0.5):.0f}, max {max(times):.0f} of {changes} changes; the bar is"
        f" held against p99; served {started:.0f} s after the start; {hops.described(models)}"
    )
    yield Figure(f"change-enforced-{models}", percentile(times, 0.99), "ms", note)
    yield Figure(f"change-enforced-{models}-p50", percentile(times, 0.5), "ms", "")
    about = "what gates accepted last, from the disk; a gate that connects then has it at once"
    yield Figure(f"last-good-{models}", loaded, "s", about)
    about = "`up` ended with its gate and begun again, until the first answer: it reads and compiles all"
    yield Figure(f"restart-{models}", restarted, "s", about)
    for name, value in zip(("control plane", "Envoy"), memory, strict=True):
        words = name.lower().replace(" ", "-")
        yield Figure(
            f"memory-{words}-{models}", value, "MB", f"resident, {name}, after the changes"
        )


_ALLOWED, _DENIED = 200, 403


class Asks(Protocol):
    """Whoever can ask the gate; a `Caller` does it over a connection."""

    def ask(self) -> int: ...


def flips(
    caller: Asks,
    file: Path,
    variants: dict[bool, str],
    changes: int,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[float]:
    """Milliseconds of each change. variants: the file's text when the caller is denied, and not."""
    new = file.with_name(f".{file.name}.new")
    for number in range(changes):
        denied = number % 2 == 0
        new.write_text(variants[denied], "utf-8")
        pause(PAUSE_S + number % 7 * 0.01)
        yield _until(caller, _DENIED if denied else _ALLOWED, lambda: new.replace(file))


def _until(caller: Asks, wanted: int, change: Callable[[], object]) -> float:
    before = caller.ask()
    if before not in (_ALLOWED, _DENIED) or before == wanted:
        raise BenchError(f"the gate answers {before} before the change to {wanted}")
    began = time.perf_counter()
    change()
    while time.perf_counter() - began < PATIENCE_S:
        answer = caller.ask()
        if answer == wanted:
            return (time.perf_counter() - began) * 1000
        if answer != before:
            raise BenchError(f"the gate answered {answer} while it changed {before} to {wanted}")
        time.sleep(POLL_S)
    raise BenchError(f"the change to {wanted} was not enforced within {PATIENCE_S:g} s")


BENCHMARK = Benchmark(
    name="change",
    about="from a written AccessPolicy to the first answer that obeys it",
    names=tuple(
        name
        for n in SIZES
        for name in (
            f"change-enforced-{n}",
            f"change-enforced-{n}-p50",
            f"last-good-{n}",
            f"restart-{n}",
            f"memory-control-plane-{n}",
            f"memory-envoy-{n}",
        )
    ),
    run=run,
)
