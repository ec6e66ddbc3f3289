# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.extension_pb2
import envoy.type.matcher.v3.filter_state_pb2
import envoy.type.matcher.v3.metadata_pb2
import envoy.type.matcher.v3.regex_pb2
import envoy.type.matcher.v3.string_pb2
import envoy.type.metadata.v3.metadata_pb2
import envoy.type.tracing.v3.custom_tag_pb2
import google.protobuf.any_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2
import xds.type.matcher.v3.matcher_pb2

class VirtualHost(Message):
    TlsRequirementType: EnumTypeWrapper
    NONE: int
    EXTERNAL_ONLY: int
    ALL: int
    name: str
    domains: RepeatedScalarFieldContainer[str]
    routes: RepeatedCompositeFieldContainer[Route]
    matcher: xds.type.matcher.v3.matcher_pb2.Matcher
    rate_limits: RepeatedCompositeFieldContainer[RateLimit]
    request_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    request_headers_to_remove: RepeatedScalarFieldContainer[str]
    response_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    response_headers_to_remove: RepeatedScalarFieldContainer[str]
    cors: CorsPolicy
    typed_per_filter_config: MessageMap[str, google.protobuf.any_pb2.Any]
    retry_policy: RetryPolicy
    request_mirror_policies: RepeatedCompositeFieldContainer[RouteAction.RequestMirrorPolicy]
    metadata: envoy.config.core.v3.base_pb2.Metadata
    def __init__(self, *, name: str | None = ..., domains: Iterable[str] | None = ..., routes: Iterable[Route | Mapping[str, Any]] | None = ..., matcher: xds.type.matcher.v3.matcher_pb2.Matcher | Mapping[str, Any] | None = ..., rate_limits: Iterable[RateLimit | Mapping[str, Any]] | None = ..., request_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., request_headers_to_remove: Iterable[str] | None = ..., response_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., response_headers_to_remove: Iterable[str] | None = ..., cors: CorsPolicy | Mapping[str, Any] | None = ..., typed_per_filter_config: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., retry_policy: RetryPolicy | Mapping[str, Any] | None = ..., request_mirror_policies: Iterable[RouteAction.RequestMirrorPolicy | Mapping[str, Any]] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ...) -> None: ...
class Route(Message):
    name: str
    match: RouteMatch
    route: RouteAction
    redirect: RedirectAction
    direct_response: DirectResponseAction
    metadata: envoy.config.core.v3.base_pb2.Metadata
    typed_per_filter_config: MessageMap[str, google.protobuf.any_pb2.Any]
    request_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    request_headers_to_remove: RepeatedScalarFieldContainer[str]
    response_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    response_headers_to_remove: RepeatedScalarFieldContainer[str]
    tracing: Tracing
    stat_prefix: str
    def __init__(self, *, name: str | None = ..., match: RouteMatch | Mapping[str, Any] | None = ..., route: RouteAction | Mapping[str, Any] | None = ..., redirect: RedirectAction | Mapping[str, Any] | None = ..., direct_response: DirectResponseAction | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., typed_per_filter_config: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., request_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., request_headers_to_remove: Iterable[str] | None = ..., response_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., response_headers_to_remove: Iterable[str] | None = ..., tracing: Tracing | Mapping[str, Any] | None = ..., stat_prefix: str | None = ...) -> None: ...
class WeightedCluster(Message):
    class ClusterWeight(Message):
        name: str
        weight: google.protobuf.wrappers_pb2.UInt32Value
        request_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
        request_headers_to_remove: RepeatedScalarFieldContainer[str]
        response_headers_to_add: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
        response_headers_to_remove: RepeatedScalarFieldContainer[str]
        typed_per_filter_config: MessageMap[str, google.protobuf.any_pb2.Any]
        host_rewrite_literal: str
        def __init__(self, *, name: str | None = ..., weight: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., request_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., request_headers_to_remove: Iterable[str] | None = ..., response_headers_to_add: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., response_headers_to_remove: Iterable[str] | None = ..., typed_per_filter_config: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., host_rewrite_literal: str | None = ...) -> None: ...
    clusters: RepeatedCompositeFieldContainer[WeightedCluster.ClusterWeight]
    header_name: str
    use_hash_policy: google.protobuf.wrappers_pb2.BoolValue
    def __init__(self, *, clusters: Iterable[WeightedCluster.ClusterWeight | Mapping[str, Any]] | None = ..., header_name: str | None = ..., use_hash_policy: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ...) -> None: ...
