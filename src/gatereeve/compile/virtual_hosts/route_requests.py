"""One claim and what it reaches, as rows: of a model, of a Service, a redirect or a refusal.

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

    governed: the claim was meant for a model, served or refused.
    """

    claim: RouteRequest
    routes: tuple[Route, ...]
    shared: tuple[Route, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    findings: tuple[Finding, ...] = ()
    models: tuple[tuple[str, str], ...] = ()
    governed: bool = False


def compile_route_request(
    claim: RouteRequest, targets: tuple[ResolvedBackend, ...], mirrors: tuple[ResolvedBackend, ...]
) -> CompiledRoutes:
    """The rows of one claim.

    targets, mirrors: one per backend and mirror of the claim's rule, in order.
    """
    rule = claim.rule
    if rule.redirect is not None and not rule.broken:
        return CompiledRoutes(claim=claim, routes=(_route(claim, rule.redirect),))
    pairs = list(zip(rule.backends, targets, strict=True))
    findings = _target_findings(claim, pairs)
    governed = any(_is_governed(target) for target in (*targets, *mirrors))
    weighed = [(backend, target) for backend, target in pairs if backend.weight > 0]
    if rule.broken or not weighed:
        return _refused(claim, findings, governed=governed)
    to_models = [(b, t) for b, t in weighed if isinstance(t, ModelBackend)]
    if not to_models:
        if (
            any(isinstance(t, UnresolvedBackend) and t.governed for _, t in weighed)
            and len(weighed) > 1
        ):
            findings.append(_mixed(claim))
            return _refused(claim, findings, governed=True)
        return _service_rows(claim, weighed, mirrors, findings, governed=governed)
    problem = _model_problem(claim, weighed, to_models)
    if problem is not None:
        return _refused(claim, [*findings, problem], governed=True)
    return _model_rows(claim, to_models, findings)


def _is_governed(target: ResolvedBackend) -> bool:
    return isinstance(target, ModelBackend) or (
        isinstance(target, UnresolvedBackend) and target.governed
    )


def _route(claim: RouteRequest, action: Action) -> Route:
    return Route(
        name=f"{claim.doc.ref.kind}/{claim.doc.ref.short}:{claim.where}",
        match=Match(
            path=claim.path, methods=claim.methods, headers=claim.headers, query=claim.query
        ),
        action=action,
        governance=None,
        origin=claim.doc.origin(claim.where),
    )


def _refused(claim: RouteRequest, findings: list[Finding], *, governed: bool) -> CompiledRoutes:
    return CompiledRoutes(
        claim=claim,
        routes=(_route(claim, Refuse(code="no-backend")),),
        findings=tuple(findings),
        governed=governed,
    )


def _target_findings(
    claim: RouteRequest, pairs: list[tuple[Backend, ResolvedBackend]]
) -> list[Finding]:
    findings = []
    for backend, target in pairs:
        if isinstance(target, UnresolvedBackend):
            findings.append(place(claim.doc, backend.path, target.problem))
        elif isinstance(target, ServiceBackend):
            findings += target.servers.findings
        elif target.service is not None:
            findings.append(
                finding(
                    claim.doc,
                    "service-behind-model",
                    backend.path,
                    service=target.service,
                    model=target.plan.doc.ref,
                    versions=target.pinned or "all versions",
                )
            )
    return findings


def _mixed(claim: RouteRequest) -> Finding:
    return finding(claim.doc, "backend-mix", claim.rule.path)


def _model_problem(
    claim: RouteRequest,
    weighed: list[tuple[Backend, ResolvedBackend]],
    to_models: list[tuple[Backend, ModelBackend]],
) -> Finding | None:
    """Why a rule that names models cannot be kept, if it cannot."""
    if claim.path.kind == "regex" or _has_pattern(claim):
        return finding(claim.doc, "pattern-refused.model", claim.where)
    if claim.rule.mirrors:
        return finding(claim.doc, "filter-unsupported.mirror-of-model", claim.rule.path)
    plans = {target.plan.key: target.plan for _, target in to_models}
    catalogue = all(plan.protocol == "openai" for plan in plans.values())
    strangers = [t for _, t in weighed if not isinstance(t, ModelBackend)]
    if any(isinstance(t, ServiceBackend) for t in strangers) or (strangers and not catalogue):
        return _mixed(claim)
    return _mixed(claim) if len(plans) > 1 and not catalogue else None


def _has_pattern(claim: RouteRequest) -> bool:
    return any(value.kind == "regex" for value in (*claim.headers, *claim.query))


def _model_rows(
    claim: RouteRequest, to_models: list[tuple[Backend, ModelBackend]], findings: list[Finding]
) -> CompiledRoutes:
    """The rows of one model, or of a catalogue of openai models, which the body chooses among."""
    if len({backend.weight for backend, _ in to_models}) > 1:
        findings.append(finding(claim.doc, "weights-ignored", claim.rule.path))
    pins: dict[tuple[str, str], set[str] | None] = {}
    plans = {}
    for _, target in to_models:
        key = target.plan.key
        plans[key] = target.plan
        before = pins.setdefault(key, set())
        if target.pinned is None or before is None:
            pins[key] = None
        else:
            before.update(target.pinned)
    made = []
    for key, plan in sorted(plans.items()):
        pinned = pins[key]
        versions = None if pinned is None or pinned >= set(plan.known) else tuple(sorted(pinned))
        made.append(compile_model_routes(plan, _mount(claim, versions)))
    return CompiledRoutes(
        claim=claim,
        routes=tuple(route for rows in made for route in rows.routes),
        shared=tuple(route for rows in made for route in rows.shared),
        clusters=tuple(cluster for rows in made for cluster in rows.clusters),
        findings=(*findings, *(found for rows in made for found in _placed(claim, rows))),
        models=tuple(sorted(plans)),
        governed=True,
    )


def _placed(claim: RouteRequest, rows: ModelRoutes) -> list[Finding]:
    """Findings of a mount, with the line that the claim's document knows."""
    return [place(claim.doc, claim.where, f) if f.where is None else f for f in rows.findings]


def _mount(claim: RouteRequest, pinned: tuple[str, ...] | None) -> Mount:
    rule = claim.rule
    return Mount(
        path=claim.path,
        methods=claim.methods,
        headers=claim.headers,
        query=claim.query,
        rewrite=rule.rewrite,
        rewrite_host=rule.rewrite_host,
        request_headers=rule.request_headers,
        response_headers=rule.response_headers,
        timeout_s=rule.timeout_s,
        pinned=pinned,
        origin=claim.doc.origin(claim.where),
    )


def _service_rows(
    claim: RouteRequest,
    weighed: list[tuple[Backend, ResolvedBackend]],
    mirrors: tuple[ResolvedBackend, ...],
    findings: list[Finding],
    *,
    governed: bool,
) -> CompiledRoutes:
    rule = claim.rule
    clusters: dict[str, Cluster] = {}
    shares = []
    for backend, target in weighed:
        name = ""
        if isinstance(target, ServiceBackend):
            cluster = service_cluster(target.servers)
            clusters[cluster.name] = cluster
            name = cluster.name
        shares.append(Share(cluster=name, version="", weight=backend.weight))
    copies = _mirrors(claim, rule.mirrors, mirrors, clusters, findings)
    if copies is None or not any(share.cluster for share in shares):
        return _refused(claim, findings, governed=governed)
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
        claim=claim,
        routes=(_route(claim, forward),),
        clusters=tuple(clusters.values()),
        findings=tuple(findings),
        governed=governed,
    )


def _mirrors(
    claim: RouteRequest,
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
            findings.append(finding(claim.doc, "filter-unsupported.mirror-to-model", path))
            return None
        if isinstance(target, UnresolvedBackend):
            findings.append(place(claim.doc, path, target.problem))
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
