"""HTTPRoute documents to route requests: parents, hosts, matches, filters, weighted backends.

Gateway API v1. A route is attached to the listeners of its parents that admit it; it claims the
hosts that it has in common with them, and only those that its own namespace is granted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from gatereeve.api import kube
from gatereeve.api.world import HTTPRouteDoc, Key
from gatereeve.compile.routes import gateways, grammar, patterns
from gatereeve.compile.routes.filters import read_filters, read_timeout
from gatereeve.compile.routes.gateways import GROUP, Attached, Binding
from gatereeve.compile.routes.host_grants import Grants
from gatereeve.compile.routes.requests import (
    Backend,
    CertificateRequest,
    HostRoute,
    ParentRef,
    RouteDocument,
    RouteRequest,
    RouteRule,
    report_not_granted,
)
from gatereeve.compile.routes.route_order import age
from gatereeve.core.findings import Finding
from gatereeve.core.refs import GATEREEVE_GROUP
from gatereeve.core.report import Report, describe
from gatereeve.ir.routes import PathMatch, ValueMatch

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def parents_of(
    doc: HTTPRouteDoc,
    gateways: Mapping[tuple[str, str], Binding | Finding],
) -> tuple[Binding | bool | None, ...]:
    """What each parentRef names: a Binding, True for one that is not ours, None for nothing."""
    parents: list[Binding | bool | None] = []
    for reference in doc.spec.parent_refs:
        key = (reference.namespace or doc.ref.namespace, reference.name)
        ours = reference.kind == "Gateway" and reference.group == GROUP
        gateway = gateways.get(key) if ours else None
        parents.append(True if not ours or isinstance(gateway, Finding) else gateway)
    return tuple(parents)


def compile_http_route(
    doc: HTTPRouteDoc,
    parents: tuple[Binding | bool | None, ...],
    grants: Grants,
    labels: Mapping[str, str],
) -> RouteDocument:
    """What one HTTPRoute claims, on every gate that its parents are on.

    parents: from `parents_of`. grants, labels: of the route's namespace.
    Findings: parent-missing, parent-not-found, parent-not-allowed, no-matching-host, host-invalid,
    host-not-granted, path-refused, pattern-refused, rule-invalid, filter-unsupported.
    """
    report = Report(doc)
    hosts = _hosts(report)
    attached: list[_Place] = []
    states: list[ParentRef] = []
    for number, parent in enumerate(parents):
        if isinstance(parent, Binding):
            places, state = _attached(report, number, parent, labels, hosts)
            attached += places
            states.append(state)
        elif parent is None:
            _no_parent(report, number)
    if not doc.spec.parent_refs:
        report("parent-missing", "spec.parentRefs")
    if hosts and not any(place.hosts for place in attached) and attached:
        report("no-matching-host", "spec.hostnames")
    reachable = any(place.hosts for place in attached)
    rules = _rules(report if reachable else Report(doc))  # rules without requests are not reported
    if not reachable:
        return RouteDocument(
            doc=doc, parents=tuple(states), rules=rules, findings=tuple(report.findings)
        )
    route_requests = _claims(report, rules)
    entries = _entries(report, attached, route_requests, grants)
    return RouteDocument(
        doc=doc,
        entries=tuple(entries),
        certificates=tuple(_certificates(report, attached, entries)),
        parents=tuple(states),
        rules=rules,
        live=frozenset(
            route_request.place[1]
            for route_request in route_requests
            if not route_request.rule.broken
        ),
        findings=tuple(dict.fromkeys(report.findings)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One listener that takes the route. hosts: those that they have in common; served: those of
    them that no other listener of the same port is closer to (Gateway API, listener isolation)."""

    binding: Binding
    listener: Attached
    hosts: tuple[str, ...]
    served: tuple[str, ...]


def _attached(
    report: Report[HTTPRouteDoc],
    number: int,
    binding: Binding,
    labels: Mapping[str, str],
    hosts: tuple[str, ...],
) -> tuple[list[_Place], ParentRef]:
    """The listeners of one parent that take the route, and what is to be said about it."""
    reference = report.doc.spec.parent_refs[number]
    gateway = (binding.doc.ref.namespace, binding.doc.ref.name)
    state = ParentRef(
        number=number,
        gateway=gateway,
        gate=binding.gate,
        listener_set=binding.gateway,
        refused=None,
    )
    named = [
        listener
        for listener in binding.listeners
        if reference.section_name in (None, listener.name)
        and reference.port in (None, listener.port)
    ]
    if not named:
        problem = _no_parent(report, number)
        return [], replace(state, refused=("NoMatchingParent", problem.message))
    admitted = [x for x in named if gateways.admits(x, binding.doc, labels)]
    if not admitted:
        problem = report(
            "parent-not-allowed", f"spec.parentRefs[{number}]",
            gateway=binding.doc.ref, namespace=report.doc.ref.namespace,
        )  # fmt: skip
        return [], replace(state, refused=("NotAllowedByListeners", problem.message))
    places = [_place(binding, listener, hosts) for listener in admitted]
    listeners = tuple(place.listener.name for place in places if place.hosts)
    if not listeners:
        refused = ("NoMatchingListenerHostname", describe("no-matching-host").message)
        return places, replace(state, refused=refused)
    return places, replace(state, listeners=listeners)


