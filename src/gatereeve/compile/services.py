"""Services and EndpointSlices: which servers stand behind a name, and which of them are models'.

An endpoint counts when it is ready; while none is, those that still serve while terminating do.
Addresses are vetted (`addresses`). This index also knows every address of every model version, so
that a route to an ordinary Service that reaches one is found (P1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from gatereeve.api import kube
from gatereeve.api.world import EndpointSliceDoc, Key, ModelVersionDoc, ServiceDoc, World
from gatereeve.compile import addresses
from gatereeve.compile.doubts import ANYWHERE
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.memo import Memo, Same
from gatereeve.ir.clusters import Endpoint

SERVICE_LABEL = "kubernetes.io/service-name"

_HTTP2 = frozenset({"kubernetes.io/h2c", "h2c", "http2", "grpc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a backend cannot be used: a finding without its place, which the route knows."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Servers:
    """One port of one Service. Equal by identity, so it can be a memo key.

    endpoints: sorted, usable. reaches: every address, usable or not. findings: about the Service's
    own documents.
    """

    service: ServiceDoc
    port: int
    endpoints: tuple[Endpoint, ...]
    protocol: Literal["http1", "http2"]
    reaches: frozenset[addresses.Server]
    findings: tuple[Finding, ...]


Slices: TypeAlias = Mapping[Key, tuple[EndpointSliceDoc, ...]]
"""EndpointSlices by the Service they belong to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Versions:
    """What the ModelVersions of a World say about servers. Equal by identity: a memo key.

    behind: the versions that a Service stands behind. servers: address to `namespace/name` of the
    model that answers there. shared: addresses that versions of several models give, with those
    versions by name. findings: about backends and endpoints of versions.
    """

    behind: Mapping[Key, tuple[ModelVersionDoc, ...]]
    servers: Mapping[addresses.Server, str]
    shared: Mapping[addresses.Server, tuple[ModelVersionDoc, ...]]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServiceIndex:
    """Everything about Services in one World.

    unreadable: namespaces with a ModelVersion that cannot be read, so that it is not known which
    Service it meant; "" for one whose namespace cannot be made out.
    """

    services: Mapping[Key, ServiceDoc]
    slices: Slices
    versions: Versions
    unreadable: Mapping[str, str]
    memo: Memo

    def reads(self, key: Key) -> tuple[object, ...]:
        """What `resolve` and the check for models read about one Service, as part of a memo key."""
        return (
            self.services.get(key),
            self.slices.get(key, ()),
            self.versions.behind.get(key),
            self.unreadable_in(key[0]),
        )

    def behind(self, keys: tuple[Key, ...]) -> tuple[object, ...]:
        """What `resolve` reads about several Services, as part of a memo key."""
        return self.memo.get(
            ("services.behind", self, Same(keys)),
            lambda: (*map(self.services.get, keys), *map(self.slices.get, keys)),
        )

    def unreadable_in(self, namespace: str) -> str | None:
        """A ModelVersion of the namespace that cannot be read, if there is one."""
        return self.unreadable.get(namespace) or self.unreadable.get(ANYWHERE)


def index(world: World, memo: Memo) -> ServiceIndex:
    """One pass over Services, EndpointSlices and ModelVersions; none where a World shares them with
    the one before."""
    read = (world.services, world.endpoint_slices, world.model_versions)
    key = ("services.index", *map(Same, read), world.broken)
    return memo.get(key, partial(_index, world, memo))


def _index(world: World, whole: Memo) -> ServiceIndex:
    memo = whole.part("services.index")
    docs = tuple(world.endpoint_slices.values())
    slices = memo.get(("services.slices", docs), lambda: _slices(docs))
    versions = tuple(world.model_versions.values())
    keys = memo.get(("services.keys", versions), partial(_keys, versions))
    servers = (*map(world.services.get, keys), *map(slices.get, keys))
    return ServiceIndex(
        services=world.services,
        slices=slices,
        versions=memo.get(
            ("services.versions", versions, servers),
            lambda: _versions(versions, world.services, slices, memo.part("services.versions")),
        ),
        unreadable={
            broken.ref.namespace: str(broken.ref)
            for broken in sorted(world.broken, key=lambda b: b.ref, reverse=True)
            if broken.ref.kind == "ModelVersion"
        },
        memo=whole,
    )


