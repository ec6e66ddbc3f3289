# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.string_pb2

class FilterStateMatcher(Message):
    key: str
    string_match: envoy.type.matcher.v3.string_pb2.StringMatcher
    def __init__(self, *, key: str | None = ..., string_match: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ...) -> None: ...
