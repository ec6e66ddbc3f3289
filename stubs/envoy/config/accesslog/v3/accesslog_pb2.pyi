# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.route.v3.route_components_pb2
import envoy.type.matcher.v3.metadata_pb2
import google.protobuf.any_pb2
import google.protobuf.wrappers_pb2

class AccessLog(Message):
    name: str
    filter: AccessLogFilter
    typed_config: google.protobuf.any_pb2.Any
    def __init__(self, *, name: str | None = ..., filter: AccessLogFilter | Mapping[str, Any] | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
class AccessLogFilter(Message):
    status_code_filter: StatusCodeFilter
    and_filter: AndFilter
    or_filter: OrFilter
    header_filter: HeaderFilter
    response_flag_filter: ResponseFlagFilter
    metadata_filter: MetadataFilter
    def __init__(self, *, status_code_filter: StatusCodeFilter | Mapping[str, Any] | None = ..., and_filter: AndFilter | Mapping[str, Any] | None = ..., or_filter: OrFilter | Mapping[str, Any] | None = ..., header_filter: HeaderFilter | Mapping[str, Any] | None = ..., response_flag_filter: ResponseFlagFilter | Mapping[str, Any] | None = ..., metadata_filter: MetadataFilter | Mapping[str, Any] | None = ...) -> None: ...
class ComparisonFilter(Message):
    Op: EnumTypeWrapper
    EQ: int
    GE: int
    LE: int
    NE: int
    op: int
    value: envoy.config.core.v3.base_pb2.RuntimeUInt32
    def __init__(self, *, op: int | str | None = ..., value: envoy.config.core.v3.base_pb2.RuntimeUInt32 | Mapping[str, Any] | None = ...) -> None: ...
class StatusCodeFilter(Message):
    comparison: ComparisonFilter
    def __init__(self, *, comparison: ComparisonFilter | Mapping[str, Any] | None = ...) -> None: ...
class AndFilter(Message):
    filters: RepeatedCompositeFieldContainer[AccessLogFilter]
    def __init__(self, *, filters: Iterable[AccessLogFilter | Mapping[str, Any]] | None = ...) -> None: ...
class OrFilter(Message):
    filters: RepeatedCompositeFieldContainer[AccessLogFilter]
    def __init__(self, *, filters: Iterable[AccessLogFilter | Mapping[str, Any]] | None = ...) -> None: ...
class HeaderFilter(Message):
    header: envoy.config.route.v3.route_components_pb2.HeaderMatcher
    def __init__(self, *, header: envoy.config.route.v3.route_components_pb2.HeaderMatcher | Mapping[str, Any] | None = ...) -> None: ...
class ResponseFlagFilter(Message):
    flags: RepeatedScalarFieldContainer[str]
    def __init__(self, *, flags: Iterable[str] | None = ...) -> None: ...
class MetadataFilter(Message):
    matcher: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher
    match_if_key_not_found: google.protobuf.wrappers_pb2.BoolValue
    def __init__(self, *, matcher: envoy.type.matcher.v3.metadata_pb2.MetadataMatcher | Mapping[str, Any] | None = ..., match_if_key_not_found: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ...) -> None: ...
