# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.struct_pb2

class Metadata(Message):
    metadata_namespace: str
    allow_overwrite: bool
    value: google.protobuf.struct_pb2.Struct
    def __init__(self, *, metadata_namespace: str | None = ..., allow_overwrite: bool | None = ..., value: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
class Config(Message):
    metadata_namespace: str
    value: google.protobuf.struct_pb2.Struct
    metadata: RepeatedCompositeFieldContainer[Metadata]
    def __init__(self, *, metadata_namespace: str | None = ..., value: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ..., metadata: Iterable[Metadata | Mapping[str, Any]] | None = ...) -> None: ...
