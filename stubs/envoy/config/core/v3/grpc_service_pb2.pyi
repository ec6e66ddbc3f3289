# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import google.protobuf.duration_pb2
import google.protobuf.wrappers_pb2

class GrpcService(Message):
    class EnvoyGrpc(Message):
        cluster_name: str
        authority: str
        retry_policy: envoy.config.core.v3.base_pb2.RetryPolicy
        max_receive_message_length: google.protobuf.wrappers_pb2.UInt32Value
        def __init__(self, *, cluster_name: str | None = ..., authority: str | None = ..., retry_policy: envoy.config.core.v3.base_pb2.RetryPolicy | Mapping[str, Any] | None = ..., max_receive_message_length: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
    envoy_grpc: GrpcService.EnvoyGrpc
    timeout: google.protobuf.duration_pb2.Duration
    retry_policy: envoy.config.core.v3.base_pb2.RetryPolicy
    def __init__(self, *, envoy_grpc: GrpcService.EnvoyGrpc | Mapping[str, Any] | None = ..., timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., retry_policy: envoy.config.core.v3.base_pb2.RetryPolicy | Mapping[str, Any] | None = ...) -> None: ...
