# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.protocol_pb2
import envoy.config.route.v3.route_components_pb2
import envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2

class HttpProtocolOptions(Message):
    class ExplicitHttpConfig(Message):
        http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions
        http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions
        def __init__(self, *, http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions | Mapping[str, Any] | None = ..., http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions | Mapping[str, Any] | None = ...) -> None: ...
    class OutlierDetection(Message):
        def __init__(self) -> None: ...
    common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions
    explicit_http_config: HttpProtocolOptions.ExplicitHttpConfig
    http_filters: RepeatedCompositeFieldContainer[envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2.HttpFilter]
    outlier_detection: HttpProtocolOptions.OutlierDetection
    request_mirror_policies: RepeatedCompositeFieldContainer[envoy.config.route.v3.route_components_pb2.RouteAction.RequestMirrorPolicy]
    hash_policy: RepeatedCompositeFieldContainer[envoy.config.route.v3.route_components_pb2.RouteAction.HashPolicy]
    retry_policy: envoy.config.route.v3.route_components_pb2.RetryPolicy
    def __init__(self, *, common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions | Mapping[str, Any] | None = ..., explicit_http_config: HttpProtocolOptions.ExplicitHttpConfig | Mapping[str, Any] | None = ..., http_filters: Iterable[envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2.HttpFilter | Mapping[str, Any]] | None = ..., outlier_detection: HttpProtocolOptions.OutlierDetection | Mapping[str, Any] | None = ..., request_mirror_policies: Iterable[envoy.config.route.v3.route_components_pb2.RouteAction.RequestMirrorPolicy | Mapping[str, Any]] | None = ..., hash_policy: Iterable[envoy.config.route.v3.route_components_pb2.RouteAction.HashPolicy | Mapping[str, Any]] | None = ..., retry_policy: envoy.config.route.v3.route_components_pb2.RetryPolicy | Mapping[str, Any] | None = ...) -> None: ...
