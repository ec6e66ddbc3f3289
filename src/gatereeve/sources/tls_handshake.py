"""Closes the connection of a request that is cancelled during its TLS handshake.

httpcore closes a connection whose handshake fails, but not one whose handshake is cancelled (by a
time-out of ours, or at the end of a task): it stays open until its memory is collected.
"""

from __future__ import annotations

from typing import Any, Final, Protocol


class _Request(Protocol):
    extensions: Any


class _Handshake:
    """The `trace` extension of one request: httpcore calls it before and after each step."""

    def __init__(self) -> None:
        self._stream: Any = None

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event == "connection.start_tls.failed" and self._stream is not None:
            await self._stream.aclose()


async def _close_when_cancelled(request: _Request) -> None:
    request.extensions = {**request.extensions, "trace": _Handshake().trace}


EVENT_HOOKS: Final = {"request": [_close_when_cancelled]}
"""The `event_hooks` of a client of httpx2."""
