"""The reference decision: what the gate answers to one request, and why, step by step.

Design section 5 over the IR, in the order in which the gate's filters run, so that `explain` and
Envoy agree on every request (P4). Pure: no I/O, no clock. The steps, numbered alike in every `Step`:

 1 entry       the request has a canonical form                        5.1
 2 host        a virtual host; TLS where it is asked for               5.1
 3 route       a row by what is known before identity                  5.1
 4 identity    the credentials, all of them                            5.2
 5 attributes  region and purpose
 6 body        the model and streaming in an OpenAI body
 7 row         the row by all that is known now; groups, regions       5.5
 8 headers     headers and query parameters that rules read say one thing 5.8
 9 admission   somebody is there, or nobody is admitted                5.2
10 deny        no deny rule matches                                    5.3
11 allow       an allow rule matches                                   5.3
12 limit       its limit; the bucket is taken to be full               5.4
13 removal     headers that a model does not get are taken off, the gate adds its own
14 answer      a version by the sticky split, a redirect, a refusal    5.5

Ordinary routes take 1, 2, 3 and 14: they ask for nothing. Health is taken to be good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gatereeve.core import refusals, trusted_headers
from gatereeve.core.errors import RequestError
from gatereeve.core.plain_values import (
    is_governed_path,
    is_ordinary_path,
    is_plain_query,
    is_plain_value,
)
from gatereeve.decide import actions, rules
from gatereeve.decide.attributes import find_attribute
from gatereeve.decide.bodies import Body, read_body
from gatereeve.decide.callers import IdentifiedCaller, assume_caller, identify
from gatereeve.decide.canonical_request import CanonicalRequest, RefusedRequest, enter
from gatereeve.decide.decision import STEPS, Answer, Decision, Step, Trail
from gatereeve.decide.principals import Assumed, Principal
from gatereeve.decide.request import Request
from gatereeve.decide.route_matching import Known, find_host, find_route
from gatereeve.ir.access import Access
from gatereeve.ir.gates import Gate, Listener
from gatereeve.ir.header_access import CALLER_HEADERS, read_headers, read_parameters
from gatereeve.ir.routes import Forward, Governance, Redirect, Refuse, Route, VirtualHost

__all__ = ["STEPS", "Assumed", "Decision", "Principal", "Step", "decide"]


def decide(
    gate: Gate, request: Request, *, now: datetime, assume: Assumed | None = None
) -> Decision:
    """What `gate` answers to `request` at `now`.

    assume: an identity taken for granted (before `request.assume`); credentials are not looked at.
    Raises RequestError when the request names a listener that the gate does not have.
    """
    trail = Trail()
    listener = _listener(gate, request)
    # 1 entry
    entry = enter(request, trusted_hops=gate.trusted_hops)
    if isinstance(entry, RefusedRequest):
        return trail.refuse("entry", entry.code, entry.why, gate.origin)
    trail.say("entry", "canonical", f"{entry.method} {entry.host}{entry.path}")
    # 2 host
    host = find_host(listener.hosts, entry.host)
    if host is None:
        why = f"no route on listener {listener.name} has the host {entry.host}"
        return trail.refuse("host", "unknown-host", why, listener.origin)
    stop = _transport(trail, gate, listener, host, entry)
    if stop is not None:
        return stop
    # 3 route
    route = find_route(host.routes, entry, Known())
    if route is None:
        why = f"no row of {host.host} has this path, method, headers and query"
        return trail.refuse("route", "unknown-path", why, host.origin)
    trail.route = route
    trail.say("route", route.name, _route_detail(host, route), route.origin)
    if _is_odd_path(gate, route, entry.path):
        why = f"a server may read {entry.path} otherwise than the gate does"
        return trail.refuse("route", "ambiguous-path", why, route.origin)
    if not asks_identity(route):
        return _answer(trail, gate, listener, route, entry)
    caller = _caller(gate, entry, now=now, assumed=assume or request.assume)
    return _governed(trail, _Place(gate, listener, host, route), entry, caller)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a request stands after step 3."""

    gate: Gate
    listener: Listener
    host: VirtualHost
    route: Route


