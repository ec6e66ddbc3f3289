# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.value_pb2

class MetadataMatcher(Message):
    class PathSegment(Message):
        key: str
        def __init__(self, *, key: str | None = ...) -> None: ...
    filter: str
    path: RepeatedCompositeFieldContainer[MetadataMatcher.PathSegment]
    value: envoy.type.matcher.v3.value_pb2.ValueMatcher
    invert: bool
    def __init__(self, *, filter: str | None = ..., path: Iterable[MetadataMatcher.PathSegment | Mapping[str, Any]] | None = ..., value: envoy.type.matcher.v3.value_pb2.ValueMatcher | Mapping[str, Any] | None = ..., invert: bool | None = ...) -> None: ...
