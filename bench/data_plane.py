"""What governance costs on the hot path: the gate beside plain Envoy, in turns, in one run.

Both stand in front of one backend on one machine with one worker each, the same binary and the same
certificate, called over TLS with the same body and the same token. Governed means all of it: an ES256
token is verified, 20 access rules are weighed of which the last one admits, a limit is counted, and
each request is on record: Envoy's access-log service, our intake, JSON lines in a file.

Throughput: 16 connections in a closed loop, rounds plain, governed, plain, governed, …; the ratio of
each pair, and their median. Latency: the same with one connection. CPU: what the kernel counted for
Envoy during the governed and the plain rounds, by request, without the load tool and the backend.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import credentials, documents, governed, loads, plain, processes
from bench.caller import Caller
from bench.context import Benchmark, Context
from bench.figures import Figure, percentile

CONNECTIONS = 16
WORKERS = 1
RULES = 20
PROFILE = (
    "profile (filters taken out one by one, Envoy's CPU per request): plain 32 µs; connection manager"
    " and JWT +10; all other filters +15, none more than 6; access log +19, and about 30 more in the"
    " process that takes it in, on the same cores. Without the access log the ratio was 0.65"
)
"""What explains a missed ratio; found on two shared cores with Envoy 1.40."""
MODEL = 0
PATH = f"/v2/models/model-{MODEL:05d}/infer"
BODY = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[0.1,0.2,0.3,0.4]}]}'
ANSWER = (
    b'{"model_name":"m","model_version":"v1","outputs":'
    b'[{"name":"y","shape":[1],"datatype":"FP64","data":[0.5]}]}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two. envoy, control: process ids; control is 0 for plain Envoy."""

    name: str
    target: loads.Target
    envoy: int
    control: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One load against one side. envoy_us, control_us: CPU per request, None where unknown."""

    result: loads.Result
    envoy_us: float | None
    control_us: float | None


@contextlib.contextmanager
def sides(context: Context, load: Path) -> Iterator[tuple[Side, Side]]:
    """Both sides, ready: plain, governed."""
    work = context.work
    body, answer = work / "body.json", work / "answer.json"
    body.write_bytes(BODY)
    answer.write_bytes(ANSWER)
    made = credentials.make()
    authority = made.write_authority(work / "ca.pem")
    headers = {
        "authorization": f"Bearer {made.token}",
        "content-type": "application/json",
    }
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(loads.backend(load, answer, work / "backend.log"))
        port = processes.free_port()
        setup = made.setup(https=port, backend=upstream)
        texts = {
            "gate.yaml": documents.gate_text(setup),
            documents.policy_file(MODEL): documents.model_text(MODEL, setup, rules=RULES),
        }

        def target(at: int) -> loads.Target:
            return loads.Target(
                port=at, host=documents.host_of(MODEL), path=PATH, body=body, headers=headers,
                authority=authority,
            )  # fmt: skip

        def is_ready(at: int) -> bool:
            caller = Caller(
                port=at, host=documents.host_of(MODEL), path=PATH, headers=headers, body=BODY,
                authority=authority,
            )  # fmt: skip
            with caller:
                return caller.ask() == 200

        gate = stack.enter_context(
            governed.serving(work, texts, workers=WORKERS, is_ready=lambda: is_ready(port))
        )
        plain_port, process = stack.enter_context(
            plain.serving(work, made, upstream=upstream, workers=WORKERS)
        )
        processes.wait_for(
            lambda: is_ready(plain_port), "plain Envoy", timeout_s=20, log=work / "plain.log"
        )
        yield (
            Side(name="plain", target=target(plain_port), envoy=process.pid),
            Side(name="governed", target=target(port), envoy=gate.envoy, control=gate.control),
        )


def one_round(load: Path, side: Side, how: loads.Load) -> Round:
    """Load against one side. CPU covers warm-up too, so it is divided by all that was sent."""
    before = _cpu(side)
    result = loads.run(load, side.target, how)
    after = _cpu(side)
    if result.failed:
        raise processes.BenchError(
            f"{side.name}: {result.failed} requests failed: {result.statuses} {result.errors}"
        )
    sent = result.requests * (how.seconds + how.warmup) / how.seconds
    costs = [
        None if a is None or b is None else (a - b) / sent * 1e6
        for a, b in zip(after, before, strict=True)
    ]
    return Round(result=result, envoy_us=costs[0], control_us=costs[1])


def _cpu(side: Side) -> tuple[float | None, float | None]:
    control = processes.cpu_seconds([side.control]) if side.control else 0.0
    return processes.cpu_seconds([side.envoy]), control


def alternate(
    load: Path, pair: Sequence[Side], how: loads.Load, rounds: int
) -> list[tuple[Round, ...]]:
    """`rounds` rounds, each of them one load against every side in turn."""
    return [tuple(one_round(load, side, how) for side in pair) for _ in range(rounds)]


def run(context: Context) -> Iterator[Figure]:
    if context.load is None:
        yield from (Figure(name, None, "", loads.NEEDS_GO) for name in BENCHMARK.names)
        return
    rounds, seconds = (1, 1.0) if context.quick else (5, 4.0)
    with sides(context, context.load) as pair:
        busy = loads.Load(connections=CONNECTIONS, seconds=seconds)
        yield from _throughput(alternate(context.load, pair, busy, rounds))
        alone = loads.Load(connections=1, seconds=seconds)
        yield from _latency(alternate(context.load, pair, alone, rounds))


def _median(values: Sequence[float]) -> float:
    return percentile(values, 0.5)


def _throughput(found: list[tuple[Round, ...]]) -> Iterator[Figure]:
    ratios = [ours.result.per_second / theirs.result.per_second for theirs, ours in found]
    what = (
        f"{CONNECTIONS} connections, TLS, Envoy with {WORKERS} worker; JWT ES256, {RULES} access"
        f" rules, limit, record on; {len(found)} alternating rounds"
    )
    ratio = Figure(
        "governed-throughput-ratio", _median(ratios), "of plain",
        f"median of pairs {min(ratios):.2f}…{max(ratios):.2f}; {what}",
    )  # fmt: skip
    yield ratio if ratio.holds else replace(ratio, note=f"{ratio.note}; {PROFILE}")
    for name, position in (("plain", 0), ("governed", 1)):
        rates = [pair[position].result.per_second for pair in found]
        p99 = _median([pair[position].result.latency_us["p99"] for pair in found]) / 1000
        yield Figure(
            f"{name}-throughput", _median(rates), "requests/s",
            f"{min(rates):.0f}…{max(rates):.0f}; p99 under this load {p99:.2f} ms",
        )  # fmt: skip
        costs = [c for pair in found if (c := pair[position].envoy_us) is not None]
        yield Figure(
            f"{name}-cpu-per-request", _median(costs) if costs else None, "µs",
            "Envoy alone" if costs else "needs /proc",
        )  # fmt: skip
    control = [c for pair in found if (c := pair[1].control_us) is not None]
    yield Figure(
        "record-cpu-per-request", _median(control) if control else None, "µs",
        "the control plane's process while it takes in records and writes them",
    )  # fmt: skip


def _latency(found: list[tuple[Round, ...]]) -> Iterator[Figure]:
    for rank in ("p50", "p99"):
        pairs = [
            (theirs.result.latency_us[rank] / 1000, ours.result.latency_us[rank] / 1000)
            for theirs, ours in found
        ]
        added = [ours - theirs for theirs, ours in pairs]
        yield Figure(
            f"governed-added-latency-{rank}", _median(added), "ms",
            f"plain {_median([p for p, _ in pairs]):.3f}, governed"
            f" {_median([g for _, g in pairs]):.3f}; one connection; {len(found)} alternating"
            f" rounds, {min(added):.3f}…{max(added):.3f}",
        )  # fmt: skip


BENCHMARK = Benchmark(
    name="data-plane",
    about="the gate beside plain Envoy: throughput, CPU per request, added latency",
    names=(
        "governed-throughput-ratio",
        "plain-throughput",
        "plain-cpu-per-request",
        "governed-throughput",
        "governed-cpu-per-request",
        "record-cpu-per-request",
        "governed-added-latency-p50",
        "governed-added-latency-p99",
    ),
    run=run,
)
