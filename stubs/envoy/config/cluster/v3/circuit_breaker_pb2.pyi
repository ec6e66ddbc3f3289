# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.wrappers_pb2

class CircuitBreakers(Message):
    class Thresholds(Message):
        priority: int
        max_connections: google.protobuf.wrappers_pb2.UInt32Value
        max_pending_requests: google.protobuf.wrappers_pb2.UInt32Value
        max_requests: google.protobuf.wrappers_pb2.UInt32Value
        max_retries: google.protobuf.wrappers_pb2.UInt32Value
        def __init__(self, *, priority: int | str | None = ..., max_connections: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., max_pending_requests: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., max_requests: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., max_retries: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
    thresholds: RepeatedCompositeFieldContainer[CircuitBreakers.Thresholds]
    def __init__(self, *, thresholds: Iterable[CircuitBreakers.Thresholds | Mapping[str, Any]] | None = ...) -> None: ...
