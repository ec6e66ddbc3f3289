# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import google.protobuf.struct_pb2

class ProcessingRequest(Message):
    request_headers: HttpHeaders
    response_headers: HttpHeaders
    request_body: HttpBody
    response_body: HttpBody
    attributes: MessageMap[str, google.protobuf.struct_pb2.Struct]
    observability_mode: bool
    def __init__(self, *, request_headers: HttpHeaders | Mapping[str, Any] | None = ..., response_headers: HttpHeaders | Mapping[str, Any] | None = ..., request_body: HttpBody | Mapping[str, Any] | None = ..., response_body: HttpBody | Mapping[str, Any] | None = ..., attributes: Mapping[str, google.protobuf.struct_pb2.Struct] | None = ..., observability_mode: bool | None = ...) -> None: ...
class ProcessingResponse(Message):
    request_headers: HeadersResponse
    response_headers: HeadersResponse
    request_body: BodyResponse
    response_body: BodyResponse
    dynamic_metadata: google.protobuf.struct_pb2.Struct
    def __init__(self, *, request_headers: HeadersResponse | Mapping[str, Any] | None = ..., response_headers: HeadersResponse | Mapping[str, Any] | None = ..., request_body: BodyResponse | Mapping[str, Any] | None = ..., response_body: BodyResponse | Mapping[str, Any] | None = ..., dynamic_metadata: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
class HttpHeaders(Message):
    headers: envoy.config.core.v3.base_pb2.HeaderMap
    attributes: MessageMap[str, google.protobuf.struct_pb2.Struct]
    end_of_stream: bool
    def __init__(self, *, headers: envoy.config.core.v3.base_pb2.HeaderMap | Mapping[str, Any] | None = ..., attributes: Mapping[str, google.protobuf.struct_pb2.Struct] | None = ..., end_of_stream: bool | None = ...) -> None: ...
class HttpBody(Message):
    body: bytes
    end_of_stream: bool
    def __init__(self, *, body: bytes | None = ..., end_of_stream: bool | None = ...) -> None: ...
class HeadersResponse(Message):
    response: CommonResponse
    def __init__(self, *, response: CommonResponse | Mapping[str, Any] | None = ...) -> None: ...
class BodyResponse(Message):
    response: CommonResponse
    def __init__(self, *, response: CommonResponse | Mapping[str, Any] | None = ...) -> None: ...
class CommonResponse(Message):
    ResponseStatus: EnumTypeWrapper
    CONTINUE: int
    CONTINUE_AND_REPLACE: int
    status: int
    header_mutation: HeaderMutation
    body_mutation: BodyMutation
    trailers: envoy.config.core.v3.base_pb2.HeaderMap
    clear_route_cache: bool
    def __init__(self, *, status: int | str | None = ..., header_mutation: HeaderMutation | Mapping[str, Any] | None = ..., body_mutation: BodyMutation | Mapping[str, Any] | None = ..., trailers: envoy.config.core.v3.base_pb2.HeaderMap | Mapping[str, Any] | None = ..., clear_route_cache: bool | None = ...) -> None: ...
class HeaderMutation(Message):
    set_headers: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    def __init__(self, *, set_headers: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ...) -> None: ...
class StreamedBodyResponse(Message):
    body: bytes
    end_of_stream: bool
    def __init__(self, *, body: bytes | None = ..., end_of_stream: bool | None = ...) -> None: ...
class BodyMutation(Message):
    body: bytes
    streamed_response: StreamedBodyResponse
    def __init__(self, *, body: bytes | None = ..., streamed_response: StreamedBodyResponse | Mapping[str, Any] | None = ...) -> None: ...
