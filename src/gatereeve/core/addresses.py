"""What an IP address means, in every spelling, and which ones nothing of ours ever reaches.

Servers behind the gate and key sets that are retrieved are judged by the same list, so that no
document leads to a cloud's metadata service through the one door that forgot it. An IPv6 address
may carry an IPv4 address (mapped, translated, compatible, 6to4, Teredo, NAT64, ISATAP); what it
carries counts too.
Whether an address that is not on the list may be used is the caller's decision.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

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
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")
_TRANSLATED = ipaddress.ip_network("::ffff:0:0:0/96")
_ISATAP = (0x00005EFE, 0x02005EFE)
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")
_BROADCAST = ipaddress.IPv4Address(0xFFFFFFFF)


def parse(text: str) -> Ip | None:
    """The address, or None for what is none or has a zone: that is one machine's own business."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def meanings(address: Ip) -> tuple[Ip, ...]:
    """Every address that a packet to `address` may end at, those that it carries last.

    A mapped address is its IPv4 address and nothing else.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    return (address, *_inside(address))


def _inside(address: ipaddress.IPv6Address) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that it may carry; several where only its network knows which."""
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return (address.teredo[1],)
    if address in _LOCAL_NAT64:
        return _by_prefix(number) or (last,)
    if address in _NAT64 or address in _TRANSLATED:
        return (last,)
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:  # RFC 5214 section 6.1
        return (last,)
    if 1 < number <= 0xFFFFFFFF:  # ::a.b.c.d, deprecated but read by some
        return (last,)
    return ()


def _by_prefix(number: int) -> tuple[ipaddress.IPv4Address, ...]:
    """RFC 6052 section 2.2 with prefixes of 48, 56 and 64 bits: the suffix behind them is zero."""
    octets = number.to_bytes(16, "big")
    if octets[8]:
        return ()
    packed = octets[:8] + octets[9:]
    return tuple(
        ipaddress.IPv4Address(packed[start : start + 4])
        for start in (8, 7, 6)
        if any(packed[start : start + 4]) and not any(packed[start + 4 :])
    )


def is_forbidden(address: Ip) -> bool:
    """Whether nothing may be reached there, for any document.

    Unspecified, link-local, site-local, multicast, broadcast, and metadata services.
    """
    return any(_is_forbidden(meaning) for meaning in meanings(address))


def _is_forbidden(address: Ip) -> bool:
    if address in _METADATA or address.is_unspecified or address.is_multicast:
        return True
    if address.is_link_local:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        return address.is_site_local
    return address in _THIS_NETWORK or address == _BROADCAST
