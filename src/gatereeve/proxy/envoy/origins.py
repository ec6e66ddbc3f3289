"""Which document stands behind a resource that a gate rejected.

A route configuration holds many hosts; the first of them stands for it, and the gate's own words,
which name a route, stand beside it in the finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gatereeve.core.refs import Origin
from gatereeve.ir.gates import Gate
from gatereeve.proxy.envoy import names, secrets
from gatereeve.proxy.xds.snapshot import CDS, ECDS, EDS, LDS, RDS, SDS, SRDS, TypeUrl


def origin_of(gate: Gate, type_url: TypeUrl, resources: Iterable[str]) -> Origin | None:
    """The origin of the first resource that has one; None when nobody wrote it."""
    known = dict(reversed(list(_origins(gate, type_url))))
    return next((known[name] for name in resources if name in known), None)


def _origins(gate: Gate, type_url: TypeUrl) -> Iterator[tuple[str, Origin]]:
    """Names of resources of one type, each with its document."""
    if type_url in (CDS, EDS):
        yield from ((cluster.name, cluster.origin) for cluster in gate.clusters)
    elif type_url == ECDS:
        yield from _filters(gate)
    elif type_url == SDS and gate.identity.mtls is not None:
        yield secrets.CLIENT_CA, gate.identity.mtls.origin
    for listener in gate.listeners:
        if type_url == LDS:
            yield listener.name, listener.origin
        elif type_url == SDS:
            yield from ((secrets.certificate_name(c), c.origin) for c in listener.certificates)
        elif type_url in (RDS, SRDS):
            for host in listener.hosts:
                exact = not host.host.startswith("*")
                if type_url == SRDS:
                    yield names.scope_key(listener.name, host.host), host.origin
                elif exact:
                    yield names.shard_of(listener.name, host.host), host.origin
                else:
                    yield names.wild_of(listener.name), host.origin


def _filters(gate: Gate) -> Iterator[tuple[str, Origin]]:
    identity = gate.identity
    yield names.GATE, gate.origin
    yield names.SELECTION, gate.origin
    if identity.jwt:
        yield names.JWT, identity.jwt[0].origin
    if identity.api_keys is not None:
        yield names.API_KEYS, identity.api_keys.origin
    if identity.mtls is not None:
        yield names.CERTIFICATE_URI, identity.mtls.origin
        yield names.CERTIFICATE_DNS, identity.mtls.origin
    for attribute, sources in (
        ("region", gate.attributes.region),
        ("purpose", gate.attributes.purpose),
    ):
        for number in range(len(sources)):
            yield names.attribute_filter(attribute, number), gate.origin
