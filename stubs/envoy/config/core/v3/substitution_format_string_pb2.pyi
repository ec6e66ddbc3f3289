# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import google.protobuf.struct_pb2

class SubstitutionFormatString(Message):
    json_format: google.protobuf.struct_pb2.Struct
    text_format_source: envoy.config.core.v3.base_pb2.DataSource
    omit_empty_values: bool
    content_type: str
    def __init__(self, *, json_format: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ..., text_format_source: envoy.config.core.v3.base_pb2.DataSource | Mapping[str, Any] | None = ..., omit_empty_values: bool | None = ..., content_type: str | None = ...) -> None: ...
