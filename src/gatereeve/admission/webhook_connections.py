"""Which connections the webhook answers, and for how long: those of the API server, within a time-out.

TLS checks the authority of the client's certificate (`server.Tls`). The authority of a cluster signs for
nodes and people, too, so the name in the certificate is checked before the first byte is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gatereeve.core.errors import SettingsError
from gatereeve.core.logs import EventLog

_LOG = EventLog(__name__)

MAX_BYTES: Final = 1 << 20
UNREAD_BYTES: Final = 1 << 20
"""Of a body after the response; enough for a client that is still sending to read the response."""


def read_authority(file: Path) -> bytes:
    """Return the PEM of the authority of the API server's client certificate. Raises SettingsError."""
    try:
        with file.open("rb") as opened:
            pem = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    if len(pem) > MAX_BYTES or b"-----BEGIN CERTIFICATE-----" not in pem:
        raise SettingsError(
            f"{file} has no certificate, or more than {MAX_BYTES} bytes",
            hint="write the PEM of the authority of the API server's client certificate",
        )
    return pem


def read_names(certificate: dict[str, Any] | None) -> Iterator[str]:
    """Yield the common name, DNS names and URIs of a verified certificate in the form of `ssl`."""
    if certificate is None:
        return
    for part in certificate.get("subject", ()):
        yield from (value for key, value in part if key == "commonName")
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "URI"):
            yield value


class BoundedProtocol(H11Protocol):
    """Closes connections of other clients, and of clients that do not finish a request in time.

    uvicorn alone keeps reading after its response while the client sends. names: see `make_protocol`.
    """

    names: ClassVar[frozenset[str]] = frozenset()
    within_s: ClassVar[float]

    _timer: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        names = set(read_names(None if tls is None else tls.getpeercert()))
        if self.names and names.isdisjoint(self.names):
            _LOG.warning("webhook_client_refused", names=",".join(sorted(names)[:4]))
            transport.abort()
        else:
            self._timer = self.loop.call_later(self.within_s, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self._timer is None:
            self._timer = self.loop.call_later(self.within_s, self.transport.abort)
        super().data_received(data)
        if self.conn.their_state is not h11.SEND_BODY:
            self._unread = 0
            if self.conn.their_state is not h11.IDLE or not self.conn.trailing_data[0]:
                self._stop_timer()
        elif self.cycle.response_complete:
            self._unread += len(data)
            if self._unread > UNREAD_BYTES:
                self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_protocol(names: Collection[str], within_s: float) -> type[H11Protocol]:
    """Return HTTP/1.1 for clients whose verified certificate has one of `names`; () allows all clients.

    within_s: the time for the head and the body of one request.
    """
    settings = {"names": frozenset(names), "within_s": within_s}
    return type("BoundedProtocol", (BoundedProtocol,), settings)
