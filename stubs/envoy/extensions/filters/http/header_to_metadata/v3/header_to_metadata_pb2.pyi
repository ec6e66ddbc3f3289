# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.matcher.v3.regex_pb2

class Config(Message):
    ValueType: EnumTypeWrapper
    STRING: int
    NUMBER: int
    PROTOBUF_VALUE: int
    ValueEncode: EnumTypeWrapper
    NONE: int
    BASE64: int
    class KeyValuePair(Message):
        metadata_namespace: str
        key: str
        value: str
        regex_value_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute
        type: int
        encode: int
        def __init__(self, *, metadata_namespace: str | None = ..., key: str | None = ..., value: str | None = ..., regex_value_rewrite: envoy.type.matcher.v3.regex_pb2.RegexMatchAndSubstitute | Mapping[str, Any] | None = ..., type: int | str | None = ..., encode: int | str | None = ...) -> None: ...
    class Rule(Message):
        header: str
        cookie: str
        on_header_present: Config.KeyValuePair
        remove: bool
        def __init__(self, *, header: str | None = ..., cookie: str | None = ..., on_header_present: Config.KeyValuePair | Mapping[str, Any] | None = ..., remove: bool | None = ...) -> None: ...
    request_rules: RepeatedCompositeFieldContainer[Config.Rule]
    stat_prefix: str
    def __init__(self, *, request_rules: Iterable[Config.Rule | Mapping[str, Any]] | None = ..., stat_prefix: str | None = ...) -> None: ...
