"""How a stage of `compile` reports what is wrong with a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.api.world import Doc
from gatereeve.core.findings import Finding, FindingCode

AnyDoc: TypeAlias = Doc[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a backend cannot be used: a finding without its place, which the route knows."""

    code: str
    message: str
    hint: str


def finding(doc: AnyDoc, code: str, path: str, message: str, hint: str) -> Finding:
    """A finding about `path` of `doc`, with its line."""
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=doc.origin(path),
        where=doc.where(path),
    )
