"""The explanation of a decision: every step with the file and line that decided it, as data.

The command line and the console format it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gatereeve.api.world import World
from gatereeve.core.canonical import Json
from gatereeve.core.findings import Finding
from gatereeve.core.refs import Where
from gatereeve.decide.decision import Decision, Step
from gatereeve.decide.locate import locate
from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from gatereeve.ir.gates import Gate

_CLOSED = "policy-broken"
"""The code of the refusal, and of the finding, for a model with an unreadable document."""

_NO_RULE = "no-allow-rule"
"""The code for callers that no rule allows; the missing rule may be in an unreadable document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One step and the file and line that decided it; None without a document or a file."""

    step: Step
    where: Where | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A decision and its steps in order."""

    decision: Decision
    lines: tuple[Line, ...]


def explain(
    gate: Gate, request: Request, *, now: datetime, world: World, findings: Iterable[Finding]
) -> Explanation:
    """Return what `gate` answers to `request` at `now`, with the documents that decided it.

    findings: of the compilation; they name the document that closes a model.
    Raises RequestError as `decide` does.
    """
    decision = decide(gate, request, now=now)
    if decision.code in (_CLOSED, _NO_RULE):
        decision = _add_reason(decision, findings)
    return Explanation(
        decision=decision,
        lines=tuple(
            Line(step=step, where=None if step.origin is None else locate(world, step.origin))
            for step in decision.steps
        ),
    )


def _add_reason(decision: Decision, findings: Iterable[Finding]) -> Decision:
    """Add the unreadable document, if there is one, to the last step."""
    *steps, last = decision.steps
    why = next(
        (f.message for f in findings
         if f.code == _CLOSED and f.origin is not None and f.origin.ref.short == decision.model),
        None,
    )  # fmt: skip
    if why is None:
        return decision
    if decision.code != _CLOSED:
        why = f"{last.detail}; {why}"
    return replace(decision, steps=(*steps, replace(last, detail=why)))


def to_plain(explanation: Explanation) -> dict[str, Json]:
    """Return the explanation as JSON values, with the field names of records. Absent values are null."""
    decision = explanation.decision
    principal, limit = decision.principal, decision.limit
    return {
        "status": decision.status,
        "code": decision.code,
        "forwarded": decision.forwarded,
        "model": decision.model,
        "version": decision.version or None,
        "requested_version": decision.requested,
        "operation": decision.operation,
        "caller": None
        if principal is None
        else {
            "provider": principal.provider,
            "id": principal.id,
            "method": principal.method,
            "issuer": principal.issuer,
            "groups": list(principal.groups),
        },
        "region": decision.region,
        "purpose": decision.purpose,
        "rule": decision.rule,
        "limit": None if limit is None else {"count": limit.count, "seconds": limit.seconds},
        "shadow": list(decision.shadow),
        "route": decision.route,
        "route_rule": decision.route_rule,
        "split_key": decision.split_key,
        "policy": decision.policy,
        "cluster": decision.cluster,
        "possible": list(decision.possible),
        "mirrors": list(decision.mirrors),
        "location": decision.location,
        "steps": [_line_to_plain(line) for line in explanation.lines],
    }


def _line_to_plain(line: Line) -> dict[str, Json]:
    step, where = line.step, line.where
    return {
        "number": step.number,
        "name": step.name,
        "outcome": step.outcome,
        "detail": step.detail,
        "object": None if step.origin is None else str(step.origin.ref),
        "path": None if step.origin is None else step.origin.path or None,
        "file": None if where is None else where.file,
        "line": None if where is None else where.line or None,
    }
