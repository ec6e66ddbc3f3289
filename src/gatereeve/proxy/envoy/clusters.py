"""Servers as a `Cluster`: bounds, health, outliers, and fallback by priority.

One cluster per backend and fallback chain, shared by routes. No panic: when no server is healthy
the answer is a refusal, not a gamble. Endpoints travel by themselves (`endpoints`).
"""

from __future__ import annotations

from typing import Final

from envoy.config.cluster.v3 import circuit_breaker_pb2, cluster_pb2, outlier_detection_pb2
from envoy.config.core.v3 import health_check_pb2, protocol_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from envoy.type.v3 import percent_pb2, range_pb2

from gatereeve.ir import clusters
from gatereeve.proxy.envoy import packing

_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_BUFFER_BYTES: Final = 32 * 1024
_HEALTH_HOST: Final = "health.gatereeve.internal"


def build_cluster(cluster: clusters.Cluster) -> cluster_pb2.Cluster:
    made = cluster_pb2.Cluster(
        name=cluster.name,
        type=cluster_pb2.Cluster.EDS,
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=packing.over_ads()),
        connect_timeout=packing.seconds(1),
        per_connection_buffer_limit_bytes=packing.uint32(_BUFFER_BYTES),
        lb_policy=cluster_pb2.Cluster.LEAST_REQUEST,
        common_lb_config=cluster_pb2.Cluster.CommonLbConfig(
            healthy_panic_threshold=percent_pb2.Percent(value=0)
        ),
        circuit_breakers=_circuit_breakers(cluster),
        outlier_detection=_outlier_detection(),
        ignore_health_on_host_removal=True,
    )
    made.typed_extension_protocol_options[_OPTIONS].CopyFrom(packing.pack(_protocol(cluster)))
    if cluster.health is not None:
        made.health_checks.append(_health_check(cluster, cluster.health))
    return made


def _protocol(cluster: clusters.Cluster) -> http_protocol_options_pb2.HttpProtocolOptions:
    made = http_protocol_options_pb2.HttpProtocolOptions(
        common_http_protocol_options=protocol_pb2.HttpProtocolOptions(
            # Shorter than servers keep idle connections, so that they rarely close one in use.
            idle_timeout=packing.seconds(30)
        )
    )
    if cluster.protocol == "http2":
        made.explicit_http_config.http2_protocol_options.SetInParent()
    else:
        made.explicit_http_config.http_protocol_options.SetInParent()
    return made


def _circuit_breakers(cluster: clusters.Cluster) -> circuit_breaker_pb2.CircuitBreakers:
    bounds = circuit_breaker_pb2.CircuitBreakers.Thresholds(
        max_connections=packing.uint32(cluster.max_connections),
        max_pending_requests=packing.uint32(cluster.max_pending),
        max_requests=packing.uint32(cluster.max_requests),
        # Retries only follow failed connections; when a server dies they come all at once.
        max_retries=packing.uint32(max(cluster.max_requests, 3)),
    )
    return circuit_breaker_pb2.CircuitBreakers(thresholds=[bounds])


def _outlier_detection() -> outlier_detection_pb2.OutlierDetection:
    """A server that cannot be connected to is left out at once, one that answers 5xx after five."""
    return outlier_detection_pb2.OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=packing.uint32(1),
        enforcing_consecutive_local_origin_failure=packing.uint32(100),
        consecutive_gateway_failure=packing.uint32(5),
        enforcing_consecutive_gateway_failure=packing.uint32(100),
        enforcing_consecutive_5xx=packing.uint32(0),
        enforcing_success_rate=packing.uint32(0),
        enforcing_local_origin_success_rate=packing.uint32(0),
        interval=packing.seconds(1),
        base_ejection_time=packing.seconds(5),
        max_ejection_time=packing.seconds(30),
        max_ejection_percent=packing.uint32(100),
    )


def _health_check(
    cluster: clusters.Cluster, health: clusters.HealthCheck
) -> health_check_pb2.HealthCheck:
    check = health_check_pb2.HealthCheck.HttpHealthCheck(
        host=_HEALTH_HOST,
        path=health.path,
        expected_statuses=[range_pb2.Int64Range(start=200, end=201)],
    )
    if cluster.protocol == "http2":
        check.codec_client_type = 1
    return health_check_pb2.HealthCheck(
        http_health_check=check,
        interval=packing.seconds(health.interval_s),
        no_traffic_interval=packing.seconds(health.interval_s),
        timeout=packing.seconds(health.timeout_s),
        unhealthy_threshold=packing.uint32(health.unhealthy_after),
        healthy_threshold=packing.uint32(health.healthy_after),
    )
