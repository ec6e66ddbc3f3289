"""Reads and writes AdmissionReview of admission.k8s.io/v1.

Every client that reaches the port can send any bytes, so sizes and types are checked first. Bytes that
are not a review raise `NotAReviewError`; every review gets a response.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import cast

import msgspec

from gatereeve.api import objects
from gatereeve.api.yaml import Plain

API_VERSION, KIND = "admission.k8s.io/v1", "AdmissionReview"
MAX_BYTES = 7 * 1024 * 1024
"""Two objects of at most 3 MiB each (the limit of the API server for a request), and the rest."""
MAX_WARNING = 120
MAX_WARNINGS = 16


class NotAReviewError(Exception):
    """The bytes are not an AdmissionReview of v1. The message quotes none of them."""


class UserInfo(msgspec.Struct, frozen=True):
    """The caller, as the API server authenticated it."""

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
    """One request, with checked sizes and types. object, old: None if absent."""

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
    """Why a change is refused. code: of a finding. field: the path in the object."""

    code: str
    message: str
    field: str = ""


class Patch(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON Patch operation (RFC 6902)."""

    op: str
    path: str
    value: dict[str, Plain]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewResponse:
    """causes: why it is not allowed. status: the HTTP status of a refusal."""

    uid: str
    allowed: bool
    causes: tuple[Cause, ...] = ()
    warnings: tuple[str, ...] = ()
    status: int = 403
    patch: tuple[Patch, ...] = ()


_DECODER = msgspec.json.Decoder(_Review)


def read_review(body: bytes) -> ReviewRequest:
    """Return the request in `body`. Raises NotAReviewError."""
    if len(body) > MAX_BYTES:
        raise NotAReviewError("the review is too large")
    try:
        review = _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NotAReviewError("the body is not an AdmissionReview") from error
    if (review.api_version, review.kind) != (API_VERSION, KIND):
        raise NotAReviewError(f"only {API_VERSION} {KIND} is supported")
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
        object=_read_object(request.object),
        old=_read_object(request.old_object),
    )


def _read_object(raw: msgspec.Raw) -> dict[str, Plain] | None:
    try:
        value = cast("Plain", msgspec.json.decode(raw))
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise NotAReviewError("the object is not JSON") from error
    if value is None:
        return None
    if not isinstance(value, dict):
        raise NotAReviewError("the object is not a JSON object")
    if not objects.is_bounded(value):
        raise NotAReviewError("the object is nested too deeply or has too many values")
    return value


def write_review(response: ReviewResponse) -> bytes:
    """Return the AdmissionReview with this response."""
    fields: dict[str, object] = {"uid": response.uid, "allowed": response.allowed}
    if response.warnings:
        fields["warnings"] = [_shorten(text) for text in response.warnings[:MAX_WARNINGS]]
    if not response.allowed:
        fields["status"] = {
            "status": "Failure",
            "code": response.status,
            "reason": "ServiceUnavailable" if response.status == 503 else "Forbidden",
            "message": "; ".join(f"{c.code}: {c.message}" for c in response.causes)[:4000],
            "details": {
                "causes": [
                    {"reason": cause.code, "message": cause.message, "field": cause.field}
                    for cause in response.causes
                ]
            },
        }
    elif response.patch:
        fields["patchType"] = "JSONPatch"
        fields["patch"] = base64.b64encode(msgspec.json.encode(list(response.patch))).decode()
    return msgspec.json.encode({"apiVersion": API_VERSION, "kind": KIND, "response": fields})


def _shorten(text: str) -> str:
    """Cut a warning to the length that the API server allows."""
    return text if len(text) <= MAX_WARNING else text[: MAX_WARNING - 1] + "…"
