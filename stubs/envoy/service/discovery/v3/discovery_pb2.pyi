# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import google.protobuf.any_pb2

class ResourceError(Message):
    error_detail: Any
    def __init__(self, *, error_detail: Any | Mapping[str, Any] | None = ...) -> None: ...
class DiscoveryRequest(Message):
    version_info: str
    node: envoy.config.core.v3.base_pb2.Node
    type_url: str
    response_nonce: str
    error_detail: Any
    def __init__(self, *, version_info: str | None = ..., node: envoy.config.core.v3.base_pb2.Node | Mapping[str, Any] | None = ..., type_url: str | None = ..., response_nonce: str | None = ..., error_detail: Any | Mapping[str, Any] | None = ...) -> None: ...
class DiscoveryResponse(Message):
    version_info: str
    resources: RepeatedCompositeFieldContainer[google.protobuf.any_pb2.Any]
    canary: bool
    type_url: str
    nonce: str
    control_plane: envoy.config.core.v3.base_pb2.ControlPlane
    def __init__(self, *, version_info: str | None = ..., resources: Iterable[google.protobuf.any_pb2.Any | Mapping[str, Any]] | None = ..., canary: bool | None = ..., type_url: str | None = ..., nonce: str | None = ..., control_plane: envoy.config.core.v3.base_pb2.ControlPlane | Mapping[str, Any] | None = ...) -> None: ...
class DeltaDiscoveryRequest(Message):
    node: envoy.config.core.v3.base_pb2.Node
    type_url: str
    resource_names_subscribe: RepeatedScalarFieldContainer[str]
    resource_names_unsubscribe: RepeatedScalarFieldContainer[str]
    initial_resource_versions: ScalarMap[str, str]
    response_nonce: str
    error_detail: Any
    def __init__(self, *, node: envoy.config.core.v3.base_pb2.Node | Mapping[str, Any] | None = ..., type_url: str | None = ..., resource_names_subscribe: Iterable[str] | None = ..., resource_names_unsubscribe: Iterable[str] | None = ..., initial_resource_versions: Mapping[str, str] | None = ..., response_nonce: str | None = ..., error_detail: Any | Mapping[str, Any] | None = ...) -> None: ...
class DeltaDiscoveryResponse(Message):
    system_version_info: str
    resources: RepeatedCompositeFieldContainer[Resource]
    type_url: str
    removed_resources: RepeatedScalarFieldContainer[str]
    nonce: str
    control_plane: envoy.config.core.v3.base_pb2.ControlPlane
    def __init__(self, *, system_version_info: str | None = ..., resources: Iterable[Resource | Mapping[str, Any]] | None = ..., type_url: str | None = ..., removed_resources: Iterable[str] | None = ..., nonce: str | None = ..., control_plane: envoy.config.core.v3.base_pb2.ControlPlane | Mapping[str, Any] | None = ...) -> None: ...
class Resource(Message):
    name: str
    aliases: RepeatedScalarFieldContainer[str]
    version: str
    resource: google.protobuf.any_pb2.Any
    metadata: envoy.config.core.v3.base_pb2.Metadata
    def __init__(self, *, name: str | None = ..., aliases: Iterable[str] | None = ..., version: str | None = ..., resource: google.protobuf.any_pb2.Any | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ...) -> None: ...
