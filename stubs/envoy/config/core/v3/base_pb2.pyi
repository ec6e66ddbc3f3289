# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.backoff_pb2
import envoy.type.v3.percent_pb2
import envoy.type.v3.semantic_version_pb2
import google.protobuf.any_pb2
import google.protobuf.struct_pb2
import google.protobuf.wrappers_pb2

RoutingPriority: EnumTypeWrapper
DEFAULT: int
HIGH: int
RequestMethod: EnumTypeWrapper
METHOD_UNSPECIFIED: int
GET: int
HEAD: int
POST: int
PUT: int
DELETE: int
CONNECT: int
OPTIONS: int
TRACE: int
PATCH: int
TrafficDirection: EnumTypeWrapper
UNSPECIFIED: int
INBOUND: int
OUTBOUND: int
class Locality(Message):
    region: str
    zone: str
    def __init__(self, *, region: str | None = ..., zone: str | None = ...) -> None: ...
class BuildVersion(Message):
    version: envoy.type.v3.semantic_version_pb2.SemanticVersion
    metadata: google.protobuf.struct_pb2.Struct
    def __init__(self, *, version: envoy.type.v3.semantic_version_pb2.SemanticVersion | Mapping[str, Any] | None = ..., metadata: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
class Extension(Message):
    name: str
    category: str
    version: BuildVersion
    disabled: bool
    type_urls: RepeatedScalarFieldContainer[str]
    def __init__(self, *, name: str | None = ..., category: str | None = ..., version: BuildVersion | Mapping[str, Any] | None = ..., disabled: bool | None = ..., type_urls: Iterable[str] | None = ...) -> None: ...
class Node(Message):
    id: str
    cluster: str
    metadata: google.protobuf.struct_pb2.Struct
    locality: Locality
    user_agent_build_version: BuildVersion
    extensions: RepeatedCompositeFieldContainer[Extension]
    def __init__(self, *, id: str | None = ..., cluster: str | None = ..., metadata: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ..., locality: Locality | Mapping[str, Any] | None = ..., user_agent_build_version: BuildVersion | Mapping[str, Any] | None = ..., extensions: Iterable[Extension | Mapping[str, Any]] | None = ...) -> None: ...
class Metadata(Message):
    filter_metadata: MessageMap[str, google.protobuf.struct_pb2.Struct]
    def __init__(self, *, filter_metadata: Mapping[str, google.protobuf.struct_pb2.Struct] | None = ...) -> None: ...
class RuntimeUInt32(Message):
    default_value: int
    runtime_key: str
    def __init__(self, *, default_value: int | None = ..., runtime_key: str | None = ...) -> None: ...
class KeyValuePair(Message):
    key: str
    value: google.protobuf.struct_pb2.Value
    def __init__(self, *, key: str | None = ..., value: google.protobuf.struct_pb2.Value | Mapping[str, Any] | None = ...) -> None: ...
class HeaderValue(Message):
    key: str
    value: str
    raw_value: bytes
    def __init__(self, *, key: str | None = ..., value: str | None = ..., raw_value: bytes | None = ...) -> None: ...
class HeaderValueOption(Message):
    HeaderAppendAction: EnumTypeWrapper
    APPEND_IF_EXISTS_OR_ADD: int
    ADD_IF_ABSENT: int
    OVERWRITE_IF_EXISTS_OR_ADD: int
    OVERWRITE_IF_EXISTS: int
    header: HeaderValue
    append: google.protobuf.wrappers_pb2.BoolValue
    append_action: int
    keep_empty_value: bool
    def __init__(self, *, header: HeaderValue | Mapping[str, Any] | None = ..., append: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., append_action: int | str | None = ..., keep_empty_value: bool | None = ...) -> None: ...
class HeaderMap(Message):
    headers: RepeatedCompositeFieldContainer[HeaderValue]
    def __init__(self, *, headers: Iterable[HeaderValue | Mapping[str, Any]] | None = ...) -> None: ...
class WatchedDirectory(Message):
    path: str
    def __init__(self, *, path: str | None = ...) -> None: ...
class DataSource(Message):
    filename: str
    inline_bytes: bytes
    inline_string: str
    watched_directory: WatchedDirectory
    def __init__(self, *, filename: str | None = ..., inline_bytes: bytes | None = ..., inline_string: str | None = ..., watched_directory: WatchedDirectory | Mapping[str, Any] | None = ...) -> None: ...
class RetryPolicy(Message):
    class RetryPriority(Message):
        name: str
        typed_config: google.protobuf.any_pb2.Any
        def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
    class RetryHostPredicate(Message):
        name: str
        typed_config: google.protobuf.any_pb2.Any
        def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
    retry_back_off: envoy.config.core.v3.backoff_pb2.BackoffStrategy
    num_retries: google.protobuf.wrappers_pb2.UInt32Value
    retry_on: str
    retry_priority: RetryPolicy.RetryPriority
    retry_host_predicate: RepeatedCompositeFieldContainer[RetryPolicy.RetryHostPredicate]
    host_selection_retry_max_attempts: int
    def __init__(self, *, retry_back_off: envoy.config.core.v3.backoff_pb2.BackoffStrategy | Mapping[str, Any] | None = ..., num_retries: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., retry_on: str | None = ..., retry_priority: RetryPolicy.RetryPriority | Mapping[str, Any] | None = ..., retry_host_predicate: Iterable[RetryPolicy.RetryHostPredicate | Mapping[str, Any]] | None = ..., host_selection_retry_max_attempts: int | None = ...) -> None: ...
class TransportSocket(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
class RuntimeFractionalPercent(Message):
    default_value: envoy.type.v3.percent_pb2.FractionalPercent
    runtime_key: str
    def __init__(self, *, default_value: envoy.type.v3.percent_pb2.FractionalPercent | Mapping[str, Any] | None = ..., runtime_key: str | None = ...) -> None: ...
class ControlPlane(Message):
    identifier: str
    def __init__(self, *, identifier: str | None = ...) -> None: ...
