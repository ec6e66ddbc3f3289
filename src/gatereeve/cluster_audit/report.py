"""How a finding of the audit is made: about one object, at one place in it."""

from __future__ import annotations

from gatereeve.api.plain_objects import RawDoc
from gatereeve.core.findings import Finding, FindingCode


def finding(code: str, doc: RawDoc, path: str, message: str, hint: str) -> Finding:
    """A finding about `doc`; path: where in it, "" for the object as a whole."""
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=doc.origin(path),
        where=doc.where(path),
    )
