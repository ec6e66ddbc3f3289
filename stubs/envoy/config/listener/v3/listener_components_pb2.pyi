# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.config_source_pb2
import google.protobuf.any_pb2
import google.protobuf.duration_pb2

class Filter(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource | Mapping[str, Any] | None = ...) -> None: ...
class FilterChainMatch(Message):
    ConnectionSourceType: EnumTypeWrapper
    ANY: int
    SAME_IP_OR_LOOPBACK: int
    EXTERNAL: int
    server_names: RepeatedScalarFieldContainer[str]
    def __init__(self, *, server_names: Iterable[str] | None = ...) -> None: ...
class FilterChain(Message):
    filter_chain_match: FilterChainMatch
    filters: RepeatedCompositeFieldContainer[Filter]
    metadata: envoy.config.core.v3.base_pb2.Metadata
    transport_socket: envoy.config.core.v3.base_pb2.TransportSocket
    transport_socket_connect_timeout: google.protobuf.duration_pb2.Duration
    name: str
    def __init__(self, *, filter_chain_match: FilterChainMatch | Mapping[str, Any] | None = ..., filters: Iterable[Filter | Mapping[str, Any]] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., transport_socket: envoy.config.core.v3.base_pb2.TransportSocket | Mapping[str, Any] | None = ..., transport_socket_connect_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., name: str | None = ...) -> None: ...
class ListenerFilter(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource | Mapping[str, Any] | None = ...) -> None: ...
