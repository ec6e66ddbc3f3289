# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import xds.core.v3.extension_pb2
import xds.type.matcher.v3.regex_pb2

class StringMatcher(Message):
    exact: str
    prefix: str
    suffix: str
    safe_regex: xds.type.matcher.v3.regex_pb2.RegexMatcher
    contains: str
    custom: xds.core.v3.extension_pb2.TypedExtensionConfig
    ignore_case: bool
    def __init__(self, *, exact: str | None = ..., prefix: str | None = ..., suffix: str | None = ..., safe_regex: xds.type.matcher.v3.regex_pb2.RegexMatcher | Mapping[str, Any] | None = ..., contains: str | None = ..., custom: xds.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ..., ignore_case: bool | None = ...) -> None: ...
