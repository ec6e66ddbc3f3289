# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.accesslog.v3.accesslog_pb2
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.base_pb2
import envoy.config.listener.v3.listener_components_pb2
import google.protobuf.wrappers_pb2

class Listener(Message):
    DrainType: EnumTypeWrapper
    DEFAULT: int
    MODIFY_ONLY: int
    name: str
    address: envoy.config.core.v3.address_pb2.Address
    stat_prefix: str
    filter_chains: RepeatedCompositeFieldContainer[envoy.config.listener.v3.listener_components_pb2.FilterChain]
    default_filter_chain: envoy.config.listener.v3.listener_components_pb2.FilterChain
    per_connection_buffer_limit_bytes: google.protobuf.wrappers_pb2.UInt32Value
    metadata: envoy.config.core.v3.base_pb2.Metadata
    listener_filters: RepeatedCompositeFieldContainer[envoy.config.listener.v3.listener_components_pb2.ListenerFilter]
    traffic_direction: int
    access_log: RepeatedCompositeFieldContainer[envoy.config.accesslog.v3.accesslog_pb2.AccessLog]
    ignore_global_conn_limit: bool
    def __init__(self, *, name: str | None = ..., address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., stat_prefix: str | None = ..., filter_chains: Iterable[envoy.config.listener.v3.listener_components_pb2.FilterChain | Mapping[str, Any]] | None = ..., default_filter_chain: envoy.config.listener.v3.listener_components_pb2.FilterChain | Mapping[str, Any] | None = ..., per_connection_buffer_limit_bytes: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., listener_filters: Iterable[envoy.config.listener.v3.listener_components_pb2.ListenerFilter | Mapping[str, Any]] | None = ..., traffic_direction: int | str | None = ..., access_log: Iterable[envoy.config.accesslog.v3.accesslog_pb2.AccessLog | Mapping[str, Any]] | None = ..., ignore_global_conn_limit: bool | None = ...) -> None: ...
