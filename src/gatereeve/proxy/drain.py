"""How a gate ends without a failed request: clients are sent elsewhere, and waited for.

    1. `/drain_listeners?graceful&skip_exit`: answers ask clients to close; listeners stay open
    2. `/healthcheck/fail`: load balancers that ask get that answer
    3. at least `least_s`: clients that still use this gate may send requests, and are answered
    4. until no client is connected, or no request is under way, as configured; at most `longest_s`
    5. until its log has sent the records it still holds; else they are lost

The order is Envoy Gateway's (1.9), which found it the safe one.
"""

import asyncio
import contextlib
import dataclasses
import re
from typing import Final

from gatereeve.core import errors, protocols
from gatereeve.proxy import admin

_POLL_S: Final = 0.02
_POLL_CONNECTIONS_S: Final = 1.0
_REQUESTS: Final = r"^http\..*\.downstream_rq_active$"
_CONNECTIONS: Final = r"^http\..*\.downstream_cx_active$"
_LOG: Final = "access_logs.grpc_access_log."
_LOG_ENTRIES: Final = rf"^{re.escape(_LOG)}(logs_written|grpc_entries_(flushed|flush_failed))$"
_LOG_S: Final = 2.0
"""How long an ending gate may take to send the records it still holds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draining:
    """least_s, longest_s: bounds of the wait. connections: also wait for idle clients to leave.

    That is for a gate behind a load balancer, whose clients go to others: a request on a connection
    that is just being closed would fail.
    """

    least_s: float = 0.0
    longest_s: float = 5.0
    connections: bool = False


async def drain(gate: admin.Admin, settings: Draining, *, clock: protocols.Clock) -> None:
    """Drain; returns early when the gate cannot be asked (any more)."""
    began = clock.monotonic()
    with contextlib.suppress(errors.ProxyError, TimeoutError):
        async with asyncio.timeout(settings.longest_s):
            await gate.post("/drain_listeners", {"graceful": "", "skip_exit": ""})  # 1
            await gate.post("/healthcheck/fail")  # 2
            await asyncio.sleep(max(0.0, began + settings.least_s - clock.monotonic()))  # 3
            pattern = _CONNECTIONS if settings.connections else _REQUESTS
            pause_s = _POLL_CONNECTIONS_S if settings.connections else _POLL_S
            while await _any(gate, pattern):  # 4  # noqa: ASYNC110  # it cannot tell us
                await asyncio.sleep(pause_s)
    with contextlib.suppress(errors.ProxyError, TimeoutError):
        async with asyncio.timeout(_LOG_S):
            while await _holds_records(gate):  # 5  # noqa: ASYNC110  # neither of this
                await asyncio.sleep(_POLL_S)


async def _any(gate: admin.Admin, pattern: str) -> bool:
    """Whether clients have such; the admin counts our own questions too."""
    active = await gate.gauges(pattern)
    return any(number for name, number in active.items() if not name.startswith("http.admin."))


async def _holds_records(gate: admin.Admin) -> bool:
    entries = await gate.counters(_LOG_ENTRIES)
    written = entries.pop(f"{_LOG}logs_written", 0)
    return written > sum(entries.values())
