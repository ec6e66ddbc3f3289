"""The access matrix of one model: who may do what, from where, within which limit, meeting what.

Read from the compiled rules, so it says what the gate does, not what somebody meant. A cell is one
subject of one allow rule with one operation. A deny rule that covers a cell removes it; one that may
touch it stands beside it, since who is in a group is known to the identity provider alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gatereeve.core.canonical import Json
from gatereeve.core.refs import Origin
from gatereeve.decide.rules import subject_text
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
    """subject may do operation. regions, purposes: None asks nothing; otherwise any of them.

    versions: those that may answer, fallbacks included, sorted; empty: every request is refused.
    refused: codes with which rows of this operation refuse. except_by: deny rules that may apply.
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
    """One deny rule. None asks nothing: everybody, everywhere, everything."""

    rule: str
    subjects: tuple[str, ...] | None
    regions: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    operations: tuple[Operation, ...] | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """cells in the order of rules, subjects and operations; denials in order.

    words: what a reader must know before the table, above all when nobody can.
    """

    gate: str
    model: str
    cells: tuple[Cell, ...]
    denials: tuple[Denial, ...]
    words: tuple[str, ...]


def who_can(gate: Gate, model: str) -> Matrix:
    """The matrix of `model` (`namespace/name`) on `gate`; one without cells for a model that the
    gate does not route."""
    rows = tuple(
        dict.fromkeys(
            row
            for listener in gate.listeners
            for host in listener.hosts
            for row in host.routes
            if row.governance is not None and row.governance.model == model
        )
    )
    access = next((a for a in gate.access if a.model == model), None)
    if access is None:
        access = Access(model=model, deny=(), allow=())
    routed = {row.governance.operation for row in rows if row.governance is not None}
    cells = tuple(
        _cell(gate, access, rule, subject, operation, rows)
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
        denials=tuple(_denial(rule) for rule in access.deny),
        words=_words(access, rows, cells),
    )


def _cell(
    gate: Gate,
    access: Access,
    rule: Rule,
    subject: SubjectMatch,
    operation: Operation,
    rows: tuple[Route, ...],
) -> Cell:
    met = tuple(row for row in rows if _may_meet(gate.identity, row, rule, subject, operation))
    refused = {row.action.code for row in met if isinstance(row.action, Refuse)}
    touching = (deny.name for deny in access.deny if _touches(deny, rule, subject, operation))
    return Cell(
        subject=subject_text(subject),
        operation=operation,
        regions=rule.regions,
        purposes=rule.purposes,
        limit=rule.limit,
        rule=rule.name,
        versions=_versions(gate, met),
        refused=tuple(sorted(refused)),
        except_by=tuple(touching),
        origin=rule.origin,
    )


def _may_meet(
    identity: Identity, row: Route, rule: Rule, subject: SubjectMatch, operation: Operation
) -> bool:
    """Whether some request of `subject` under `rule` can fall to `row`."""
    governance, match = row.governance, row.match
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
    """The groups that the Gate itself gives to a key or a certificate."""
    keys, mtls = identity.api_keys, identity.mtls
    known = list(keys.keys) if keys is not None and keys.name == subject.provider else []
    for key in known:
        if key.id == subject.id:
            return key.groups
    names = mtls.identities if mtls is not None and mtls.name == subject.provider else ()
    return next((one.groups for one in names if one.id == subject.id), ())


def _versions(gate: Gate, rows: Iterable[Route]) -> tuple[str, ...]:
    """Versions in the shares of `rows` and in their clusters' fallback chains."""
    chains = {
        cluster.name: tuple(group.version for group in cluster.endpoints.groups)
        for cluster in gate.clusters
    }
    found: set[str] = set()
    for row in rows:
        if isinstance(row.action, Forward):
            for share in row.action.shares:
                found.add(share.version)
                found.update(chains.get(share.cluster, ()))
    return tuple(sorted(found - {""}))


def _covers(deny: Rule, allow: Rule, subject: SubjectMatch, operation: Operation) -> bool:
    """Whether `deny` takes everything that `allow` gives to `subject` for `operation`."""
    return (
        (deny.subjects is None or any(_is_within(subject, other) for other in deny.subjects))
        and _is_part(allow.regions, deny.regions)
        and _is_part(allow.purposes, deny.purposes)
        and (deny.operations is None or operation in deny.operations)
    )


def _touches(deny: Rule, allow: Rule, subject: SubjectMatch, operation: Operation) -> bool:
    """Whether `deny` can take something of it."""
    return (
        (deny.subjects is None or any(_may_share(subject, other) for other in deny.subjects))
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


def _may_share(one: SubjectMatch, other: SubjectMatch) -> bool:
    if isinstance(one, IsAnonymous) or isinstance(other, IsAnonymous):
        return one == other
    if one.provider != other.provider:
        return False
    both_principals = isinstance(one, IsPrincipal) and isinstance(other, IsPrincipal)
    return one == other or not both_principals


def _is_part(inner: tuple[str, ...] | None, outer: tuple[str, ...] | None) -> bool:
    return outer is None or (inner is not None and set(inner) <= set(outer))


def _overlaps(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> bool:
    return one is None or other is None or not set(one).isdisjoint(other)


def _denial(rule: Rule) -> Denial:
    return Denial(
        rule=rule.name,
        subjects=None if rule.subjects is None else tuple(map(subject_text, rule.subjects)),
        regions=rule.regions,
        purposes=rule.purposes,
        operations=rule.operations,
        origin=rule.origin,
    )


def _words(access: Access, rows: tuple[Route, ...], cells: tuple[Cell, ...]) -> tuple[str, ...]:
    if not rows:
        return (f"Nobody can reach {access.model}: no route of this gate leads to it.",)
    if not access.allow:
        return (f"Nobody can use {access.model}: no enforced rule allows anything.",)
    if not cells:
        return (f"Nobody can use {access.model}: deny rules take all that allow rules give.",)
    found: list[str] = []
    if not any(cell.versions for cell in cells):
        codes = ", ".join(sorted({code for cell in cells for code in cell.refused}))
        found.append(f"Nobody is served: every request that is allowed is refused ({codes}).")
    if any(cell.subject == "anonymous" for cell in cells):
        found.append("Callers without any credential are admitted.")
    if access.shadow_deny or access.shadow_allow:
        found.append("Policies in shadow mode are left out: they change no answer.")
    return tuple(found)


def to_plain(matrix: Matrix) -> dict[str, Json]:
    """The matrix as JSON values. A condition that asks nothing is null."""
    return {
        "gate": matrix.gate,
        "model": matrix.model,
        "words": list(matrix.words),
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
