"""`review`: one change, judged by the compiler's own readers against the World as last seen. Pure.

What other documents must be known for: conflicts, models behind Services, digests, authors. The
findings of the changed document are what is answered: those in REFUSED refuse, the others warn.
What an earlier version of the same document already had wrong refuses nothing new. The steps:

0. A review that contradicts itself, or that nobody is authenticated for, is refused.
1. Deletions are allowed, and witnessed.
2. Whoever changes nothing that a person says, or only lets a document go, is not held up.
3. The object is read as a file would be.
4. The World around it is compiled, with the object and as it was.
5. What is new is refused or warned about.

The compiler judges again: two changes that pass each other unseen are arbitrated there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gatereeve.admission.admission_review import Cause, Patch, ReviewRequest, ReviewResponse
from gatereeve.admission.guards.settings import CHANGED_BY
from gatereeve.admission.world_subset import WorldIndex, subset_for
from gatereeve.api import objects, people, registry
from gatereeve.api.world import AnyDoc
from gatereeve.api.yaml import Plain
from gatereeve.compile import compiler
from gatereeve.core.findings import Finding, FindingCode, Severity, order
from gatereeve.core.refs import Ref

REFUSED: frozenset[str] = frozenset(
    {
        # what the document says is not readable
        "unknown-field", "invalid-field", "missing-field", "invalid-name", "not-an-object",
        # it claims what is not its own, or comes near a model past its policy
        "host-not-granted", "annotation-refused", "class-ambiguous", "host-invalid", "path-refused",
        "hidden-path-to-model",
        # it decides what it may not
        "approval-self", "person-refused", "version-changed", "break-glass-refused",
        # it would say nothing, or something else than another document
        "policy-empty", "version-duplicate",
    }
)  # fmt: skip
"""Codes that refuse. The rest warns: a reference may come later, a conflict is arbitrated, and the
Gateway API wants its routes admitted and told by their status."""

_MOST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewVerdict:
    """answer: what is sent. deleted: the document that goes, for the witness; None in a dry run."""

    answer: ReviewResponse
    deleted: Ref | None = None


def review(asked: ReviewRequest, seen: WorldIndex | None) -> ReviewVerdict:
    """Judge one change. seen: None while no World was read."""
    kind = registry.BY_KIND.get((asked.kind.group, asked.kind.kind))
    if kind is None or asked.kind.version not in kind.versions:
        return _refuse(asked, "unknown-kind", f"{asked.kind.kind[:80]} is not reviewed here")
    wrong = _contradiction(asked, namespaced=kind.namespaced) or _unauthenticated(asked)
    if wrong is not None:
        return ReviewVerdict(answer=wrong)
    if asked.operation == "DELETE":
        namespace = asked.namespace if kind.namespaced else ""
        name = asked.name or _name_of(asked.old)
        gone = Ref(kind.group, kind.kind, namespace, name) if name and not asked.dry_run else None
        return ReviewVerdict(answer=ReviewResponse(uid=asked.uid, allowed=True), deleted=gone)
    if asked.operation not in ("CREATE", "UPDATE") or asked.object is None:
        return _refuse(asked, "not-an-object", "only objects that come or change are reviewed")
    if asked.old is not None and _is_let_through(asked.object, asked.old):
        return ReviewVerdict(answer=ReviewResponse(uid=asked.uid, allowed=True))
    if seen is None:
        return _refuse(
            asked, "not-ready", "Gatereeve has not read the cluster yet; try again", status=503
        )
    outcome = objects.read(_with_name(asked.object))
    if outcome.doc is None:
        return _judged(asked, outcome.findings, ours=kind.ours)
    found = [*outcome.findings, *_findings(seen, outcome.doc)]
    if asked.old is not None:
        before = objects.read(_with_name(asked.old))
        if before.doc is not None:
            known = {_sense(f) for f in _findings(seen, before.doc)}
            found = [finding for finding in found if _sense(finding) not in known]
    return _judged(asked, found, ours=kind.ours)


def stamp(asked: ReviewRequest) -> ReviewResponse:
    """Write who asks into the object, whatever it says: a mutating review for older clusters."""
    wrong = _contradiction(asked, namespaced=None) or _unauthenticated(asked)
    if wrong is not None:
        return wrong
    if asked.operation not in ("CREATE", "UPDATE") or asked.object is None:
        return ReviewResponse(uid=asked.uid, allowed=True)
    metadata = asked.object.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    kept = annotations if isinstance(annotations, dict) else {}
    patch = Patch(
        op="add", path="/metadata/annotations", value={**kept, CHANGED_BY: asked.user.username}
    )
    return ReviewResponse(uid=asked.uid, allowed=True, patch=(patch,))


def _refuse(asked: ReviewRequest, code: str, message: str, *, status: int = 403) -> ReviewVerdict:
    return ReviewVerdict(answer=_refusal(asked, code, message, status=status))


def _refusal(asked: ReviewRequest, code: str, message: str, *, status: int = 403) -> ReviewResponse:
    return ReviewResponse(
        uid=asked.uid, allowed=False, causes=(Cause(code=code, message=message),), status=status
    )


def _contradiction(asked: ReviewRequest, *, namespaced: bool | None) -> ReviewResponse | None:
    """0. The refusal of a review whose request says another thing than its objects.

    The API server makes both from one change, so they agree: such a review does not come from it.
    namespaced: whether the kind is; None where that is not known.
    """
    parts = {"object": asked.object, "oldObject": asked.old}
    for part, value in parts.items():
        if value is not None and (field := _disagreement(asked, value, namespaced=namespaced)):
            return _refusal(
                asked, "not-an-object",
                f"the {field} of {part} is not the {field} of the request; the API server sends"
                " the same in both",
            )  # fmt: skip
    if asked.operation == "DELETE" and asked.object is not None:
        return _refusal(asked, "not-an-object", "a deletion has an oldObject and no object")
    return None


def _disagreement(
    asked: ReviewRequest, value: Mapping[str, Plain], *, namespaced: bool | None
) -> str | None:
    """The word for what differs; None when nothing does."""
    if (value.get("apiVersion"), value.get("kind")) != (asked.kind.api_version, asked.kind.kind):
        return "kind"
    metadata = value.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        return "metadata"
    # The request has no name while the API server has yet to make one, and when a collection goes.
    unnamed = not asked.name and (asked.operation == "DELETE" or bool(metadata.get("generateName")))
    if (metadata.get("name") or "") != asked.name and not unnamed:
        return "name"
    namespace = metadata.get("namespace") or ""
    if namespaced is False:
        # The API server writes the name of a Namespace into the request's namespace, too.
        own = asked.name if asked.kind.kind == "Namespace" else ""
        fits = not namespace and asked.namespace in ("", own)
    else:
        fits = namespace == asked.namespace
    return None if fits else "namespace"


def _unauthenticated(asked: ReviewRequest) -> ReviewResponse | None:
    """0. The refusal of a change by a caller whom the API server does not know."""
    if asked.user.username and not people.is_nobody(asked.user.username, asked.user.groups):
        return None
    return _refusal(
        asked, "not-authenticated",
        "the API server does not know who asks; log in, and try again",
    )  # fmt: skip


def _is_let_through(new: Mapping[str, Plain], old: Mapping[str, Plain]) -> bool:
    """Nothing that is judged changed, or the object goes and asks for nothing else."""
    said = {*new, *old} - {"metadata", "status", "apiVersion"}
    if any(new.get(part) != old.get(part) for part in said):
        return False
    metadata = new.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp") is not None:
        return True
    return all(_words(new, part) == _words(old, part) for part in ("labels", "annotations"))


def _words(value: Mapping[str, Plain], part: str) -> dict[str, Plain]:
    metadata = value.get("metadata")
    found = metadata.get(part) if isinstance(metadata, dict) else None
    return {k: v for k, v in found.items() if k != CHANGED_BY} if isinstance(found, dict) else {}


def _name_of(value: Mapping[str, Plain] | None) -> str:
    metadata = value.get("metadata") if value is not None else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _with_name(value: Mapping[str, Plain]) -> dict[str, Plain]:
    """An object whose name the API server has yet to make gets one of that form."""
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("name"):
        generated = metadata.get("generateName")
        if isinstance(generated, str):
            return {**value, "metadata": {**metadata, "name": f"{generated}00000"}}
    return dict(value)


def _findings(seen: WorldIndex, doc: AnyDoc) -> tuple[Finding, ...]:
    """What the compiler finds about `doc`, and routes elsewhere that it takes something from."""
    found = compiler.compile(subset_for(seen, doc)).findings
    return tuple(
        finding
        for finding in found
        if finding.severity is not Severity.INFO
        and finding.origin is not None
        and doc.ref in (finding.origin.ref, finding.cause)
    )


def _sense(finding: Finding) -> tuple[FindingCode, str, str]:
    place = finding.origin.path if finding.origin is not None else ""
    return finding.code, place, finding.message


def _judged(asked: ReviewRequest, findings: Iterable[Finding], *, ours: bool) -> ReviewVerdict:
    """5. Refusals first; an emergency that counts on one gate is not refused for another's sake."""
    found = order(findings)
    active = any(finding.code == "break-glass-active" for finding in found)
    refusing = [
        finding
        for finding in found
        if finding.code in REFUSED
        if not (active and finding.code == "break-glass-refused")
        if ours or finding.code not in _FOREIGN_READING
    ]
    if refusing:
        return ReviewVerdict(
            answer=ReviewResponse(
                uid=asked.uid,
                allowed=False,
                causes=tuple(
                    Cause(
                        code=finding.code,
                        message=f"{finding.message} ({finding.hint})",
                        field=finding.origin.path if finding.origin is not None else "",
                    )
                    for finding in refusing[:_MOST]
                ),
            )
        )
    warnings = [
        text
        for finding in found[:_MOST]
        for text in (f"{finding.code}: {finding.message}", f"{finding.code}: {finding.hint}")
    ]
    return ReviewVerdict(
        answer=ReviewResponse(uid=asked.uid, allowed=True, warnings=tuple(warnings))
    )


_FOREIGN_READING = frozenset(
    {"unknown-field", "invalid-field", "missing-field", "invalid-name", "not-an-object"}
)
"""Kubernetes' own kinds are what the API server says; what we cannot read we do not serve."""
