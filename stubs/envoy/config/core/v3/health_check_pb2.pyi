# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.type.v3.range_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

HealthStatus: EnumTypeWrapper
UNKNOWN: int
HEALTHY: int
UNHEALTHY: int
DRAINING: int
TIMEOUT: int
DEGRADED: int
class HealthCheck(Message):
    class Payload(Message):
        text: str
        binary: bytes
        def __init__(self, *, text: str | None = ..., binary: bytes | None = ...) -> None: ...
    class HttpHealthCheck(Message):
        host: str
        path: str
        send: HealthCheck.Payload
        receive: RepeatedCompositeFieldContainer[HealthCheck.Payload]
        request_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
        request_headers_to_remove: RepeatedScalarFieldContainer[str]
        expected_statuses: RepeatedCompositeFieldContainer[envoy.type.v3.range_pb2.Int64Range]
        codec_client_type: int
        method: int
        def __init__(self, *, host: str | None = ..., path: str | None = ..., send: HealthCheck.Payload | Mapping[str, Any] | None = ..., receive: Iterable[HealthCheck.Payload | Mapping[str, Any]] | None = ..., request_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., request_headers_to_remove: Iterable[str] | None = ..., expected_statuses: Iterable[envoy.type.v3.range_pb2.Int64Range | Mapping[str, Any]] | None = ..., codec_client_type: int | str | None = ..., method: int | str | None = ...) -> None: ...
    timeout: google.protobuf.duration_pb2.Duration
    interval: google.protobuf.duration_pb2.Duration
    unhealthy_threshold: google.protobuf.wrappers_pb2.UInt32Value
    healthy_threshold: google.protobuf.wrappers_pb2.UInt32Value
    http_health_check: HealthCheck.HttpHealthCheck
    no_traffic_interval: google.protobuf.duration_pb2.Duration
    def __init__(self, *, timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., unhealthy_threshold: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., healthy_threshold: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., http_health_check: HealthCheck.HttpHealthCheck | Mapping[str, Any] | None = ..., no_traffic_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ...) -> None: ...
