"""Where the time of a change goes in the control plane: the hops before the wire, one by one.

    python -m bench.hops MODELS        medians over a few changes, as JSON

The same change as in `bench.changes`, in one process without a gate: a policy's file is written to
and fro; then the folder is read, compiled and built as `gatereeve up` does it, memo warm. What a
change takes beyond these hops is the notification, the wire and Envoy.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

from bench import credentials, documents, governed, processes
from bench.figures import percentile
from gatereeve.compile import compiler
from gatereeve.proxy import configuration
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.runtime import garbage_collection
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.folder import settling
from gatereeve.sources.folder.folder_source import FolderSource

_CHANGES = 8


class Hops(TypedDict):
    """Medians, ms. resources, bytes: of the messages that one change touches."""

    read: float
    compile: float
    build: float
    resources: int
    bytes: int


class _SkippingClock(SystemClock):
    """A clock by which a change is over as soon as that is said, so that no waiting is measured."""

    skipped_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped_s


def measure(models: int) -> Hops:
    """The hops at one size. Raises RuntimeError when a change changed nothing: then it measured nothing."""
    setup = credentials.make().setup(https=8443, backend=9000)
    with tempfile.TemporaryDirectory(prefix="gatereeve-hops-") as work:
        folder = Path(work)
        governed.write_folder(folder, documents.folder(models, setup))
        index = models // 2 - models // 2 % 2
        file = folder / documents.policy_file(index)
        clock = _SkippingClock()
        source, builder = FolderSource(folder, clock), configuration.Builder()
        compiling = compiler.Compiler()
        garbage_collection.begin()
        before = builder.build(compiling.compile(source.read()).ir.gates[0])
        garbage_collection.settle()
        found: list[tuple[float, float, float]] = []
        for number in range(_CHANGES):
            text = documents.model_text(index, setup, denied=number % 2 == 0)
            file.write_text(text, "utf-8")
            began = time.perf_counter()
            source.follow([file])
            clock.skipped_s += settling.QUIET_S
            world = source.follow(())
            read = time.perf_counter()
            gate = compiling.compile(world).ir.gates[0]
            compiled = time.perf_counter()
            after = builder.build(gate)
            built = time.perf_counter()
            found.append((read - began, compiled - read, built - compiled))
            touched = _touched(before, after)
            if not touched:
                raise RuntimeError("the change changed nothing")
            before = after
    read_ms, compile_ms, build_ms = (
        percentile([one[hop] * 1000 for one in found], 0.5) for hop in range(3)
    )
    return Hops(
        read=read_ms, compile=compile_ms, build=build_ms,
        resources=len(touched), bytes=sum(touched),
    )  # fmt: skip


def _touched(before: snap.Snapshot, after: snap.Snapshot) -> list[int]:
    """Sizes of the resources that are sent."""
    return [
        len(resource.body)
        for kind in snap.TYPES
        for name, resource in after.of(kind).items()
        if (old := before.of(kind).get(name)) is None or old.version != resource.version
    ]


def described(models: int) -> str:
    """The hops in words, measured in a process of its own."""
    command = [sys.executable, "-m", "bench.hops", str(models)]
    hops: Hops = json.loads(processes.check_output(f"hops {models}", command, timeout_s=300))
    return (
        f"of a change, before the wire: reading {hops['read']:.0f} ms, compiling"
        f" {hops['compile']:.0f}, building {hops['build']:.0f}; it sends {hops['resources']}"
        f" resources, {hops['bytes'] / 1000:.0f} kB; the rest is the notification, the wire and Envoy"
    )


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
