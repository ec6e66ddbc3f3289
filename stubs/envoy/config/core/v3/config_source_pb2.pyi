# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.grpc_service_pb2
import google.protobuf.duration_pb2
import xds.core.v3.authority_pb2

ApiVersion: EnumTypeWrapper
AUTO: int
V2: int
V3: int
class ApiConfigSource(Message):
    ApiType: EnumTypeWrapper
    DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE: int
    REST: int
    GRPC: int
    DELTA_GRPC: int
    AGGREGATED_GRPC: int
    AGGREGATED_DELTA_GRPC: int
    api_type: int
    transport_api_version: int
    cluster_names: RepeatedScalarFieldContainer[str]
    grpc_services: RepeatedCompositeFieldContainer[envoy.config.core.v3.grpc_service_pb2.GrpcService]
    request_timeout: google.protobuf.duration_pb2.Duration
    set_node_on_first_message_only: bool
    def __init__(self, *, api_type: int | str | None = ..., transport_api_version: int | str | None = ..., cluster_names: Iterable[str] | None = ..., grpc_services: Iterable[envoy.config.core.v3.grpc_service_pb2.GrpcService | Mapping[str, Any]] | None = ..., request_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., set_node_on_first_message_only: bool | None = ...) -> None: ...
class AggregatedConfigSource(Message):
    def __init__(self) -> None: ...
class PathConfigSource(Message):
    path: str
    watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory
    def __init__(self, *, path: str | None = ..., watched_directory: envoy.config.core.v3.base_pb2.WatchedDirectory | Mapping[str, Any] | None = ...) -> None: ...
class ConfigSource(Message):
    authorities: RepeatedCompositeFieldContainer[xds.core.v3.authority_pb2.Authority]
    path: str
    path_config_source: PathConfigSource
    ads: AggregatedConfigSource
    initial_fetch_timeout: google.protobuf.duration_pb2.Duration
    resource_api_version: int
    def __init__(self, *, authorities: Iterable[xds.core.v3.authority_pb2.Authority | Mapping[str, Any]] | None = ..., path: str | None = ..., path_config_source: PathConfigSource | Mapping[str, Any] | None = ..., ads: AggregatedConfigSource | Mapping[str, Any] | None = ..., initial_fetch_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., resource_api_version: int | str | None = ...) -> None: ...
class ExtensionConfigSource(Message):
    config_source: ConfigSource
    type_urls: RepeatedScalarFieldContainer[str]
    def __init__(self, *, config_source: ConfigSource | Mapping[str, Any] | None = ..., type_urls: Iterable[str] | None = ...) -> None: ...
