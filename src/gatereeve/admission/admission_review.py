"""AdmissionReview, admission.k8s.io/v1: bytes in, one question out; one answer in, bytes out.

Whoever reaches the port may send anything, so everything is bounded and typed before it is looked
at. What is no review raises `NotAReviewError`; what is one gets an answer, whatever it holds.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from gatereeve.api import objects
from gatereeve.api.yaml import Plain

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
MAX_BYTES = 7 * 1024 * 1024
"""Two objects of at most 3 MiB each (the API server's limit for a request), and some words."""
MAX_WARNING = 120
MAX_WARNINGS = 16


class NotAReviewError(Exception):
    """The bytes are no AdmissionReview of v1. Says why, in words that quote nothing of them."""


class UserInfo(msgspec.Struct, frozen=True):
    """Who asks, as the API server authenticated them."""

    username: str = ""
    groups: tuple[str, ...] = ()


class GroupVersionKind(msgspec.Struct, frozen=True):
    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class _Request(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    kind: GroupVersionKind
    operation: str
    user_info: UserInfo
    name: str = ""
    namespace: str = ""
    sub_resource: str = ""
    dry_run: bool | None = False
    object: msgspec.Raw = msgspec.Raw(b"null")
    old_object: msgspec.Raw = msgspec.Raw(b"null")


class _Review(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: _Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """One request, bounded and typed. object, old: None where there is none."""

    uid: str
    kind: GroupVersionKind
    operation: str
    user: UserInfo
    name: str
    namespace: str
    dry_run: bool
    object: dict[str, Plain] | None
    old: dict[str, Plain] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why something is refused. code: of a finding. field: the place in the object."""

    code: str
    message: str
    field: str = ""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of RFC 6902."""

    op: str
    path: str
    value: dict[str, Plain]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResponse:
    """allowed, or refused for `causes`. status: HTTP's word for it. patch: JSON patch operations."""

    uid: str
    allowed: bool
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    status: int = 403
    patch: tuple[Patch, ...] = ()


_DECODER = msgspec.json.Decoder(_Review)


def question(body: bytes) -> ReviewRequest:
    """The request in `body`. Raises NotAReviewError."""
    if len(body) > MAX_BYTES:
        raise NotAReviewError("the review is too large")
    try:
        review = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NotAReviewError("this is no AdmissionReview") from error
    if (review.api_version, review.kind) != (API_VERSION, KIND):
        raise NotAReviewError(f"only {API_VERSION} {KIND} is understood")
    request = review.request
    if not request.uid or len(request.uid) > 256:
        raise NotAReviewError("the request has no uid")
    return ReviewRequest(
        uid=request.uid,
        kind=request.kind,
        operation=request.operation,
        user=request.user_info,
        name=request.name,
        namespace=request.namespace,
        dry_run=bool(request.dry_run),
        object=_object(request.object),
        old=_object(request.old_object),
    )


def _object(raw: msgspec.Raw) -> dict[str, Plain] | None:
    try:
        value = cast("Plain", msgspec.json.decode(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NotAReviewError("the object is no JSON") from error
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotAReviewError("the object is no object")
    if not objects.is_bounded(value):
        raise NotAReviewError("the object is nested too deep, or holds too many values")
    return value


def answer(given: ReviewResponse) -> bytes:
    """The AdmissionReview that says it."""
    response: dict[str, object] = {"uid": given.uid, "allowed": given.allowed}
    if given.warnings:
        response["warnings"] = [_short(text) for text in given.warnings[:MAX_WARNINGS]]
    if not given.allowed:
        response["status"] = {
            "status": "Failure",
            "code": given.status,
            "reason": "ServiceUnavailable" if given.status == 503 else "Forbidden",
            "message": _message(given.causes),
            "details": {
                "causes": [
                    {"reason": cause.code, "message": cause.message, "field": cause.field}
                    for cause in given.causes
                ]
            },
        }
    elif given.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(msgspec.json.encode(list(given.patch))).decode()
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _message(causes: Sequence[Cause]) -> str:
    return "; ".join(f"{cause.code}: {cause.message}" for cause in causes)[:4000]


def _short(text: str) -> str:
    """Longer warnings are cut by the API server, in worse places."""
    return text if len(text) <= MAX_WARNING else text[: MAX_WARNING - 1] + "…"
