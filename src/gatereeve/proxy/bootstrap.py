"""The bootstrap of a gate: all that an Envoy must know before it has asked us anything.

A pure function from settings to the bootstrap message. It holds who the gate is, where the
controller and the access-log service listen, the admin socket, limits of memory and connections,
and nothing that takes traffic: no listener, no route, no model. A gate that cannot reach its
controller therefore refuses everybody (knowledge: xDS 3).

Sources: Envoy v1.40 documentation, "Configuring Envoy as an edge proxy" and "Overload manager".
"""

import dataclasses
import pathlib
from typing import Any, Final

from envoy.config.bootstrap.v3 import bootstrap_pb2
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import (
    address_pb2,
    base_pb2,
    config_source_pb2,
    grpc_service_pb2,
    protocol_pb2,
)
from envoy.config.overload.v3 import overload_pb2
from envoy.extensions.resource_monitors.downstream_connections.v3 import downstream_connections_pb2
from envoy.extensions.resource_monitors.fixed_heap.v3 import fixed_heap_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, secret_pb2, tls_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2 as upstream_pb2
from envoy.service.discovery.v3 import discovery_pb2
from envoy.type.matcher.v3 import string_pb2
from google.protobuf import any_pb2, duration_pb2, json_format, wrappers_pb2

from gatereeve.proxy.xds import peers

XDS_CLUSTER: Final = "gatereeve-xds"
"""The static cluster over which the gate reads its configuration."""

ACCESS_LOG_CLUSTER: Final = "gatereeve-records"
"""The static cluster to which gRPC access logs go. Envoy wants such clusters to be static."""

_CERTIFICATE: Final = "gatereeve-certificate"
_AUTHORITIES: Final = "gatereeve-authorities"

_PATTERN_STEPS: Final = 1_000_000
MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024

_UNCOUNTED: Final = (
    r"cluster\..*\.("
    r"assignment_.*|update_.*|version|version_text|init_fetch_timeout|warming_state|lb_.*"
    r"|max_host_weight|default\.total_match_count|membership_(change|degraded|excluded)"
    r"|circuit_breakers\.high\..*|outlier_detection\.ejections_(consecutive|detected|enforced"
    r"|overflow|success_rate).*)"
)
"""Statistics of clusters that are not used: sixty of seventy. With ten thousand models they cost
hundreds of megabytes, and each question to the admin half a second of Envoy's main thread."""

