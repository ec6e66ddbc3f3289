# Written by stubs/generate.py.
from collections.abc import Iterable, Mapping
from typing import Any
from google.protobuf.internal.containers import MessageMap, RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer, ScalarMap
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import Message
import envoy.config.cluster.v3.circuit_breaker_pb2
import envoy.config.cluster.v3.filter_pb2
import envoy.config.cluster.v3.outlier_detection_pb2
import envoy.config.core.v3.base_pb2
import envoy.config.core.v3.config_source_pb2
import envoy.config.core.v3.health_check_pb2
import envoy.config.core.v3.protocol_pb2
import envoy.config.endpoint.v3.endpoint_pb2
import envoy.type.v3.percent_pb2
import google.protobuf.any_pb2
import google.protobuf.duration_pb2
import google.protobuf.struct_pb2
import google.protobuf.wrappers_pb2

class Cluster(Message):
    DiscoveryType: EnumTypeWrapper
    STATIC: int
    STRICT_DNS: int
    LOGICAL_DNS: int
    EDS: int
    ORIGINAL_DST: int
    LbPolicy: EnumTypeWrapper
    ROUND_ROBIN: int
    LEAST_REQUEST: int
    RING_HASH: int
    RANDOM: int
    MAGLEV: int
    CLUSTER_PROVIDED: int
    LOAD_BALANCING_POLICY_CONFIG: int
    DnsLookupFamily: EnumTypeWrapper
    AUTO: int
    V4_ONLY: int
    V6_ONLY: int
    V4_PREFERRED: int
    ALL: int
    ClusterProtocolSelection: EnumTypeWrapper
    USE_CONFIGURED_PROTOCOL: int
    USE_DOWNSTREAM_PROTOCOL: int
    class TransportSocketMatch(Message):
        name: str
        match: google.protobuf.struct_pb2.Struct
        transport_socket: envoy.config.core.v3.base_pb2.TransportSocket
        def __init__(self, *, name: str | None = ..., match: google.protobuf.struct_pb2.Struct | Mapping[str, Any] | None = ..., transport_socket: envoy.config.core.v3.base_pb2.TransportSocket | Mapping[str, Any] | None = ...) -> None: ...
    class EdsClusterConfig(Message):
        eds_config: envoy.config.core.v3.config_source_pb2.ConfigSource
        service_name: str
        def __init__(self, *, eds_config: envoy.config.core.v3.config_source_pb2.ConfigSource | Mapping[str, Any] | None = ..., service_name: str | None = ...) -> None: ...
    class CommonLbConfig(Message):
        healthy_panic_threshold: envoy.type.v3.percent_pb2.Percent
        def __init__(self, *, healthy_panic_threshold: envoy.type.v3.percent_pb2.Percent | Mapping[str, Any] | None = ...) -> None: ...
    transport_socket_matches: RepeatedCompositeFieldContainer[Cluster.TransportSocketMatch]
    name: str
    type: int
    eds_cluster_config: Cluster.EdsClusterConfig
    connect_timeout: google.protobuf.duration_pb2.Duration
    per_connection_buffer_limit_bytes: google.protobuf.wrappers_pb2.UInt32Value
    lb_policy: int
    load_assignment: envoy.config.endpoint.v3.endpoint_pb2.ClusterLoadAssignment
    health_checks: RepeatedCompositeFieldContainer[envoy.config.core.v3.health_check_pb2.HealthCheck]
    circuit_breakers: envoy.config.cluster.v3.circuit_breaker_pb2.CircuitBreakers
    common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions
    http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions
    http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions
    typed_extension_protocol_options: MessageMap[str, google.protobuf.any_pb2.Any]
    dns_lookup_family: int
    outlier_detection: envoy.config.cluster.v3.outlier_detection_pb2.OutlierDetection
    common_lb_config: Cluster.CommonLbConfig
    transport_socket: envoy.config.core.v3.base_pb2.TransportSocket
    metadata: envoy.config.core.v3.base_pb2.Metadata
    ignore_health_on_host_removal: bool
    filters: RepeatedCompositeFieldContainer[envoy.config.cluster.v3.filter_pb2.Filter]
    def __init__(self, *, transport_socket_matches: Iterable[Cluster.TransportSocketMatch | Mapping[str, Any]] | None = ..., name: str | None = ..., type: int | str | None = ..., eds_cluster_config: Cluster.EdsClusterConfig | Mapping[str, Any] | None = ..., connect_timeout: google.protobuf.duration_pb2.Duration | Mapping[str, Any] | None = ..., per_connection_buffer_limit_bytes: google.protobuf.wrappers_pb2.UInt32Value | Mapping[str, Any] | None = ..., lb_policy: int | str | None = ..., load_assignment: envoy.config.endpoint.v3.endpoint_pb2.ClusterLoadAssignment | Mapping[str, Any] | None = ..., health_checks: Iterable[envoy.config.core.v3.health_check_pb2.HealthCheck | Mapping[str, Any]] | None = ..., circuit_breakers: envoy.config.cluster.v3.circuit_breaker_pb2.CircuitBreakers | Mapping[str, Any] | None = ..., common_http_protocol_options: envoy.config.core.v3.protocol_pb2.HttpProtocolOptions | Mapping[str, Any] | None = ..., http_protocol_options: envoy.config.core.v3.protocol_pb2.Http1ProtocolOptions | Mapping[str, Any] | None = ..., http2_protocol_options: envoy.config.core.v3.protocol_pb2.Http2ProtocolOptions | Mapping[str, Any] | None = ..., typed_extension_protocol_options: Mapping[str, google.protobuf.any_pb2.Any] | None = ..., dns_lookup_family: int | str | None = ..., outlier_detection: envoy.config.cluster.v3.outlier_detection_pb2.OutlierDetection | Mapping[str, Any] | None = ..., common_lb_config: Cluster.CommonLbConfig | Mapping[str, Any] | None = ..., transport_socket: envoy.config.core.v3.base_pb2.TransportSocket | Mapping[str, Any] | None = ..., metadata: envoy.config.core.v3.base_pb2.Metadata | Mapping[str, Any] | None = ..., ignore_health_on_host_removal: bool | None = ..., filters: Iterable[envoy.config.cluster.v3.filter_pb2.Filter | Mapping[str, Any]] | None = ...) -> None: ...
