# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.accesslog.v3.accesslog_pb2
import envoy.config.cluster.v3.cluster_pb2
import envoy.config.core.v3.address_pb2
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.config_source_pb2
import envoy.config.core.v3.extension_pb2
import envoy.config.listener.v3.listener_pb2
import envoy.config.metrics.v3.stats_pb2
import envoy.config.overload.v3.overload_pb2
import envoy.config.trace.v3.http_tracer_pb2
import envoy.extensions.transport_sockets.tls.v3.secret_pb2
import envoy.type.matcher.v3.string_pb2
import google.protobuf.struct_pb2

class Bootstrap(Message):
    class StaticResources(Message):
        listeners: RepeatedCompositeFieldContainer[envoy.config.listener.v3.listener_pb2.Listener]
        clusters: RepeatedCompositeFieldContainer[envoy.config.cluster.v3.cluster_pb2.Cluster]
        secrets: RepeatedCompositeFieldContainer[envoy.extensions.transport_sockets.tls.v3.secret_pb2.Secret]
        def __init__(self, *, listeners: Iterable[envoy.config.listener.v3.listener_pb2.Listener | Mapping[str, Any]] | None = ..., clusters: Iterable[envoy.config.cluster.v3.cluster_pb2.Cluster | Mapping[str, Any]] | None = ..., secrets: Iterable[envoy.extensions.transport_sockets.tls.v3.secret_pb2.Secret | Mapping[str, Any]] | None = ...) -> None: ...
    class DynamicResources(Message):
        lds_config: envoy.config.core.v3.config_source_pb2.ConfigSource
        cds_config: envoy.config.core.v3.config_source_pb2.ConfigSource
        ads_config: envoy.config.core.v3.config_source_pb2.ApiConfigSource
        def __init__(self, *, lds_config: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ..., cds_config: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ..., ads_config: envoy.config.core.v3.config_source_pb2.ApiConfigSource | Mapping[str, Any] | None = ...) -> None: ...
    class DeferredStatOptions(Message):
        enable_deferred_creation_stats: bool
        def __init__(self, *, enable_deferred_creation_stats: bool | None = ...) -> None: ...
    node: envoy.config.core.v3.base_pb2.Node
    static_resources: Bootstrap.StaticResources
    dynamic_resources: Bootstrap.DynamicResources
    cluster_manager: ClusterManager
    deferred_stat_options: Bootstrap.DeferredStatOptions
    stats_config: envoy.config.metrics.v3.stats_pb2.StatsConfig
    tracing: envoy.config.trace.v3.http_tracer_pb2.Tracing
    layered_runtime: LayeredRuntime
    admin: Admin
    overload_manager: envoy.config.overload.v3.overload_pb2.OverloadManager
    listener_manager: envoy.config.core.v3.extension_pb2.TypedExtensionConfig
    def __init__(self, *, node: envoy.config.core.v3.base_pb2.Node | Mapping[str, Any] | None = ..., static_resources: Bootstrap.StaticResources | Mapping[str, Any] | None = ..., dynamic_resources: Bootstrap.DynamicResources | Mapping[str, Any] | None = ..., cluster_manager: ClusterManager | Mapping[str, Any] | None = ..., deferred_stat_options: Bootstrap.DeferredStatOptions | Mapping[str, Any] | None = ..., stats_config: envoy.config.metrics.v3.stats_pb2.StatsConfig | Mapping[str, Any] | None = ..., tracing: envoy.config.trace.v3.http_tracer_pb2.Tracing | Mapping[str, Any] | None = ..., layered_runtime: LayeredRuntime | Mapping[str, Any] | None = ..., admin: Admin | Mapping[str, Any] | None = ..., overload_manager: envoy.config.overload.v3.overload_pb2.OverloadManager | Mapping[str, Any] | None = ..., listener_manager: envoy.config.core.v3.extension_pb2.TypedExtensionConfig | Mapping[str, Any] | None = ...) -> None: ...
class Admin(Message):
    access_log: RepeatedCompositeFieldContainer[envoy.config.accesslog.v3.accesslog_pb2.AccessLog]
    address: envoy.config.core.v3.address_pb2.Address
    ignore_global_conn_limit: bool
    allow_paths: RepeatedCompositeFieldContainer[envoy.type.matcher.v3.string_pb2.StringMatcher]
    def __init__(self, *, access_log: Iterable[envoy.config.accesslog.v3.accesslog_pb2.AccessLog | Mapping[str, Any]] | None = ..., address: envoy.config.core.v3.address_pb2.Address | Mapping[str, Any] | None = ..., ignore_global_conn_limit: bool | None = ..., allow_paths: Iterable[envoy.type.matcher.v3.string_pb2.StringMatcher | Mapping[str, Any]] | None = ...) -> None: ...
class ClusterManager(Message):
    class OutlierDetection(Message):
        def __init__(self) -> None: ...
    outlier_detection: ClusterManager.OutlierDetection
    def __init__(self, *, outlier_detection: ClusterManager.OutlierDetection | Mapping[str, Any] | None = ...) -> None: ...
class Runtime(Message):
    base: google.protobuf.struct_pb2.Struct
    def __init__(self, *, base: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
class RuntimeLayer(Message):
    name: str
    static_layer: google.protobuf.struct_pb2.Struct
    def __init__(self, *, name: str | None = ..., static_layer: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ...) -> None: ...
class LayeredRuntime(Message):
    layers: RepeatedCompositeFieldContainer[RuntimeLayer]
    def __init__(self, *, layers: Iterable[RuntimeLayer | Mapping[str, Any]] | None = ...) -> None: ...