def asks_identity(route: Route) -> bool:
    """Whether credentials are looked at before this row answers: every governed row, and the row
    that refuses unknown models, for before the body is read it stands for all models of its path."""
    return route.governance is not None or _reads_body(route)


def _is_odd_path(gate: Gate, route: Route, path: str) -> bool:
    """Whether the path may not be that of this row (`core.plain_values`)."""
    if route.governance is not None:
        return not is_governed_path(path)
    asked = gate.requests.plain_ordinary_paths and isinstance(route.action, Forward)
    return asked and not is_ordinary_path(path)


def _governed(
    trail: Trail, place: _Place, entry: CanonicalRequest, caller: IdentifiedCaller
) -> Decision:
    """Steps 4 to 14."""
    gate = place.gate
    # 4 identity
    if caller.invalid is not None and caller.bad_token:
        return trail.refuse("identity", "invalid-credential", caller.invalid.why, caller.origin)
    trail.principal = caller.principal or caller.proved
    _say_caller(trail, caller)
    # 5 attributes
    trail.region = find_attribute(gate.attributes.region, entry, caller)
    trail.purpose = find_attribute(gate.attributes.purpose, entry, caller)
    found = f"region {trail.region or 'unknown'}, purpose {trail.purpose or 'unknown'}"
    trail.say("attributes", found, "by the Gate's sources; the first that says one counts")
    # 6 body
    body = None
    if _reads_body(place.route):
        if len(entry.body) > gate.max_body_bytes:
            why = f"{len(entry.body)} bytes, and {gate.max_body_bytes} may be inspected"
            return trail.refuse("body", "payload-too-large", why, gate.origin)
        body = read_body(entry)
        trail.say("body", f"model {body.model or 'unknown'}", _body_detail(body))
    # 7 row
    known = Known(principal=caller.principal, region=trail.region, body=body)
    row = find_route(place.host.routes, entry, known) or place.route
    trail.route = row
    trail.say("row", row.name, _row_detail(row), row.origin)
    # 8 headers
    stop = _header_stop(trail, place, row, entry)
    if stop is not None:
        return stop
    # 9 admission
    if caller.invalid is not None:
        return trail.refuse("admission", "invalid-credential", caller.invalid.why, caller.origin)
    if row.governance is not None:
        stop = _access_stop(trail, gate, row, row.governance)
        if stop is not None:
            return stop
    return _answer(trail, gate, place.listener, row, entry)


def _header_stop(
    trail: Trail, place: _Place, row: Route, entry: CanonicalRequest
) -> Decision | None:
    """Step 8: the refusal of a header or query parameter that may be read in two ways, or None."""
    if row.governance is None:
        return None
    target = entry.path if entry.query is None else f"{entry.path}?{entry.query}"
    for name in read_parameters(place.host.routes):
        if not is_plain_query(name, target):
            why = f"the query parameter {name} is repeated or written in another way, and a rule reads it"
            return trail.refuse("headers", "ambiguous-path", why, row.origin)
    names = read_headers(place.gate.attributes, place.host.routes)
    for name in names:
        if not is_plain_value(entry.values(name)):
            why = f"{name} is repeated, empty, holds a comma, or is not visible ASCII, and a rule reads it"
            return trail.refuse("headers", "ambiguous-header", why, row.origin)
    trail.say("headers", "plain", f"read by rules: {', '.join(names) or 'none'}", row.origin)
    return None


