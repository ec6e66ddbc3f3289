"""Region and purpose from trusted headers and network tables, each source into its own namespace.

Claims need no filter: jwt_authn has written them. Which source decides is asked where it matters
(`matchers`), so no filter here depends on another.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator

from envoy.extensions.filters.http.header_to_metadata.v3 import header_to_metadata_pb2 as h2m_pb2
from envoy.extensions.matching.common_inputs.network.v3 import network_inputs_pb2
from xds.type.matcher.v3 import matcher_pb2

from gatereeve.ir.identity import CidrSource, HeaderSource
from gatereeve.proxy.envoy import names, packing
from gatereeve.proxy.envoy.filters import matching, notes
from gatereeve.proxy.envoy.filters.http_filter import FilterContext, HttpFilter

Network = matching.Network


def build(context: FilterContext) -> tuple[HttpFilter, ...]:
    attributes = context.gate.attributes
    chain = []
    for attribute, sources in (("region", attributes.region), ("purpose", attributes.purpose)):
        for number, source in enumerate(sources):
            name = names.attribute_filter(attribute, number)
            matcher = None
            if isinstance(source, HeaderSource):
                matcher = _from_header(name, source)
            elif isinstance(source, CidrSource):
                matcher = _from_address(name, source)
            if matcher is not None:
                config = matching.composite(matcher)
                chain.append(HttpFilter(name=name, config=config, discovered=True))
    return tuple(chain)


def _from_header(name: str, source: HeaderSource) -> matcher_pb2.Matcher:
    reading = h2m_pb2.Config(request_rules=[notes.rule_of_plain(source.name, name, "value")])
    networks = [ipaddress.ip_network(cidr) for cidr in source.trusted]
    peer = network_inputs_pb2.DirectSourceIPInput()
    return matching.by_network(peer, [(networks, packing.pack(reading))] if networks else [])


def _from_address(name: str, source: CidrSource) -> matcher_pb2.Matcher:
    by_region: defaultdict[str, list[Network]] = defaultdict(list)
    for network, region in disjoint(source.entries):
        by_region[region].append(network)
    filters = [
        (by_region[region], matching.writing(name, {"value": region}))
        for region in sorted(by_region)
    ]
    return matching.by_network(network_inputs_pb2.SourceIPInput(), filters)


def disjoint(entries: Iterable[tuple[str, str]]) -> Iterator[tuple[Network, str]]:
    """The same table without overlaps, so that the order of matchers means nothing.

    entries: (CIDR, region), no CIDR twice. A network inside another is cut out of it, so the
    longest prefix decides.
    """
    parsed = [(ipaddress.ip_network(cidr), region) for cidr, region in entries]
    parsed.sort(key=lambda e: (e[0].version, int(e[0].network_address), e[0].prefixlen))
    open_: list[tuple[Network, str, list[Network]]] = []
    for network, region in parsed:
        while open_ and not _holds(open_[-1][0], network):
            yield from _remains(*open_.pop())
        if open_:
            open_[-1][2].append(network)
        open_.append((network, region, []))
    while open_:
        yield from _remains(*open_.pop())


def _holds(outer: Network, inner: Network) -> bool:
    return outer.version == inner.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # same version


def _remains(network: Network, region: str, taken: list[Network]) -> Iterator[tuple[Network, str]]:
    left: list[Network] = [network]
    for hole in taken:  # in order, so only the last piece can hold the next hole
        pieces: list[Network] = []
        for piece in left:
            if _holds(piece, hole):
                pieces += piece.address_exclude(hole) if piece != hole else ()  # type: ignore[arg-type]  # same version
            else:
                pieces.append(piece)
        left = pieces
    for piece in sorted(left, key=lambda n: (int(n.network_address), n.prefixlen)):
        yield piece, region
