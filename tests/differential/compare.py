"""What the reference says must be seen, and what was seen: the same words for both sides.

`expected` rests on the decision and the IR only, `observed` on the answer, on what the server got
and on the record. A field is expected only when the decision came so far as to know it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from gatereeve.core import refusals, trusted_headers
from gatereeve.core.records import Caller, RequestRecord
from gatereeve.decide import actions, route_matching
from gatereeve.decide.canonical_request import CanonicalRequest, canonicalize
from gatereeve.decide.decision import Decision
from gatereeve.decide.request import Request
from gatereeve.ir.gates import Gate
from gatereeve.ir.header_access import CALLER_HEADERS
from gatereeve.ir.routes import Forward, Refuse, Route, VirtualHost
from tests.differential.real import Answer

Facts = Mapping[str, object]

_BEFORE_RULES = ("invalid-credential", "ambiguous-header")


def differences(
    gate: Gate,
    request: Request,
    decision: Decision,
    answer: Answer,
    record: RequestRecord | None,
) -> dict[str, tuple[object, object]]:
    """Field to (expected, seen), for every field that differs."""
    wanted = expected(gate, request, decision, has_body=request.method != "HEAD")
    seen = observed(answer, record)
    if decision.possible and "" in decision.possible and answer.code == "no-backend":
        return {}  # chance drew the share without a backend
    if wanted.get("server") is not None and seen["server"] in _possible(gate, decision):
        wanted["server"] = seen["server"]
        if decision.split_key is None:
            wanted.pop("version", None)
    return {
        name: (value, seen[name])
        for name, value in wanted.items()
        if name in seen and seen[name] != value
    }


def expected(
    gate: Gate, request: Request, decision: Decision, *, has_body: bool
) -> dict[str, object]:
    """What must be seen of this decision."""
    found: dict[str, object] = {
        "status": decision.status,
        "code": decision.code,
        "location": decision.location,
        "server": next(iter(_possible(gate, decision)), None),
        "record.status": decision.status,
        "record.code": decision.code,
        "record.rule": decision.rule,
        "record.shadow": decision.shadow,
        "record.outcome": "served" if decision.code is None else "refused",
    }
    sent = [value for name, value in request.headers if name.lower() == "x-subject-id"]
    if "," not in ",".join(sent):
        found["record.split_key"] = decision.split_key
    if decision.forwarded:
        found["record.version"] = decision.version or None
    if _told(decision, "identity"):
        found["record.caller"] = _caller(decision)
    # A claim that is no text stands in the record although it says nothing.
    if _told(decision, "attributes") and decision.code not in _BEFORE_RULES:
        found["record.region"] = decision.region
        found["record.purpose"] = decision.purpose
    entry = canonicalize(request, trusted_hops=gate.trusted_hops)
    if isinstance(entry, CanonicalRequest):
        found["record.path"] = _cut(entry.path)
        found["record.scheme"] = entry.scheme
        found["record.source_ip"] = entry.client
        found["record.config"] = gate.hash
        host, row = _place(gate, decision, entry)
        # What an invalid credential claims may have chosen the row; before step 4 nothing chose one.
        if decision.code != "invalid-credential" and decision.steps[-1].name != "route":
            found["record.route_rule"] = decision.route_rule
        found |= {
            "record.model": decision.model,
            "record.operation": decision.operation,
            "record.requested_version": decision.requested,
            "record.policy": decision.policy,
        }
        if decision.code != "unknown-host":  # a deeper name than a wildcard has speaks like it
            found["shape"] = _shape(decision, host, row) if has_body else None
        if decision.forwarded and row is not None and isinstance(row.action, Forward):
            found |= _behind(row, row.action, entry)
            given = {name for name, _ in entry.headers}
            names = trusted_headers.removed(gate.requests.identity_headers, given)
            found["behind.believed"] = names if row.governance is None else []
            found["behind.ours"] = _said(decision, row)
            if row.governance is not None:
                found["behind.credentials"] = _passed(gate, entry)
    return found


def observed(answer: Answer, record: RequestRecord | None) -> dict[str, object]:
    found: dict[str, object] = {
        "status": answer.status,
        "code": answer.code,
        "location": answer.location,
        "server": answer.server,
        "shape": _shape_of(answer),
    }
    if answer.seen is not None:
        found["behind.path"] = answer.seen.path
        found["behind.host"] = answer.seen.host
        names = {name for name, _ in answer.seen.headers}
        found["behind.believed"] = trusted_headers.removed(trusted_headers.IDENTITY, names)
        found["behind.ours"] = _ours(answer.seen.headers)
        found["behind.credentials"] = sorted(names & {"authorization", "x-api-key"})
    if record is not None:
        found |= {
            f"record.{name}": getattr(record, name)
            for name in (
                "status", "code", "rule", "model", "operation", "route_rule", "requested_version",
                "policy", "split_key", "shadow", "outcome", "version", "caller", "region", "purpose",
                "path", "source_ip", "config", "scheme",
            )
        }  # fmt: skip
    return found


def _told(decision: Decision, step: str) -> bool:
    return any(s.name == step for s in decision.steps)


def _possible(gate: Gate, decision: Decision) -> list[int]:
    """Ports of the servers that may answer: one, unless chance draws."""
    if not decision.forwarded:
        return []
    clusters = {c.name: c for c in gate.clusters}
    names = [name for name in decision.possible if name]
    chains = [[e for g in clusters[name].endpoints.groups for e in g.endpoints] for name in names]
    return [chain[0].port for chain in chains if chain]


def _place(
    gate: Gate, decision: Decision, entry: CanonicalRequest
) -> tuple[VirtualHost | None, Route | None]:
    listener = next(one for one in gate.listeners if one.protocol == entry.scheme)
    host = route_matching.find_host(listener.hosts, entry.host)
    rows = host.routes if host is not None else ()
    return host, next((row for row in rows if row.name == decision.route), None)


def _shape(decision: Decision, host: VirtualHost | None, row: Route | None) -> str | None:
    """Design 5.6: OpenAI routes answer in that API's error object, everything else by RFC 9457.

    So does everything on a host whose models all speak it.
    """
    if decision.code is None:
        return None
    spoken = (
        {r.governance.protocol for r in host.routes if r.governance is not None} if host else set()
    )
    if row is None:
        return "openai" if spoken == {"openai"} else "problem"
    if isinstance(row.action, Refuse) and row.action.code == "unknown-model":
        return "openai"  # only models of that protocol have such rows
    own = row.governance.protocol if row.governance is not None else None
    return "openai" if own == "openai" or spoken == {"openai"} else "problem"


def _shape_of(answer: Answer) -> str | None:
    """Which error body it is, when the whole of it is right."""
    if answer.code is None or not answer.body:
        return None
    refusal = refusals.lookup(answer.code)
    try:
        body = json.loads(answer.body)
    except ValueError:
        return "not JSON"
    problem = {
        "type": refusals.TYPE_BASE + refusal.code,
        "title": refusal.title,
        "status": refusal.status,
        "code": refusal.code,
        "record_id": answer.record_id,
    }
    if answer.record_id is None:  # refused before the gate gave it one
        problem["record_id"] = body.get("record_id")
    error = {
        "message": refusal.title,
        "type": refusal.openai_type,
        "code": refusal.code,
        "param": None,
        "record_id": answer.record_id,
    }
    if body == problem and answer.content_type == "application/problem+json":
        return "problem"
    if body == {"error": error} and answer.content_type == "application/json":
        return "openai"
    return f"{answer.content_type}: {body}"


def _behind(row: Route, action: Forward, entry: CanonicalRequest) -> Facts:
    """What the server must see."""
    path = entry.path
    if action.rewrite is not None:
        path = actions.rewrite_path(action.rewrite, row.match.path, entry.path)
    return {
        "behind.path": path + ("" if entry.query is None else f"?{entry.query}"),
        "behind.host": action.rewrite_host or entry.host,
    }


def _said(decision: Decision, row: Route) -> dict[str, str]:
    """What the gate says to the model. Of the record's id only that it is there."""
    who = decision.principal
    known = {
        "x-gatereeve-provider": who and who.provider,
        "x-gatereeve-principal": who and who.id,
        "x-gatereeve-groups": who and str(list(who.groups)),
        "x-gatereeve-region": decision.region,
        "x-gatereeve-purpose": decision.purpose,
        "x-gatereeve-record": "there",
    }
    asked = () if row.governance is None else row.governance.caller_headers
    wanted = {header: known[header] for what in asked for header in CALLER_HEADERS[what]}
    return {header: value for header, value in wanted.items() if value}


