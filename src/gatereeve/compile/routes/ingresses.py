"""Ingress documents to route requests: classes, annotations, hosts, path types, default backend, TLS.

networking.k8s.io/v1. `*` of a host is one label. ImplementationSpecific paths are prefixes. The
default backend answers what the Ingress itself does not: its own hosts, and every host that no
other route names.
"""

from __future__ import annotations

from gatereeve.api import kube
from gatereeve.api.world import HostGrantDoc, IngressDoc
from gatereeve.compile.routes import foreign_annotations, grammar
from gatereeve.compile.routes.host_grants import Grants
from gatereeve.compile.routes.requests import (
    Backend,
    CertificateRequest,
    HostRoute,
    RouteDocument,
    RouteRequest,
    RouteRule,
    report_not_granted,
)
from gatereeve.compile.routes.route_order import age
from gatereeve.core.refs import GATEREEVE_GROUP
from gatereeve.core.report import Report, describe
from gatereeve.ir.routes import PathMatch

DEFAULT_RULE = 1_000_000
"""The place of a default backend: after every rule."""


def compile_ingress(doc: IngressDoc, gate: str, grants: Grants) -> RouteDocument:
    """What one Ingress of ours asks for on `gate`.

    Findings: annotation-refused, annotation-ignored, host-invalid, path-refused, host-not-granted.
    """
    report = Report(doc)
    if not _check_annotations(report):
        return RouteDocument(doc=doc, gate=gate, findings=tuple(report.findings))
    entries: list[HostRoute] = []
    for number, rule in enumerate(doc.spec.rules):
        entries += _rule_entries(report, gate, grants, number, rule)
    entries += _default_entries(report, gate, grants, entries)
    return RouteDocument(
        doc=doc,
        gate=gate,
        entries=tuple(entries),
        certificates=tuple(_certificates(report, gate, grants)),
        findings=tuple(report.findings),
    )


def _check_annotations(report: Report[IngressDoc]) -> bool:
    """Whether no annotation asks for something that would be lost."""
    is_kept = True
    for name, value in sorted(report.doc.meta.annotations.items()):
        verdict = foreign_annotations.judge(name, value)
        path = f"metadata.annotations.{name}"
        if verdict == "refused":
            report("annotation-refused", path, annotation=name)
            is_kept = False
        elif verdict == "ignored":
            report("annotation-ignored", path, annotation=name)
    return is_kept


def host_of(text: str | None) -> str | None:
    """The host of a rule: `*` when there is none; None when it is no DNS name."""
    if not text:
        return "*"
    return text if grammar.is_host(text) else None


def _rule_entries(
    report: Report[IngressDoc], gate: str, grants: Grants, number: int, rule: kube.IngressRule
) -> list[HostRoute]:
    doc = report.doc
    at = f"spec.rules[{number}]"
    host = host_of(rule.host)
    if host is None:
        report("host-invalid", f"{at}.host", host=rule.host or "")
        return []
    entries = []
    for position, path in enumerate(rule.http.paths if rule.http is not None else ()):
        where = f"{at}.http.paths[{position}]"
        match = _path_match(report, where, path)
        if match is None:
            continue
        covering = grants.covering(host, match)
        if not covering:
            report_not_granted(report, where, host, match.value)
            continue
        backend = _backend(doc, path.backend, f"{where}.backend")
        route_request = RouteRequest(
            doc=doc,
            where=where,
            place=(age(doc), number, position),
            path=match,
            rule=RouteRule(backends=(backend,), path=where),
        )
        entries.append(_entry(gate, host, covering, route_request))
    return entries


def _entry(
    gate: str, host: str, covering: tuple[HostGrantDoc, ...], route_request: RouteRequest
) -> HostRoute:
    return HostRoute(
        gate=gate,
        host=host,
        grants=covering,
        single_label=host.startswith("*."),
        listener_ports=("http", "https"),
        protocols=("http", "https"),
        route_request=route_request,
    )


def _path_match(
    report: Report[IngressDoc], where: str, path: kube.HTTPIngressPath
) -> PathMatch | None:
    kind = "exact" if path.path_type == "Exact" else "prefix"
    text = path.path or "/"
    specific = path.path_type == "ImplementationSpecific"
    canonical = grammar.canonical_path(text, "exact" if kind == "exact" else "prefix")
    if canonical is None or (specific and grammar.looks_like_pattern(text)):
        text_name = "path-refused.specific" if specific else "path-refused"
        report(text_name, f"{where}.path", path=text)
        return None
    return PathMatch(kind="exact" if kind == "exact" else "prefix", value=canonical)


def _backend(doc: IngressDoc, backend: kube.IngressBackend, path: str) -> Backend:
    namespace = doc.ref.namespace
    if backend.service is not None and backend.resource is None:
        port = backend.service.port
        number = port.number if port.number is not None else port.name
        problem = None
        if number is None:
            problem = describe("backend-port-unknown.ingress", service=backend.service.name)
        return Backend(
            kind="Service", namespace=namespace, name=backend.service.name, port=number,
            weight=1, path=path, problem=problem,
        )  # fmt: skip
    resource = backend.resource if backend.service is None else None
    problem = None
    if resource is None or (resource.api_group, resource.kind) != (GATEREEVE_GROUP, "Model"):
        named = "neither or both of service and resource" if resource is None else resource.kind
        problem = describe("backend-kind-unknown.ingress", named=named)
    return Backend(
        kind="Model", namespace=namespace, name=resource.name if resource else "", port=None,
        weight=1, path=path, problem=problem,
    )  # fmt: skip


def _default_entries(
    report: Report[IngressDoc], gate: str, grants: Grants, entries: list[HostRoute]
) -> list[HostRoute]:
    """The default backend on every host of the Ingress that has no `/` of its own, and on `*`."""
    doc = report.doc
    if doc.spec.default_backend is None:
        return []
    at = "spec.defaultBackend"
    root = PathMatch(kind="prefix", value="/")
    taken = {e.host for e in entries if e.route_request.path == root}
    hosts = {"*", *(h for rule in doc.spec.rules if (h := host_of(rule.host)))}
    route_request = RouteRequest(
        doc=doc,
        where=at,
        place=(age(doc), DEFAULT_RULE, 0),
        path=root,
        rule=RouteRule(backends=(_backend(doc, doc.spec.default_backend, at),), path=at),
    )
    defaults = []
    for host in sorted(hosts - taken):
        covering = grants.covering(host, root)
        if covering:
            defaults.append(_entry(gate, host, covering, route_request))
        else:
            report_not_granted(report, at, host, "/")
    return defaults


def _certificates(
    report: Report[IngressDoc], gate: str, grants: Grants
) -> list[CertificateRequest]:
    doc = report.doc
    route_requests = []
    for number, tls in enumerate(doc.spec.tls):
        at = f"spec.tls[{number}]"
        if not tls.secret_name:
            continue
        named = tls.hosts or tuple(rule.host or "*" for rule in doc.spec.rules)
        for position, text in enumerate(named):
            path = f"{at}.hosts[{position}]" if tls.hosts else at
            host = text if text == "*" and not tls.hosts else host_of(text)
            if host is None:
                report("host-invalid", path, host=text)
            elif not grants.has_host(host):
                report_not_granted(report, path, host, "(certificate)")
            else:
                route_requests.append(
                    CertificateRequest(
                        gate=gate, host=host, doc=doc, where=f"{at}.secretName",
                        place=(age(doc), number, position),
                        namespace=doc.ref.namespace, name=tls.secret_name,
                    )
                )  # fmt: skip
    return route_requests
