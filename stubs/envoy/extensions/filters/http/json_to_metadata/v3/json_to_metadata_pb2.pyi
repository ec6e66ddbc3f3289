# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.regex_pb2
import google.protobuf.struct_pb2

class JsonToMetadata(Message):
    ValueType: EnumTypeWrapper
    PROTOBUF_VALUE: int
    STRING: int
    NUMBER: int
    class KeyValuePair(Message):
        metadata_namespace: str
        key: str
        value: google.protobuf.struct_pb2.Value
        type: int
        def __init__(self, *, metadata_namespace: str | None = ..., key: str | None = ..., value: google.protobuf.struct_pb2.Value | Mapping[str, Any] | None = ..., type: int | str | None = ...) -> None: ...
    class Selector(Message):
        key: str
        def __init__(self, *, key: str | None = ...) -> None: ...
    class Rule(Message):
        selectors: RepeatedCompositeFieldContainer[JsonToMetadata.Selector]
        on_present: JsonToMetadata.KeyValuePair
        on_missing: JsonToMetadata.KeyValuePair
        on_error: JsonToMetadata.KeyValuePair
        def __init__(self, *, selectors: Iterable[JsonToMetadata.Selector | Mapping[str, Any]] | None = ..., on_present: JsonToMetadata.KeyValuePair | Mapping[str, Any] | None = ..., on_missing: JsonToMetadata.KeyValuePair | Mapping[str, Any] | None = ..., on_error: JsonToMetadata.KeyValuePair | Mapping[str, Any] | None = ...) -> None: ...
    class MatchRules(Message):
        rules: RepeatedCompositeFieldContainer[JsonToMetadata.Rule]
        allow_content_types: RepeatedScalarFieldContainer[str]
        allow_content_types_regex: envoy.type.matcher.v3.regex_pb2.RegexMatcher
        def __init__(self, *, rules: Iterable[JsonToMetadata.Rule | Mapping[str, Any]] | None = ..., allow_content_types: Iterable[str] | None = ..., allow_content_types_regex: envoy.type.matcher.v3.regex_pb2.RegexMatcher | Mapping[str, Any] | None = ...) -> None: ...
    request_rules: JsonToMetadata.MatchRules
    def __init__(self, *, request_rules: JsonToMetadata.MatchRules | Mapping[str, Any] | None = ...) -> None: ...
