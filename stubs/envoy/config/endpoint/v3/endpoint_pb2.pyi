# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.endpoint.v3.endpoint_components_pb2
import google.protobuf.wrappers_pb2

class ClusterLoadAssignment(Message):
    class Policy(Message):
        overprovisioning_factor: google.protobuf.wrappers_pb2.UInt32Value
        def __init__(self, *, overprovisioning_factor: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ...) -> None: ...
    cluster_name: str
    endpoints: RepeatedCompositeFieldContainer[envoy.config.endpoint.v3.endpoint_components_pb2.LocalityLbEndpoints]
    policy: ClusterLoadAssignment.Policy
    def __init__(self, *, cluster_name: str | None = ..., endpoints: Iterable[envoy.config.endpoint.v3.endpoint_components_pb2.LocalityLbEndpoints | Mapping[str, Any]] | None = ..., policy: ClusterLoadAssignment.Policy | Mapping[str, Any] | None = ...) -> None: ...