_ADMIN_PATHS: Final = (
    "/ready",
    "/server_info",
    "/stats",
    "/clusters",
    "/listeners",
    "/config_dump",
    "/certs",
    "/memory",
    "/healthcheck/",
    "/drain_listeners",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """A remote controller's TLS. certificates: the directory of `tls.crt`, `tls.key` and `ca.crt`.

    It is watched as Kubernetes changes it: the link `..data` in it is replaced. secrets: a directory
    of ours, in which `secret_files` are. name: what the controller's certificate is called (DNS).
    """

    certificates: pathlib.Path
    secrets: pathlib.Path
    name: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where a service of the controller listens: a Unix socket, or `(host, port)` with mutual TLS.

    hosts: any of them will do; each is resolved again and again, to all its addresses.
    """

    socket: pathlib.Path | None = None
    hosts: tuple[tuple[str, int], ...] = ()
    tls: TlsFiles | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSettings:
    """One gate's bootstrap.

    gate: name of the Gate document. replica: distinguishes its Envoys. admin: the admin's Unix
    socket, in a directory of our own. records: None for the same place as xds.
    agent_port: where this gate's agent answers controllers; 0 for nowhere.
    heap_bytes: from 90 % of it Envoy gives memory back, from 95 % it refuses requests, from 98 %
    connections. connections: at most so many from clients at once.
    """

    gate: str
    replica: str
    xds: Upstream
    admin: pathlib.Path
    records: Upstream | None = None
    zone: str = ""
    agent_port: int = 0
    heap_bytes: int = 1024 * 1024 * 1024
    connections: int = 50_000


def node_id(gate: str, replica: str) -> str:
    """The `node.id` of one Envoy of a Gate."""
    return f"gate/{gate}-{replica}"


def build(settings: BootstrapSettings) -> Any:
    """Make the `envoy.config.bootstrap.v3.Bootstrap`.

    Raises ValueError when a service has neither a socket nor a host with TLS.
    """
    bootstrap = bootstrap_pb2.Bootstrap(
        dynamic_resources=_dynamic_resources(),
        overload_manager=_overload_manager(settings),
        deferred_stat_options=bootstrap_pb2.Bootstrap.DeferredStatOptions(
            enable_deferred_creation_stats=True
        ),
    )
    bootstrap.node.id = node_id(settings.gate, settings.replica)
    bootstrap.node.cluster = settings.gate
    bootstrap.node.locality.zone = settings.zone
    if settings.agent_port:
        bootstrap.node.metadata[peers.AGENT_PORT] = settings.agent_port
    bootstrap.static_resources.clusters.extend(
        (
            _service(XDS_CLUSTER, settings.xds),
            _service(ACCESS_LOG_CLUSTER, settings.records or settings.xds),
        )
    )
    bootstrap.admin.address.pipe.CopyFrom(address_pb2.Pipe(path=str(settings.admin), mode=0o600))
    bootstrap.admin.ignore_global_conn_limit = True
    bootstrap.admin.allow_paths.extend(
        string_pb2.StringMatcher(prefix=path) for path in _ADMIN_PATHS
    )
    # Only Envoy's own tags: their values are names we gave (listeners, clusters, routes), never
    # anything a client sends, so the number of series is bounded by the configuration.
    bootstrap.stats_config.use_all_default_tags.value = True
    bootstrap.stats_config.stats_matcher.exclusion_list.patterns.append(
        string_pb2.StringMatcher(safe_regex={"regex": _UNCOUNTED})
    )
    # One static layer and no other: Envoy's safe defaults or safer ones, and nothing can change them later.
    # Patterns are read and bounded when documents are compiled; Envoy's own bound of 100 steps
    # would reject the whole route configuration of everybody who shares it with a longer one.
    runtime = bootstrap.layered_runtime.layers.add(name="static").static_layer
    runtime["re2.max_program_size.error_level"] = _PATTERN_STEPS
    # A chunk ends with CRLF (RFC 9112 section 7.1); by default Envoy skips anything else that follows it.
    runtime["envoy.reloadable_features.strict_chunk_parsing"] = True
    return bootstrap


def to_json(bootstrap: Any) -> str:
    """The bootstrap as Envoy reads it from a `.json` file; the same text for the same message."""
    return json_format.MessageToJson(
        bootstrap, preserving_proto_field_name=True, sort_keys=True, indent=1
    )


def _dynamic_resources() -> Any:
    ads = config_source_pb2.ApiConfigSource(
        api_type="DELTA_GRPC",
        transport_api_version="V3",
        set_node_on_first_message_only=True,
        grpc_services=[
            grpc_service_pb2.GrpcService(
                envoy_grpc=grpc_service_pb2.GrpcService.EnvoyGrpc(
                    cluster_name=XDS_CLUSTER,
                    max_receive_message_length=wrappers_pb2.UInt32Value(value=MAX_MESSAGE_BYTES),
                    retry_policy=_soon_again(),
                )
            )
        ],
    )
    over_ads = config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version="V3",
        initial_fetch_timeout=duration_pb2.Duration(seconds=15),
    )
    return bootstrap_pb2.Bootstrap.DynamicResources(
        ads_config=ads, cds_config=over_ads, lds_config=over_ads
    )


def _soon_again() -> Any:
    """After a lost stream: at once with another controller, if there is one; never hammering."""
    policy = base_pb2.RetryPolicy()
    policy.retry_back_off.base_interval.FromMilliseconds(200)
    policy.retry_back_off.max_interval.seconds = 5
    return policy


def _service(name: str, upstream: Upstream) -> Any:
    """A static HTTP/2 cluster; it notices within seconds when the other side is gone."""
    http2 = protocol_pb2.Http2ProtocolOptions(
        connection_keepalive=protocol_pb2.KeepaliveSettings(
            interval=duration_pb2.Duration(seconds=15), timeout=duration_pb2.Duration(seconds=5)
        )
    )
    options = upstream_pb2.HttpProtocolOptions()
    options.explicit_http_config.http2_protocol_options.CopyFrom(http2)
    cluster = cluster_pb2.Cluster(
        name=name, connect_timeout=duration_pb2.Duration(seconds=2), type="STATIC"
    )
    key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    cluster.typed_extension_protocol_options[key].CopyFrom(_packed(options))
    cluster.load_assignment.cluster_name = name
    places = cluster.load_assignment.endpoints.add().lb_endpoints
    if upstream.socket is not None:
        places.add().endpoint.address.pipe.path = str(upstream.socket)
        return cluster
    if not upstream.hosts or upstream.tls is None:
        raise ValueError(f"{name}: a remote controller is reached with mutual TLS or not at all")
    cluster.type = cluster_pb2.Cluster.STRICT_DNS
    cluster.dns_lookup_family = cluster_pb2.Cluster.ALL
    for host, port in upstream.hosts:
        address = places.add().endpoint.address.socket_address
        address.address, address.port_value = host, port
    cluster.transport_socket.name = "envoy.transport_sockets.tls"
    cluster.transport_socket.typed_config.CopyFrom(_packed(_upstream_tls(upstream.tls)))
    return cluster


def secret_files(tls: TlsFiles) -> dict[pathlib.Path, str]:
    """What must be in `tls.secrets` before Envoy starts, by path; the files never change.

    Envoy rereads certificates only when they come over its secret discovery, so it discovers them
    from these files, and they say which directory to watch.
    """
    certificate = secret_pb2.Secret(name=_CERTIFICATE)
    certificate.tls_certificate.certificate_chain.filename = str(tls.certificates / "tls.crt")
    certificate.tls_certificate.private_key.filename = str(tls.certificates / "tls.key")
    certificate.tls_certificate.watched_directory.path = str(tls.certificates)
    authorities = secret_pb2.Secret(name=_AUTHORITIES)
    validation = authorities.validation_context
    validation.trusted_ca.filename = str(tls.certificates / "ca.crt")
    validation.watched_directory.path = str(tls.certificates)
    validation.match_typed_subject_alt_names.add(
        san_type=common_pb2.SubjectAltNameMatcher.DNS,
        matcher=string_pb2.StringMatcher(exact=tls.name),
    )
    return {
        _secret_path(tls, secret.name): to_json(
            discovery_pb2.DiscoveryResponse(resources=[_packed(secret)])
        )
        for secret in (certificate, authorities)
    }


def _upstream_tls(tls: TlsFiles) -> Any:
    context = tls_pb2.UpstreamTlsContext(sni=tls.name)
    common = context.common_tls_context
    common.alpn_protocols.append("h2")
    # Envoy offers 1.2 at most by default; both ends are ours.
    common.tls_params.tls_minimum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    common.tls_params.tls_maximum_protocol_version = common_pb2.TlsParameters.TLSv1_3
    common.tls_certificate_sds_secret_configs.append(_from_file(tls, _CERTIFICATE))
    common.validation_context_sds_secret_config.CopyFrom(_from_file(tls, _AUTHORITIES))
    return context


def _from_file(tls: TlsFiles, name: str) -> Any:
    source = config_source_pb2.ConfigSource(resource_api_version="V3")
    source.path_config_source.path = str(_secret_path(tls, name))
    return secret_pb2.SdsSecretConfig(name=name, sds_config=source)


def _secret_path(tls: TlsFiles, name: str) -> pathlib.Path:
    return tls.secrets / f"{name}.json"


def _overload_manager(settings: BootstrapSettings) -> Any:
    heap = "envoy.resource_monitors.fixed_heap"
    connections = "envoy.resource_monitors.global_downstream_max_connections"
    monitors = (
        (heap, fixed_heap_pb2.FixedHeapConfig(max_heap_size_bytes=settings.heap_bytes)),
        (
            connections,
            downstream_connections_pb2.DownstreamConnectionsConfig(
                max_active_downstream_connections=settings.connections
            ),
        ),
    )
    actions = (("shrink_heap", 0.90), ("stop_accepting_requests", 0.95))
    manager = overload_pb2.OverloadManager(
        refresh_interval=duration_pb2.Duration(nanos=250_000_000),
        resource_monitors=[
            overload_pb2.ResourceMonitor(name=name, typed_config=_packed(config))
            for name, config in monitors
        ],
    )
    for name, threshold in (*actions, ("stop_accepting_connections", 0.98)):
        action = manager.actions.add(name=f"envoy.overload_actions.{name}")
        action.triggers.add(name=heap).threshold.value = threshold
    return manager


def _packed(message: Any) -> Any:
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return packed
