"""An address is held against others, shared with the Envoy it is held for, and let go."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator

import pytest

from gatereeve.ir.gates import Gate
from gatereeve.runtime.ports import Ports
from tests.support import ir_builders as ir


def gate_on(*ports: int, address: str = "127.0.0.1") -> Gate:
    listeners = tuple(
        dataclasses.replace(ir.listener(name=str(port), port=port), address=address)
        for port in ports
    )
    return dataclasses.replace(ir.gate(), listeners=listeners)


@pytest.fixture
def ports() -> Iterator[Ports]:
    with contextlib.closing(Ports()) as found:
        yield found


@pytest.fixture
def free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def listening(port: int, *, shares: bool) -> socket.socket:
    """As Envoy listens, when it shares; as most others do, when not."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shares:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind(("127.0.0.1", port))
    except OSError:
        found.close()
        raise
    found.listen()
    return found


@pytest.mark.parametrize("shares", [True, False])
def test_a_port_that_somebody_uses(ports: Ports, free: int, shares: bool) -> None:
    with listening(free, shares=shares):
        assert ports.take(gate_on(free)) == (
            f"cannot listen on 127.0.0.1:{free}: another process uses this port"
        )
    assert ports.take(gate_on(free)) == ""


def test_what_is_held_is_for_our_envoy_and_for_nobody_else(ports: Ports, free: int) -> None:
    assert ports.take(gate_on(free)) == ""
    with contextlib.closing(Ports()) as others:
        assert "another process" in others.take(gate_on(free))
    with pytest.raises(OSError, match="in use"):
        listening(free, shares=False)
    with listening(free, shares=True):
        assert ports.take(gate_on(free)) == ""


def test_what_is_not_needed_is_let_go(ports: Ports, free: int) -> None:
    assert ports.take(gate_on(free)) == ""
    ports.keep((gate_on(free),))
    with contextlib.closing(Ports()) as others:
        assert others.take(gate_on(free)) != ""
        ports.keep(())
        assert others.take(gate_on(free)) == ""


def test_an_address_of_another_machine(ports: Ports, free: int) -> None:
    problem = ports.take(gate_on(free, address="192.0.2.1"))
    assert "this machine does not have this address" in problem