def _place(binding: Binding, listener: Attached, hosts: tuple[str, ...]) -> _Place:
    common = (gateways.common_host(listener.host, host) for host in hosts)
    common_hosts = tuple(host for host in common if host is not None)
    return _Place(
        binding=binding,
        listener=listener,
        hosts=common_hosts,
        served=tuple(
            h for h in common_hosts if not gateways.is_closer(binding.listeners, listener, h)
        ),
    )


def _no_parent(report: Report[HTTPRouteDoc], number: int) -> Finding:
    name = report.doc.spec.parent_refs[number].name
    return report("parent-not-found", f"spec.parentRefs[{number}]", gateway=name)


def _hosts(report: Report[HTTPRouteDoc]) -> tuple[str, ...]:
    """The hosts that the route asks for; every one when it names none."""
    wanted = []
    for number, host in enumerate(report.doc.spec.hostnames):
        if grammar.is_host(host):
            wanted.append(host)
        else:
            report("host-invalid", f"spec.hostnames[{number}]", host=host)
    return tuple(wanted) if report.doc.spec.hostnames else ("*",)


def _entries(
    report: Report[HTTPRouteDoc],
    attached: list[_Place],
    route_requests: list[RouteRequest],
    grants: Grants,
) -> list[HostRoute]:
    """Every route request for every host of every listener set, as far as the namespace is granted it."""
    listeners: defaultdict[tuple[str, Key | None, str], list[Attached]] = defaultdict(list)
    for place in attached:
        for host in place.served:
            listeners[place.binding.gate, place.binding.gateway, host].append(place.listener)
    entries: list[HostRoute] = []
    for (gate, gateway, host), sharing in sorted(listeners.items(), key=_by_front):
        listener_ports = tuple(sorted({listener.listener_port for listener in sharing}))
        protocols = tuple(sorted({listener.protocol for listener in sharing}))
        for route_request in route_requests:
            covering = grants.covering(host, route_request.path)
            if covering:
                entries.append(
                    HostRoute(gate=gate, gateway=gateway, host=host, grants=covering,
                          single_label=False, listener_ports=listener_ports, protocols=protocols, route_request=route_request)
                )  # fmt: skip
            else:
                report_not_granted(report, route_request.where, host, route_request.path.value)
    return entries


def _by_front(item: tuple[tuple[str, Key | None, str], object]) -> tuple[str, Key, str]:
    gate, gateway, host = item[0]
    return gate, gateway or ("", ""), host


def _rules(report: Report[HTTPRouteDoc]) -> tuple[RouteRule, ...]:
    return tuple(
        _rule(report, f"spec.rules[{number}]", spec_rule)
        for number, spec_rule in enumerate(_spec_rules(report.doc))
    )


def _spec_rules(doc: HTTPRouteDoc) -> tuple[kube.HTTPRouteRule, ...]:
    return doc.spec.rules or (kube.HTTPRouteRule(),)


def _claims(report: Report[HTTPRouteDoc], rules: tuple[RouteRule, ...]) -> list[RouteRequest]:
    route_requests = []
    for number, (spec_rule, rule) in enumerate(zip(_spec_rules(report.doc), rules, strict=True)):
        at = rule.path
        for position, match in enumerate(spec_rule.matches or (kube.HTTPRouteMatch(),)):
            where = f"{at}.matches[{position}]" if spec_rule.matches else at
            route_request = _claim(report, where, (number, position), match, rule)
            if route_request is not None:
                route_requests.append(route_request)
    return route_requests


def _rule(report: Report[HTTPRouteDoc], at: str, spec_rule: kube.HTTPRouteRule) -> RouteRule:
    doc = report.doc
    filtered = read_filters(doc, at, spec_rule, partial(_backend, doc))
    timeout_s = read_timeout(Report(doc, filtered.findings), at, spec_rule.timeouts)
    backends = tuple(
        _weighted(doc, f"{at}.backendRefs[{n}]", ref)
        for n, ref in enumerate(spec_rule.backend_refs)
    )
    if filtered.redirect is None and not filtered.broken and not any(b.weight for b in backends):
        report("backend-not-found.none", at)
    report.findings.extend(filtered.findings)
    return RouteRule(
        backends=backends,
        redirect=filtered.redirect,
        rewrite=filtered.rewrite,
        rewrite_host=filtered.rewrite_host,
        request_headers=filtered.request_headers,
        response_headers=filtered.response_headers,
        mirrors=tuple(filtered.mirrors),
        timeout_s=timeout_s,
        broken=filtered.broken,
        path=at,
    )


def _weighted(doc: HTTPRouteDoc, path: str, ref: kube.HTTPBackendRef) -> Backend:
    """A backendRef; filters of its own are not supported, so its share answers 500."""
    backend = _backend(doc, ref, ref.weight, path)
    if not ref.filters or backend.problem is not None:
        return backend
    return Backend(
        kind=backend.kind,
        namespace=backend.namespace,
        name=backend.name,
        port=backend.port,
        weight=backend.weight,
        path=path,
        problem=describe("filter-unsupported.backend"),
    )