class RouteMatch(Message):
    class GrpcRouteMatchOptions(Message):
        def __init__(self) -> None: ...
    prefix: str
    path: str
    safe_regex: envoy.type.matcher.v3.regex_pb2.RegexMatcher
    path_separated_prefix: str
    runtime_fraction: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent
    headers: RepeatedCompositeFieldContainer[HeaderMatcher]
    query_parameters: RepeatedCompositeFieldContainer[QueryParameterMatcher]
    grpc: RouteMatch.GrpcRouteMatchOptions
    dynamic_metadata: RepeatedCompositeFieldContainer[envoy.type.matcher.v3.metadata_pb2.MetadataMatcher]
    filter_state: RepeatedCompositeFieldContainer[envoy.type.matcher.v3.filter_state_pb2.FilterStateMatcher]
    def __init__(self, *, prefix: str | None = ..., path: str | None = ..., safe_regex: envoy.type.matcher.v3.regex_pb2.RegexMatcher | Mapping[str, Any] | None = ..., path_separated_prefix: str | None = ..., runtime_fraction: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent | Mapping[str, Any] | None = ..., headers: Iterable[HeaderMatcher | Mapping[str, Any]] | None = ..., query_parameters: Iterable[QueryParameterMatcher | Mapping[str, Any]] | None = ..., grpc: RouteMatch.GrpcRouteMatchOptions | Mapping[str, Any] | None = ..., dynamic_metadata: Iterable[envoy.type.matcher.v3.metadata_pb2.MetadataMatcher | Mapping[str, Any]] | None = ..., filter_state: Iterable[envoy.type.matcher.v3.filter_state_pb2.FilterStateMatcher | Mapping[str, Any]] | None = ...) -> None: ...
class CorsPolicy(Message):
    filter_enabled: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent
    def __init__(self, *, filter_enabled: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent | Mapping[str, Any] | None = ...) -> None: ...
class RouteAction(Message):
    ClusterNotFoundResponseCode: EnumTypeWrapper
    SERVICE_UNAVAILABLE: int
    NOT_FOUND: int
    INTERNAL_SERVER_ERROR: int
    InternalRedirectAction: EnumTypeWrapper
    PASS_THROUGH_INTERNAL_REDIRECT: int
    HANDLE_INTERNAL_REDIRECT: int
    class RequestMirrorPolicy(Message):
        cluster: str
        runtime_fraction: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent
        disable_shadow_host_suffix_append: bool
        host_rewrite_literal: str
        def __init__(self, *, cluster: str | None = ..., runtime_fraction: envoy.config.core.v3.base_pb2.RuntimeFractionalPercent | Mapping[str, Any] | None = ..., disable_shadow_host_suffix_append: bool | None = ..., host_rewrite_literal: str | None = ...) -> None: ...
    class HashPolicy(Message):
        class Header(Message):
            header_name: str
            regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute
            def __init__(self, *, header_name: str | None = ..., regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute | Mapping[str, Any] | None = ...) -> None: ...
        class CookieAttribute(Message):
            name: str
            value: str
            def __init__(self, *, name: str | None = ..., value: str | None = ...) -> None: ...
        class Cookie(Message):
            name: str
            path: str
            attributes: RepeatedCompositeFieldContainer[RouteAction.HashPolicy.CookieAttribute]
            def __init__(self, *, name: str | None = ..., path: str | None = ..., attributes: Iterable[RouteAction.HashPolicy.CookieAttribute | Mapping[str, Any]] | None = ...) -> None: ...
        class ConnectionProperties(Message):
            source_ip: bool
            def __init__(self, *, source_ip: bool | None = ...) -> None: ...
        class FilterState(Message):
            key: str
            def __init__(self, *, key: str | None = ...) -> None: ...
        header: RouteAction.HashPolicy.Header
        cookie: RouteAction.HashPolicy.Cookie
        connection_properties: RouteAction.HashPolicy.ConnectionProperties
        filter_state: RouteAction.HashPolicy.FilterState
        terminal: bool
        def __init__(self, *, header: RouteAction.HashPolicy.Header | Mapping[str, Any] | None = ..., cookie: RouteAction.HashPolicy.Cookie | Mapping[str, Any] | None = ..., connection_properties: RouteAction.HashPolicy.ConnectionProperties | Mapping[str, Any] | None = ..., filter_state: RouteAction.HashPolicy.FilterState | Mapping[str, Any] | None = ..., terminal: bool | None = ...) -> None: ...
    cluster: str
    weighted_clusters: WeightedCluster
    cluster_not_found_response_code: int
    prefix_rewrite: str
    regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute
    host_rewrite_literal: str
    timeout: google.protobuf.duration_pb2.Duration
    idle_timeout: google.protobuf.duration_pb2.Duration
    retry_policy: RetryPolicy
    request_mirror_policies: RepeatedCompositeFieldContainer[RouteAction.RequestMirrorPolicy]
    priority: int
    rate_limits: RepeatedCompositeFieldContainer[RateLimit]
    hash_policy: RepeatedCompositeFieldContainer[RouteAction.HashPolicy]
    cors: CorsPolicy
    def __init__(self, *, cluster: str | None = ..., weighted_clusters: WeightedCluster | Mapping[str, Any] | None = ..., cluster_not_found_response_code: int | str | None = ..., prefix_rewrite: str | None = ..., regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute | Mapping[str, Any] | None = ..., host_rewrite_literal: str | None = ..., timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., idle_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., retry_policy: RetryPolicy | Mapping[str, Any] | None = ..., request_mirror_policies: Iterable[RouteAction.RequestMirrorPolicy | Mapping[str, Any]] | None = ..., priority: int | str | None = ..., rate_limits: Iterable[RateLimit | Mapping[str, Any]] | None = ..., hash_policy: Iterable[RouteAction.HashPolicy | Mapping[str, Any]] | None = ..., cors: CorsPolicy | Mapping[str, Any] | None = ...) -> None: ...
