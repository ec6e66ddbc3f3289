# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.config_source_pb2
import google.protobuf.any_pb2

class Filter(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., config_discovery: envoy.config.core.v3.config_source_pb2.ExtensionConfigSource | Mapping[str, Any] | None = ...) -> None: ...
