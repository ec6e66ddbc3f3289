"""AdmissionReviews for tests: what an API server would send about a document."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from gatereeve.admission import admission_review, world_subset
from gatereeve.admission.review import ReviewVerdict, review
from tests.support.worlds import world_of


def plain(text: str) -> dict[str, Any]:
    """One document, as JSON values: times are text."""
    loaded: dict[str, Any] = yaml.load(text, yaml.BaseLoader)
    typed: dict[str, Any] = yaml.safe_load(text)
    value: dict[str, Any] = _with_text_times(typed, loaded)
    return value


def _with_text_times(typed: Any, text: Any) -> Any:
    if isinstance(typed, dict):
        return {key: _with_text_times(value, text[str(key)]) for key, value in typed.items()}
    if isinstance(typed, list):
        return [_with_text_times(a, b) for a, b in zip(typed, text, strict=True)]
    return typed if isinstance(typed, bool | int | float | str | None) else text


def body(
    document: str | dict[str, Any] | None,
    *,
    old: str | dict[str, Any] | None = None,
    operation: str = "",
    user: str = "mia",
    groups: Iterable[str] = (),
    dry_run: bool = False,
    **changes: Any,
) -> bytes:
    """The bytes of a review. changes: fields of the request."""
    new = plain(document) if isinstance(document, str) else document
    before = plain(old) if isinstance(old, str) else old
    about = new or before or {}
    group, _, version = str(about.get("apiVersion", "")).rpartition("/")
    metadata = about.get("metadata", {})
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": group, "version": version, "kind": about.get("kind", "")},
        "resource": {"group": group, "version": version, "resource": "things"},
        "name": metadata.get("name", ""),
        "namespace": metadata.get("namespace", ""),
        "operation": operation or ("CREATE" if before is None else "UPDATE"),
        "userInfo": {"username": user, "groups": [*groups], "uid": "1", "extra": {"a": ["b"]}},
        "object": new,
        "oldObject": before,
        "dryRun": dry_run,
        "options": {"kind": "CreateOptions"},
    } | changes
    return json.dumps(
        {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    ).encode()


def judge(document: str | dict[str, Any] | None, *there: str, **given: Any) -> ReviewVerdict:
    """The verdict on one change, in a World of the documents `there`."""
    seen = world_subset.index_world(world_of(*there))
    return review(admission_review.read_review(body(document, **given)), seen)


def codes(verdict: ReviewVerdict) -> set[str]:
    return {cause.code for cause in verdict.response.causes}


def warned(verdict: ReviewVerdict) -> set[str]:
    """Codes of the warnings."""
    return {text.partition(":")[0] for text in verdict.response.warnings}
