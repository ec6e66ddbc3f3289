"""One caller on one connection: sends a request, waits for the answer, as cheaply as Python can.

For benchmarks that watch single answers; load comes from `loads`.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class Caller:
    """Keeps a TLS connection to one gate and opens it anew when the gate closes it."""

    def __init__(
        self,
        *,
        port: int,
        host: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        authority: Path,
        address: str = "127.0.0.1",
    ) -> None:
        self._address = (address, port)
        self._host = host
        lines = [f"POST {path} HTTP/1.1", f"host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"content-length: {len(body)}", "", ""]
        self._request = "\r\n".join(lines).encode() + body
        self._trust = ssl.create_default_context(cafile=str(authority))
        self._socket: ssl.SSLSocket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._close()

    def ask(self) -> int:
        """The status of one answer; 0 when there was none."""
        for _ in range(2):  # a kept connection may have been closed meanwhile
            fresh = self._socket is None
            try:
                return self._ask()
            except (OSError, http.client.HTTPException):
                self._close()
                if fresh:
                    return 0
        return 0

    def _ask(self) -> int:
        if self._socket is None:
            raw = socket.create_connection(self._address, timeout=10)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._trust.wrap_socket(raw, server_hostname=self._host)
        self._socket.sendall(self._request)
        answer = http.client.HTTPResponse(self._socket)
        answer.begin()
        answer.read()
        if answer.will_close:
            self._close()
        return answer.status

    def _close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None
