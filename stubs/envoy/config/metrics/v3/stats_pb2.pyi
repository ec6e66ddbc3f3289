# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.string_pb2
import google.protobuf.wrappers_pb2

class StatsConfig(Message):
    use_all_default_tags: google.protobuf.wrappers_pb2.BoolValue
    stats_matcher: StatsMatcher
    def __init__(self, *, use_all_default_tags: google.protobuf.wrappers_pb2.BoolValue | Mapping[str, Any] | None = ..., stats_matcher: StatsMatcher | Mapping[str, Any] | None = ...) -> None: ...
class StatsMatcher(Message):
    exclusion_list: envoy.type.matcher.v3.string_pb2.ListStringMatcher
    def __init__(self, *, exclusion_list: envoy.type.matcher.v3.string_pb2.ListStringMatcher | Mapping[str, Any] | None = ...) -> None: ...
