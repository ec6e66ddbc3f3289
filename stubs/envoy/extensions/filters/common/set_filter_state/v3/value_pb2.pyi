# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.substitution_format_string_pb2

class FilterStateValue(Message):
    SharedWithUpstream: EnumTypeWrapper
    NONE: int
    ONCE: int
    TRANSITIVE: int
    object_key: str
    factory_key: str
    format_string: envoy.config.core.v3.substitution_format_string_pb2.SubstitutionFormatString
    skip_if_empty: bool
    def __init__(self, *, object_key: str | None = ..., factory_key: str | None = ..., format_string: envoy.config.core.v3.substitution_format_string_pb2.SubstitutionFormatString | Mapping[str, Any] | None = ..., skip_if_empty: bool | None = ...) -> None: ...
