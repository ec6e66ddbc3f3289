"""HTTPRoute filters and timeouts to what a rule does; a filter that cannot be kept breaks the rule.

Gateway API v1: RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite,
RequestMirror. A broken rule answers 500, never without the filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gatereeve.api import kube
from gatereeve.api.world import HTTPRouteDoc
from gatereeve.compile.routes import grammar
from gatereeve.compile.routes.requests import Backend, MirrorBackend
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report
from gatereeve.ir.routes import HeaderEdit, PathRewrite, Redirect

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
MAX_TIMEOUT_S = 3600.0
MAX_HEADERS = 64
"""Edits of one kind in one filter; Envoy takes 1,000, the Gateway API 16."""
MILLION = 1_000_000

_KINDS = {
    "RequestHeaderModifier": "request_header_modifier",
    "ResponseHeaderModifier": "response_header_modifier",
    "RequestRedirect": "request_redirect",
    "URLRewrite": "url_rewrite",
    "RequestMirror": "request_mirror",
}


@dataclass(slots=True, kw_only=True)
class Filtered:
    """What the filters of one rule ask for; filled while they are read, then left alone."""

    redirect: Redirect | None = None
    rewrite: PathRewrite | None = None
    rewrite_host: str | None = None
    request_headers: HeaderEdit = field(default_factory=HeaderEdit)
    response_headers: HeaderEdit = field(default_factory=HeaderEdit)
    mirrors: list[MirrorBackend] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return bool(self.findings)


def read_filters(
    doc: HTTPRouteDoc,
    at: str,
    rule: kube.HTTPRouteRule,
    to_backend: Callable[[kube.BackendObjectReference, int, str], Backend],
) -> Filtered:
    """All filters of the rule at `at`.

    to_backend: reads a backend reference (weight, place). Any finding breaks the rule:
    filter-unsupported, rule-invalid.
    """
    report = Report(doc)
    filtered = Filtered(findings=report.findings)
    seen: set[str] = set()
    for position, route_filter in enumerate(rule.filters):
        path = f"{at}.filters[{position}]"
        attribute = _KINDS.get(route_filter.type)
        if attribute is None or getattr(route_filter, attribute) is None:
            report("filter-unsupported.type", path, type=route_filter.type, known=tuple(_KINDS))
            continue
        if route_filter.type != "RequestMirror" and route_filter.type in seen:
            report("rule-invalid.filter-twice", path, type=route_filter.type)
            continue
        seen.add(route_filter.type)
        _read_filter(report, path, route_filter, rule, to_backend, filtered)
    for name, feature in (("retry", rule.retry), ("sessionPersistence", rule.session_persistence)):
        if feature is not None:
            report("rule-invalid.feature", f"{at}.{name}", feature=name)
    if filtered.redirect is not None and (rule.backend_refs or "URLRewrite" in seen):
        report("rule-invalid.redirect-and-backends", at)
    return filtered


def _read_filter(
    report: Report[HTTPRouteDoc],
    path: str,
    route_filter: kube.HTTPRouteFilter,
    rule: kube.HTTPRouteRule,
    to_backend: Callable[[kube.BackendObjectReference, int, str], Backend],
    filtered: Filtered,
) -> None:
    if (
        route_filter.request_header_modifier is not None
        and route_filter.type == "RequestHeaderModifier"
    ):
        at = f"{path}.requestHeaderModifier"
        filtered.request_headers = _headers(report, at, route_filter.request_header_modifier)
    elif (
        route_filter.response_header_modifier is not None
        and route_filter.type == "ResponseHeaderModifier"
    ):
        at = f"{path}.responseHeaderModifier"
        filtered.response_headers = _headers(report, at, route_filter.response_header_modifier)
    elif route_filter.request_redirect is not None and route_filter.type == "RequestRedirect":
        filtered.redirect = _redirect(
            report, f"{path}.requestRedirect", route_filter.request_redirect, rule
        )
    elif route_filter.url_rewrite is not None and route_filter.type == "URLRewrite":
        at = f"{path}.urlRewrite"
        filtered.rewrite = _path_modifier(report, at, route_filter.url_rewrite.path, rule)
        filtered.rewrite_host = _hostname(report, at, route_filter.url_rewrite.hostname)
    elif route_filter.request_mirror is not None:
        at = f"{path}.requestMirror"
        backend = to_backend(route_filter.request_mirror.backend_ref, 1, f"{at}.backendRef")
        per_million = _per_million(report, at, route_filter.request_mirror)
        filtered.mirrors.append(MirrorBackend(backend=backend, per_million=per_million))


def _per_million(report: Report[HTTPRouteDoc], at: str, mirror: kube.HTTPRequestMirror) -> int:
    """The share that is mirrored, rounded down, but never to nothing."""
    fraction = mirror.fraction
    if fraction is None:
        return MILLION if mirror.percent is None else mirror.percent * MILLION // 100
    if mirror.percent is not None or fraction.numerator > fraction.denominator:
        report("rule-invalid.fraction", f"{at}.fraction")
        return 0
    exact = fraction.numerator * MILLION // fraction.denominator
    return max(exact, 1) if fraction.numerator else 0


def _headers(
    report: Report[HTTPRouteDoc], at: str, header_filter: kube.HTTPHeaderFilter
) -> HeaderEdit:
    for part, edits in (
        ("set", header_filter.set),
        ("add", header_filter.add),
        ("remove", header_filter.remove),
    ):
        if len(edits) > MAX_HEADERS:
            report(
                "rule-invalid.too-many-headers",
                f"{at}.{part}",
                number=len(edits),
                limit=MAX_HEADERS,
            )
            return HeaderEdit()

    def pairs(part: str, headers: tuple[kube.HTTPHeader, ...]) -> tuple[tuple[str, str], ...]:
        headers_by_name: dict[str, str] = {}
        for number, header in enumerate(headers):
            name = grammar.editable_header(header.name)
            if name is None or not grammar.is_value(header.value):
                report("rule-invalid.header", f"{at}.{part}[{number}]", name=header.name)
            else:
                headers_by_name.setdefault(name, header.value)
        return tuple(headers_by_name.items())

    removed = []
    for number, text in enumerate(header_filter.remove):
        name = grammar.editable_header(text)
        if name is None:
            report("rule-invalid.header", f"{at}.remove[{number}]", name=text)
        else:
            removed.append(name)
    return HeaderEdit(
        set=pairs("set", header_filter.set),
        add=pairs("add", header_filter.add),
        remove=tuple(removed),
    )


def _redirect(
    report: Report[HTTPRouteDoc],
    at: str,
    redirect: kube.HTTPRequestRedirect,
    rule: kube.HTTPRouteRule,
) -> Redirect:
    if redirect.status_code not in REDIRECT_STATUSES:
        known = sorted(REDIRECT_STATUSES)
        report("rule-invalid.status", f"{at}.statusCode", status=redirect.status_code, known=known)
    return Redirect(
        status=redirect.status_code,
        scheme=redirect.scheme,
        host=_hostname(report, at, redirect.hostname),
        port=redirect.port,
        path=_path_modifier(report, at, redirect.path, rule),
    )


def _hostname(report: Report[HTTPRouteDoc], at: str, text: str | None) -> str | None:
    if text is not None and not grammar.is_exact_host(text):
        report("rule-invalid.hostname", f"{at}.hostname", host=text)
        return None
    return text


def _path_modifier(
    report: Report[HTTPRouteDoc],
    at: str,
    modifier: kube.HTTPPathModifier | None,
    rule: kube.HTTPRouteRule,
) -> PathRewrite | None:
    if modifier is None:
        return None
    if modifier.type == "ReplaceFullPath":
        value = grammar.canonical_path(modifier.replace_full_path or "/", "exact")
        if value is not None:
            return PathRewrite(kind="full", value=value)
    else:
        if any(match.path.type != "PathPrefix" for match in rule.matches):
            report("rule-invalid.prefix", f"{at}.path")
            return None
        value = grammar.canonical_path(modifier.replace_prefix_match or "/", "prefix")
        if value is not None:
            return PathRewrite(kind="prefix", value=value)
    report("rule-invalid.path", f"{at}.path")
    return None


def read_timeout(
    report: Report[HTTPRouteDoc], at: str, timeouts: kube.HTTPRouteTimeouts | None
) -> float | None:
    """The time limit of a rule in seconds; None if it has none; 0s means the longest that we allow."""
    if timeouts is None:
        return None
    limits = []
    for field_name, text in (
        ("request", timeouts.request),
        ("backendRequest", timeouts.backend_request),
    ):
        if text is None:
            continue
        limit = grammar.seconds(text)
        if limit is None:
            report("rule-invalid.duration", f"{at}.timeouts.{field_name}", text=text)
            continue
        limits.append(min(limit, MAX_TIMEOUT_S) if limit > 0 else MAX_TIMEOUT_S)
    return min(limits, default=None)
