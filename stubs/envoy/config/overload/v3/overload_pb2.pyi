# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import google.protobuf.any_pb2
import google.protobuf.duration_pb2

class ResourceMonitor(Message):
    name: str
    typed_config: google.protobuf.any_pb2.Any
    def __init__(self, *, name: str | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
class ThresholdTrigger(Message):
    value: float
    def __init__(self, *, value: float | None = ...) -> None: ...
class ScaledTrigger(Message):
    def __init__(self) -> None: ...
class Trigger(Message):
    name: str
    threshold: ThresholdTrigger
    scaled: ScaledTrigger
    def __init__(self, *, name: str | None = ..., threshold: ThresholdTrigger | Mapping[str, Any] | None = ..., scaled: ScaledTrigger | Mapping[str, Any] | None = ...) -> None: ...
class OverloadAction(Message):
    name: str
    triggers: RepeatedCompositeFieldContainer[Trigger]
    typed_config: google.protobuf.any_pb2.Any
    def __init__(self, *, name: str | None = ..., triggers: Iterable[Trigger | Mapping[str, Any]] | None = ..., typed_config: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ...) -> None: ...
class OverloadManager(Message):
    refresh_interval: google.protobuf.duration_pb2.Duration
    resource_monitors: RepeatedCompositeFieldContainer[ResourceMonitor]
    actions: RepeatedCompositeFieldContainer[OverloadAction]
    def __init__(self, *, refresh_interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., resource_monitors: Iterable[ResourceMonitor | Mapping[str, Any]] | None = ..., actions: Iterable[OverloadAction | Mapping[str, Any]] | None = ...) -> None: ...
