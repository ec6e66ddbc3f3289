"""Which addresses a gate may reach, and when two addresses are the same server.

Refused is what `core.addresses` forbids. Loopback is allowed where it is granted (`owners`): a folder
on a laptop serves from it.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TypeAlias

from gatereeve.core import addresses

Server: TypeAlias = tuple[str, int]
"""Comparable address and port. All of loopback is one machine, so it has one name here."""

LOOPBACK = "loopback"


@lru_cache(maxsize=65536)
def normal(text: str) -> str | None:
    """The one spelling of an address that may be reached; None for one that may not."""
    address = addresses.parse(text)
    if address is None or addresses.is_forbidden(address):
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=65536)
def server(address: str, port: int) -> Server:
    """`address` (in any spelling) and port, so that equal servers compare equal."""
    parsed = addresses.parse(address)
    if parsed is None:
        return (address, port)
    meanings = addresses.meanings(parsed)
    if any(a.is_loopback or a.is_unspecified for a in meanings):
        return (LOOPBACK, port)
    return (str(meanings[-1]), port)
