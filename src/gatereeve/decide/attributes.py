"""Region and purpose of a request, in lower case, from the sources that the gate trusts.

The first source with a value decides, even if no rule names that value. A claim that is not plain text
makes the token invalid (`callers`), so no later source replaces it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from gatereeve.core.plain_values import is_plain_value
from gatereeve.decide import tokens
from gatereeve.decide.callers import IdentifiedCaller, is_unusable_claim
from gatereeve.decide.canonical_request import CanonicalRequest
from gatereeve.ir.identity import CidrSource, ClaimSource, HeaderSource


def find_attribute(
    sources: Sequence[ClaimSource | HeaderSource | CidrSource],
    entry: CanonicalRequest,
    caller: IdentifiedCaller,
) -> str | None:
    """Return the value of the first source that has one, or None."""
    for source in sources:
        if isinstance(source, ClaimSource):
            claim = _from_claim(source, caller)
            if is_unusable_claim(claim):
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
    return tokens.read_claim(caller.claims, source.claim)


def _from_header(source: HeaderSource, entry: CanonicalRequest) -> str | None:
    if not any(is_within(entry.peer, (cidr,)) for cidr in source.trusted):
        return None
    values = entry.values(source.name)
    return values[0] if values and is_plain_value(values) else None


def _from_address(source: CidrSource, client: str) -> str | None:
    """Return the region of the longest prefix that contains `client`."""
    best: tuple[int, str] | None = None
    for cidr, region in source.entries:
        length = int(cidr.rpartition("/")[2])
        if (best is None or length > best[0]) and is_within(client, (cidr,)):
            best = (length, region)
    return best[1] if best else None


def is_within(address: str, cidrs: Iterable[str]) -> bool:
    """Whether an address is in one of the networks. An IPv4 address is in no IPv6 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(cidr, strict=False) for cidr in cidrs)
