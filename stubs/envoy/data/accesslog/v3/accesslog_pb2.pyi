# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.base_pb2
import google.protobuf.any_pb2
import google.protobuf.duration_pb2
import google.protobuf.timestamp_pb2
import google.protobuf.wrappers_pb2

AccessLogType: EnumTypeWrapper
NotSet: int
TcpUpstreamConnected: int
TcpPeriodic: int
TcpConnectionEnd: int
DownstreamStart: int
DownstreamPeriodic: int
DownstreamEnd: int
UpstreamPoolReady: int
UpstreamPeriodic: int
UpstreamEnd: int
DownstreamTunnelSuccessfullyEstablished: int
UdpTunnelUpstreamConnected: int
UdpPeriodic: int
UdpSessionEnd: int
class HTTPAccessLogEntry(Message):
    HTTPVersion: EnumTypeWrapper
    PROTOCOL_UNSPECIFIED: int
    HTTP10: int
    HTTP11: int
    HTTP2: int
    HTTP3: int
    common_properties: AccessLogCommon
    protocol_version: int
    request: HTTPRequestProperties
    response: HTTPResponseProperties
    def __init__(self, *, common_properties: AccessLogCommon | Mapping[str, Any] | None = ..., protocol_version: int | str | None = ..., request: HTTPRequestProperties | Mapping[str, Any] | None = ..., response: HTTPResponseProperties | Mapping[str, Any] | None = ...) -> None: ...
class ConnectionProperties(Message):
    def __init__(self) -> None: ...
class AccessLogCommon(Message):
    downstream_remote_address: envoy.config.core.v3.address_pb2.Address
    tls_properties: TLSProperties
    start_time: google.protobuf.timestamp_pb2.Timestamp
    time_to_last_downstream_tx_byte: google.protobuf.duration_pb2.Duration
    upstream_remote_address: envoy.config.core.v3.address_pb2.Address
    upstream_cluster: str
    response_flags: ResponseFlags
    metadata: envoy.config.core.v3.base_pb2.Metadata
    filter_state_objects: MessageMap[str, google.protobuf.any_pb2.Any]
    custom_tags: ScalarMap[str, str]
    duration: google.protobuf.duration_pb2.Duration
    upstream_request_attempt_count: int
    stream_id: str
    def __init__(self, *, downstream_remote_address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., tls_properties: TLSProperties | Mapping[str, Any] | None = ..., start_time: google.protobuf.timestamp_pb2.Timestamp | Mapping[str, Any] | None = ..., time_to_last_downstream_tx_byte: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., upstream_remote_address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., upstream_cluster: str | None = ..., response_flags: ResponseFlags | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., filter_state_objects: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., custom_tags: Mapping[str, str] | None = ..., duration: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., upstream_request_attempt_count: int | None = ..., stream_id: str | None = ...) -> None: ...
class ResponseFlags(Message):
    class Unauthorized(Message):
        Reason: EnumTypeWrapper
        REASON_UNSPECIFIED: int
        EXTERNAL_SERVICE: int
        reason: int
        def __init__(self, *, reason: int | str | None = ...) -> None: ...
    failed_local_healthcheck: bool
    no_healthy_upstream: bool
    upstream_request_timeout: bool
    local_reset: bool
    upstream_remote_reset: bool
    upstream_connection_failure: bool
    upstream_connection_termination: bool
    upstream_overflow: bool
    no_route_found: bool
    delay_injected: bool
    fault_injected: bool
    rate_limited: bool
    unauthorized_details: ResponseFlags.Unauthorized
    rate_limit_service_error: bool
    downstream_connection_termination: bool
    upstream_retry_limit_exceeded: bool
    stream_idle_timeout: bool
    invalid_envoy_request_headers: bool
    downstream_protocol_error: bool
    upstream_max_stream_duration_reached: bool
    response_from_cache_filter: bool
    no_filter_config_found: bool
    duration_timeout: bool
    upstream_protocol_error: bool
    no_cluster_found: bool
    overload_manager: bool
    dns_resolution_failure: bool
    downstream_remote_reset: bool
    def __init__(self, *, failed_local_healthcheck: bool | None = ..., no_healthy_upstream: bool | None = ..., upstream_request_timeout: bool | None = ..., local_reset: bool | None = ..., upstream_remote_reset: bool | None = ..., upstream_connection_failure: bool | None = ..., upstream_connection_termination: bool | None = ..., upstream_overflow: bool | None = ..., no_route_found: bool | None = ..., delay_injected: bool | None = ..., fault_injected: bool | None = ..., rate_limited: bool | None = ..., unauthorized_details: ResponseFlags.Unauthorized | Mapping[str, Any] | None = ..., rate_limit_service_error: bool | None = ..., downstream_connection_termination: bool | None = ..., upstream_retry_limit_exceeded: bool | None = ..., stream_idle_timeout: bool | None = ..., invalid_envoy_request_headers: bool | None = ..., downstream_protocol_error: bool | None = ..., upstream_max_stream_duration_reached: bool | None = ..., response_from_cache_filter: bool | None = ..., no_filter_config_found: bool | None = ..., duration_timeout: bool | None = ..., upstream_protocol_error: bool | None = ..., no_cluster_found: bool | None = ..., overload_manager: bool | None = ..., dns_resolution_failure: bool | None = ..., downstream_remote_reset: bool | None = ...) -> None: ...
class TLSProperties(Message):
    TLSVersion: EnumTypeWrapper
    VERSION_UNSPECIFIED: int
    TLSv1: int
    TLSv1_1: int
    TLSv1_2: int
    TLSv1_3: int
    class CertificateProperties(Message):
        subject: str
        issuer: str
        def __init__(self, *, subject: str | None = ..., issuer: str | None = ...) -> None: ...
    tls_sni_hostname: str
    peer_certificate_properties: TLSProperties.CertificateProperties
    def __init__(self, *, tls_sni_hostname: str | None = ..., peer_certificate_properties: TLSProperties.CertificateProperties | Mapping[str, Any] | None = ...) -> None: ...
class HTTPRequestProperties(Message):
    request_method: int
    scheme: str
    authority: str
    port: google.protobuf.wrappers_pb2.UInt32Value
    path: str
    user_agent: str
    referer: str
    forwarded_for: str
    request_id: str
    request_body_bytes: int
    request_headers: ScalarMap[str, str]
    def __init__(self, *, request_method: int | str | None = ..., scheme: str | None = ..., authority: str | None = ..., port: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., path: str | None = ..., user_agent: str | None = ..., referer: str | None = ..., forwarded_for: str | None = ..., request_id: str | None = ..., request_body_bytes: int | None = ..., request_headers: Mapping[str, str] | None = ...) -> None: ...
class HTTPResponseProperties(Message):
    response_code: google.protobuf.wrappers_pb2.UInt32Value
    response_body_bytes: int
    response_headers: ScalarMap[str, str]
    response_code_details: str
    def __init__(self, *, response_code: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., response_body_bytes: int | None = ..., response_headers: Mapping[str, str] | None = ..., response_code_details: str | None = ...) -> None: ...
