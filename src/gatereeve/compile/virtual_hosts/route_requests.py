"""One route request and what it reaches, as rows: of a model, of a Service, a redirect or a refusal.

A rule answers for models or for Services, never for both, so that no weight can lead around a
policy. A part of a rule that cannot be kept turns the whole rule, or the share that asked,
into a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatereeve.compile.backends.resolution import (
    ModelBackend,
    ResolvedBackend,
    ServiceBackend,
    UnresolvedBackend,
)
from gatereeve.compile.backends.servers import Servers
from gatereeve.compile.routes.requests import Backend, MirrorBackend, RouteRequest
from gatereeve.compile.virtual_hosts.model_routes import ModelRoutes, Mount, compile_model_routes
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding, place
from gatereeve.ir.clusters import Cluster, EndpointGroup, EndpointSet
from gatereeve.ir.routes import Action, Forward, Match, Mirror, Refuse, Route, Share

DEFAULT_TIMEOUT_S = 60.0
_BOUND = 1024
"""Connections, pending and running requests of an ordinary Service, per gate."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompiledRoutes:
    """routes: in order. shared: rows that give way to another model's. models: `namespace/name`.

    governed: the request was meant for a model, served or refused.
    """

    route_request: RouteRequest
    routes: tuple[Route, ...]
    shared: tuple[Route, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    findings: tuple[Finding, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    governed: bool = False


def compile_route_request(
    route_request: RouteRequest,
    targets: tuple[ResolvedBackend, ...],
    mirrors: tuple[ResolvedBackend, ...],
) -> CompiledRoutes:
    """The rows of one route request.

    targets, mirrors: one per backend and mirror of the route request's rule, in order.
    """
    rule = route_request.rule
    if rule.redirect is not None and not rule.broken:
        return CompiledRoutes(
            route_request=route_request, routes=(_route(route_request, rule.redirect),)
        )
    pairs = list(zip(rule.backends, targets, strict=True))
    findings = _target_findings(route_request, pairs)
    governed = any(_is_governed(target) for target in (*targets, *mirrors))
    weighed = [(backend, target) for backend, target in pairs if backend.weight > 0]
    if rule.broken or not weighed:
        return _refused(route_request, findings, governed=governed)
    to_models = [(b, t) for b, t in weighed if isinstance(t, ModelBackend)]
    if not to_models:
        if (
            any(isinstance(t, UnresolvedBackend) and t.governed for _, t in weighed)
            and len(weighed) > 1
        ):
            findings.append(_mixed(route_request))
            return _refused(route_request, findings, governed=True)
        return _service_rows(route_request, weighed, mirrors, findings, governed=governed)
    problem = _model_problem(route_request, weighed, to_models)
    if problem is not None:
        return _refused(route_request, [*findings, problem], governed=True)
    return _model_rows(route_request, to_models, findings)


def _is_governed(target: ResolvedBackend) -> bool:
    return isinstance(target, ModelBackend) or (
        isinstance(target, UnresolvedBackend) and target.governed
    )


def _route(route_request: RouteRequest, action: Action) -> Route:
    return Route(
        name=f"{route_request.doc.ref.kind}/{route_request.doc.ref.short}:{route_request.where}",
        match=Match(
            path=route_request.path,
            methods=route_request.methods,
            headers=route_request.headers,
            query=route_request.query,
        ),
        action=action,
        governance=None,
        origin=route_request.doc.origin(route_request.where),
    )


def _refused(
    route_request: RouteRequest, findings: list[Finding], *, governed: bool
) -> CompiledRoutes:
    return CompiledRoutes(
        route_request=route_request,
        routes=(_route(route_request, Refuse(code="no-backend")),),
        findings=tuple(findings),
        governed=governed,
    )


def _target_findings(
    route_request: RouteRequest, pairs: list[tuple[Backend, ResolvedBackend]]
) -> list[Finding]:
    findings = []
    for backend, target in pairs:
        if isinstance(target, UnresolvedBackend):
            findings.append(place(route_request.doc, backend.path, target.problem))
        elif isinstance(target, ServiceBackend):
            findings += target.servers.findings
        elif target.service is not None:
            findings.append(
                finding(
                    route_request.doc,
                    "service-behind-model",
                    backend.path,
                    service=target.service,
                    model=target.model_policy.doc.ref,
                    versions=target.pinned or "all versions",
                )
            )
    return findings


def _mixed(route_request: RouteRequest) -> Finding:
    return finding(route_request.doc, "backend-mix", route_request.rule.path)


def _model_problem(
    route_request: RouteRequest,
    weighed: list[tuple[Backend, ResolvedBackend]],
    to_models: list[tuple[Backend, ModelBackend]],
) -> Finding | None:
    """Why a rule that names models cannot be kept, if it cannot."""
    if route_request.path.kind == "regex" or _has_pattern(route_request):
        return finding(route_request.doc, "pattern-refused.model", route_request.where)
    if route_request.rule.mirrors:
        return finding(
            route_request.doc, "filter-unsupported.mirror-of-model", route_request.rule.path
        )
    model_policies = {target.model_policy.key: target.model_policy for _, target in to_models}
    catalogue = all(model_policy.protocol == "openai" for model_policy in model_policies.values())
    strangers = [t for _, t in weighed if not isinstance(t, ModelBackend)]
    if any(isinstance(t, ServiceBackend) for t in strangers) or (strangers and not catalogue):
        return _mixed(route_request)
    return _mixed(route_request) if len(model_policies) > 1 and not catalogue else None


def _has_pattern(route_request: RouteRequest) -> bool:
    return any(value.kind == "regex" for value in (*route_request.headers, *route_request.query))


def _model_rows(
    route_request: RouteRequest,
    to_models: list[tuple[Backend, ModelBackend]],
    findings: list[Finding],
) -> CompiledRoutes:
    """The rows of one model, or of a catalogue of openai models, which the body chooses among."""
    if len({backend.weight for backend, _ in to_models}) > 1:
        findings.append(finding(route_request.doc, "weights-ignored", route_request.rule.path))
    pins: dict[tuple[str, str], set[str] | None] = {}
    model_policies = {}
    for _, target in to_models:
        key = target.model_policy.key
        model_policies[key] = target.model_policy
        before = pins.setdefault(key, set())
        if target.pinned is None or before is None:
            pins[key] = None
        else:
            before.update(target.pinned)
    made = []
    for key, model_policy in sorted(model_policies.items()):
        pinned = pins[key]
        versions = (
            None if pinned is None or pinned >= set(model_policy.known) else tuple(sorted(pinned))
        )
        made.append(compile_model_routes(model_policy, _mount(route_request, versions)))
    return CompiledRoutes(
        route_request=route_request,
        routes=tuple(route for rows in made for route in rows.routes),
        shared=tuple(route for rows in made for route in rows.shared),
        clusters=tuple(cluster for rows in made for cluster in rows.clusters),
        findings=(*findings, *(found for rows in made for found in _placed(route_request, rows))),
        models=tuple(sorted(model_policies)),
        governed=True,
    )


def _placed(route_request: RouteRequest, rows: ModelRoutes) -> list[Finding]:
    """Findings of a mount, with the line that the route request's document knows."""
    return [
        place(route_request.doc, route_request.where, f) if f.where is None else f
        for f in rows.findings
    ]


def _mount(route_request: RouteRequest, pinned: tuple[str, ...] | None) -> Mount:
    rule = route_request.rule
    return Mount(
        path=route_request.path,
        methods=route_request.methods,
        headers=route_request.headers,
        query=route_request.query,
        rewrite=rule.rewrite,
        rewrite_host=rule.rewrite_host,
        request_headers=rule.request_headers,
        response_headers=rule.response_headers,
        timeout_s=rule.timeout_s,
        pinned=pinned,
        origin=route_request.doc.origin(route_request.where),
    )


def _service_rows(
    route_request: RouteRequest,
    weighed: list[tuple[Backend, ResolvedBackend]],
    mirrors: tuple[ResolvedBackend, ...],
    findings: list[Finding],
    *,
    governed: bool,
) -> CompiledRoutes:
    rule = route_request.rule
    clusters: dict[str, Cluster] = {}
    shares = []
    for backend, target in weighed:
        name = ""
        if isinstance(target, ServiceBackend):
            cluster = service_cluster(target.servers)
            clusters[cluster.name] = cluster
            name = cluster.name
        shares.append(Share(cluster=name, version="", weight=backend.weight))
    copies = _mirrors(route_request, rule.mirrors, mirrors, clusters, findings)
    if copies is None or not any(share.cluster for share in shares):
        return _refused(route_request, findings, governed=governed)
    forward = Forward(
        shares=tuple(shares),
        mirrors=copies,
        rewrite=rule.rewrite,
        rewrite_host=rule.rewrite_host,
        request_headers=rule.request_headers,
        response_headers=rule.response_headers,
        timeout_s=rule.timeout_s if rule.timeout_s is not None else DEFAULT_TIMEOUT_S,
    )
    return CompiledRoutes(
        route_request=route_request,
        routes=(_route(route_request, forward),),
        clusters=tuple(clusters.values()),
        findings=tuple(findings),
        governed=governed,
    )


def _mirrors(
    route_request: RouteRequest,
    wanted: tuple[MirrorBackend, ...],
    targets: tuple[ResolvedBackend, ...],
    clusters: dict[str, Cluster],
    findings: list[Finding],
) -> tuple[Mirror, ...] | None:
    """Mirrors to ordinary Services. None when one of them would reach a model: the rule is refused.

    A mirror to a backend that does not exist is left out with a finding (Gateway API).
    """
    found = []
    for mirror, target in zip(wanted, targets, strict=True):
        path = mirror.backend.path
        if isinstance(target, ModelBackend):
            findings.append(finding(route_request.doc, "filter-unsupported.mirror-to-model", path))
            return None
        if isinstance(target, UnresolvedBackend):
            findings.append(place(route_request.doc, path, target.problem))
            if target.governed:
                return None
        elif mirror.per_million > 0:
            cluster = service_cluster(target.servers)
            clusters[cluster.name] = cluster
            found.append(Mirror(cluster=cluster.name, per_million=mirror.per_million))
    return tuple(found)


def service_cluster(servers: Servers) -> Cluster:
    """The cluster of one port of an ordinary Service."""
    ref = servers.service.ref
    name = f"service/{ref.namespace}/{ref.name}/{servers.port}"
    return Cluster(
        name=name,
        model="",
        version="",
        endpoints=EndpointSet(
            cluster=name, groups=(EndpointGroup(version="", endpoints=servers.endpoints),)
        ),
        protocol=servers.protocol,
        health=None,
        max_connections=_BOUND,
        max_pending=_BOUND,
        max_requests=_BOUND,
        origin=servers.service.origin(),
    )
