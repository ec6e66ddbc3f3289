"""Our gate beside LiteLLM's proxy: one fake OpenAI backend, one load tool, one run, in turns.

What each does with a request to `/v1/chat/completions`:

* our gate: TLS, an API key, the model's name and `stream` read from the body, access rules, a limit,
  the record of the request (JSON lines in a file), then the backend;
* LiteLLM: plain HTTP, its master key, its router to one deployment, then the backend. No database,
  no cache, no log, no spend tracking, no call to the outside: less than we do, and the fastest it
  offers (see `_CONFIG`, `_SWITCHES` and the options in `serving`).

Each has one worker process or thread for requests. The figure is the ratio of requests per second in
a closed loop of 16 connections; CPU per request, over all processes of a side, stands beside it,
because it does not depend on what else the machine does. LiteLLM comes from PyPI by its own locked
requirements into a virtual environment under `build/`; it is no dependency of ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import credentials, documents, governed, loads, processes, venvs
from bench.caller import Caller
from bench.context import Benchmark, Context
from bench.figures import Figure, percentile
from bench.processes import BenchError

LOCK = Path(__file__).with_name("litellm.lock")
CONNECTIONS = 16
WORKERS = 1
MODEL = 1
PATH = "/v1/chat/completions"

ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": documents.name_of(MODEL),
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "A fixed answer of a fake backend, a few words long, always the same.",
            },
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28},
}
ASK = {
    "model": documents.name_of(MODEL),
    "messages": [{"role": "user", "content": "Say what you always say."}],
}

_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: openai/{model}, api_key: none, api_base: "http://127.0.0.1:{port}/v1"}}
litellm_settings: {{set_verbose: false, request_timeout: 600, telemetry: false}}
general_settings: {{master_key: {key}}}
"""
# Its own advice for production, and nothing that would call out: prices from its own copy, no
# telemetry, no documentation pages, errors only in the log.
_SWITCHES = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "NO_DOCS": "True",
    "DISABLE_ADMIN_UI": "True",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """pids: every process of this side that works on requests."""

    name: str
    target: loads.Target
    pids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """cpu_us: of all the side's processes, per request; None without /proc."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float | None


@contextlib.contextmanager
def proxy(context: Context, home: Path, upstream: int, body: Path) -> Iterator[Side]:
    """LiteLLM's proxy in front of `upstream`, ready."""
    work, port, key = context.work, processes.free_port(), "sk-" + secrets.token_hex(16)
    config, log = work / "litellm.yaml", work / "litellm.log"
    config.write_text(_CONFIG.format(model=documents.name_of(MODEL), port=upstream, key=key))
    command: list[str | Path] = [
        home / "bin" / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port),
        "--num_workers", str(WORKERS),
    ]  # fmt: skip
    environment = {**os.environ, **_SWITCHES, "HOME": str(work)}
    with processes.running("litellm", command, log=log, environment=environment) as child:
        drain = _discard(child)
        url = f"http://127.0.0.1:{port}/health/liveliness"
        processes.wait_for(lambda: _answers(url), "LiteLLM", timeout_s=120, log=log)
        yield Side(
            name="LiteLLM",
            target=loads.Target(
                port=port, host="127.0.0.1", path=PATH, body=body,
                headers={"authorization": f"Bearer {key}", "content-type": "application/json"},
            ),
            pids=tuple(processes.family(child.pid)),
        )  # fmt: skip
    drain.close()


def _discard(child: subprocess.Popen[str]) -> contextlib.ExitStack:
    """Reads and forgets what the child prints, so that its pipe never fills."""

    def read() -> None:
        if child.stdout is not None:
            with contextlib.suppress(ValueError):
                for _ in child.stdout:
                    pass

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    stack = contextlib.ExitStack()
    stack.callback(thread.join, 5)
    return stack


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def gate(context: Context, upstream: int, body: Path) -> Iterator[Side]:
    """Our gate in front of `upstream`, ready."""
    work = context.work
    made = credentials.make()
    authority = made.write_authority(work / "ca.pem")
    port = processes.free_port()
    setup = made.setup(https=port, backend=upstream)
    texts = {
        "gate.yaml": documents.gate_text(setup),
        documents.policy_file(MODEL): documents.model_text(MODEL, setup),
    }
    headers = {"x-api-key": made.api_key, "content-type": "application/json"}
    caller = Caller(
        port=port, host=documents.host_of(MODEL), path=PATH, headers=headers,
        body=body.read_bytes(), authority=authority,
    )  # fmt: skip
    with (
        caller,
        governed.serving(
            work, texts, workers=WORKERS, is_ready=lambda: caller.ask() == 200
        ) as running,
    ):
        yield Side(
            name="our gate",
            target=loads.Target(
                port=port, host=documents.host_of(MODEL), path=PATH, body=body, headers=headers,
                authority=authority,
            ),
            pids=(running.control, running.envoy),
        )  # fmt: skip


