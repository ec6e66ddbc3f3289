# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.type.matcher.v3.string_pb2

class HeaderMutation(Message):
    class RemoveOnMatch(Message):
        key_matcher: envoy.type.matcher.v3.string_pb2.StringMatcher
        def __init__(self, *, key_matcher: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ...) -> None: ...
    remove: str
    append: envoy.config.core.v3.base_pb2.HeaderValueOption
    remove_on_match: HeaderMutation.RemoveOnMatch
    def __init__(self, *, remove: str | None = ..., append: envoy.config.core.v3.base_pb2.HeaderValueOption | Mapping[str, Any] | None = ..., remove_on_match: HeaderMutation.RemoveOnMatch | Mapping[str, Any] | None = ...) -> None: ...