def _keys(versions: tuple[ModelVersionDoc, ...]) -> tuple[Key, ...]:
    """The Services that versions name, one for each version that names one."""
    return tuple(
        (version.ref.namespace, version.spec.backend.service)
        for version in versions
        if version.spec.backend is not None
    )


def _slices(docs: tuple[EndpointSliceDoc, ...]) -> Slices:
    found: defaultdict[Key, list[EndpointSliceDoc]] = defaultdict(list)
    for doc in sorted(docs, key=lambda d: d.ref):
        name = doc.meta.labels.get(SERVICE_LABEL)
        if name:
            found[doc.ref.namespace, name].append(doc)
    return {key: tuple(slices) for key, slices in found.items()}


def _versions(
    docs: tuple[ModelVersionDoc, ...],
    services: Mapping[Key, ServiceDoc],
    slices: Slices,
    memo: Memo,
) -> Versions:
    """The first document by name owns an address that several versions give."""
    behind: defaultdict[Key, list[ModelVersionDoc]] = defaultdict(list)
    servers: dict[addresses.Server, str] = {}
    standing: defaultdict[addresses.Server, list[ModelVersionDoc]] = defaultdict(list)
    findings: list[Finding] = []
    for version in sorted(docs, key=lambda d: d.ref):
        backend = version.spec.backend
        model = f"{version.ref.namespace}/{version.spec.model}"
        if backend is None:
            reached = memo.get(("services.endpoints", version), partial(_endpoints, version))
        else:
            key = (version.ref.namespace, backend.service)
            behind[key].append(version)
            service, its_slices = services.get(key), slices.get(key, ())
            reached = memo.get(
                ("services.all", service, its_slices), partial(_all_servers, service, its_slices)
            )
        for server in dict.fromkeys(reached):
            servers.setdefault(server, model)
            standing[server].append(version)
        findings += _version_findings(version, services, slices, memo)
    return Versions(
        behind={key: tuple(versions) for key, versions in behind.items()},
        servers=servers,
        shared={
            server: tuple(versions)
            for server, versions in standing.items()
            if len({(v.ref.namespace, v.spec.model) for v in versions}) > 1
        },
        findings=tuple(findings),
    )


def _endpoints(version: ModelVersionDoc) -> tuple[addresses.Server, ...]:
    return tuple(addresses.server(e.address, e.port) for e in version.spec.endpoints or ())


def _all_servers(
    service: ServiceDoc | None, slices: tuple[EndpointSliceDoc, ...]
) -> tuple[addresses.Server, ...]:
    servers = [
        addresses.server(address, port)
        for doc in slices
        for endpoint in doc.spec.endpoints
        for address in endpoint.addresses
        for port in _all_ports(service, doc)
    ]
    if service is not None and service.spec.cluster_ip not in (None, "", "None"):
        servers += [
            addresses.server(str(service.spec.cluster_ip), port.port) for port in service.spec.ports
        ]
    return tuple(servers)


def _all_ports(service: ServiceDoc | None, doc: EndpointSliceDoc) -> tuple[int, ...]:
    """Every port that the slice or, where the slice leaves it open, the Service names."""
    given = {port.port for port in doc.spec.ports if port.port is not None}
    if service is not None:
        given |= {p.target_port for p in service.spec.ports if isinstance(p.target_port, int)}
    return tuple(sorted(given))


def version_endpoints(found: ServiceIndex, version: ModelVersionDoc) -> tuple[Endpoint, ...]:
    """The usable servers of a version, sorted; the same tuple as long as nothing changed."""
    backend = version.spec.backend
    if backend is None:
        return found.memo.get(("services.vetted", version), partial(_vetted, version))[0]
    servers = resolve(found, version.ref.namespace, backend.service, backend.port)
    return () if isinstance(servers, Problem) else servers.endpoints


def _version_findings(
    version: ModelVersionDoc, services: Mapping[Key, ServiceDoc], slices: Slices, memo: Memo
) -> tuple[Finding, ...]:
    """What is wrong with a version's backend or endpoints; that none is ready is said elsewhere."""
    backend = version.spec.backend
    if backend is None:
        return memo.get(("services.vetted", version), partial(_vetted, version))[1]
    key = (version.ref.namespace, backend.service)
    servers = _lookup(services, slices, memo, key, backend.port)
    if not isinstance(servers, Problem):
        return tuple(f for f in servers.findings if f.code != "no-endpoints")
    path = "spec.backend"
    return (
        Finding(
            code=FindingCode(servers.code),
            message=servers.message,
            hint=servers.hint,
            origin=version.origin(path),
            where=version.where(path),
        ),
    )


