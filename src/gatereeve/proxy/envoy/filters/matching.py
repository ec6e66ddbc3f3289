"""Composite filters: an input is matched, and the match runs a filter that writes metadata.

Used by the filters that know API keys, client certificates, headers and networks. Not a filter
itself. Stable parts only: xDS's own IP matcher is unfinished in Envoy 1.40, the `Ip` input matcher
with a list of matchers is not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

from envoy.config.core.v3 import address_pb2, extension_pb2
from envoy.extensions.common.matching.v3 import extension_matcher_pb2
from envoy.extensions.filters.http.composite.v3 import composite_pb2
from envoy.extensions.filters.http.set_metadata.v3 import set_metadata_pb2
from envoy.extensions.matching.input_matchers.ip.v3 import ip_pb2
from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.message import Message
from xds.core.v3 import extension_pb2 as xds_extension_pb2
from xds.type.matcher.v3 import matcher_pb2, string_pb2

from gatereeve.core.canonical import Json
from gatereeve.proxy.envoy import packing

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_IP: Final = "envoy.matching.matchers.ip"


def composite(matcher: matcher_pb2.Matcher) -> any_pb2.Any:
    """The filter, as `Any`."""
    return packing.pack(
        extension_matcher_pb2.ExtensionWithMatcher(
            extension_config=extension_pb2.TypedExtensionConfig(
                name="composite", typed_config=packing.pack(composite_pb2.Composite())
            ),
            xds_matcher=matcher,
        )
    )


def by_exact(source: Message, filters: Mapping[str, any_pb2.Any]) -> matcher_pb2.Matcher:
    """The filter (as `Any`) that belongs to the input's exact value."""
    if not filters:
        return _nothing()
    tree = matcher_pb2.Matcher.MatcherTree(
        input=_input(source),
        exact_match_map=matcher_pb2.Matcher.MatcherTree.MatchMap(
            map={value: _running(config) for value, config in filters.items()}
        ),
    )
    return matcher_pb2.Matcher(matcher_tree=tree)


def by_name(source: Message, filters: Mapping[str, any_pb2.Any]) -> matcher_pb2.Matcher:
    """The filter (as `Any`) of the first name that the input has, without case (ASCII)."""
    if not filters:
        return _nothing()
    predicate = matcher_pb2.Matcher.MatcherList.Predicate
    matchers = [
        matcher_pb2.Matcher.MatcherList.FieldMatcher(
            predicate=predicate(
                single_predicate=predicate.SinglePredicate(
                    input=_input(source),
                    value_match=string_pb2.StringMatcher(exact=name, ignore_case=True),
                )
            ),
            on_match=_running(config),
        )
        for name, config in filters.items()
    ]
    return matcher_pb2.Matcher(matcher_list=matcher_pb2.Matcher.MatcherList(matchers=matchers))


def by_network(
    source: Message, filters: Sequence[tuple[Sequence[Network], any_pb2.Any]]
) -> matcher_pb2.Matcher:
    """The filter (as `Any`) of the first entry whose networks hold the input's address."""
    if not filters:
        return _nothing()
    matchers = [
        matcher_pb2.Matcher.MatcherList.FieldMatcher(
            predicate=matcher_pb2.Matcher.MatcherList.Predicate(
                single_predicate=matcher_pb2.Matcher.MatcherList.Predicate.SinglePredicate(
                    input=_input(source), custom_match=_networks(networks)
                )
            ),
            on_match=_running(config),
        )
        for networks, config in filters
    ]
    return matcher_pb2.Matcher(matcher_list=matcher_pb2.Matcher.MatcherList(matchers=matchers))


def _nothing() -> matcher_pb2.Matcher:
    """Matches nothing. A filter without entries stays in its place: without it the listener would change,
    and connections of the former listener would keep the former entries."""
    return matcher_pb2.Matcher()


def writing(namespace: str, values: Mapping[str, Json]) -> any_pb2.Any:
    """A filter that writes dynamic metadata; what is there already stays."""
    return packing.pack(
        set_metadata_pb2.Config(
            metadata=[
                set_metadata_pb2.Metadata(
                    metadata_namespace=namespace, value=packing.struct(values)
                )
            ]
        )
    )


def _input(source: Message) -> xds_extension_pb2.TypedExtensionConfig:
    name = source.DESCRIPTOR.name
    return xds_extension_pb2.TypedExtensionConfig(name=name, typed_config=packing.pack(source))


def _networks(networks: Sequence[Network]) -> xds_extension_pb2.TypedExtensionConfig:
    ranges = [
        address_pb2.CidrRange(
            address_prefix=str(network.network_address),
            prefix_len=wrappers_pb2.UInt32Value(value=network.prefixlen),
        )
        for network in networks
    ]
    matcher = ip_pb2.Ip(cidr_ranges=ranges, stat_prefix="gatereeve")
    return xds_extension_pb2.TypedExtensionConfig(name=_IP, typed_config=packing.pack(matcher))


def _running(config: any_pb2.Any) -> matcher_pb2.Matcher.OnMatch:
    action = composite_pb2.ExecuteFilterAction(
        typed_config=extension_pb2.TypedExtensionConfig(name="write", typed_config=config)
    )
    return matcher_pb2.Matcher.OnMatch(
        action=xds_extension_pb2.TypedExtensionConfig(name="run", typed_config=packing.pack(action))
    )
