"""The one list of addresses that nothing reaches, in every spelling."""

from __future__ import annotations

import ipaddress

import pytest

from gatereeve.compile.backends import addresses as servers
from gatereeve.core import addresses
from gatereeve.sources import fetch

METADATA = ("169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
FORBIDDEN = (
    *METADATA, "fd00:ec2::254", "fd20:ce::254", "0.0.0.0", "0.1.2.3", "255.255.255.255", "::",
    "169.254.0.1", "fe80::1", "fec0::1", "224.0.0.1", "ff02::1",
)  # fmt: skip


def spellings(text: str) -> list[str]:
    """The IPv6 addresses that carry this IPv4 address."""
    number = int(ipaddress.IPv4Address(text))
    high, low = number >> 16, number & 0xFFFF
    hidden = number ^ 0xFFFFFFFF
    return [
        f"::ffff:{text}",
        f"::{text}",
        f"::ffff:0:{text}",
        f"64:ff9b::{text}",
        f"64:ff9b:1::{text}",
        f"2001:db8::5efe:{text}",
        f"2001:db8::200:5efe:{text}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:1:2:3:4:{hidden >> 16:x}:{hidden & 0xFFFF:x}",
    ]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_nobody_reaches_them(text: str) -> None:
    address = addresses.parse(text)
    assert address is not None
    assert addresses.is_forbidden(address)
    assert servers.normal(text) is None
    assert not fetch.is_reachable(address)
    assert not fetch.is_public(address)


@pytest.mark.parametrize("text", [s for m in (*METADATA, "127.0.0.1") for s in spellings(m)])
def test_an_address_inside_an_address_counts(text: str) -> None:
    address = addresses.parse(text)
    assert address is not None
    inner = addresses.meanings(address)[-1]
    assert isinstance(inner, ipaddress.IPv4Address)
    assert addresses.is_forbidden(address) == (str(inner) in METADATA)
    assert servers.server(text, 80) == servers.server(str(inner), 80)


@pytest.mark.parametrize("text", METADATA)
def test_a_networks_own_nat64_prefix_may_have_any_length(text: str) -> None:
    """RFC 6052 section 2.2 and RFC 8215: 48, 56 and 64 bits, octet 8 zero."""
    a, b, c, d = ipaddress.IPv4Address(text).packed
    for octets in (
        (a, b, 0, c, d, 0, 0),
        (0, a, 0, b, c, d, 0),
        (0, 0, 0, a, b, c, d),
    ):
        number = bytes.fromhex("0064ff9b0001") + bytes(octets) + bytes(3)
        address = ipaddress.IPv6Address(number)
        assert ipaddress.IPv4Address(text) in addresses.meanings(address)
        assert addresses.is_forbidden(address)


@pytest.mark.parametrize("text", ["", "a", "1.2.3", "1.2.3.4.5", "01.2.3.4", "fe80::1%eth0", "1"])
def test_what_is_no_address(text: str) -> None:
    assert addresses.parse(text) is None
    assert servers.normal(text) is None


@pytest.mark.parametrize("text", ["127.0.0.1", "10.0.0.1", "8.8.8.8", "2606:4700::1", "fd00::1"])
def test_others_are_not_forbidden(text: str) -> None:
    address = addresses.parse(text)
    assert address is not None
    assert not addresses.is_forbidden(address)
    assert servers.normal(text) == text
