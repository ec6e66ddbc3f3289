"""Route requests: what routes of every kind ask for, in one form, before one of them wins.

An Ingress path or an HTTPRoute match is one `RouteRequest`; a `HostRoute` puts it on a host. Its
backends are still names: `compile.backends` resolves them, and `compile.virtual_hosts` makes routes
of the requests and decides which one wins. Requests compare by identity and are made once per
document, so they can be keys of caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.api.world import AnyDoc, HostGrantDoc, Key
from gatereeve.compile.routes.route_order import DocumentOrder
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report
from gatereeve.ir.routes import HeaderEdit, PathMatch, PathRewrite, Redirect, ValueMatch

Protocol: TypeAlias = Literal["http", "https"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backend:
    """What a rule forwards to, by name. problem: why it cannot be used at all.

    port: of the Service; None for Models and where the rule leaves it open. path: place in the
    document.
    """

    kind: Literal["Service", "Model"]
    namespace: str
    name: str
    port: int | str | None
    weight: int
    path: str
    problem: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MirrorBackend:
    """A copy of `per_million` of a million requests to a Service."""

    backend: Backend
    per_million: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteRule:
    """What happens to requests that match. broken: it answers 500, since it cannot be kept whole.

    timeout_s: None leaves it to the backend. Exactly one of redirect and backends has a meaning.
    """

    backends: tuple[Backend, ...] = ()
    redirect: Redirect | None = None
    rewrite: PathRewrite | None = None
    rewrite_host: str | None = None
    request_headers: HeaderEdit = HeaderEdit()
    response_headers: HeaderEdit = HeaderEdit()
    mirrors: tuple[MirrorBackend, ...] = ()
    timeout_s: float | None = None
    broken: bool = False
    path: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteRequest:
    """One match of one rule of one document. where: its place in the document."""

    doc: AnyDoc
    where: str
    place: DocumentOrder
    path: PathMatch
    methods: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    rule: RouteRule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostRoute:
    """A route request for a host of one listener set of a gate (`listener_sets`), at the ports that its parents offer.

    gateway: whose own listener set it is; None for that of the Gate. listener_ports: by name, sorted. protocols: of
    those ports, sorted.
    grants: the HostGrants that cover the host and the route request's path, by name: they say what may be
    reached there.
    single_label: `*` of the host stands for exactly one label (Ingress).
    """

    gate: str
    gateway: Key | None = None
    host: str
    grants: tuple[HostGrantDoc, ...]
    single_label: bool
    listener_ports: tuple[str, ...]
    protocols: tuple[Protocol, ...]
    route_request: RouteRequest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CertificateRequest:
    """A Secret that a document wants to be shown for `host` (`*`: for clients that ask for no host).

    gateway: as in `HostRoute`.
    """

    gate: str
    gateway: Key | None = None
    host: str
    doc: AnyDoc
    where: str
    place: DocumentOrder
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRef:
    """What became of one parentRef of a route that names a Gateway of ours.

    number: its place. gateway: the Gateway, on `gate`; listener_set: as `HostRoute.gateway`. refused: why the route is not attached to it:
    (reason, message), in Gateway API's reasons; None when it is. listeners: those it is attached to.
    """

    number: int
    gateway: Key
    gate: str
    listener_set: Key | None
    refused: tuple[str, str] | None
    listeners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RouteDocument:
    """All that one document claims. gate: of an Ingress; None for a route, whose parents say it.

    rules: every rule of a route, whether it is attached or not, in order. live: numbers of those of
    which some match is served as it was written.
    """

    doc: AnyDoc
    gate: str | None = None
    entries: tuple[HostRoute, ...] = ()
    certificates: tuple[CertificateRequest, ...] = ()
    parents: tuple[ParentRef, ...] = ()
    rules: tuple[RouteRule, ...] = ()
    live: frozenset[int] = frozenset()
    findings: tuple[Finding, ...] = ()


def report_not_granted(report: Report[AnyDoc], path: str, host: str, route_path: str) -> None:
    """host-not-granted, for a host and path that a document asks for."""
    namespace = report.doc.ref.namespace
    report("host-not-granted", path, namespace=namespace, host=host, path=route_path)