def _access_stop(trail: Trail, gate: Gate, row: Route, governance: Governance) -> Decision | None:
    """Steps 9 to 12: the refusal, or None when the request is admitted."""
    access = next((a for a in gate.access if a.model == governance.model), None)
    if access is None:  # no rules at all: nobody (P3)
        access = Access(model=governance.model, deny=(), allow=())
    # 9 admission
    if trail.principal is None and not access.admits_anonymous:
        why = "no credential was presented, and no rule admits anonymous callers"
        return trail.refuse("admission", "credential-required", why, row.origin)
    trail.say("admission", "heard", "the rules decide", row.origin)
    asked = rules.RuleInput(
        principal=trail.principal,
        region=trail.region,
        purpose=trail.purpose,
        operation=governance.operation,
    )
    # 10 deny
    shadow = rules.first_match(access.shadow_deny, asked)
    if shadow is not None:
        trail.shadow.append(f"deny {shadow.name}")
    trail.rule = rules.first_match(access.deny, asked)
    if trail.rule is not None:
        why = f"{trail.rule.name} denies it"
        return trail.refuse("deny", "denied-by-rule", why, trail.rule.origin)
    trail.say("deny", "none", f"{len(access.deny)} deny rules, none fits")
    # 11 allow
    shadow = rules.first_match(access.shadow_allow, asked)
    if access.shadow_allow:
        trail.shadow.append("no-allow-rule" if shadow is None else f"allow {shadow.name}")
    trail.rule = rules.first_match(access.allow, asked)
    if trail.rule is None:
        return trail.refuse("allow", "no-allow-rule", _misfits(access, asked), row.origin)
    trail.say("allow", trail.rule.name, "the first allow rule that fits", trail.rule.origin)
    # 12 limit
    limit = trail.rule.limit
    if limit is None:
        trail.say("limit", "none", "the rule sets no limit", trail.rule.origin)
    else:
        text = f"{limit.count} requests in {limit.seconds} s"
        trail.say("limit", text, "for each principal; taken to be unused", trail.rule.origin)
    return None


def _answer(
    trail: Trail, gate: Gate, listener: Listener, row: Route, entry: CanonicalRequest
) -> Decision:
    """Steps 13 and 14."""
    action = row.action
    if isinstance(action, Refuse):
        return trail.refuse("answer", action.code, refusals.lookup(action.code).about, row.origin)
    if isinstance(action, Redirect):
        target = actions.location(action, row.match.path, listener, entry)
        trail.say("answer", "redirect", target, row.origin)
        return trail.end(Answer(status=action.status, location=target))
    # 13 removal
    if row.governance is not None:
        _say_removed(trail, gate, row, entry)
    # 14 answer
    return _forward(trail, action, row, entry)


def _say_removed(trail: Trail, gate: Gate, row: Route, entry: CanonicalRequest) -> None:
    """Step 13: headers that the model does not get (`core.trusted_headers`), and those that the gate adds."""
    sent = (name for name, _ in entry.headers)
    removed = trusted_headers.removed(gate.requests.identity_headers, sent)
    detail = f"headers that the model does not get: {', '.join(removed) or 'none was sent'}"
    said = _said_headers(trail, row)
    if said:
        detail += f"; headers that the gate adds: {', '.join(said)}"
    trail.say("removal", f"{len(removed)} removed, {len(said)} added", detail, gate.origin)


def _said_headers(trail: Trail, row: Route) -> list[str]:
    """Names of the headers in which the gate says what it knows of this request."""
    known = {
        "principal": trail.principal is not None,
        "groups": trail.principal is not None,
        "region": trail.region is not None,
        "purpose": trail.purpose is not None,
        "record": True,
    }
    asked = () if row.governance is None else row.governance.caller_headers
    return sorted(header for what in asked if known[what] for header in CALLER_HEADERS[what])


def _forward(trail: Trail, action: Forward, row: Route, entry: CanonicalRequest) -> Decision:
    chosen = actions.choose_share(action, entry, trail.principal)
    share = chosen.share
    if not share.cluster:
        why = "this share of the traffic has no valid backend"
        return trail.refuse("answer", "no-backend", why, row.origin)
    shares = ", ".join(f"{s.version or s.cluster} {s.weight}" for s in action.shares)
    detail = f"of {shares}; by {chosen.sticky}" if len(action.shares) > 1 else share.cluster
    what = f"version {share.version}" if share.version else "forwarded"
    trail.say("answer", what, detail, row.origin)
    return trail.end(
        Answer(
            status=200,
            forwarded=True,
            version=share.version,
            cluster=share.cluster,
            possible=chosen.possible,
            split_key=None if chosen.key is None else f"{chosen.key:016x}",
            mirrors=tuple(mirror.cluster for mirror in action.mirrors),
        )
    )


