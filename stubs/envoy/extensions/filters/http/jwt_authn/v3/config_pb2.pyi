# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.route.v3.route_components_pb2
import envoy.type.matcher.v3.string_pb2
import google.protobuf.empty_pb2

class JwtProvider(Message):
    issuer: str
    audiences: RepeatedScalarFieldContainer[str]
    subjects: envoy.type.matcher.v3.string_pb2.StringMatcher
    require_expiration: bool
    local_jwks: envoy.config.core.v3.base_pb2.DataSource
    forward: bool
    from_headers: RepeatedCompositeFieldContainer[JwtHeader]
    payload_in_metadata: str
    header_in_metadata: str
    clock_skew_seconds: int
    jwt_cache_config: JwtCacheConfig
    clear_route_cache: bool
    def __init__(self, *, issuer: str | None = ..., audiences: Iterable[str] | None = ..., subjects: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., require_expiration: bool | None = ..., local_jwks: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., forward: bool | None = ..., from_headers: Iterable[JwtHeader | Mapping[str, Any]] | None = ..., payload_in_metadata: str | None = ..., header_in_metadata: str | None = ..., clock_skew_seconds: int | None = ..., jwt_cache_config: JwtCacheConfig | Mapping[str, Any] | None = ..., clear_route_cache: bool | None = ...) -> None: ...
class JwtCacheConfig(Message):
    jwt_cache_size: int
    def __init__(self, *, jwt_cache_size: int | None = ...) -> None: ...
class JwtHeader(Message):
    name: str
    value_prefix: str
    def __init__(self, *, name: str | None = ..., value_prefix: str | None = ...) -> None: ...
class JwtRequirement(Message):
    provider_name: str
    requires_any: JwtRequirementOrList
    allow_missing: google.protobuf.empty_pb2.Empty
    def __init__(self, *, provider_name: str | None = ..., requires_any: JwtRequirementOrList | Mapping[str, Any] | None = ..., allow_missing: google.protobuf.empty_pb2.Empty | Mapping[str, Any] | None = ...) -> None: ...
class JwtRequirementOrList(Message):
    requirements: RepeatedCompositeFieldContainer[JwtRequirement]
    def __init__(self, *, requirements: Iterable[JwtRequirement | Mapping[str, Any]] | None = ...) -> None: ...
class RequirementRule(Message):
    match: envoy.config.route.v3.route_components_pb2.RouteMatch
    requires: JwtRequirement
    requirement_name: str
    def __init__(self, *, match: envoy.config.route.v3.route_components_pb2.RouteMatch | Mapping[str, Any] | None = ..., requires: JwtRequirement | Mapping[str, Any] | None = ..., requirement_name: str | None = ...) -> None: ...
class JwtAuthentication(Message):
    providers: MessageMap[str, JwtProvider]
    rules: RepeatedCompositeFieldContainer[RequirementRule]
    requirement_map: MessageMap[str, JwtRequirement]
    strip_failure_response: bool
    stat_prefix: str
    def __init__(self, *, providers: Mapping[str, JwtProvider] | None = ..., rules: Iterable[RequirementRule | Mapping[str, Any]] | None = ..., requirement_map: Mapping[str, JwtRequirement] | None = ..., strip_failure_response: bool | None = ..., stat_prefix: str | None = ...) -> None: ...
class PerRouteConfig(Message):
    disabled: bool
    requirement_name: str
    def __init__(self, *, disabled: bool | None = ..., requirement_name: str | None = ...) -> None: ...
