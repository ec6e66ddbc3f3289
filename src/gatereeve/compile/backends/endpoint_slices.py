"""What an EndpointSlice says, and who made it: the cluster's own controller, or a user by hand."""

from __future__ import annotations

from gatereeve.api import kube
from gatereeve.api.world import EndpointSliceDoc, ServiceDoc
from gatereeve.compile.backends import addresses
from gatereeve.core import addresses as ip

SERVICE_LABEL = "kubernetes.io/service-name"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_CONTROLLER = "endpointslice-controller.k8s.io"


def is_produced(doc: EndpointSliceDoc, service: ServiceDoc | None) -> bool:
    """Whether the cluster's own controller made the slice of pods that its Service selects.

    In a folder there is no such controller: every slice is by hand.
    """
    return (
        service is not None
        and not (doc.file or service.file)
        and bool(service.spec.selector)
        and doc.meta.labels.get(_MANAGED_BY) == _CONTROLLER
    )


def is_pod(doc: EndpointSliceDoc, endpoint: kube.SliceEndpoint) -> bool:
    """Whether an endpoint names a pod of the slice's namespace."""
    target = endpoint.target_ref
    return target is not None and target.kind == "Pod" and target.namespace == doc.ref.namespace


def all_ports(service: ServiceDoc | None, doc: EndpointSliceDoc) -> tuple[int, ...]:
    """Every port that the slice or, where the slice leaves it open, the Service names."""
    ports = {port.port for port in doc.spec.ports if port.port is not None}
    if service is not None:
        ports |= {p.target_port for p in service.spec.ports if isinstance(p.target_port, int)}
        if any(port.port is None for port in doc.spec.ports):
            ports |= {p.port for p in service.spec.ports}
    return tuple(sorted(ports))


def virtual_addresses(service: ServiceDoc) -> tuple[str, ...]:
    """Addresses of the Service itself: of the cluster, external, of a load balancer."""
    spec = service.spec
    texts = (spec.cluster_ip, *spec.cluster_ips, *spec.external_ips, spec.load_balancer_ip)
    return tuple(dict.fromkeys(text for text in texts if text and text != "None"))


def has_addresses(slices: tuple[EndpointSliceDoc, ...]) -> bool:
    """Whether these slices of a Service name an IP address."""
    return any(
        ip.parse(text) is not None
        for doc in slices
        for endpoint in doc.spec.endpoints
        for text in endpoint.addresses
    )


def all_servers(
    service: ServiceDoc | None, slices: tuple[EndpointSliceDoc, ...]
) -> frozenset[addresses.Server]:
    """Every server that these slices of a Service name, ready or not."""
    return frozenset(
        addresses.server(text, port)
        for doc in slices
        for endpoint in doc.spec.endpoints
        for text in endpoint.addresses
        for port in all_ports(service, doc)
    )
