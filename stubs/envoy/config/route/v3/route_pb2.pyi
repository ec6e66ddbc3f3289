# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.route.v3.route_components_pb2
import google.protobuf.any_pb2
import google.protobuf.wrappers_pb2

class RouteConfiguration(Message):
    name: str
    virtual_hosts: RepeatedCompositeFieldContainer[envoy.config.route.v3.route_components_pb2.VirtualHost]
    response_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    response_headers_to_remove: RepeatedScalarFieldContainer[str]
    request_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    request_headers_to_remove: RepeatedScalarFieldContainer[str]
    validate_clusters: google.protobuf.wrappers_pb2.BoolValue
    request_mirror_policies: RepeatedCompositeFieldContainer[envoy.config.route.v3.route_components_pb2.RouteAction.RequestMirrorPolicy]
    typed_per_filter_config: MessageMap[str, google.protobuf.any_pb2.Any]
    metadata: envoy.config.core.v3.base_pb2.Metadata
    def __init__(self, *, name: str | None = ..., virtual_hosts: Iterable[envoy.config.route.v3.route_components_pb2.VirtualHost | Mapping[str, Any]] | None = ..., response_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., response_headers_to_remove: Iterable[str] | None = ..., request_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., request_headers_to_remove: Iterable[str] | None = ..., validate_clusters: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., request_mirror_policies: Iterable[envoy.config.route.v3.route_components_pb2.RouteAction.RequestMirrorPolicy | Mapping[str, Any]] | None = ..., typed_per_filter_config: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ...) -> None: ...
