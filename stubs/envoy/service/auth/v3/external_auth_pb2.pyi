# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.service.auth.v3.attribute_context_pb2
import envoy.type.v3.http_status_pb2
import google.protobuf.struct_pb2

class CheckRequest(Message):
    attributes: envoy.service.auth.v3.attribute_context_pb2.AttributeContext
    def __init__(self, *, attributes: envoy.service.auth.v3.attribute_context_pb2.AttributeContext | Mapping[str, Any] | None = ...) -> None: ...
class DeniedHttpResponse(Message):
    status: envoy.type.v3.http_status_pb2.HttpStatus
    headers: RepeatedCompositeFieldContainer[envoy.config.core.v3.base_pb2.HeaderValueOption]
    body: str
    def __init__(self, *, status: envoy.type.v3.http_status_pb2.HttpStatus | Mapping[str, Any] | None = ..., headers: Iterable[envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any]] | None = ..., body: str | None = ...) -> None: ...
class CheckResponse(Message):
    status: Any
    denied_response: DeniedHttpResponse
    dynamic_metadata: google.protobuf.struct_pb2.Struct
    def __init__(self, *, status: Any | Mapping[str, Any] | None = ..., denied_response: DeniedHttpResponse | Mapping[str, Any] | None = ..., dynamic_metadata: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
