"""`python -m bench [NAME…] [--quick]`: measure, print a table, write `build/bench.json`.

Exit code 0 when everything asked for was measured or skipped by name, whether bars hold or not: a
missed bar is a fact in the table and the file. 1 when a benchmark could not be run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench import (
    admission,
    callouts,
    changes,
    clustered,
    compiling,
    data_plane,
    endpoints,
    figures,
    ledger,
    litellm_proxy,
    loads,
    processes,
)
from bench.context import Benchmark, Context
from bench.figures import Figure
from bench.processes import BenchError

BENCHMARKS: tuple[Benchmark, ...] = (
    compiling.BENCHMARK,
    data_plane.BENCHMARK,
    litellm_proxy.BENCHMARK,
    changes.BENCHMARK,
    endpoints.BENCHMARK,
    admission.BENCHMARK,
    ledger.BENCHMARK,
    clustered.BENCHMARK,
    callouts.BENCHMARK,
)
BUILD = Path("build")


def main() -> int:
    given = _arguments()
    names = given.names or [benchmark.name for benchmark in BENCHMARKS]
    file = BUILD / ("bench-quick.json" if given.quick else "bench.json")
    found = [Figure("machine", os.cpu_count(), "cores", processes.machine())]
    print(found[0].note, flush=True)
    tools = BUILD.absolute() / "bench"
    failed = False
    for benchmark in BENCHMARKS:
        if benchmark.name not in names:
            continue
        began = time.monotonic()
        print(f"{benchmark.name}: {benchmark.about} …", flush=True)
        with tempfile.TemporaryDirectory(prefix="gatereeve-bench-") as work:
            context = Context(
                quick=given.quick, work=Path(work), tools=tools, load=loads.build(tools)
            )
            made, problem = _measure(benchmark, context)
        failed = failed or problem
        found += made
        figures.write(file, found)
        print(f"  took {time.monotonic() - began:.0f} s", flush=True)
    print(f"\n{figures.table(found)}\n")
    for figure in found:
        if figure.note:
            print(f"{figure.name}: {figure.note}")
    print(f"\nwritten to {file}")
    return 1 if failed else 0


def _measure(benchmark: Benchmark, context: Context) -> tuple[list[Figure], bool]:
    """The figures, and whether it failed; what was not measured says why."""
    made: list[Figure] = []
    try:
        made.extend(benchmark.run(context))
    except BenchError as error:
        print(f"  failed: {error}", file=sys.stderr, flush=True)
        there = {figure.name for figure in made}
        reason = f"failed: {str(error).splitlines()[0][:300]}"
        made += [Figure(n, None, "", reason) for n in benchmark.names if n not in there]
        _keep_logs(benchmark, context)
        return made, True
    return made, False


def _keep_logs(benchmark: Benchmark, context: Context) -> None:
    """The logs of a run that failed, to be read."""
    to = context.tools / f"{benchmark.name}-logs"
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir(parents=True)
    for log in context.work.rglob("*.log"):
        shutil.copy(log, to / "-".join(log.relative_to(context.work).parts))
    print(f"  logs are in {to}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    known = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--quick", action="store_true", help="a smoke run: short, small, noisy")
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in known]
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(known)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