class RetryPolicy(Message):
    ResetHeaderFormat: EnumTypeWrapper
    SECONDS: int
    UNIX_TIMESTAMP: int
    class RetryPriority(Message):
        name: str
        typed_config: google.protobuf.any_pb2.Any
        def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
    class RetryHostPredicate(Message):
        name: str
        typed_config: google.protobuf.any_pb2.Any
        def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
    class RetryBackOff(Message):
        base_interval: google.protobuf.duration_pb2.Duration
        max_interval: google.protobuf.duration_pb2.Duration
        def __init__(self, *, base_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., max_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ...) -> None: ...
    retry_on: str
    num_retries: google.protobuf.wrappers_pb2.UInt32Value
    retry_priority: RetryPolicy.RetryPriority
    retry_host_predicate: RepeatedCompositeFieldContainer[RetryPolicy.RetryHostPredicate]
    host_selection_retry_max_attempts: int
    retry_back_off: RetryPolicy.RetryBackOff
    def __init__(self, *, retry_on: str | None = ..., num_retries: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., retry_priority: RetryPolicy.RetryPriority | Mapping[str, Any] | None = ..., retry_host_predicate: Iterable[RetryPolicy.RetryHostPredicate | Mapping[str, Any]] | None = ..., host_selection_retry_max_attempts: int | None = ..., retry_back_off: RetryPolicy.RetryBackOff | Mapping[str, Any] | None = ...) -> None: ...
class RedirectAction(Message):
    RedirectResponseCode: EnumTypeWrapper
    MOVED_PERMANENTLY: int
    FOUND: int
    SEE_OTHER: int
    TEMPORARY_REDIRECT: int
    PERMANENT_REDIRECT: int
    https_redirect: bool
    scheme_redirect: str
    host_redirect: str
    port_redirect: int
    path_redirect: str
    prefix_rewrite: str
    regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute
    response_code: int
    def __init__(self, *, https_redirect: bool | None = ..., scheme_redirect: str | None = ..., host_redirect: str | None = ..., port_redirect: int | None = ..., path_redirect: str | None = ..., prefix_rewrite: str | None = ..., regex_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute | Mapping[str, Any] | None = ..., response_code: int | str | None = ...) -> None: ...