def _ours(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    found = {name: value for name, value in headers if name.startswith("x-gatereeve-")}
    for name in ("x-gatereeve-region", "x-gatereeve-purpose"):
        if name in found:
            found[name] = found[name].lower()
    if "x-gatereeve-record" in found:
        found["x-gatereeve-record"] = "there"
    groups = found.get("x-gatereeve-groups")
    if groups is not None:
        found["x-gatereeve-groups"] = str(_groups(groups))
    return found


def _groups(text: str) -> list[str]:
    """A JSON list, or one group; what a token says beside texts is no group."""
    try:
        value = json.loads(text)
    except ValueError:
        return [text]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _passed(gate: Gate, entry: CanonicalRequest) -> list[str]:
    """What is a credential ends at the gate; what is none is the model's business."""
    keys = gate.identity.api_keys
    ends = {"authorization"} if gate.identity.jwt else set()
    ends |= {keys.header} if keys is not None else set()
    return sorted({name for name, _ in entry.headers} & ({"authorization", "x-api-key"} - ends))


def _caller(decision: Decision) -> Caller:
    principal = decision.principal
    if principal is None:
        return Caller()
    return Caller(
        provider=principal.provider,
        id=principal.id,
        method=principal.method,
        issuer=principal.issuer,
        groups=principal.groups,
    )


def _cut(text: str) -> str:
    return text if len(text) <= 1024 else text[:1023] + "…"
