"""The addresses of this machine's gates: reserved before an Envoy listens, and kept.

Envoy shares its ports with other processes of the same user (SO_REUSEPORT): a second gate on the
same port would take half of the connections of the first and say nothing. And a listener that Envoy
rejects is not tried again, while a port that is taken now may be free in a moment. So each address
is bound here as well, by a socket that never listens: it keeps others away for as long as the gate
lives, also while its Envoy is started anew, and lets only sockets of this user that share in beside
it, as Envoy's do (Linux, socket(7)).
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterable

from gatereeve.ir.gates import Gate, Listener

_Place = tuple[str, int]


class Ports:
    """The addresses held. `close` lets all of them go."""

    def __init__(self) -> None:
        self._held: dict[_Place, socket.socket] = {}

    def take(self, gate: Gate) -> str:
        """Hold every address of `gate`. Returns why one of them cannot be had, or ""."""
        for listener in gate.listeners:
            place = (listener.address, listener.port)
            if place not in self._held:
                try:
                    self._held[place] = _bind(listener)
                except OSError as error:
                    return f"cannot listen on {place[0]}:{place[1]}: {_why(error)}"
        return ""

    def keep(self, gates: Iterable[Gate]) -> None:
        """Let go what none of `gates` needs."""
        needed = {(x.address, x.port) for gate in gates for x in gate.listeners}
        for place in self._held.keys() - needed:
            self._held.pop(place).close()

    def close(self) -> None:
        self.keep(())


def _bind(listener: Listener) -> socket.socket:
    version = ipaddress.ip_address(listener.address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    held = socket.socket(family, socket.SOCK_STREAM)
    try:
        # While binding: lingering connections do not prevent it, another listener does.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((listener.address, listener.port))
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        held.close()
        raise
    return held


def _why(error: OSError) -> str:
    words = {
        errno.EADDRINUSE: "another process uses this port",
        errno.EADDRNOTAVAIL: "this machine does not have this address",
        errno.EACCES: "this user may not use this port",
    }
    return words.get(error.errno or 0) or error.strerror or str(error)
