"""The servers of one port of one Service, and of a version that names its own.

An endpoint counts when it is ready; while none is, those that still serve while terminating do. What
a document names by hand counts when its namespace has the right to (`owners`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from gatereeve.api import kube
from gatereeve.api.world import EndpointSliceDoc, Key, ModelVersionDoc, ServiceDoc
from gatereeve.compile.backends import addresses, endpoint_slices
from gatereeve.compile.backends.address_owners import Rights
from gatereeve.compile.backends.addresses import Server
from gatereeve.compile.backends.endpoint_slices import SERVICE_LABEL
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe, finding, place
from gatereeve.ir.clusters import Endpoint

_HTTP2 = frozenset({"kubernetes.io/h2c", "h2c", "http2", "grpc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """One port of one Service.

    endpoints: sorted, usable. reaches: every address, usable or not; by_hand: those of them that no
    selector produced. findings: about the Service's own documents.
    """

    service: ServiceDoc
    port: int
    endpoints: tuple[Endpoint, ...]
    protocol: Literal["http1", "http2"]
    reaches: frozenset[Server]
    by_hand: frozenset[Server]
    findings: tuple[Finding, ...]


Slices: TypeAlias = Mapping[Key, tuple[EndpointSliceDoc, ...]]
"""EndpointSlices by the Service they belong to."""


VettedEndpoints: TypeAlias = tuple[tuple[Endpoint, ...], tuple[Finding, ...]]


def vet_endpoints(version: ModelVersionDoc, rights: Rights) -> VettedEndpoints:
    """The usable servers of a version that names its own, sorted, and what is wrong with others."""
    usable, findings = set(), []
    for number, endpoint in enumerate(version.spec.endpoints or ()):
        address = addresses.normal(endpoint.address)
        path = f"spec.endpoints[{number}].address"
        if address is None:
            findings.append(place(version, path, _forbidden(endpoint.address)))
            continue
        objection = rights.objection(endpoint.address, endpoint.port)
        if objection is not None:
            findings.append(place(version, path, objection))
        else:
            usable.add((address, endpoint.port))
    return tuple(Endpoint(address=a, port=p) for a, p in sorted(usable)), tuple(findings)


def _forbidden(text: str) -> Finding:
    return describe("backend-address-refused", address=text)


def resolve_port(
    key: Key,
    port: int | str | None,
    service: ServiceDoc | None,
    docs: tuple[EndpointSliceDoc, ...],
    rights: Callable[[], Rights],
) -> Servers | Finding:
    """The servers of one port of a Service.

    port: number or name of a port of the Service; None is allowed when it has only one. docs: its
    EndpointSlices. rights: of the Service's namespace.
    """
    if service is None:
        return describe("backend-not-found", service=f"{key[0]}/{key[1]}")
    if service.spec.type == "ExternalName":
        return describe("external-name-refused", service=service.ref)
    chosen = _port(service, port)
    if chosen is None:
        return describe(
            "backend-port-unknown" if port is not None else "backend-port-unknown.none",
            service=service.ref,
            port=port,
            known=tuple(p.name or p.port for p in service.spec.ports),
        )
    findings: list[Finding] = []
    slice_addresses: list[_Address] = []
    still_serving = not any(_is_ready(e) for doc in docs for e in doc.spec.endpoints)
    for doc in docs:
        number = _slice_port(chosen, doc)
        if number is not None:
            slice_addresses += _addresses(
                doc, service, number, rights(), findings, still_serving=still_serving
            )
    usable = {
        (entry.address, entry.server[1]) for entry in slice_addresses if entry.address is not None
    }
    refused = next(
        (entry.objection for entry in slice_addresses if entry.objection is not None), None
    )
    if not usable and refused is not None:
        return refused
    if not usable:
        findings.append(_no_endpoints(service))
    return Servers(
        service=service,
        port=chosen.port,
        endpoints=tuple(Endpoint(address=a, port=p) for a, p in sorted(usable)),
        protocol="http2" if (chosen.app_protocol or "").lower() in _HTTP2 else "http1",
        reaches=frozenset(entry.server for entry in slice_addresses),
        by_hand=frozenset(entry.server for entry in slice_addresses if entry.by_hand),
        findings=tuple(findings),
    )


class _Address(NamedTuple):
    """One address of a slice. address: where requests are sent; None when it is not used.

    objection: why it may not be named by hand.
    """

    server: Server
    by_hand: bool
    address: str | None
    objection: Finding | None


def _addresses(
    doc: EndpointSliceDoc,
    service: ServiceDoc,
    port: int,
    rights: Rights,
    findings: list[Finding],
    *,
    still_serving: bool,
) -> Iterator[_Address]:
    """The addresses of one slice. Findings: the first of each kind that is refused."""
    produced = endpoint_slices.is_produced(doc, service)
    reported: set[str] = set()
    for position, endpoint in enumerate(doc.spec.endpoints):
        takes = _is_ready(endpoint) or (still_serving and _is_serving(endpoint))
        by_hand = not (produced and endpoint_slices.is_pod(doc, endpoint))
        for text in endpoint.addresses:
            address = addresses.normal(text) if _is_of_type(doc, text) else None
            objection = rights.objection(text, port) if by_hand and address is not None else None
            why = _forbidden(text) if address is None else objection
            if why is not None and why.code not in reported:
                reported.add(why.code)
                findings.append(place(doc, f"endpoints[{position}]", why))
            usable = address if takes and why is None else None
            yield _Address(addresses.server(text, port), by_hand, usable, objection)


def _is_of_type(doc: EndpointSliceDoc, text: str) -> bool:
    """Whether an address is of the slice's type: `::1` is no IPv4 address."""
    kind = doc.spec.address_type
    return kind != "FQDN" and (":" in text) == (kind == "IPv6")


def _port(service: ServiceDoc, port: int | str | None) -> kube.ServicePort | None:
    ports = [p for p in service.spec.ports if p.protocol == "TCP"]
    if port is None:
        return ports[0] if len(ports) == 1 else None
    return next((p for p in ports if port == (p.port if isinstance(port, int) else p.name)), None)


def _slice_port(chosen: kube.ServicePort, doc: EndpointSliceDoc) -> int | None:
    """The slice's number for a Service port: by name; a slice port without number means any."""
    target = chosen.target_port if isinstance(chosen.target_port, int) else None
    for port in doc.spec.ports:
        if port.protocol == "TCP" and (port.name or "") == (chosen.name or ""):
            return port.port if port.port is not None else target or chosen.port
    return None


def _is_ready(endpoint: kube.SliceEndpoint) -> bool:
    return endpoint.conditions.ready is not False and endpoint.conditions.terminating is not True


def _is_serving(endpoint: kube.SliceEndpoint) -> bool:
    return endpoint.conditions.serving is True and endpoint.conditions.terminating is True


def _no_endpoints(service: ServiceDoc) -> Finding:
    return finding(
        service, "no-endpoints", service=service.ref, label=f"{SERVICE_LABEL}: {service.ref.name}"
    )
