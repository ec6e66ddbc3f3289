"""The call-out server beside other gRPC servers: CPU of each ext_authz call.

One client speaks to all of them over Unix sockets, in turns, in one run: the same bytes, the same
number of calls in flight. Handlers do nothing, so the figure is what the transport costs. grpclib,
hypercorn and granian come by a lock of their own into a virtual environment under `build/`; they are
no dependencies of ours. hypercorn and granian are servers for ASGI applications: the application
writes gRPC's prefix itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from envoy.service.auth.v3 import external_auth_pb2

from bench import callout_client, callout_server, processes, venvs
from bench.context import Benchmark, Context
from bench.figures import Figure
from bench.processes import BenchError

LOCK = Path(__file__).with_name("callouts.lock")
SCRIPT = Path(callout_server.__file__)
PATH = f"/{callout_server.SERVICE}/Check"
OURS = ("ours", "grpc.aio")
OTHERS = ("grpclib", "hypercorn", "granian")
IN_FLIGHT = (1, 16, 64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """cpu_us: of the server, for each call; None without /proc."""

    per_second: float
    cpu_us: float | None


def request() -> bytes:
    """A CheckRequest as Envoy makes it for a small POST, about 440 bytes."""
    message = external_auth_pb2.CheckRequest()
    attributes = message.attributes
    attributes.source.address.socket_address.address = "10.0.0.1"
    attributes.source.address.socket_address.port_value = 40_000
    attributes.destination.address.socket_address.address = "10.0.0.2"
    attributes.destination.address.socket_address.port_value = 8443
    http = attributes.request.http
    http.id, http.method, http.path = "1234567890", "POST", "/v2/models/credit/infer"
    http.host, http.scheme, http.protocol = "credit.models.example", "https", "HTTP/2"
    for name, value in {
        ":authority": http.host, ":method": "POST", ":path": http.path, ":scheme": "https",
        "content-type": "application/json", "user-agent": "python-httpx/0.28",
        "x-forwarded-for": "10.0.0.1", "x-forwarded-proto": "https",
        "x-request-id": "5f0f2c0e-8a9f-4b55-9a7e-0123456789ab", "x-envoy-internal": "true",
    }.items():  # fmt: skip
        http.headers[name] = value
    return message.SerializeToString()


@contextlib.contextmanager
def serving(side: str, python: str | Path, work: Path) -> Iterator[tuple[Path, Sequence[int]]]:
    """One server, ready: its socket, and the processes that work."""
    home = work / side
    home.mkdir(mode=0o700, exist_ok=True)
    socket, log = home / "s", home / "server.log"
    command = [python, SCRIPT, side, str(socket)]
    with processes.running(side, command, log=log) as child:
        processes.wait_for(socket.exists, side, timeout_s=30, log=log)
        processes.wait_for(lambda: _listens(socket), side, timeout_s=30, log=log)
        yield socket, tuple(processes.family(child.pid))


def _listens(socket: Path) -> bool:
    try:
        callout_client.Client(socket, PATH, b"", 1).close()
    except OSError:
        return False
    return True


def one_round(socket: Path, pids: Sequence[int], in_flight: int, seconds: float) -> Round:
    """One connection with so many calls in flight, for some seconds."""
    with contextlib.closing(callout_client.Client(socket, PATH, request(), in_flight)) as client:
        before = processes.cpu_seconds(pids)
        result = client.run(seconds)
        after = processes.cpu_seconds(pids)
    if not result.calls:
        raise BenchError("no call was answered")
    return Round(
        per_second=result.calls / result.seconds,
        cpu_us=None if before is None or after is None else (after - before) / result.calls * 1e6,
    )


def run(context: Context) -> Iterator[Figure]:
    pythons: dict[str, str | Path] = dict.fromkeys(OURS, sys.executable)
    versions = {"ours": ""}
    try:
        home = venvs.install(context.tools, "callouts", LOCK)
    except BenchError as error:
        yield from (
            Figure(_name(side, n), None, "µs", f"not installed: {str(error)[:200]}")
            for side in OTHERS
            for n in IN_FLIGHT
        )
    else:
        pythons |= dict.fromkeys(OTHERS, home / "bin" / "python")
        versions |= {side: venvs.version(home, side) for side in OTHERS}
    rounds, seconds = (1, 0.5) if context.quick else (5, 2.0)
    made: dict[tuple[str, int], list[Round]] = {}
    with contextlib.ExitStack() as stack:
        servers = {
            side: stack.enter_context(serving(side, python, context.work))
            for side, python in pythons.items()
        }
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                for side, (socket, pids) in servers.items():
                    result = one_round(socket, pids, in_flight, seconds)
                    made.setdefault((side, in_flight), []).append(result)
    yield from _figures(made, versions)


def _name(side: str, in_flight: int) -> str:
    return f"callout-cpu-{side}-{in_flight}"


def _figures(
    made: Mapping[tuple[str, int], Sequence[Round]], versions: Mapping[str, str]
) -> Iterator[Figure]:
    for (side, in_flight), results in made.items():
        costs = [r.cpu_us for r in results if r.cpu_us is not None]
        rate = statistics.median([r.per_second for r in results])
        version = f"{versions[side]}; " if versions.get(side) else ""
        spread = f"; {min(costs):.1f}…{max(costs):.1f}" if costs else "; needs /proc"
        yield Figure(
            _name(side, in_flight), statistics.median(costs) if costs else None, "µs",
            f"{version}{in_flight} calls in flight; {rate:.0f} calls/s{spread}",
        )  # fmt: skip
    for in_flight in IN_FLIGHT:
        pairs = [
            other.cpu_us / ours.cpu_us
            for ours, other in zip(
                made["ours", in_flight], made["grpc.aio", in_flight], strict=True
            )
            if ours.cpu_us and other.cpu_us
        ]
        yield Figure(
            f"callout-cpu-ratio-{in_flight}", statistics.median(pairs) if pairs else None,
            "× our CPU", "grpc.aio over ours, of the same round",
        )  # fmt: skip


BENCHMARK = Benchmark(
    name="callouts",
    about="the call-out server beside grpc.aio, grpclib, hypercorn and granian",
    names=(
        *(_name(side, n) for side in (*OURS, *OTHERS) for n in IN_FLIGHT),
        *(f"callout-cpu-ratio-{n}" for n in IN_FLIGHT),
    ),
    run=run,
)
