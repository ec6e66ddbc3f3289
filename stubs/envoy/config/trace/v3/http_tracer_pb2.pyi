# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.any_pb2

class Tracing(Message):
    class Http(Message):
        name: str
        typed_config: google.protobuf.any_pb2.Any
        def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
    http: Tracing.Http
    def __init__(self, *, http: Tracing.Http | Mapping[str, Any] | None = ...) -> None: ...