class DirectResponseAction(Message):
    status: int
    body: envoy.config.core.v3.base_pb2.DataSource
    def __init__(self, *, status: int | None = ..., body: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ...) -> None: ...
class Decorator(Message):
    operation: str
    def __init__(self, *, operation: str | None = ...) -> None: ...
class Tracing(Message):
    custom_tags: RepeatedCompositeFieldContainer[envoy.type.tracing.v3.custom_tag_pb2.CustomTag]
    operation: str
    def __init__(self, *, custom_tags: Iterable[envoy.type.tracing.v3.custom_tag_pb2.CustomTag | Mapping[str, Any]] | None = ..., operation: str | None = ...) -> None: ...
class RateLimit(Message):
    class Action(Message):
        class RequestHeaders(Message):
            header_name: str
            descriptor_key: str
            def __init__(self, *, header_name: str | None = ..., descriptor_key: str | None = ...) -> None: ...
        class QueryParameters(Message):
            descriptor_key: str
            def __init__(self, *, descriptor_key: str | None = ...) -> None: ...
        class RemoteAddress(Message):
            def __init__(self) -> None: ...
        class DynamicMetaData(Message):
            descriptor_key: str
            metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey
            default_value: str
            def __init__(self, *, descriptor_key: str | None = ..., metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey | Mapping[str, Any] | None = ..., default_value: str | None = ...) -> None: ...
        class MetaData(Message):
            Source: EnumTypeWrapper
            DYNAMIC: int
            ROUTE_ENTRY: int
            descriptor_key: str
            metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey
            default_value: str
            source: int
            def __init__(self, *, descriptor_key: str | None = ..., metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey | Mapping[str, Any] | None = ..., default_value: str | None = ..., source: int | str | None = ...) -> None: ...
        request_headers: RateLimit.Action.RequestHeaders
        query_parameters: RateLimit.Action.QueryParameters
        remote_address: RateLimit.Action.RemoteAddress
        dynamic_metadata: RateLimit.Action.DynamicMetaData
        metadata: RateLimit.Action.MetaData
        extension: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
        def __init__(self, *, request_headers: RateLimit.Action.RequestHeaders | Mapping[str, Any] | None = ..., query_parameters: RateLimit.Action.QueryParameters | Mapping[str, Any] | None = ..., remote_address: RateLimit.Action.RemoteAddress | Mapping[str, Any] | None = ..., dynamic_metadata: RateLimit.Action.DynamicMetaData | Mapping[str, Any] | None = ..., metadata: RateLimit.Action.MetaData | Mapping[str, Any] | None = ..., extension: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
    class Override(Message):
        class DynamicMetadata(Message):
            metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey
            def __init__(self, *, metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey | Mapping[str, Any] | None = ...) -> None: ...
        dynamic_metadata: RateLimit.Override.DynamicMetadata
        def __init__(self, *, dynamic_metadata: RateLimit.Override.DynamicMetadata | Mapping[str, Any] | None = ...) -> None: ...
    stage: google.protobuf.wrappers_pb2.UInt32Value
    actions: RepeatedCompositeFieldContainer[RateLimit.Action]
    limit: RateLimit.Override
    def __init__(self, *, stage: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., actions: Iterable[RateLimit.Action | Mapping[str, Any]] | None = ..., limit: RateLimit.Override | Mapping[str, Any] | None = ...) -> None: ...
class HeaderMatcher(Message):
    name: str
    present_match: bool
    string_match: envoy.type.matcher.v3.string_pb2.StringMatcher
    invert_match: bool
    treat_missing_header_as_empty: bool
    def __init__(self, *, name: str | None = ..., present_match: bool | None = ..., string_match: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., invert_match: bool | None = ..., treat_missing_header_as_empty: bool | None = ...) -> None: ...
class QueryParameterMatcher(Message):
    name: str
    string_match: envoy.type.matcher.v3.string_pb2.StringMatcher
    present_match: bool
    def __init__(self, *, name: str | None = ..., string_match: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., present_match: bool | None = ...) -> None: ...
class FilterConfig(Message):
    config: google.protobuf.any_pb2.Any
    is_optional: bool
    disabled: bool
    def __init__(self, *, config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., is_optional: bool | None = ..., disabled: bool | None = ...) -> None: ...