def _transport(
    trail: Trail, gate: Gate, listener: Listener, host: VirtualHost, entry: CanonicalRequest
) -> Decision | None:
    """Step 2, after the host is known: TLS name and plain HTTP."""
    if listener.protocol == "https" and entry.sni is not None:
        named = find_host(listener.hosts, entry.sni)
        if named is not host:
            why = f"the TLS connection is for {entry.sni}, the request for {entry.host}"
            return trail.refuse("host", "misdirected-request", why, host.origin)
    if entry.method == "TRACE":
        why = "TRACE would show the caller what the gate added"
        return trail.refuse("host", "malformed-request", why, host.origin)
    if listener.protocol == "http" and host.tls == "refuse":
        why = f"{host.host} is governed and served over TLS only"
        return trail.refuse("host", "tls-required", why, host.origin)
    if listener.protocol == "http" and host.tls == "redirect":
        target = actions.tls_location(gate, listener, entry)
        trail.say("host", "redirect", f"to TLS: {target}", host.origin)
        return trail.end(Answer(status=308, location=target))
    trail.say("host", host.host, f"on listener {listener.name}", host.origin)
    return None


def _listener(gate: Gate, request: Request) -> Listener:
    for listener in gate.listeners:
        if request.listener is None and listener.protocol == request.scheme:
            return listener
        if request.listener == listener.name:
            if listener.protocol != request.scheme:
                raise RequestError(
                    f"listener {listener.name} speaks {listener.protocol}, not {request.scheme}",
                    hint="leave the listener out, or change the scheme",
                )
            return listener
    raise RequestError(
        f"gate {gate.name} has no listener {request.listener or f'for {request.scheme}'}",
        hint="it has: " + (", ".join(f"{x.name} ({x.protocol})" for x in gate.listeners) or "none"),
    )


def _caller(
    gate: Gate, entry: CanonicalRequest, *, now: datetime, assumed: Assumed | None
) -> IdentifiedCaller:
    if assumed is not None:
        return assume_caller(gate.identity, assumed)
    return identify(gate.identity, gate.attributes, entry, now=now)


def _reads_body(route: Route) -> bool:
    return isinstance(route.action, Refuse) and route.action.code == "unknown-model"


def _say_caller(trail: Trail, caller: IdentifiedCaller) -> None:
    principal = trail.principal
    if principal is None:
        trail.say("identity", "nobody", "no valid credential was presented")
        return
    groups = ", ".join(principal.groups) or "none"
    trail.say("identity", str(principal), f"by {principal.method}; groups: {groups}", caller.origin)


def _route_detail(host: VirtualHost, route: Route) -> str:
    place = host.routes.index(route) + 1
    path = route.match.path
    kind = "ordinary" if route.governance is None else f"governed by {route.governance.model}"
    return f"row {place} of {len(host.routes)}: {path.kind} {path.value}; {kind}"


def _row_detail(row: Route) -> str:
    if row.governance is None:
        return "no model is named that is served here"
    return f"{row.governance.model}, {row.governance.operation}; by {row.governance.route_rule}"


def _body_detail(body: Body) -> str:
    if body.model is None:
        return "the body is not plain JSON that names a model"
    words = {
        True: "to be streamed",
        False: "not streamed",
        None: "`stream` is neither true nor false",
    }
    return words[body.stream]


def _misfits(access: Access, asked: rules.RuleInput) -> str:
    """Why no allow rule fits, rule by rule."""
    if not access.allow:
        return f"no enforced rule allows anything on {access.model}"
    return "; ".join(f"{rule.name}: {rules.misfit(rule, asked)}" for rule in access.allow)
