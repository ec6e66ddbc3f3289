# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.extension_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class OutlierDetection(Message):
    interval: google.protobuf.duration_pb2.Duration
    base_ejection_time: google.protobuf.duration_pb2.Duration
    max_ejection_percent: google.protobuf.wrappers_pb2.UInt32Value
    enforcing_consecutive_5xx: google.protobuf.wrappers_pb2.UInt32Value
    enforcing_success_rate: google.protobuf.wrappers_pb2.UInt32Value
    consecutive_gateway_failure: google.protobuf.wrappers_pb2.UInt32Value
    enforcing_consecutive_gateway_failure: google.protobuf.wrappers_pb2.UInt32Value
    split_external_local_origin_errors: bool
    consecutive_local_origin_failure: google.protobuf.wrappers_pb2.UInt32Value
    enforcing_consecutive_local_origin_failure: google.protobuf.wrappers_pb2.UInt32Value
    enforcing_local_origin_success_rate: google.protobuf.wrappers_pb2.UInt32Value
    max_ejection_time: google.protobuf.duration_pb2.Duration
    monitors: RepeatedCompositeFieldContainer[envoy.config.core.v3.extension_pb2.TypedExtensionConfig]
    def __init__(self, *, interval: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., base_ejection_time: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., max_ejection_percent: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., enforcing_consecutive_5xx: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., enforcing_success_rate: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., consecutive_gateway_failure: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., enforcing_consecutive_gateway_failure: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., split_external_local_origin_errors: bool | None = ..., consecutive_local_origin_failure: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., enforcing_consecutive_local_origin_failure: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., enforcing_local_origin_success_rate: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., max_ejection_time: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., monitors: Iterable[envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any]] | None = ...) -> None: ...