def run(context: Context) -> Iterator[Figure]:
    if context.load is None:
        yield from (Figure(name, None, "", loads.NEEDS_GO) for name in BENCHMARK.names)
        return
    home = venvs.install(context.tools, "litellm", LOCK)
    body, answer = context.work / "body.json", context.work / "answer.json"
    body.write_text(json.dumps(ASK))
    answer.write_text(json.dumps(ANSWER))
    rounds = 1 if context.quick else 3
    with contextlib.ExitStack() as stack:
        log = context.work / "backend.log"
        upstream = stack.enter_context(loads.backend(context.load, answer, log))
        theirs = stack.enter_context(proxy(context, home, upstream, body))
        ours = stack.enter_context(gate(context, upstream, body))
        found = [(one_round(context, theirs), one_round(context, ours)) for _ in range(rounds)]
    yield from _figures(found, venvs.version(home, "litellm"))


def one_round(context: Context, side: Side) -> Round:
    """Load against one side; every answer must be 200."""
    if context.load is None:
        raise BenchError(loads.NEEDS_GO)
    seconds = 2.0 if context.quick else 6.0
    how = loads.Load(connections=CONNECTIONS, seconds=seconds, warmup=2.0)
    before = processes.cpu_seconds(side.pids)
    result = loads.run(context.load, side.target, how)
    after = processes.cpu_seconds(side.pids)
    if result.failed:
        raise BenchError(
            f"{side.name}: {result.failed} requests failed: {result.statuses} {result.errors}"
        )
    sent = result.requests * (how.seconds + how.warmup) / how.seconds
    return Round(
        per_second=result.per_second,
        p50_ms=result.latency_us["p50"] / 1000,
        p99_ms=result.latency_us["p99"] / 1000,
        cpu_us=None if before is None or after is None else (after - before) / sent * 1e6,
    )


def _figures(found: Sequence[tuple[Round, Round]], litellm: str) -> Iterator[Figure]:
    def median(values: Sequence[float]) -> float:
        return percentile(values, 0.5)

    ratios = [ours.per_second / theirs.per_second for theirs, ours in found]
    yield Figure(
        "litellm-throughput-ratio", median(ratios), "× LiteLLM",
        f"LiteLLM {litellm}; pairs {min(ratios):.0f}…{max(ratios):.0f}; {CONNECTIONS} connections,"
        f" {WORKERS} worker each, same backend, {len(found)} alternating rounds; ours: TLS, API key,"
        " model from the body, access, limit, record on; theirs: plain HTTP, master key, no log",
    )  # fmt: skip
    for name, sides in zip(("litellm", "gate"), zip(*found, strict=True), strict=True):
        yield Figure(
            f"{name}-openai-throughput", median([r.per_second for r in sides]), "requests/s",
            f"p50 {median([r.p50_ms for r in sides]):.1f} ms,"
            f" p99 {median([r.p99_ms for r in sides]):.1f} ms under this load",
        )  # fmt: skip
        costs = [r.cpu_us for r in sides if r.cpu_us is not None]
        yield Figure(
            f"{name}-openai-cpu-per-request", median(costs) if costs else None, "µs",
            "all processes of this side" if costs else "needs /proc",
        )  # fmt: skip
    pairs = [(t.cpu_us, o.cpu_us) for t, o in found if t.cpu_us is not None and o.cpu_us]
    yield Figure(
        "litellm-cpu-ratio", median([t / o for t, o in pairs]) if pairs else None, "× our CPU",
        "CPU per request of LiteLLM over ours, record keeping included",
    )  # fmt: skip


BENCHMARK = Benchmark(
    name="litellm",
    about="the gate beside LiteLLM's proxy on one fake OpenAI backend",
    names=(
        "litellm-throughput-ratio",
        "litellm-openai-throughput",
        "litellm-openai-cpu-per-request",
        "gate-openai-throughput",
        "gate-openai-cpu-per-request",
        "litellm-cpu-ratio",
    ),
    run=run,
)
