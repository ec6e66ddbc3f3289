# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.duration_pb2

class BackoffStrategy(Message):
    base_interval: google.protobuf.duration_pb2.Duration
    max_interval: google.protobuf.duration_pb2.Duration
    def __init__(self, *, base_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., max_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ...) -> None: ...
