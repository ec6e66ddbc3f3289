"""Reviews one change: compiles the document with the documents that it affects. Pure.

Findings of the changed document with a code in REFUSED refuse the change; the others become warnings.
Findings that the old version of the document already has are ignored. The steps:

0. A review that contradicts itself, or whose caller is not authenticated, is refused.
1. A deletion is allowed and reported.
2. A change without effect on governance, or of an object that is being deleted, is allowed.
3. The object is read as from a file.
4. The affected part of the World is compiled with the new and with the old object.
5. New findings refuse the change or become warnings.

The compiler checks every document again, so it also resolves conflicts between concurrent changes.
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
        # the document cannot be read
        "unknown-field", "invalid-field", "missing-field", "invalid-name", "not-an-object",
        # it uses something that is not granted, or reaches a model without its policy
        "host-not-granted", "annotation-refused", "class-ambiguous", "host-invalid", "path-refused",
        "hidden-path-to-model",
        # its author may not make this decision
        "approval-self", "person-refused", "version-changed", "break-glass-refused",
        # it has no effect, or contradicts another document
        "policy-empty", "version-duplicate",
    }
)  # fmt: skip
"""Codes that refuse a change. Others only warn: a referenced document may be created later, the compiler
resolves conflicts, and the Gateway API reports problems of routes in their status."""

_MAX_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewVerdict:
    """deleted: the document that is deleted, for the witness; None in a dry run."""

    response: ReviewResponse
    deleted: Ref | None = None


def review(request: ReviewRequest, index: WorldIndex | None) -> ReviewVerdict:
    """Review one change. index: None before the first World."""
    kind = registry.BY_KIND.get((request.kind.group, request.kind.kind))
    if kind is None or request.kind.version not in kind.versions:
        return _refuse(request, "unknown-kind", f"{request.kind.kind[:80]} is not reviewed")
    refusal = _refuse_contradiction(request, namespaced=kind.namespaced) or _refuse_unknown_caller(
        request
    )
    if refusal is not None:
        return ReviewVerdict(response=refusal)
    if request.operation == "DELETE":
        namespace = request.namespace if kind.namespaced else ""
        name = request.name or _get_name(request.old)
        deleted = (
            Ref(kind.group, kind.kind, namespace, name) if name and not request.dry_run else None
        )
        return ReviewVerdict(response=_allow(request), deleted=deleted)
    if request.operation not in ("CREATE", "UPDATE") or request.object is None:
        return _refuse(
            request, "not-an-object", "only creations, updates and deletions are reviewed"
        )
    if request.old is not None and _is_without_effect(request.object, request.old):
        return ReviewVerdict(response=_allow(request))
    if index is None:
        message = "Gatereeve has not read the cluster yet; try again"
        return _refuse(request, "not-ready", message, status=503)
    outcome = objects.read(_with_name(request.object))
    if outcome.doc is None:
        return _make_verdict(request, outcome.findings, ours=kind.ours)
    findings = [*outcome.findings, *_find_problems(index, outcome.doc)]
    if request.old is not None:
        before = objects.read(_with_name(request.old))
        if before.doc is not None:
            known = {_identify(f) for f in _find_problems(index, before.doc)}
            findings = [finding for finding in findings if _identify(finding) not in known]
    return _make_verdict(request, findings, ours=kind.ours)


def stamp(request: ReviewRequest) -> ReviewResponse:
    """Write the caller's name into the object: a mutating review for older clusters."""
    refusal = _refuse_contradiction(request, namespaced=None) or _refuse_unknown_caller(request)
    if refusal is not None:
        return refusal
    if request.operation not in ("CREATE", "UPDATE") or request.object is None:
        return _allow(request)
    annotations = {
        **_get_metadata(request.object, "annotations"),
        CHANGED_BY: request.user.username,
    }
    patch = Patch(op="add", path="/metadata/annotations", value=annotations)
    return ReviewResponse(uid=request.uid, allowed=True, patch=(patch,))


def _allow(request: ReviewRequest) -> ReviewResponse:
    return ReviewResponse(uid=request.uid, allowed=True)


def _refuse(request: ReviewRequest, code: str, message: str, *, status: int = 403) -> ReviewVerdict:
    return ReviewVerdict(response=_make_refusal(request, code, message, status=status))


def _make_refusal(
    request: ReviewRequest, code: str, message: str, *, status: int = 403
) -> ReviewResponse:
    return ReviewResponse(
        uid=request.uid, allowed=False, causes=(Cause(code=code, message=message),), status=status
    )


def _refuse_contradiction(
    request: ReviewRequest, *, namespaced: bool | None
) -> ReviewResponse | None:
    """Step 0: refuse a review whose request differs from its objects; the API server sends no such review.

    namespaced: whether the kind is namespaced; None if unknown.
    """
    parts = {"object": request.object, "oldObject": request.old}
    for part, value in parts.items():
        if value is not None and (field := _find_difference(request, value, namespaced=namespaced)):
            return _make_refusal(
                request, "not-an-object",
                f"the {field} of {part} differs from the {field} of the request",
            )  # fmt: skip
    if request.operation == "DELETE" and request.object is not None:
        message = "the review of a deletion has an oldObject and no object"
        return _make_refusal(request, "not-an-object", message)
    return None


