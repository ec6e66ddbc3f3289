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
    found = Filtered(findings=report.findings)
    seen: set[str] = set()
    for position, given in enumerate(rule.filters):
        path = f"{at}.filters[{position}]"
        attribute = _KINDS.get(given.type)
        if attribute is None or getattr(given, attribute) is None:
            report("filter-unsupported.type", path, type=given.type, known=tuple(_KINDS))
            continue
        if given.type != "RequestMirror" and given.type in seen:
            report("rule-invalid.filter-twice", path, type=given.type)
            continue
        seen.add(given.type)
        _read_one(report, path, given, rule, to_backend, found)
    for name, asked in (("retry", rule.retry), ("sessionPersistence", rule.session_persistence)):
        if asked is not None:
            report("rule-invalid.feature", f"{at}.{name}", feature=name)
    if found.redirect is not None and (rule.backend_refs or "URLRewrite" in seen):
        report("rule-invalid.redirect-and-backends", at)
    return found


def _read_one(
    report: Report[HTTPRouteDoc],
    path: str,
    given: kube.HTTPRouteFilter,
    rule: kube.HTTPRouteRule,
    to_backend: Callable[[kube.BackendObjectReference, int, str], Backend],
    found: Filtered,
) -> None:
    if given.request_header_modifier is not None and given.type == "RequestHeaderModifier":
        at = f"{path}.requestHeaderModifier"
        found.request_headers = _headers(report, at, given.request_header_modifier)
    elif given.response_header_modifier is not None and given.type == "ResponseHeaderModifier":
        at = f"{path}.responseHeaderModifier"
        found.response_headers = _headers(report, at, given.response_header_modifier)
    elif given.request_redirect is not None and given.type == "RequestRedirect":
        found.redirect = _redirect(report, f"{path}.requestRedirect", given.request_redirect, rule)
    elif given.url_rewrite is not None and given.type == "URLRewrite":
        at = f"{path}.urlRewrite"
        found.rewrite = _path_modifier(report, at, given.url_rewrite.path, rule)
        found.rewrite_host = _hostname(report, at, given.url_rewrite.hostname)
    elif given.request_mirror is not None:
        at = f"{path}.requestMirror"
        backend = to_backend(given.request_mirror.backend_ref, 1, f"{at}.backendRef")
        per_million = _per_million(report, at, given.request_mirror)
        found.mirrors.append(MirrorBackend(backend=backend, per_million=per_million))


def _per_million(report: Report[HTTPRouteDoc], at: str, given: kube.HTTPRequestMirror) -> int:
    """The share that is mirrored, rounded down, but never to nothing."""
    fraction = given.fraction
    if fraction is None:
        return MILLION if given.percent is None else given.percent * MILLION // 100
    if given.percent is not None or fraction.numerator > fraction.denominator:
        report("rule-invalid.fraction", f"{at}.fraction")
        return 0
    exact = fraction.numerator * MILLION // fraction.denominator
    return max(exact, 1) if fraction.numerator else 0


def _headers(report: Report[HTTPRouteDoc], at: str, given: kube.HTTPHeaderFilter) -> HeaderEdit:
    for part, edits in (("set", given.set), ("add", given.add), ("remove", given.remove)):
        if len(edits) > MAX_HEADERS:
            report(
                "rule-invalid.too-many-headers",
                f"{at}.{part}",
                number=len(edits),
                limit=MAX_HEADERS,
            )
            return HeaderEdit()

    def pairs(part: str, headers: tuple[kube.HTTPHeader, ...]) -> tuple[tuple[str, str], ...]:
        kept: dict[str, str] = {}
        for number, header in enumerate(headers):
            name = grammar.editable_header(header.name)
            if name is None or not grammar.is_value(header.value):
                report("rule-invalid.header", f"{at}.{part}[{number}]", name=header.name)
            else:
                kept.setdefault(name, header.value)
        return tuple(kept.items())

    removed = []
    for number, text in enumerate(given.remove):
        name = grammar.editable_header(text)
        if name is None:
            report("rule-invalid.header", f"{at}.remove[{number}]", name=text)
        else:
            removed.append(name)
    return HeaderEdit(
        set=pairs("set", given.set), add=pairs("add", given.add), remove=tuple(removed)
    )


def _redirect(
    report: Report[HTTPRouteDoc],
    at: str,
    given: kube.HTTPRequestRedirect,
    rule: kube.HTTPRouteRule,
) -> Redirect:
    if given.status_code not in REDIRECT_STATUSES:
        known = sorted(REDIRECT_STATUSES)
        report("rule-invalid.status", f"{at}.statusCode", status=given.status_code, known=known)
    return Redirect(
        status=given.status_code,
        scheme=given.scheme,
        host=_hostname(report, at, given.hostname),
        port=given.port,
        path=_path_modifier(report, at, given.path, rule),
    )


def _hostname(report: Report[HTTPRouteDoc], at: str, text: str | None) -> str | None:
    if text is not None and not grammar.is_exact_host(text):
        report("rule-invalid.hostname", f"{at}.hostname", host=text)
        return None
    return text


def _path_modifier(
    report: Report[HTTPRouteDoc],
    at: str,
    given: kube.HTTPPathModifier | None,
    rule: kube.HTTPRouteRule,
) -> PathRewrite | None:
    if given is None:
        return None
    if given.type == "ReplaceFullPath":
        value = grammar.canonical_path(given.replace_full_path or "/", "exact")
        if value is not None:
            return PathRewrite(kind="full", value=value)
    else:
        if any(match.path.type != "PathPrefix" for match in rule.matches):
            report("rule-invalid.prefix", f"{at}.path")
            return None
        value = grammar.canonical_path(given.replace_prefix_match or "/", "prefix")
        if value is not None:
            return PathRewrite(kind="prefix", value=value)
    report("rule-invalid.path", f"{at}.path")
    return None


def read_timeout(
    report: Report[HTTPRouteDoc], at: str, given: kube.HTTPRouteTimeouts | None
) -> float | None:
    """The time limit of a rule in seconds; None when it names none; 0s means the longest we give."""
    if given is None:
        return None
    limits = []
    for field_name, text in (("request", given.request), ("backendRequest", given.backend_request)):
        if text is None:
            continue
        limit = grammar.seconds(text)
        if limit is None:
            report("rule-invalid.duration", f"{at}.timeouts.{field_name}", text=text)
            continue
        limits.append(min(limit, MAX_TIMEOUT_S) if limit > 0 else MAX_TIMEOUT_S)
    return min(limits, default=None)
