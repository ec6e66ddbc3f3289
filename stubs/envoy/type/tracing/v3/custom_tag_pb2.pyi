# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.type.metadata.v3.metadata_pb2

class CustomTag(Message):
    class Literal(Message):
        value: str
        def __init__(self, *, value: str | None = ...) -> None: ...
    class Environment(Message):
        name: str
        default_value: str
        def __init__(self, *, name: str | None = ..., default_value: str | None = ...) -> None: ...
    class Header(Message):
        name: str
        default_value: str
        def __init__(self, *, name: str | None = ..., default_value: str | None = ...) -> None: ...
    class Metadata(Message):
        kind: envoy.type.metadata.v3.metadata_pb2.MetadataKind
        metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey
        default_value: str
        def __init__(self, *, kind: envoy.type.metadata.v3.metadata_pb2.MetadataKind | Mapping[str, Any] | None = ..., metadata_key: envoy.type.metadata.v3.metadata_pb2.MetadataKey | Mapping[str, Any] | None = ..., default_value: str | None = ...) -> None: ...
    tag: str
    literal: CustomTag.Literal
    environment: CustomTag.Environment
    metadata: CustomTag.Metadata
    value: str
    def __init__(self, *, tag: str | None = ..., literal: CustomTag.Literal | Mapping[str, Any] | None = ..., environment: CustomTag.Environment | Mapping[str, Any] | None = ..., metadata: CustomTag.Metadata | Mapping[str, Any] | None = ..., value: str | None = ...) -> None: ...
