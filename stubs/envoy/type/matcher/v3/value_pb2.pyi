# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.string_pb2

class ValueMatcher(Message):
    class NullMatch(Message):
        def __init__(self) -> None: ...
    null_match: ValueMatcher.NullMatch
    string_match: envoy.type.matcher.v3.string_pb2.StringMatcher
    bool_match: bool
    present_match: bool
    list_match: ListMatcher
    or_match: OrMatcher
    def __init__(self, *, null_match: ValueMatcher.NullMatch | Mapping[str, Any] | None = ..., string_match: envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any] | None = ..., bool_match: bool | None = ..., present_match: bool | None = ..., list_match: ListMatcher | Mapping[str, Any] | None = ..., or_match: OrMatcher | Mapping[str, Any] | None = ...) -> None: ...
class ListMatcher(Message):
    one_of: ValueMatcher
    def __init__(self, *, one_of: ValueMatcher | Mapping[str, Any] | None = ...) -> None: ...
class OrMatcher(Message):
    value_matchers: RepeatedCompositeFieldContainer[ValueMatcher]
    def __init__(self, *, value_matchers: Iterable[ValueMatcher | Mapping[str, Any]] | None = ...) -> None: ...
