# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.grpc_service_pb2
import envoy.type.tracing.v3.custom_tag_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class HttpGrpcAccessLogConfig(Message):
    common_config: CommonGrpcAccessLogConfig
    additional_response_headers_to_log: RepeatedScalarFieldContainer[str]
    def __init__(self, *, common_config: CommonGrpcAccessLogConfig | Mapping[str, Any] | None = ..., additional_response_headers_to_log: Iterable[str] | None = ...) -> None: ...
class CommonGrpcAccessLogConfig(Message):
    log_name: str
    grpc_service: envoy.config.core.v3.grpc_service_pb2.GrpcService
    transport_api_version: int
    buffer_flush_interval: google.protobuf.duration_pb2.Duration
    buffer_size_bytes: google.protobuf.wrappers_pb2.UInt32Value
    custom_tags: RepeatedCompositeFieldContainer[envoy.type.tracing.v3.custom_tag_pb2.CustomTag]
    def __init__(self, *, log_name: str | None = ..., grpc_service: envoy.config.core.v3.grpc_service_pb2.GrpcService | Mapping[str, Any] | None = ..., transport_api_version: int | str | None = ..., buffer_flush_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., buffer_size_bytes: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., custom_tags: Iterable[envoy.type.tracing.v3.custom_tag_pb2.CustomTag | Mapping[str, Any]] | None = ...) -> None: ...
