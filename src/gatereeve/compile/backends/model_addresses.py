"""What stands behind models: every address by which a model's servers could be reached.

Not only where requests are sent: every port of its pods, the addresses of its Service, its node ports,
and slices that belong to no Service, of which it is not known what they meant. An ordinary route
that reaches one of them is refused (P1). Ready or not, usable or not: it may be so the next moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gatereeve.api.world import EndpointSliceDoc, Held, Key, ServiceDoc
from gatereeve.compile.backends import addresses
from gatereeve.compile.backends import endpoint_slices as slice_facts
from gatereeve.compile.backends.addresses import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAddresses:
    """servers: (namespace, server). whole: (namespace, address), on every port. node_ports:
    (namespace, port), at any address named by hand. pods: addresses of pods, for every namespace.
    """

    servers: dict[tuple[str, Server], Held] = field(default_factory=dict)
    whole: dict[tuple[str, str], Held] = field(default_factory=dict)
    node_ports: dict[tuple[str, int], Held] = field(default_factory=dict)
    pods: dict[str, Held] = field(default_factory=dict)

    def of(
        self, namespace: str, reaches: Iterable[Server], by_hand: Iterable[Server]
    ) -> tuple[Server, Held] | None:
        """The first server of `reaches`, in order, that stands behind a model.

        namespace: of the Service that reaches them. by_hand: the servers that no selector produced.
        """
        for server in sorted(reaches):
            held = (
                self.servers.get((namespace, server))
                or self.whole.get((namespace, server[0]))
                or self.pods.get(server[0])
            )
            if held is not None:
                return server, held
        for server in sorted(by_hand):
            held = self.node_ports.get((namespace, server[1]))
            if held is not None:
                return server, held
        return None


def note_service(
    standing: ModelAddresses,
    namespace: str,
    service: ServiceDoc | None,
    slices: tuple[EndpointSliceDoc, ...],
    held: Held,
) -> None:
    """A Service that stands behind a model. The first that is noted keeps an address."""
    for doc in slices:
        _note_slice(standing, doc, service, held)
    if service is None:
        return
    for text in slice_facts.virtual_addresses(service):
        for port in service.spec.ports:
            server = addresses.server(text, port.port)
            standing.servers.setdefault((namespace, server), held)
    for port in service.spec.ports:
        if port.node_port:
            standing.node_ports.setdefault((namespace, port.node_port), held)


def note_orphan(standing: ModelAddresses, doc: EndpointSliceDoc) -> None:
    """A slice that belongs to no Service, in a namespace with models."""
    _note_slice(standing, doc, None, Held(model=f"{doc.ref.namespace} (any)"))


def _note_slice(
    standing: ModelAddresses, doc: EndpointSliceDoc, service: ServiceDoc | None, held: Held
) -> None:
    ports = slice_facts.all_ports(service, doc)
    open_ended = not doc.spec.ports or any(port.port is None for port in doc.spec.ports)
    produced = slice_facts.is_produced(doc, service)
    for endpoint in doc.spec.endpoints:
        is_pod = produced and slice_facts.is_pod(doc, endpoint)
        for text in endpoint.addresses:
            address, _ = addresses.server(text, 0)
            if is_pod:
                standing.pods.setdefault(address, held)
            if open_ended:
                standing.whole.setdefault((doc.ref.namespace, address), held)
            for port in ports:
                server = addresses.server(text, port)
                standing.servers.setdefault((doc.ref.namespace, server), held)


def orphans(
    services: Mapping[Key, ServiceDoc],
    slices: Mapping[Key, tuple[EndpointSliceDoc, ...]],
    lone: tuple[EndpointSliceDoc, ...],
    named: set[Key],
) -> Iterable[EndpointSliceDoc]:
    """Slices without a Service, in the namespaces of Services that stand behind models.

    slices: by the Service that they name. lone: those that name none. named: Services that
    ModelVersions name, whether they are there or not.
    """
    namespaces = {namespace for namespace, _ in named}
    yield from (doc for doc in lone if doc.ref.namespace in namespaces)
    for key, docs in slices.items():
        if key[0] in namespaces and key not in services and key not in named:
            yield from docs
