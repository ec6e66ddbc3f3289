"""The access matrix of one model: which subject may use which operation, and which version answers.

It is read from the compiled rules, so it shows what the gate does. A cell is one subject of one allow
rule with one operation. A deny rule that covers a cell removes it. A deny rule that may apply to it is
listed in the cell, because only the identity provider knows the members of a group.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatereeve.core.canonical import Json
from gatereeve.core.refs import Origin
from gatereeve.decide.rules import format_subject
from gatereeve.ir.access import (
    Access,
    FromProvider,
    InGroup,
    IsAnonymous,
    IsPrincipal,
    Operation,
    RequestLimit,
    Rule,
    SubjectMatch,
)
from gatereeve.ir.gates import Gate
from gatereeve.ir.identity import Identity
from gatereeve.ir.routes import Forward, Refuse, Route

OPERATIONS: tuple[Operation, ...] = ("infer", "stream", "embeddings", "metadata", "health")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """subject may use operation. regions, purposes: one of them is required; None for any.

    versions: those that may answer, including fallbacks, sorted; if empty, every request is refused.
    refused: the codes of refusing routes of this operation. except_by: deny rules that may apply.
    """

    subject: str
    operation: Operation
    regions: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    limit: RequestLimit | None
    rule: str
    versions: tuple[str, ...]
    refused: tuple[str, ...]
    except_by: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """One deny rule. None matches every value."""

    rule: str
    subjects: tuple[str, ...] | None
    regions: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    operations: tuple[Operation, ...] | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """cells: in the order of rules, subjects and operations. denials: in the order of rules.

    notes: sentences to show before the table, above all if no caller is allowed.
    """

    gate: str
    model: str
    cells: tuple[Cell, ...]
    denials: tuple[Denial, ...]
    notes: tuple[str, ...]


def who_can(gate: Gate, model: str) -> Matrix:
    """Return the matrix of `model` (`namespace/name`) on `gate`; without cells if no route leads to it."""
    routes = tuple(
        dict.fromkeys(
            route
            for listener in gate.listeners
            for host in listener.hosts
            for route in host.routes
            if route.governance is not None and route.governance.model == model
        )
    )
    access = next((a for a in gate.access if a.model == model), None)
    if access is None:
        access = Access(model=model, deny=(), allow=())
    routed = {route.governance.operation for route in routes if route.governance is not None}
    cells = tuple(
        _make_cell(gate, access, rule, subject, operation, routes)
        for rule in access.allow
        for subject in rule.subjects or ()
        for operation in OPERATIONS
        if operation in routed
        and (rule.operations is None or operation in rule.operations)
        and not any(_covers(deny, rule, subject, operation) for deny in access.deny)
    )
    return Matrix(
        gate=gate.name,
        model=model,
        cells=cells,
        denials=tuple(_make_denial(rule) for rule in access.deny),
        notes=_make_notes(access, routes, cells),
    )


def _make_cell(
    gate: Gate,
    access: Access,
    rule: Rule,
    subject: SubjectMatch,
    operation: Operation,
    routes: tuple[Route, ...],
) -> Cell:
    reached = tuple(r for r in routes if _may_reach(gate.identity, r, rule, subject, operation))
    refused = {route.action.code for route in reached if isinstance(route.action, Refuse)}
    exceptions = (deny.name for deny in access.deny if _may_apply(deny, rule, subject, operation))
    return Cell(
        subject=format_subject(subject),
        operation=operation,
        regions=rule.regions,
        purposes=rule.purposes,
        limit=rule.limit,
        rule=rule.name,
        versions=_find_versions(gate, reached),
        refused=tuple(sorted(refused)),
        except_by=tuple(exceptions),
        origin=rule.origin,
    )


def _may_reach(
    identity: Identity, route: Route, rule: Rule, subject: SubjectMatch, operation: Operation
) -> bool:
    """Whether a request of `subject` under `rule` can match `route`."""
    governance, match = route.governance, route.match
    if governance is None or governance.operation != operation:
        return False
    if match.regions and rule.regions is not None and set(match.regions).isdisjoint(rule.regions):
        return False
    return not match.groups or any(_may_be_in(identity, subject, group) for group in match.groups)


def _may_be_in(identity: Identity, subject: SubjectMatch, group: InGroup) -> bool:
    if isinstance(subject, IsAnonymous) or subject.provider != group.provider:
        return False
    if isinstance(subject, IsPrincipal) and identity.method(subject.provider) != "jwt":
        return group.group in _known_groups(identity, subject)
    return True


def _known_groups(identity: Identity, subject: IsPrincipal) -> tuple[str, ...]:
    """Return the groups that the Gate gives to an API key or a certificate."""
    keys, mtls = identity.api_keys, identity.mtls
    groups: dict[str, tuple[str, ...]] = {}
    if mtls is not None and mtls.name == subject.provider:
        groups |= {entry.id: entry.groups for entry in reversed(mtls.identities)}
    if keys is not None and keys.name == subject.provider:
        groups |= {key.id: key.groups for key in reversed(keys.keys)}
    return groups.get(subject.id, ())


def _find_versions(gate: Gate, routes: Iterable[Route]) -> tuple[str, ...]:
    """Return the versions in the shares of `routes` and in the fallbacks of their clusters."""
    chains = {
        cluster.name: tuple(group.version for group in cluster.endpoints.groups)
        for cluster in gate.clusters
    }
    versions: set[str] = set()
    for route in routes:
        if isinstance(route.action, Forward):
            for share in route.action.shares:
                versions |= {share.version, *chains.get(share.cluster, ())}
    return tuple(sorted(versions - {""}))


def _covers(deny: Rule, allow: Rule, subject: SubjectMatch, operation: Operation) -> bool:
    """Whether `deny` denies everything that `allow` allows `subject` for `operation`."""
    return (
        (deny.subjects is None or any(_is_within(subject, other) for other in deny.subjects))
        and _is_part(allow.regions, deny.regions)
        and _is_part(allow.purposes, deny.purposes)
        and (deny.operations is None or operation in deny.operations)
    )


def _may_apply(deny: Rule, allow: Rule, subject: SubjectMatch, operation: Operation) -> bool:
    """Whether `deny` can deny a part of it."""
    return (
        (deny.subjects is None or any(_may_overlap(subject, other) for other in deny.subjects))
        and _overlaps(allow.regions, deny.regions)
        and _overlaps(allow.purposes, deny.purposes)
        and (deny.operations is None or operation in deny.operations)
    )


def _is_within(inner: SubjectMatch, outer: SubjectMatch) -> bool:
    if inner == outer:
        return True
    return (
        isinstance(outer, FromProvider)
        and not isinstance(inner, IsAnonymous)
        and inner.provider == outer.provider
    )


def _may_overlap(left: SubjectMatch, right: SubjectMatch) -> bool:
    if isinstance(left, IsAnonymous) or isinstance(right, IsAnonymous):
        return left == right
    if left.provider != right.provider:
        return False
    both_principals = isinstance(left, IsPrincipal) and isinstance(right, IsPrincipal)
    return left == right or not both_principals


def _is_part(inner: tuple[str, ...] | None, outer: tuple[str, ...] | None) -> bool:
    return outer is None or (inner is not None and set(inner) <= set(outer))


def _overlaps(left: tuple[str, ...] | None, right: tuple[str, ...] | None) -> bool:
    return left is None or right is None or not set(left).isdisjoint(right)


def _make_denial(rule: Rule) -> Denial:
    return Denial(
        rule=rule.name,
        subjects=None if rule.subjects is None else tuple(map(format_subject, rule.subjects)),
        regions=rule.regions,
        purposes=rule.purposes,
        operations=rule.operations,
        origin=rule.origin,
    )


def _make_notes(
    access: Access, routes: tuple[Route, ...], cells: tuple[Cell, ...]
) -> tuple[str, ...]:
    if not routes:
        return (f"No caller can reach {access.model}: no route of this gate leads to it.",)
    if not access.allow:
        return (f"No caller can use {access.model}: it has no enforced allow rule.",)
    if not cells:
        return (f"No caller can use {access.model}: deny rules cover all allow rules.",)
    notes: list[str] = []
    if not any(cell.versions for cell in cells):
        codes = ", ".join(sorted({code for cell in cells for code in cell.refused}))
        notes.append(f"No request is served: every allowed request is refused ({codes}).")
    if any(cell.subject == "anonymous" for cell in cells):
        notes.append("Callers without a credential are allowed.")
    if access.shadow_deny or access.shadow_allow:
        notes.append("Policies in shadow mode are not shown: they change no answer.")
    return tuple(notes)


def to_plain(matrix: Matrix) -> dict[str, Json]:
    """Return the matrix as JSON values. A condition that matches every value is null."""
    return {
        "gate": matrix.gate,
        "model": matrix.model,
        "words": list(matrix.notes),
        "allowed": [
            {
                "subject": cell.subject,
                "operation": cell.operation,
                "regions": _list(cell.regions),
                "purposes": _list(cell.purposes),
                "limit": None
                if cell.limit is None
                else {"count": cell.limit.count, "seconds": cell.limit.seconds},
                "rule": cell.rule,
                "versions": list(cell.versions),
                "refused": list(cell.refused),
                "except": list(cell.except_by),
                "document": str(cell.origin),
            }
            for cell in matrix.cells
        ],
        "denied": [
            {
                "rule": denial.rule,
                "subjects": _list(denial.subjects),
                "regions": _list(denial.regions),
                "purposes": _list(denial.purposes),
                "operations": _list(denial.operations),
                "document": str(denial.origin),
            }
            for denial in matrix.denials
        ],
    }


def _list(values: tuple[str, ...] | None) -> Json:
    return None if values is None else list(values)
