"""The reference decision: what the gate answers to one request, and why, step by step.

The steps run in the order of the gate's filters, so `explain` and Envoy agree on every request. Pure: no
I/O, no clock. The steps, numbered as in `Step`:

 1 entry       the request has a canonical form
 2 host        a virtual host matches; TLS is used where it is required
 3 route       a route matches, without identity and body
 4 identity    all credentials are verified
 5 attributes  region and purpose
 6 body        model and streaming flag of an OpenAI body
 7 row         a route matches, with groups, region and body
 8 headers     headers and query parameters that rules read are unambiguous
 9 admission   a credential is present, or anonymous callers are allowed
10 deny        no deny rule matches
11 allow       an allow rule matches
12 limit       the limit of that rule; assumed to be unused
13 removal     headers that the gate removes and adds
14 answer      a version by the sticky split, a redirect or a refusal

Ungoverned routes have steps 1, 2, 3 and 14 only. All servers are assumed to be healthy.
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
from gatereeve.decide.canonical_request import CanonicalRequest, RefusedRequest, canonicalize
from gatereeve.decide.decision import STEPS, Answer, Decision, DecisionBuilder, Step
from gatereeve.decide.principals import AssumedIdentity, Principal
from gatereeve.decide.request import Request
from gatereeve.decide.route_matching import KnownValues, find_host, find_route
from gatereeve.ir.access import Access
from gatereeve.ir.gates import Gate, Listener
from gatereeve.ir.header_access import CALLER_HEADERS, read_headers, read_parameters
from gatereeve.ir.routes import Forward, Governance, Redirect, Refuse, Route, VirtualHost

__all__ = ["STEPS", "AssumedIdentity", "Decision", "Principal", "Step", "decide"]


def decide(
    gate: Gate, request: Request, *, now: datetime, assume: AssumedIdentity | None = None
) -> Decision:
    """Return what `gate` answers to `request` at `now`.

    assume: an identity to use instead of credentials; it wins over `request.assume`.
    Raises RequestError if the gate does not have the request's listener.
    """
    decision = DecisionBuilder()
    listener = _find_listener(gate, request)
    # 1 entry
    entry = canonicalize(request, trusted_hops=gate.trusted_hops)
    if isinstance(entry, RefusedRequest):
        return decision.refuse("entry", entry.code, entry.why, gate.origin)
    decision.add("entry", "canonical form", f"{entry.method} {entry.host}{entry.path}")
    # 2 host
    host = find_host(listener.hosts, entry.host)
    if host is None:
        why = f"no route on listener {listener.name} has the host {entry.host}"
        return decision.refuse("host", "unknown-host", why, listener.origin)
    answer = _check_transport(decision, gate, listener, host, entry)
    if answer is not None:
        return answer
    # 3 route
    route = find_route(host.routes, entry, KnownValues())
    if route is None:
        why = f"no route of {host.host} matches this path, method, headers and query"
        return decision.refuse("route", "unknown-path", why, host.origin)
    decision.route = route
    decision.add("route", route.name, _describe_route(host, route), route.origin)
    if _is_ambiguous_path(gate, route, entry.path):
        why = f"servers may interpret {entry.path} differently from the gate"
        return decision.refuse("route", "ambiguous-path", why, route.origin)
    if not asks_identity(route):
        return _answer(decision, gate, listener, route, entry)
    assume = assume or request.assume
    caller = (
        identify(gate.identity, gate.attributes, entry, now=now)
        if assume is None
        else assume_caller(gate.identity, assume)
    )
    return _decide_governed(decision, _RouteContext(gate, listener, host, route), entry, caller)


@dataclass(frozen=True, slots=True)
class _RouteContext:
    """What step 3 selected."""

    gate: Gate
    listener: Listener
    host: VirtualHost
    route: Route


def asks_identity(route: Route) -> bool:
    """Whether credentials are verified before this route answers. True for governed routes and for the
    route that refuses unknown models: until the body is read, it represents all models of its path."""
    return route.governance is not None or _reads_body(route)


def _is_ambiguous_path(gate: Gate, route: Route, path: str) -> bool:
    """Whether the path has more than one reading (`core.plain_values`)."""
    if route.governance is not None:
        return not is_governed_path(path)
    is_checked = gate.requests.plain_ordinary_paths and isinstance(route.action, Forward)
    return is_checked and not is_ordinary_path(path)


def _decide_governed(
    decision: DecisionBuilder,
    context: _RouteContext,
    entry: CanonicalRequest,
    caller: IdentifiedCaller,
) -> Decision:
    """Steps 4 to 14."""
    gate = context.gate
    # 4 identity
    if caller.invalid is not None and caller.bad_token:
        return decision.refuse("identity", "invalid-credential", caller.invalid.why, caller.origin)
    decision.principal = caller.principal or caller.proved
    _add_caller(decision, caller)
    # 5 attributes
    decision.region = find_attribute(gate.attributes.region, entry, caller)
    decision.purpose = find_attribute(gate.attributes.purpose, entry, caller)
    values = f"region {decision.region or 'unknown'}, purpose {decision.purpose or 'unknown'}"
    decision.add(
        "attributes", values, "from the first source in Gate spec.attributes that has a value"
    )
    # 6 body
    body = None
    if _reads_body(context.route):
        if len(entry.body) > gate.max_body_bytes:
            why = f"the body has {len(entry.body)} bytes; the gate reads at most {gate.max_body_bytes}"
            return decision.refuse("body", "payload-too-large", why, gate.origin)
        body = read_body(entry)
        decision.add("body", f"model {body.model or 'unknown'}", _describe_body(body))
    # 7 row
    known = KnownValues(principal=caller.principal, region=decision.region, body=body)
    route = find_route(context.host.routes, entry, known) or context.route
    decision.route = route
    decision.add("row", route.name, _describe_governance(route), route.origin)
    # 8 headers
    refusal = _check_headers(decision, context, route, entry)
    if refusal is not None:
        return refusal
    # 9 admission
    if caller.invalid is not None:
        return decision.refuse("admission", "invalid-credential", caller.invalid.why, caller.origin)
    if route.governance is not None:
        refusal = _check_access(decision, gate, route, route.governance)
        if refusal is not None:
            return refusal
    return _answer(decision, gate, context.listener, route, entry)


def _check_headers(
    decision: DecisionBuilder, context: _RouteContext, route: Route, entry: CanonicalRequest
) -> Decision | None:
    """Step 8: return the refusal of an ambiguous header or query parameter, or None."""
    if route.governance is None:
        return None
    target = entry.path if entry.query is None else f"{entry.path}?{entry.query}"
    for name in read_parameters(context.host.routes):
        if not is_plain_query(name, target):
            why = f"a rule reads the query parameter {name}, which is repeated or has escapes"
            return decision.refuse("headers", "ambiguous-path", why, route.origin)
    names = read_headers(context.gate.attributes, context.host.routes)
    for name in names:
        if not is_plain_value(entry.values(name)):
            why = f"a rule reads the header {name}, which is repeated, empty, has a comma or non-ASCII characters"
            return decision.refuse("headers", "ambiguous-header", why, route.origin)
    decision.add(
        "headers",
        "unambiguous",
        f"headers that rules read: {', '.join(names) or 'none'}",
        route.origin,
    )
    return None


def _check_access(
    decision: DecisionBuilder, gate: Gate, route: Route, governance: Governance
) -> Decision | None:
    """Steps 9 to 12: return the refusal, or None if the request is allowed."""
    access = next((a for a in gate.access if a.model == governance.model), None)
    if access is None:  # without rules, no caller is allowed
        access = Access(model=governance.model, deny=(), allow=())
    # 9 admission
    if decision.principal is None and not access.admits_anonymous:
        why = "the request has no credential, and no rule allows anonymous callers"
        return decision.refuse("admission", "credential-required", why, route.origin)
    detail = "the caller has a credential, or a rule allows anonymous callers"
    decision.add("admission", "passed", detail, route.origin)
    rule_input = rules.RuleInput(
        principal=decision.principal,
        region=decision.region,
        purpose=decision.purpose,
        operation=governance.operation,
    )
    # 10 deny
    shadow = rules.find_first_match(access.shadow_deny, rule_input)
    if shadow is not None:
        decision.shadow.append(f"deny {shadow.name}")
    decision.rule = rules.find_first_match(access.deny, rule_input)
    if decision.rule is not None:
        why = f"the deny rule {decision.rule.name} matches"
        return decision.refuse("deny", "denied-by-rule", why, decision.rule.origin)
    decision.add("deny", "none", f"checked {len(access.deny)} deny rules; none matches")
    # 11 allow
    shadow = rules.find_first_match(access.shadow_allow, rule_input)
    if access.shadow_allow:
        decision.shadow.append("no-allow-rule" if shadow is None else f"allow {shadow.name}")
    decision.rule = rules.find_first_match(access.allow, rule_input)
    if decision.rule is None:
        return decision.refuse(
            "allow", "no-allow-rule", _describe_mismatches(access, rule_input), route.origin
        )
    decision.add(
        "allow", decision.rule.name, "the first allow rule that matches", decision.rule.origin
    )
    # 12 limit
    limit = decision.rule.limit
    if limit is None:
        decision.add("limit", "none", "the rule sets no limit", decision.rule.origin)
    else:
        text = f"{limit.count} requests in {limit.seconds} s"
        decision.add(
            "limit", text, "for each principal; assumed to be unused", decision.rule.origin
        )
    return None


def _answer(
    decision: DecisionBuilder, gate: Gate, listener: Listener, route: Route, entry: CanonicalRequest
) -> Decision:
    """Steps 13 and 14."""
    action = route.action
    if isinstance(action, Refuse):
        return decision.refuse(
            "answer", action.code, refusals.lookup(action.code).about, route.origin
        )
    if isinstance(action, Redirect):
        target = actions.make_location(action, route.match.path, listener, entry)
        decision.add("answer", "redirect", target, route.origin)
        return decision.finish(Answer(status=action.status, location=target))
    # 13 removal
    if route.governance is not None:
        _add_header_changes(decision, gate, route, entry)
    # 14 answer
    return _answer_forward(decision, action, route, entry)


def _add_header_changes(
    decision: DecisionBuilder, gate: Gate, route: Route, entry: CanonicalRequest
) -> None:
    """Step 13: headers that the gate removes (`core.trusted_headers`) and adds."""
    sent = (name for name, _ in entry.headers)
    removed = trusted_headers.removed(gate.requests.identity_headers, sent)
    added = _list_added_headers(decision, route)
    detail = f"removed: {', '.join(removed) or 'none'}; added: {', '.join(added) or 'none'}"
    decision.add("removal", f"{len(removed)} removed, {len(added)} added", detail, gate.origin)


def _list_added_headers(decision: DecisionBuilder, route: Route) -> list[str]:
    """Return the names of the headers that describe the caller to the model."""
    known = {
        "principal": decision.principal is not None,
        "groups": decision.principal is not None,
        "region": decision.region is not None,
        "purpose": decision.purpose is not None,
        "record": True,
    }
    wanted = () if route.governance is None else route.governance.caller_headers
    return sorted(header for what in wanted if known[what] for header in CALLER_HEADERS[what])


def _answer_forward(
    decision: DecisionBuilder, action: Forward, route: Route, entry: CanonicalRequest
) -> Decision:
    choice = actions.choose_share(action, entry, decision.principal)
    share = choice.share
    if not share.cluster:
        why = "the selected share has no valid backend"
        return decision.refuse("answer", "no-backend", why, route.origin)
    shares = ", ".join(f"{s.version or s.cluster} {s.weight}" for s in action.shares)
    detail = (
        f"selected from {shares}, by {choice.sticky}" if len(action.shares) > 1 else share.cluster
    )
    outcome = f"version {share.version}" if share.version else "forwarded"
    decision.add("answer", outcome, detail, route.origin)
    return decision.finish(
        Answer(
            status=200,
            forwarded=True,
            version=share.version,
            cluster=share.cluster,
            possible=choice.possible,
            split_key=None if choice.key is None else f"{choice.key:016x}",
            mirrors=tuple(mirror.cluster for mirror in action.mirrors),
        )
    )


def _check_transport(
    decision: DecisionBuilder,
    gate: Gate,
    listener: Listener,
    host: VirtualHost,
    entry: CanonicalRequest,
) -> Decision | None:
    """Step 2, after the host is known: return the answer to a wrong TLS name or plain HTTP, or None."""
    is_named = listener.protocol == "https" and entry.sni is not None
    if is_named and find_host(listener.hosts, entry.sni or "") is not host:
        why = f"the TLS server name is {entry.sni} and the host is {entry.host}"
        return decision.refuse("host", "misdirected-request", why, host.origin)
    if entry.method == "TRACE":
        why = "TRACE is refused, because its answer shows headers that the gate adds"
        return decision.refuse("host", "malformed-request", why, host.origin)
    if listener.protocol == "http" and host.tls == "refuse":
        why = f"{host.host} is governed and requires TLS"
        return decision.refuse("host", "tls-required", why, host.origin)
    if listener.protocol == "http" and host.tls == "redirect":
        target = actions.make_tls_location(gate, listener, entry)
        decision.add("host", "redirect", f"plain HTTP is redirected to {target}", host.origin)
        return decision.finish(Answer(status=308, location=target))
    decision.add("host", host.host, f"the virtual host on listener {listener.name}", host.origin)
    return None


def _find_listener(gate: Gate, request: Request) -> Listener:
    for listener in gate.listeners:
        if request.listener is None and listener.protocol == request.scheme:
            return listener
        if request.listener == listener.name:
            if listener.protocol != request.scheme:
                raise RequestError(
                    f"listener {listener.name} serves {listener.protocol}, not {request.scheme}",
                    hint="omit the listener, or change the scheme",
                )
            return listener
    raise RequestError(
        f"gate {gate.name} has no listener {request.listener or f'for {request.scheme}'}",
        hint="listeners: "
        + (", ".join(f"{x.name} ({x.protocol})" for x in gate.listeners) or "none"),
    )


def _reads_body(route: Route) -> bool:
    return isinstance(route.action, Refuse) and route.action.code == "unknown-model"


def _add_caller(decision: DecisionBuilder, caller: IdentifiedCaller) -> None:
    principal = decision.principal
    if principal is None:
        decision.add("identity", "anonymous", "the request has no valid credential")
        return
    groups = ", ".join(principal.groups) or "none"
    decision.add(
        "identity",
        str(principal),
        f"verified by {principal.method}; groups: {groups}",
        caller.origin,
    )


def _describe_route(host: VirtualHost, route: Route) -> str:
    number = host.routes.index(route) + 1
    path = route.match.path
    model = "not governed" if route.governance is None else f"model {route.governance.model}"
    return f"route {number} of {len(host.routes)}: {path.kind} {path.value}; {model}"


def _describe_governance(route: Route) -> str:
    if route.governance is None:
        return "the request names no model that this host serves"
    return f"model {route.governance.model}, operation {route.governance.operation}, rule {route.governance.route_rule}"


def _describe_body(body: Body) -> str:
    if body.model is None:
        return "the body is not JSON with a model"
    texts = {True: "streamed", False: "not streamed", None: "`stream` is not a boolean"}
    return texts[body.stream]


def _describe_mismatches(access: Access, rule_input: rules.RuleInput) -> str:
    """Return why each allow rule does not match."""
    if not access.allow:
        return f"{access.model} has no enforced allow rule"
    return "; ".join(
        f"{rule.name}: {rules.find_mismatch(rule, rule_input)}" for rule in access.allow
    )
