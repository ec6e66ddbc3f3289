"""The servers of a cluster as a `ClusterLoadAssignment`: one priority per version of the chain.

Empty versions are left out, so that priorities have no holes. The next priority serves only when
none of the ones before has a healthy server: the overprovisioning factor makes a single healthy
server count for all. Each server says its version, for the record.
"""

from __future__ import annotations

from typing import Final

from envoy.config.core.v3 import address_pb2, base_pb2
from envoy.config.endpoint.v3 import endpoint_components_pb2 as endpoint_pb2
from envoy.config.endpoint.v3 import endpoint_pb2 as assignment_pb2

from gatereeve.ir import clusters, record_fields
from gatereeve.proxy.envoy import packing

_ANY_HEALTHY: Final = 1_000_000


def build_endpoints(endpoints: clusters.EndpointSet) -> assignment_pb2.ClusterLoadAssignment:
    groups = [group for group in endpoints.groups if group.endpoints]
    return assignment_pb2.ClusterLoadAssignment(
        cluster_name=endpoints.cluster,
        endpoints=[_group(group, priority) for priority, group in enumerate(groups)],
        policy=assignment_pb2.ClusterLoadAssignment.Policy(
            overprovisioning_factor=packing.uint32(_ANY_HEALTHY)
        ),
    )


def _group(group: clusters.EndpointGroup, priority: int) -> endpoint_pb2.LocalityLbEndpoints:
    metadata = None
    if group.version:
        version = packing.struct({"version": group.version})
        metadata = base_pb2.Metadata(filter_metadata={record_fields.GATE_NAMESPACE: version})
    return endpoint_pb2.LocalityLbEndpoints(
        priority=priority,
        lb_endpoints=[
            endpoint_pb2.LbEndpoint(
                endpoint=endpoint_pb2.Endpoint(
                    address=address_pb2.Address(
                        socket_address=address_pb2.SocketAddress(
                            address=one.address, port_value=one.port
                        )
                    )
                ),
                metadata=metadata,
            )
            for one in group.endpoints
        ],
    )
