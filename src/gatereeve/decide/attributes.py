"""Region and purpose of a request, from the sources that the gate trusts, in their order.

The first source that yields a value decides, even when no rule knows that value. Lower case.
A claim that is no text makes the token invalid (`callers`), so no other source stands in for it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from gatereeve.core.plain_values import is_plain_value
from gatereeve.decide import tokens
from gatereeve.decide.callers import IdentifiedCaller, is_odd
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.ir.identity import CidrSource, ClaimSource, HeaderSource


def find_attribute(
    sources: Sequence[ClaimSource | HeaderSource | CidrSource],
    entry: CanonicalRequest,
    caller: IdentifiedCaller,
) -> str | None:
    """The value of the first source that yields one; None when none does."""
    for source in sources:
        if isinstance(source, ClaimSource):
            claim = _from_claim(source, caller)
            if is_odd(claim):
                return None
            value = claim if isinstance(claim, str) else None
        elif isinstance(source, HeaderSource):
            value = _from_header(source, entry)
        else:
            value = _from_address(source, entry.client)
        if value:
            return value.lower()
    return None


def _from_claim(source: ClaimSource, caller: IdentifiedCaller) -> object:
    principal = caller.principal
    if principal is None or principal.method != "jwt" or principal.provider != source.provider:
        return None
    return tokens.claim(caller.claims, source.claim)


def _from_header(source: HeaderSource, entry: CanonicalRequest) -> str | None:
    if not any(is_within(entry.peer, (cidr,)) for cidr in source.trusted):
        return None
    values = entry.values(source.name)
    return values[0] if values and is_plain_value(values) else None


def _from_address(source: CidrSource, client: str) -> str | None:
    """The region of the longest prefix that holds `client`."""
    best: tuple[int, str] | None = None
    for cidr, region in source.entries:
        length = int(cidr.rpartition("/")[2])
        if (best is None or length > best[0]) and is_within(client, (cidr,)):
            best = (length, region)
    return best[1] if best else None


def is_within(address: str, cidrs: Iterable[str]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address never in an IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(cidr, strict=False) for cidr in cidrs)
