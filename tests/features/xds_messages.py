"""Small Envoy messages for the xDS tests: clusters with endpoints, a listener, its routes."""

from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as hcm_pb2,
)
from envoy.extensions.transport_sockets.tls.v3 import secret_pb2
from google.protobuf import any_pb2, duration_pb2

from gatereeve.core import refs
from gatereeve.proxy.xds import snapshot as snap


def packed(message: Any) -> Any:
    found = any_pb2.Any()
    found.Pack(message, deterministic=True)
    return found


def over_ads(fetch_timeout_s: int = 15) -> Any:
    return config_source_pb2.ConfigSource(
        ads=config_source_pb2.AggregatedConfigSource(),
        resource_api_version="V3",
        initial_fetch_timeout=duration_pb2.Duration(seconds=fetch_timeout_s),
    )


def cluster(name: str, *, connect_ms: int = 500) -> Any:
    """A cluster whose endpoints come by EDS under its own name."""
    return cluster_pb2.Cluster(
        name=name,
        type="EDS",
        connect_timeout=duration_pb2.Duration(nanos=connect_ms * 1_000_000),
        eds_cluster_config=cluster_pb2.Cluster.EdsClusterConfig(eds_config=over_ads()),
    )


def plain_cluster(name: str) -> Any:
    """A cluster that needs nothing else."""
    return cluster_pb2.Cluster(name=name, type="STATIC")


def endpoints(name: str, *ports: int, host: str = "127.0.0.1") -> Any:
    found = endpoint_pb2.ClusterLoadAssignment(cluster_name=name)
    group = found.endpoints.add()
    for port in ports:
        address = group.lb_endpoints.add().endpoint.address.socket_address
        address.address = host
        address.port_value = port
    return found


def listener(name: str, port: int, *, routes: str = "routes", prefix: str = "main") -> Any:
    """An HTTP listener on localhost, its routes by RDS."""
    manager = hcm_pb2.HttpConnectionManager(
        stat_prefix=prefix,
        rds=hcm_pb2.Rds(route_config_name=routes, config_source=over_ads()),
        http_filters=[
            hcm_pb2.HttpFilter(
                name="envoy.filters.http.router", typed_config=packed(router_pb2.Router())
            )
        ],
    )
    found = listener_pb2.Listener(name=name)
    found.address.socket_address.address = "127.0.0.1"
    found.address.socket_address.port_value = port
    chain = found.filter_chains.add()
    chain.filters.add(
        name="envoy.filters.network.http_connection_manager", typed_config=packed(manager)
    )
    return found


def routes(name: str = "routes", **targets: Any) -> Any:
    """One virtual host for all; `path=target`: a cluster's name, or a status to answer directly."""
    found = route_pb2.RouteConfiguration(name=name)
    host = found.virtual_hosts.add(name="all", domains=["*"])
    for path, target in targets.items():
        route = host.routes.add(name=path)
        route.match.prefix = f"/{path}"
        if isinstance(target, int):
            route.direct_response.status = target
        else:
            route.route.cluster = target
    return found


def secret(name: str, text: str = "s") -> Any:
    found = secret_pb2.Secret(name=name)
    found.generic_secret.secret.inline_string = text
    return found


def snapshot(version: str, *messages: Any) -> snap.Snapshot:
    """A Snapshot of Envoy messages of any served types, in any order."""
    resources: dict[snap.TypeUrl, dict[str, snap.Resource]] = {}
    for message in messages:
        resource = snap.resource_of(message)
        of_type = resources.setdefault(snap.type_url_of(message), {})
        assert resource.name not in of_type, resource.name
        of_type[resource.name] = resource
    return snap.Snapshot(version=refs.ConfigHash(version), resources=resources)
