"""Whether the platform grants an address to a namespace (`HostGrant.spec.addresses`), and how narrowly."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from gatereeve.api.governance import AddressGrant
from gatereeve.api.world import HostGrantDoc
from gatereeve.compile.routes import host_grants
from gatereeve.core import addresses as ip

Rank: TypeAlias = tuple[int, bool, bool]
"""How narrow a grant of an address is: bits of its network, whether it names ports, and whether it
names the namespace."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.0/8"),
    ipaddress.ip_network("::1/128"),
)


class AddressGrantMatch(NamedTuple):
    """That the platform grants an address. released: the latest moment that such a grant says."""

    rank: Rank
    released: datetime | None = None

    def and_also(self, other: AddressGrantMatch | None) -> AddressGrantMatch:
        """The two grants as one: the higher rank and the later release."""
        if other is None:
            return self
        moments = [moment for moment in (self.released, other.released) if moment is not None]
        return AddressGrantMatch(max(self.rank, other.rank), max(moments, default=None))


def grant_of(
    grants: tuple[HostGrantDoc, ...], reserved: frozenset[str], text: str, port: int
) -> AddressGrantMatch | None:
    """The narrowest grant of an address; each address that a packet to it may end at needs one.

    grants: of the namespace that names it.
    """
    address = ip.parse(text)
    if address is None or ip.is_forbidden(address):
        return None
    matches = []
    for meaning in ip.meanings(address):
        granted = _best(grants, reserved, meaning, port)
        if granted is None:
            return None
        matches.append(granted)
    return min(matches, key=lambda match: match.rank)


def _best(
    grants: tuple[HostGrantDoc, ...], reserved: frozenset[str], address: ip.Ip, port: int
) -> AddressGrantMatch | None:
    best: AddressGrantMatch | None = None
    for doc in grants:
        for grant in doc.spec.addresses:
            if _covers(grant, reserved, address, port):
                named = host_grants.NAME_LABEL in doc.spec.namespace_selector.match_labels
                rank = (_bits(_network(grant.cidr)), grant.ports is not None, named)
                best = AddressGrantMatch(rank, grant.released).and_also(best)
    return best


def _covers(grant: AddressGrant, reserved: frozenset[str], address: ip.Ip, port: int) -> bool:
    """Whether a grant covers this address. Loopback and the API server must be named explicitly."""
    network = _network(grant.cidr)
    if address not in network or (grant.ports is not None and port not in grant.ports):
        return False
    if address.is_loopback and not any(_is_inside(network, wide) for wide in _LOOPBACK):
        return False
    return network.num_addresses == 1 or str(address) not in reserved


@lru_cache(maxsize=4096)
def _network(cidr: str) -> Network:
    return ipaddress.ip_network(cidr)


def _bits(network: Network) -> int:
    return network.prefixlen + (128 - network.max_prefixlen)


def _is_inside(network: Network, wide: Network) -> bool:
    return (
        network.version == wide.version
        and network.network_address in wide
        and network.broadcast_address in wide
    )
