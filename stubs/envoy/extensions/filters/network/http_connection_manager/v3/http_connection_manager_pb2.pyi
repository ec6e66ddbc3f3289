# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.accesslog.v3.accesslog_pb2
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.config_source_pb2
import envoy.config.core.v3.extension_pb2
import envoy.config.core.v3.protocol_pb2
import envoy.config.core.v3.substitution_format_string_pb2
import envoy.config.route.v3.route_pb2
import envoy.config.trace.v3.http_tracer_pb2
import envoy.type.tracing.v3.custom_tag_pb2
import google.protobuf.any_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class HttpConnectionManager(Message):
    CodecType: EnumTypeWrapper
    AUTO: int
    HTTP1: int
    HTTP2: int
    HTTP3: int
    ServerHeaderTransformation: EnumTypeWrapper
    OVERWRITE: int
    APPEND_IF_ABSENT: int
    PASS_THROUGH: int
    ForwardClientCertDetails: EnumTypeWrapper
    SANITIZE: int
    FORWARD_ONLY: int
    APPEND_FORWARD: int
    SANITIZE_SET: int
    ALWAYS_FORWARD_ONLY: int
    PathWithEscapedSlashesAction: EnumTypeWrapper
    IMPLEMENTATION_SPECIFIC_DEFAULT: int
    KEEP_UNCHANGED: int
    REJECT_REQUEST: int
    UNESCAPE_AND_REDIRECT: int
    UNESCAPE_AND_FORWARD: int
    class Tracing(Message):
        OperationName: EnumTypeWrapper
        INGRESS: int
        EGRESS: int
        custom_tags: RepeatedCompositeFieldContainer[envoy.type.tracing.v3.custom_tag_pb2.CustomTag]
        provider: envoy.config.trace.v3.http_tracer_pb2.Tracing.Http
        operation: str
        def __init__(self, *, custom_tags: Iterable[envoy.type.tracing.v3.custom_tag_pb2.CustomTag | Mapping[str, Any]] | None = ..., provider: envoy.config.trace.v3.http_tracer_pb2.Tracing.Http | Mapping[str, Any] | None = ..., operation: str | None = ...) -> None: ...
    class InternalAddressConfig(Message):
        cidr_ranges: RepeatedCompositeFieldContainer[envoy.config.core.v3.address_pb2.CidrRange]
        def __init__(self, *, cidr_ranges: Iterable[envoy.config.core.v3.address_pb2.CidrRange | Mapping[str, Any]] | None = ...) -> None: ...
    class SetCurrentClientCertDetails(Message):
        subject: google.protobuf.wrappers_pb2.BoolValue
        cert: bool
        chain: bool
        dns: bool
        uri: bool
        def __init__(self, *, subject: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., cert: bool | None = ..., chain: bool | None = ..., dns: bool | None = ..., uri: bool | None = ...) -> None: ...
    stat_prefix: str
    rds: Rds
    route_config: envoy.config.route.v3.route_pb2.RouteConfiguration
    scoped_routes: ScopedRoutes
    http_filters: RepeatedCompositeFieldContainer[HttpFilter]
    tracing: HttpConnectionManager.Tracing
    common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions
    http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions
    http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions
    server_name: str
    scheme_header_transformation: envoy.config.core.v3.protocol_pb2.SchemeHeaderTransformation
    max_request_headers_kb: google.protobuf.wrappers_pb2.UInt32Value
    stream_idle_timeout: google.protobuf.duration_pb2.Duration
    request_timeout: google.protobuf.duration_pb2.Duration
    request_headers_timeout: google.protobuf.duration_pb2.Duration
    drain_timeout: google.protobuf.duration_pb2.Duration
    delayed_close_timeout: google.protobuf.duration_pb2.Duration
    access_log: RepeatedCompositeFieldContainer[envoy.config.accesslog.v3.accesslog_pb2.AccessLog]
    use_remote_address: google.protobuf.wrappers_pb2.BoolValue
    xff_num_trusted_hops: int
    early_header_mutation_extensions: RepeatedCompositeFieldContainer[envoy.config.core.v3.extension_pb2.TypedExtensionConfig]
    internal_address_config: HttpConnectionManager.InternalAddressConfig
    via: str
    generate_request_id: google.protobuf.wrappers_pb2.BoolValue
    always_set_request_id_in_response: bool
    forward_client_cert_details: int
    set_current_client_cert_details: HttpConnectionManager.SetCurrentClientCertDetails
    normalize_path: google.protobuf.wrappers_pb2.BoolValue
    merge_slashes: bool
    path_with_escaped_slashes_action: int
    local_reply_config: LocalReplyConfig
    strip_any_host_port: bool
    strip_trailing_host_dot: bool
    def __init__(self, *, stat_prefix: str | None = ..., rds: Rds | Mapping[str, Any] | None = ..., route_config: envoy.config.route.v3.route_pb2.RouteConfiguration | Mapping[str, Any] | None = ..., scoped_routes: ScopedRoutes | Mapping[str, Any] | None = ..., http_filters: Iterable[HttpFilter | Mapping[str, Any]] | None = ..., tracing: HttpConnectionManager.Tracing | Mapping[str, Any] | None = ..., common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions | Mapping[str, Any] | None = ..., http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions | Mapping[str, Any] | None = ..., http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions | Mapping[str, Any] | None = ..., server_name: str | None = ..., scheme_header_transformation: envoy.config.core.v3.protocol_pb2.SchemeHeaderTransformation | Mapping[str, Any] | None = ..., max_request_headers_kb: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., stream_idle_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., request_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., request_headers_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., drain_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., delayed_close_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., access_log: Iterable[envoy.config.accesslog.v3.accesslog_pb2.AccessLog | Mapping[str, Any]] | None = ..., use_remote_address: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., xff_num_trusted_hops: int | None = ..., early_header_mutation_extensions: Iterable[envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any]] | None = ..., internal_address_config: HttpConnectionManager.InternalAddressConfig | Mapping[str, Any] | None = ..., via: str | None = ..., generate_request_id: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., always_set_request_id_in_response: bool | None = ..., forward_client_cert_details: int | str | None = ..., set_current_client_cert_details: HttpConnectionManager.SetCurrentClientCertDetails | Mapping[str, Any] | None = ..., normalize_path: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., merge_slashes: bool | None = ..., path_with_escaped_slashes_action: int | str | None = ..., local_reply_config: LocalReplyConfig | Mapping[str, Any] | None = ..., strip_any_host_port: bool | None = ..., strip_trailing_host_dot: bool | None = ...) -> None: ...
