"""HTTPRoute filters and timeouts to what a rule does; a filter that cannot be kept breaks the rule.

Gateway API v1: RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite,
RequestMirror. A broken rule answers 500, never without the filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gatereeve.api import kube
from gatereeve.api.world import HTTPRouteDoc
from gatereeve.compile.report import finding
from gatereeve.compile.routes import grammar
from gatereeve.compile.routes.requests import Backend, MirrorBackend
from gatereeve.core.findings import Finding
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
    found = Filtered()
    seen: set[str] = set()
    for position, given in enumerate(rule.filters):
        path = f"{at}.filters[{position}]"
        attribute = _KINDS.get(given.type)
        if attribute is None or getattr(given, attribute) is None:
            found.findings.append(
                finding(doc, "filter-unsupported", path,
                        f"filter {given.type} is not supported, or its content is missing",
                        f"supported: {', '.join(_KINDS)}")
            )  # fmt: skip
            continue
        if given.type != "RequestMirror" and given.type in seen:
            _invalid(doc, path, f"{given.type} stands twice", "keep one", found)
            continue
        seen.add(given.type)
        _read_one(doc, path, given, rule, to_backend, found)
    for name, asked in (("retry", rule.retry), ("sessionPersistence", rule.session_persistence)):
        if asked is not None:
            _invalid(doc, f"{at}.{name}", f"{name} of a rule is not kept",
                     "remove it: a gate retries what has not reached a server, and a Rollout keeps callers on a version",
                     found)  # fmt: skip
    if found.redirect is not None and (rule.backend_refs or "URLRewrite" in seen):
        _invalid(doc, at, "a redirect leaves nothing for backends or rewrites",
                 "remove one of them", found)  # fmt: skip
    return found


def _read_one(
    doc: HTTPRouteDoc,
    path: str,
    given: kube.HTTPRouteFilter,
    rule: kube.HTTPRouteRule,
    to_backend: Callable[[kube.BackendObjectReference, int, str], Backend],
    found: Filtered,
) -> None:
    if given.request_header_modifier is not None and given.type == "RequestHeaderModifier":
        at = f"{path}.requestHeaderModifier"
        found.request_headers = _headers(doc, at, given.request_header_modifier, found)
    elif given.response_header_modifier is not None and given.type == "ResponseHeaderModifier":
        at = f"{path}.responseHeaderModifier"
        found.response_headers = _headers(doc, at, given.response_header_modifier, found)
    elif given.request_redirect is not None and given.type == "RequestRedirect":
        found.redirect = _redirect(
            doc, f"{path}.requestRedirect", given.request_redirect, rule, found
        )
    elif given.url_rewrite is not None and given.type == "URLRewrite":
        at = f"{path}.urlRewrite"
        found.rewrite = _path_modifier(doc, at, given.url_rewrite.path, rule, found)
        found.rewrite_host = _hostname(doc, at, given.url_rewrite.hostname, found)
    elif given.request_mirror is not None:
        at = f"{path}.requestMirror"
        backend = to_backend(given.request_mirror.backend_ref, 1, f"{at}.backendRef")
        per_million = _per_million(doc, at, given.request_mirror, found)
        found.mirrors.append(MirrorBackend(backend=backend, per_million=per_million))


def _per_million(doc: HTTPRouteDoc, at: str, given: kube.HTTPRequestMirror, found: Filtered) -> int:
    """The share that is mirrored, rounded down, but never to nothing."""
    fraction = given.fraction
    if fraction is None:
        return MILLION if given.percent is None else given.percent * MILLION // 100
    if given.percent is not None or fraction.numerator > fraction.denominator:
        _invalid(doc, f"{at}.fraction", "percent and fraction exclude each other, and no fraction is above 1",
                 "keep one of them, with a numerator up to the denominator", found)  # fmt: skip
        return 0
    exact = fraction.numerator * MILLION // fraction.denominator
    return max(exact, 1) if fraction.numerator else 0


def _headers(
    doc: HTTPRouteDoc, at: str, given: kube.HTTPHeaderFilter, found: Filtered
) -> HeaderEdit:
    for part, edits in (("set", given.set), ("add", given.add), ("remove", given.remove)):
        if len(edits) > MAX_HEADERS:
            _invalid(doc, f"{at}.{part}", f"{len(edits)} headers are edited; {MAX_HEADERS} are accepted",
                     "edit fewer headers", found)  # fmt: skip
            return HeaderEdit()

    def pairs(part: str, headers: tuple[kube.HTTPHeader, ...]) -> tuple[tuple[str, str], ...]:
        kept: dict[str, str] = {}
        for number, header in enumerate(headers):
            name = grammar.editable_header(header.name)
            if name is None or not grammar.is_value(header.value):
                _invalid_header(doc, f"{at}.{part}[{number}]", header.name, found)
            else:
                kept.setdefault(name, header.value)
        return tuple(kept.items())

    removed = []
    for number, text in enumerate(given.remove):
        name = grammar.editable_header(text)
        if name is None:
            _invalid_header(doc, f"{at}.remove[{number}]", text, found)
        else:
            removed.append(name)
    return HeaderEdit(
        set=pairs("set", given.set), add=pairs("add", given.add), remove=tuple(removed)
    )


def _invalid_header(doc: HTTPRouteDoc, path: str, name: str, found: Filtered) -> None:
    _invalid(doc, path, f"header {name!r} may not be edited by a route, or its value is not text",
             "use a header of your own, of letters, digits and `-`, with a visible value", found)  # fmt: skip


def _redirect(
    doc: HTTPRouteDoc,
    at: str,
    given: kube.HTTPRequestRedirect,
    rule: kube.HTTPRouteRule,
    found: Filtered,
) -> Redirect:
    if given.status_code not in REDIRECT_STATUSES:
        allowed = ", ".join(str(s) for s in sorted(REDIRECT_STATUSES))
        _invalid(doc, f"{at}.statusCode", f"{given.status_code} is no redirect", allowed, found)
    return Redirect(
        status=given.status_code,
        scheme=given.scheme,
        host=_hostname(doc, at, given.hostname, found),
        port=given.port,
        path=_path_modifier(doc, at, given.path, rule, found),
    )


def _hostname(doc: HTTPRouteDoc, at: str, text: str | None, found: Filtered) -> str | None:
    if text is not None and not grammar.is_exact_host(text):
        _invalid(doc, f"{at}.hostname", f"{text!r} is no host name", "write a DNS name", found)
        return None
    return text


def _path_modifier(
    doc: HTTPRouteDoc,
    at: str,
    given: kube.HTTPPathModifier | None,
    rule: kube.HTTPRouteRule,
    found: Filtered,
) -> PathRewrite | None:
    if given is None:
        return None
    if given.type == "ReplaceFullPath":
        value = grammar.canonical_path(given.replace_full_path or "/", "exact")
        if value is not None:
            return PathRewrite(kind="full", value=value)
    else:
        if any(match.path.type != "PathPrefix" for match in rule.matches):
            _invalid(doc, f"{at}.path", "only a matched prefix can be replaced",
                     "match by PathPrefix, or use ReplaceFullPath", found)  # fmt: skip
            return None
        value = grammar.canonical_path(given.replace_prefix_match or "/", "prefix")
        if value is not None:
            return PathRewrite(kind="prefix", value=value)
    _invalid(doc, f"{at}.path", "the new path has no canonical form",
             "write a path without empty or dot segments, `;` and needless escapes", found)  # fmt: skip
    return None


def read_timeout(
    doc: HTTPRouteDoc, at: str, given: kube.HTTPRouteTimeouts | None, found: Filtered
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
            _invalid(doc, f"{at}.timeouts.{field_name}", f"{text!r} is no duration",
                     "write for example 10s, 1m30s or 500ms", found)  # fmt: skip
            continue
        limits.append(min(limit, MAX_TIMEOUT_S) if limit > 0 else MAX_TIMEOUT_S)
    return min(limits, default=None)


def _invalid(doc: HTTPRouteDoc, path: str, message: str, hint: str, found: Filtered) -> None:
    found.findings.append(finding(doc, "rule-invalid", path, message, hint))
