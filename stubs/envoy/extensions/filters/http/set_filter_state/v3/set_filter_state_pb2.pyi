# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.extensions.filters.common.set_filter_state.v3.value_pb2

class Config(Message):
    on_request_headers: RepeatedCompositeFieldContainer[envoy.extensions.filters.common.set_filter_state.v3.value_pb2.FilterStateValue]
    def __init__(self, *, on_request_headers: Iterable[envoy.extensions.filters.common.set_filter_state.v3.value_pb2.FilterStateValue | Mapping[str, Any]] | None = ...) -> None: ...
