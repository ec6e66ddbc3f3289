"""Ports for servers that tests start later. Two tests never get the same one at a time.

They are below the range from which the system takes ports for outgoing connections, and each worker
of pytest-xdist has a part of that for itself.
"""

from __future__ import annotations

import itertools
import os
import socket

FIRST, PER_WORKER, WORKERS = 22_000, 500, 20

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
_next = itertools.cycle(range(FIRST + _worker * PER_WORKER, FIRST + (_worker + 1) * PER_WORKER))


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nothing listens now, and which was not handed out lately."""
    for port in itertools.islice(_next, PER_WORKER):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise OSError(f"all ports of worker {_worker} are in use")
