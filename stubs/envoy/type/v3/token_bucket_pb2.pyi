# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class TokenBucket(Message):
    max_tokens: int
    tokens_per_fill: google.protobuf.wrappers_pb2.UInt32Value
    fill_interval: google.protobuf.duration_pb2.Duration
    def __init__(self, *, max_tokens: int | None = ..., tokens_per_fill: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., fill_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ...) -> None: ...