def _find_difference(
    request: ReviewRequest, value: Mapping[str, Plain], *, namespaced: bool | None
) -> str | None:
    """Return the name of a field that differs, or None."""
    if (value.get("apiVersion"), value.get("kind")) != (
        request.kind.api_version,
        request.kind.kind,
    ):
        return "kind"
    metadata = value.get("metadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        return "metadata"
    # The request has no name before the API server generates one, and when a collection is deleted.
    is_unnamed = not request.name and (
        request.operation == "DELETE" or bool(metadata.get("generateName"))
    )
    if (metadata.get("name") or "") != request.name and not is_unnamed:
        return "name"
    namespace = metadata.get("namespace") or ""
    if namespaced is False:
        # In a request for a Namespace, the API server sets the namespace to its name.
        own = request.name if request.kind.kind == "Namespace" else ""
        is_same = not namespace and request.namespace in ("", own)
    else:
        is_same = namespace == request.namespace
    return None if is_same else "namespace"


def _refuse_unknown_caller(request: ReviewRequest) -> ReviewResponse | None:
    """Step 0: refuse a change by a caller that the API server did not authenticate."""
    if request.user.username and not people.is_anonymous(
        request.user.username, request.user.groups
    ):
        return None
    message = "the API server has not authenticated the caller; log in and try again"
    return _make_refusal(request, "not-authenticated", message)


def _is_without_effect(new: Mapping[str, Plain], old: Mapping[str, Plain]) -> bool:
    """Whether nothing that is reviewed changed, or the object is being deleted and its spec is the same."""
    parts = {*new, *old} - {"metadata", "status", "apiVersion"}
    if any(new.get(part) != old.get(part) for part in parts):
        return False
    metadata = new.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp") is not None:
        return True
    return all(
        {**_get_metadata(new, part), CHANGED_BY: None}
        == {**_get_metadata(old, part), CHANGED_BY: None}
        for part in ("labels", "annotations")
    )


def _get_metadata(value: Mapping[str, Plain], part: str) -> dict[str, Plain]:
    metadata = value.get("metadata")
    values = metadata.get(part) if isinstance(metadata, dict) else None
    return values if isinstance(values, dict) else {}


def _get_name(value: Mapping[str, Plain] | None) -> str:
    metadata = value.get("metadata") if value is not None else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def _with_name(value: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the object, with an example name if the API server has not generated one yet."""
    metadata = value.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("name"):
        generated = metadata.get("generateName")
        if isinstance(generated, str):
            return {**value, "metadata": {**metadata, "name": f"{generated}00000"}}
    return dict(value)


def _find_problems(index: WorldIndex, doc: AnyDoc) -> tuple[Finding, ...]:
    """Return the findings about `doc`, and about other routes that lose a path to it."""
    return tuple(
        finding
        for finding in compiler.compile(subset_for(index, doc)).findings
        if finding.severity is not Severity.INFO
        and finding.origin is not None
        and doc.ref in (finding.origin.ref, finding.cause)
    )


def _identify(finding: Finding) -> tuple[FindingCode, str, str]:
    path = finding.origin.path if finding.origin is not None else ""
    return finding.code, path, finding.message


def _make_verdict(
    request: ReviewRequest, findings: Iterable[Finding], *, ours: bool
) -> ReviewVerdict:
    """Step 5. A break-glass approval that one gate accepts is not refused because of another gate."""
    ordered = order(findings)
    is_active = any(finding.code == "break-glass-active" for finding in ordered)
    refusing = [
        finding
        for finding in ordered
        if finding.code in REFUSED
        if not (is_active and finding.code == "break-glass-refused")
        if ours or finding.code not in _FOREIGN_READING
    ]
    if refusing:
        causes = tuple(
            Cause(
                code=finding.code,
                message=f"{finding.message} ({finding.hint})",
                field=finding.origin.path if finding.origin is not None else "",
            )
            for finding in refusing[:_MAX_SHOWN]
        )
        return ReviewVerdict(response=ReviewResponse(uid=request.uid, allowed=False, causes=causes))
    warnings = tuple(
        f"{finding.code}: {text}"
        for finding in ordered[:_MAX_SHOWN]
        for text in (finding.message, finding.hint)
    )
    return ReviewVerdict(response=ReviewResponse(uid=request.uid, allowed=True, warnings=warnings))


_FOREIGN_READING = frozenset(
    {"unknown-field", "invalid-field", "missing-field", "invalid-name", "not-an-object"}
)
"""They refuse only our kinds. The API server validates kinds of Kubernetes."""
