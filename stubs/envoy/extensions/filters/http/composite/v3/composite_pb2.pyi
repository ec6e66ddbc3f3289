# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.extension_pb2

class Composite(Message):
    def __init__(self) -> None: ...
class ExecuteFilterAction(Message):
    typed_config: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
    def __init__(self, *, typed_config: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
