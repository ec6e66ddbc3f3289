"""The wire format: what is written by hand reads as the typed message says."""

from __future__ import annotations

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2 as route_pb2
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from gatereeve.proxy.envoy import wire

_NAME = wire.number(route_pb2.VirtualHost, "name")
_DOMAINS = wire.number(route_pb2.VirtualHost, "domains")
_VHOST_FILTERS = wire.number(route_pb2.VirtualHost, "typed_per_filter_config")


@given(name=st.text(), domains=st.lists(st.text(max_size=300), max_size=5))
def test_texts_of_any_length(name: str, domains: list[str]) -> None:
    typed = route_pb2.VirtualHost(name=name, domains=domains)
    body = wire.text(_NAME, name) + b"".join(wire.text(_DOMAINS, one) for one in domains)
    assert route_pb2.VirtualHost.FromString(body) == typed


@given(values=st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=4))
def test_structs_of_texts(values: dict[str, str]) -> None:
    typed = struct_pb2.Struct()
    typed.update(values)
    body = b"".join(wire.struct_text(key, value.encode()) for key, value in values.items())
    assert struct_pb2.Struct.FromString(body) == typed


def test_fields_beyond_fifteen_have_longer_tags() -> None:
    number = wire.number(route_pb2.VirtualHost, "retry_policy")
    policy = route_pb2.RetryPolicy(retry_on="5xx").SerializeToString()
    assert number > 15
    read = route_pb2.VirtualHost.FromString(wire.field(number, policy))
    assert read.retry_policy.retry_on == "5xx"


def test_map_entries() -> None:
    entry = wire.entry("ns", struct_pb2.Struct().SerializeToString())
    number = wire.number(base_pb2.Metadata, "filter_metadata")
    assert "ns" in base_pb2.Metadata.FromString(wire.field(number, entry)).filter_metadata
    assert _VHOST_FILTERS == 15


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        wire.number(route_pb2.VirtualHost, "nothing")