class LocalReplyConfig(Message):
    mappers: RepeatedCompositeFieldContainer[ResponseMapper]
    def __init__(self, *, mappers: Iterable[ResponseMapper | Mapping[str, Any]] | None = ...) -> None: ...
class ResponseMapper(Message):
    filter: envoy.config.accesslog.v3.accesslog_pb2.AccessLogFilter
    status_code: google.protobuf.wrappers_pb2.UInt32Value
    body: envoy.config.core.v3.base_pb2.DataSource
    body_format_override: envoy.config.core.v3.substitution_format_string_pb2.SubstitutionFormatString
    headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    def __init__(self, *, filter: envoy.config.accesslog.v3.accesslog_pb2.AccessLogFilter | Mapping[str, Any] | None = ..., status_code: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., body: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., body_format_override: envoy.config.core.v3.substitution_format_string_pb2.SubstitutionFormatString | Mapping[str, Any] | None = ..., headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ...) -> None: ...
class Rds(Message):
    config_source: envoy.config.core.v3.config_source_pb2.ConfigSource
    route_config_name: str
    def __init__(self, *, config_source: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ..., route_config_name: str | None = ...) -> None: ...
class ScopedRoutes(Message):
    class ScopeKeyBuilder(Message):
        class FragmentBuilder(Message):
            class HeaderValueExtractor(Message):
                class KvElement(Message):
                    separator: str
                    key: str
                    def __init__(self, *, separator: str | None = ..., key: str | None = ...) -> None: ...
                name: str
                index: int
                element: ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor.KvElement
                def __init__(self, *, name: str | None = ..., index: int | None = ..., element: ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor.KvElement | Mapping[str, Any] | None = ...) -> None: ...
            header_value_extractor: ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor
            def __init__(self, *, header_value_extractor: ScopedRoutes.ScopeKeyBuilder.FragmentBuilder.HeaderValueExtractor | Mapping[str, Any] | None = ...) -> None: ...
        fragments: RepeatedCompositeFieldContainer[ScopedRoutes.ScopeKeyBuilder.FragmentBuilder]
        def __init__(self, *, fragments: Iterable[ScopedRoutes.ScopeKeyBuilder.FragmentBuilder | Mapping[str, Any]] | None = ...) -> None: ...
    name: str
    scope_key_builder: ScopedRoutes.ScopeKeyBuilder
    rds_config_source: envoy.config.core.v3.config_source_pb2.ConfigSource
    scoped_rds: ScopedRds
    def __init__(self, *, name: str | None = ..., scope_key_builder: ScopedRoutes.ScopeKeyBuilder | Mapping[str, Any] | None = ..., rds_config_source: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ..., scoped_rds: ScopedRds | Mapping[str, Any] | None = ...) -> None: ...
class ScopedRds(Message):
    scoped_rds_config_source: envoy.config.core.v3.config_source_pb2.ConfigSource
    def __init__(self, *, scoped_rds_config_source: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ...) -> None: ...
class HttpFilter(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource
    is_optional: bool
    disabled: bool
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource | Mapping[str, Any] | None = ..., is_optional: bool | None = ..., disabled: bool | None = ...) -> None: ...
