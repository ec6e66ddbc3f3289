# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.wrappers_pb2

class Buffer(Message):
    max_request_bytes: google.protobuf.wrappers_pb2.UInt32Value
    def __init__(self, *, max_request_bytes: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
class BufferPerRoute(Message):
    disabled: bool
    buffer: Buffer
    def __init__(self, *, disabled: bool | None = ..., buffer: Buffer | Mapping[str, Any] | None = ...) -> None: ...
