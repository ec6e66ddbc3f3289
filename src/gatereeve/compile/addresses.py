"""Which addresses a gate may reach, and when two addresses are the same server.

Refused: unspecified, link-local, multicast, broadcast and the metadata services of the clouds, in
every spelling (IPv4 inside IPv6, NAT64, 6to4). Loopback is allowed: a folder on a laptop serves from
it, and the API server itself keeps it out of EndpointSlices.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TypeAlias

Server: TypeAlias = tuple[str, int]
"""Comparable address and port. All of loopback is one machine, so it has one name here."""

LOOPBACK = "loopback"

_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, DigitalOcean
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google over IPv6
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's platform service
        "192.0.0.192",  # Oracle
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")

_Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


@lru_cache(maxsize=65536)
def normal(text: str) -> str | None:
    """The one spelling of an address that may be reached; None for one that may not."""
    address = _parse(text)
    if address is None or any(_is_refused(a) for a in _meanings(address)):
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


@lru_cache(maxsize=65536)
def server(address: str, port: int) -> Server:
    """`address` (in any spelling) and port, so that equal servers compare equal."""
    parsed = _parse(address)
    if parsed is None:
        return (address, port)
    meanings = _meanings(parsed)
    if any(a.is_loopback or a.is_unspecified for a in meanings):
        return (LOOPBACK, port)
    return (str(meanings[-1]), port)


def _parse(text: str) -> _Ip | None:
    if "%" in text:  # a zone belongs to one machine's interfaces
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _meanings(address: _Ip) -> tuple[_Ip, ...]:
    """The address, and the IPv4 address that it carries, if any."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and 1 < int(address) <= 0xFFFFFFFF:  # ::a.b.c.d, deprecated but read by some
        inner = ipaddress.IPv4Address(int(address))
    return (address,) if inner is None else (address, inner)


def _is_refused(address: _Ip) -> bool:
    if address in _METADATA or address.is_unspecified or address.is_multicast:
        return True
    if address.is_link_local:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_site_local
    return address in _THIS_NETWORK or int(address) == 0xFFFFFFFF
