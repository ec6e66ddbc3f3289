"""What reading a file gave, part by part, and what of its earlier reading stays in force.

Plain values between `parse`, which makes them, and `sources.store`, which uses them. Reads no text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from gatereeve.api.world import AnyDoc, Broken, broken_document
from gatereeve.core import findings, refs
from gatereeve.core.report import describe


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What one stretch of a file holds. key: hash of its text. before: lines above it.

    unreadable: there may be documents in it whose names are not known.
    kept: last good documents in place of those.
    """

    key: bytes
    before: int
    docs: tuple[AnyDoc, ...] = ()
    findings: tuple[findings.Finding, ...] = ()
    broken: tuple[Broken, ...] = ()
    unreadable: bool = False
    kept: tuple[AnyDoc, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parsed:
    """What one file holds, in its order."""

    file: str
    parts: tuple[Part, ...] = ()

    @property
    def docs(self) -> Iterator[AnyDoc]:
        return (doc for part in self.parts for doc in part.docs)

    @property
    def kept(self) -> Iterator[AnyDoc]:
        return (doc for part in self.parts for doc in part.kept)

    @property
    def findings(self) -> Iterator[findings.Finding]:
        return (finding for part in self.parts for finding in part.findings)

    @property
    def broken(self) -> Iterator[Broken]:
        return (broken for part in self.parts for broken in part.broken)


def unreadable(file: str, problem: findings.Finding, *, line: int = 0) -> Parsed:
    """A file that cannot be read at all, so that it may hold any document of ours.

    What it held before may be kept by `keep_last_good`.
    """
    where = refs.Where(file, line)
    finding = dataclasses.replace(problem, where=where)
    part = Part(
        key=b"",
        before=0,
        findings=(finding,),
        broken=(broken_document("", where),),
        unreadable=True,
    )
    return Parsed(file=file, parts=(part,))


def keep_last_good(parsed: Parsed, previous: Parsed | None) -> Parsed:
    """`parsed` with the documents of `previous` that an unreadable stretch may still hold.

    Documents that can be identified are not kept here: `sources.store` replaces those that became
    invalid, and those that are gone are gone.
    """
    if previous is None or not any(part.unreadable for part in parsed.parts):
        return parsed
    present = {doc.ref for doc in parsed.docs} | {broken.ref for broken in parsed.broken}
    kept_documents = tuple(
        doc for doc in (*previous.docs, *previous.kept) if doc.ref not in present
    )
    if not kept_documents:
        return parsed
    kinds = {doc.ref.kind for doc in kept_documents}
    names = {(doc.ref.kind, doc.ref.name) for doc in kept_documents if doc.ref.namespace}
    replaced = 0
    parts = []
    for part in parsed.parts:
        if not part.unreadable:
            parts.append(part)
            continue
        closing = []
        for broken in part.broken:
            if replaced < len(kept_documents) and _is_kept(broken.ref, kinds, names):
                replaced += 1
            else:
                closing.append(broken)
        here, kept_here = (
            part.findings[:1],
            kept_documents if len(parts) == _first_hurt(parsed) else (),
        )
        where = here[0].where if here else refs.Where(parsed.file)
        parts.append(
            dataclasses.replace(
                part,
                kept=kept_here,
                findings=(*part.findings, *(_kept_finding(doc.ref, where) for doc in kept_here)),
                broken=tuple(closing),
            )
        )
    return dataclasses.replace(parsed, parts=tuple(parts))


def _first_hurt(parsed: Parsed) -> int:
    return next(i for i, part in enumerate(parsed.parts) if part.unreadable)


def _is_kept(ref: refs.Ref, kinds: set[str], names: set[tuple[str, str]]) -> bool:
    """Whether a document that is identified only in part may be one of the kept documents."""
    if not ref.kind:
        return True
    if not ref.name:
        return ref.kind in kinds
    return not ref.namespace and (ref.kind, ref.name) in names


def _kept_finding(ref: refs.Ref, where: refs.Where | None) -> findings.Finding:
    return describe("last-good-kept", refs.Origin(ref), where, document=ref)


def held(parsed: Parsed) -> Parsed:
    """A file as it was, while it seems to be written or gone.

    Its documents stay in force and give way to documents of the same name in other files.
    """
    part = Part(
        key=b"held",
        before=0,
        findings=tuple(parsed.findings),
        broken=tuple(parsed.broken),
        kept=(*parsed.docs, *parsed.kept),
    )
    return Parsed(file=parsed.file, parts=(part,))