def _backend(
    doc: HTTPRouteDoc, ref: kube.BackendObjectReference, weight: int, path: str
) -> Backend:
    namespace = ref.namespace or doc.ref.namespace
    problem = None
    kind = (ref.group, ref.kind)
    if kind not in (("", "Service"), (GATEREEVE_GROUP, "Model")):
        problem = describe("backend-kind-unknown.route", kind=ref.kind, group=ref.group)
    elif ref.kind == "Service" and ref.port is None:
        problem = describe("backend-port-unknown.route", service=ref.name)
    return Backend(
        kind="Model" if kind == (GATEREEVE_GROUP, "Model") else "Service",
        namespace=namespace, name=ref.name, port=ref.port, weight=weight, path=path,
        problem=problem,
    )  # fmt: skip


def _claim(
    report: Report[HTTPRouteDoc],
    where: str,
    place: tuple[int, int],
    match: kube.HTTPRouteMatch,
    rule: RouteRule,
) -> RouteRequest | None:
    """A match as a route request. One that cannot be kept is not served: it would match something else."""
    before = len(report.findings)
    path = _path(report, where, match.path)
    headers = _values(report, where, "headers", match.headers)
    query = _values(report, where, "queryParams", match.query_params)
    if match.method is not None and match.method not in _METHODS:
        report(
            "rule-invalid.method", f"{where}.method", method=match.method, known=sorted(_METHODS)
        )
    if path is None or len(report.findings) > before:
        return None
    return RouteRequest(
        doc=report.doc,
        where=where,
        place=(age(report.doc), *place),
        path=path,
        methods=() if match.method is None else (match.method,),
        headers=headers,
        query=query,
        rule=rule,
    )


def _path(
    report: Report[HTTPRouteDoc], where: str, path_match: kube.HTTPPathMatch
) -> PathMatch | None:
    if path_match.type == "RegularExpression":
        pattern = _pattern(report, f"{where}.path", path_match.value)
        return None if pattern is None else PathMatch(kind="regex", value=pattern)
    exact = path_match.type == "Exact"
    value = grammar.canonical_path(path_match.value, "exact" if exact else "prefix")
    if value is None:
        report("path-refused", f"{where}.path", path=path_match.value)
        return None
    return PathMatch(kind="exact" if exact else "prefix", value=value)


def _pattern(report: Report[HTTPRouteDoc], path: str, text: str) -> str | None:
    try:
        return patterns.bounded_pattern(text)
    except patterns.PatternError as refused:
        report(
            "pattern-refused",
            path,
            pattern=text[:80],
            why=refused,
            characters=patterns.MAX_PATTERN,
            repeat=patterns.MAX_REPEAT,
            product=patterns.MAX_NESTED_REPEAT,
        )
        return None


def _values(
    report: Report[HTTPRouteDoc], where: str, part: str, matches: tuple[kube.HTTPValueMatch, ...]
) -> tuple[ValueMatch, ...]:
    """Header or query matches, sorted; of several with one name the first counts (Gateway API)."""
    by_name: dict[str, ValueMatch] = {}
    for number, value in enumerate(matches):
        path = f"{where}.{part}[{number}]"
        name = grammar.header_name(value.name) if part == "headers" else value.name
        if name is None or (part != "headers" and not grammar.is_query_name(name)):
            report("rule-invalid.name", path, name=value.name)
            continue
        if value.type == "RegularExpression":
            pattern = _pattern(report, path, value.value)
            if pattern is not None:
                by_name.setdefault(name, ValueMatch(name=name, kind="regex", value=pattern))
        elif not grammar.is_value(value.value):
            report("rule-invalid.value", path)
        else:
            by_name.setdefault(name, ValueMatch(name=name, kind="exact", value=value.value))
    return tuple(by_name[name] for name in sorted(by_name))


def _certificates(
    report: Report[HTTPRouteDoc], attached: list[_Place], entries: list[HostRoute]
) -> list[CertificateRequest]:
    """The listeners' certificates, for the hosts that this route claims through them.

    A Gateway shows a certificate only for hosts that its own namespace is granted.
    """
    claimed = {(entry.gate, entry.gateway, entry.host) for entry in entries}
    route_requests = []
    for place in attached:
        binding, listener = place.binding, place.listener
        at = f"spec.listeners[{listener.position}]"
        for host in sorted(place.served) if listener.certificates else ():
            if (binding.gate, binding.gateway, host) not in claimed:
                continue
            if not binding.grants.has_host(host):
                of_gateway = Report(binding.doc, report.findings)
                report_not_granted(of_gateway, at, host, "(certificate)")
                continue
            route_requests += [
                gateways.certificate_claim(
                    binding.doc, binding.gate, binding.gateway, listener, number, ref, host
                )
                for number, ref in enumerate(listener.certificates)
            ]
    return route_requests