def _vetted(version: ModelVersionDoc) -> tuple[tuple[Endpoint, ...], tuple[Finding, ...]]:
    usable, findings = set(), []
    for number, endpoint in enumerate(version.spec.endpoints or ()):
        address = addresses.normal(endpoint.address)
        if address is None:
            path = f"spec.endpoints[{number}].address"
            findings.append(
                Finding(
                    code=FindingCode("backend-address-refused"),
                    message=f"{endpoint.address} may not be reached",
                    hint=_ADDRESS_HINT,
                    origin=version.origin(path),
                    where=version.where(path),
                )
            )
        else:
            usable.add((address, endpoint.port))
    return tuple(Endpoint(address=a, port=p) for a, p in sorted(usable)), tuple(findings)


_ADDRESS_HINT = "give the address of a server; link-local, unspecified, multicast and metadata addresses are none"


def resolve(
    found: ServiceIndex, namespace: str, name: str, port: int | str | None
) -> Servers | Problem:
    """The servers of one port of a Service.

    port: number or name of a port of the Service; None is allowed when it has only one.
    The same object as long as the Service and its slices are the same.
    """
    return _lookup(found.services, found.slices, found.memo, (namespace, name), port)


def _lookup(
    services: Mapping[Key, ServiceDoc],
    slices: Slices,
    memo: Memo,
    key: Key,
    port: int | str | None,
) -> Servers | Problem:
    service = services.get(key)
    if service is None:
        return Problem(
            code="backend-not-found",
            message=f"there is no Service {key[0]}/{key[1]}",
            hint="create the Service, or correct the name",
        )
    its_slices = slices.get(key, ())
    return memo.get(
        ("services.resolve", service, its_slices, port),
        partial(_resolve, service, its_slices, port),
    )


def _resolve(
    service: ServiceDoc, slices: tuple[EndpointSliceDoc, ...], port: int | str | None
) -> Servers | Problem:
    if service.spec.type == "ExternalName":
        return Problem(
            code="external-name-refused",
            message=f"{service.ref} is an ExternalName: whoever owns that name would decide where requests go",
            hint="use a Service with EndpointSlices",
        )
    chosen = _port(service, port)
    if chosen is None:
        return Problem(
            code="backend-port-unknown",
            message=f"{service.ref} has no TCP port {'of its own' if port is None else repr(port)}",
            hint=f"it has: {', '.join(str(p.name or p.port) for p in service.spec.ports) or 'none'}",
        )
    findings: list[Finding] = []
    usable: set[tuple[str, int]] = set()
    reaches: set[addresses.Server] = set()
    still_serving = not any(_is_ready(e) for doc in slices for e in doc.spec.endpoints)
    for doc in slices:
        number = _slice_port(chosen, doc)
        if number is None:
            continue
        for position, endpoint in enumerate(doc.spec.endpoints):
            takes = _is_ready(endpoint) or (still_serving and _is_serving(endpoint))
            for text in endpoint.addresses:
                reaches.add(addresses.server(text, number))
                address = None if doc.spec.address_type == "FQDN" else addresses.normal(text)
                if address is None:
                    findings.append(_refused_address(doc, f"endpoints[{position}]", text))
                elif takes:
                    usable.add((address, number))
    if not usable:
        findings.append(_no_endpoints(service))
    return Servers(
        service=service,
        port=chosen.port,
        endpoints=tuple(Endpoint(address=a, port=p) for a, p in sorted(usable)),
        protocol="http2" if (chosen.app_protocol or "").lower() in _HTTP2 else "http1",
        reaches=frozenset(reaches),
        findings=tuple(findings),
    )


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


def _refused_address(doc: EndpointSliceDoc, path: str, text: str) -> Finding:
    return Finding(
        code=FindingCode("backend-address-refused"),
        message=f"{text} may not be reached",
        hint=_ADDRESS_HINT,
        origin=doc.origin(path),
        where=doc.where(path),
    )


def _no_endpoints(service: ServiceDoc) -> Finding:
    return Finding(
        code=FindingCode("no-endpoints"),
        message=f"{service.ref} has no ready endpoint",
        hint=f"start its pods; in a folder, add an EndpointSlice with the label {SERVICE_LABEL}: {service.ref.name}",
        origin=service.origin(),
        where=service.where(),
    )
