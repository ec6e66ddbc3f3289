"""Text to documents: one file in, `Parsed` out, with a finding for everything that is not right.

Pure, and total: any text gives a result, never an exception and never silence. A stretch between
two `---` is parsed by itself and keeps its result for as long as its text stays the same, so a
`Doc` that did not change keeps its identity. Reading follows `registry`; what the documents mean
is not this module's business.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from gatereeve.api import document, registry, yaml
from gatereeve.api.parsed import Parsed, Part, keep_last_good, unreadable
from gatereeve.api.world import AnyDoc, Broken, broken_document
from gatereeve.core import findings, refs
from gatereeve.core.report import describe

MAX_DOCUMENTS = 100_000
"""Of one file."""

_SALVAGE_TRIES = 24
_SALVAGE_CHARACTERS = 64 * 1024
_KIND = re.compile(r"^\s*[\"']?kind[\"']?\s*:\s*[\"']?([A-Za-z]{1,63})", re.MULTILINE)
_NAMESPACE_KEY = re.compile(r"\bnamespace[\"']?\s*:")
_NAMESPACE = re.compile(
    r"(?:^|[{,])\s*[\"']?namespace[\"']?\s*:\s*[\"']?([-a-z0-9]{1,63})[\"']?\s*(?:[#,}]|$)",
    re.MULTILINE,
)


_NAMESPACE_LAST = re.compile(r"\bnamespace[\"']?\s*:\s*[\"']?[^\s\"',}\]#]*\Z")
"""Text that ends within a namespace may have been cut off there, and have named another."""


def parse_text(text: str, file: str, previous: Parsed | None = None) -> Parsed:
    """The documents of `text`.

    file: the path that findings show. previous: the file as it was; unchanged parts are taken over.
    Findings of reading: see `core.findings`. At most MAX_DOCUMENTS documents are read.
    """
    if file.casefold().endswith(".json"):
        text = yaml.from_json(text)
    known = {part.key: part for part in previous.parts} if previous is not None else {}
    parts: list[Part] = []
    documents = 0
    for chunk in yaml.split(text):
        if documents >= MAX_DOCUMENTS:
            parts.append(_too_many(file, chunk.before))
            break
        part = _part(chunk, file, known)
        documents += len(part.docs) + len(part.broken)
        parts.append(part)
    if not parts:
        return _nothing(text, file)
    return Parsed(file=file, parts=tuple(parts))


def _nothing(text: str, file: str) -> Parsed:
    """A file without a document. Comments are meant; a file that holds nothing may have been cut off."""
    if "#" not in text:
        return unreadable(file, describe("empty-file"))
    finding = describe("file-not-read.comments", None, refs.Where(file))
    return Parsed(file=file, parts=(Part(key=b"", before=0, findings=(finding,)),))


def _too_many(file: str, before: int) -> Part:
    finding = describe(
        "too-many-documents", None, refs.Where(file, before + 1), limit=MAX_DOCUMENTS
    )
    return Part(
        key=b"",
        before=before,
        findings=(finding,),
        broken=(broken_document("", finding.where),),
        unreadable=True,
    )


def _part(chunk: yaml.Chunk, file: str, known: dict[bytes, Part]) -> Part:
    text = chunk.text.encode("utf-8", "surrogatepass")
    key = hashlib.blake2b(text, digest_size=16).digest()
    old = known.get(key)
    if old is not None:
        old = dataclasses.replace(old, kept=()) if old.kept else old
        if not old.unreadable:
            return old if old.before == chunk.before else _moved(old, chunk.before - old.before)
    return _read(chunk, file, key)


def _moved(part: Part, by: int) -> Part:
    """The same part `by` lines further down: new documents, for a place is part of a document."""
    return dataclasses.replace(
        part,
        before=part.before + by,
        docs=tuple(
            dataclasses.replace(doc, lines=doc.lines.shifted(by))
            if isinstance(doc.lines, yaml.Lines)
            else doc
            for doc in part.docs
        ),
        findings=tuple(
            dataclasses.replace(item, where=refs.Where(item.where.file, item.where.line + by))
            if item.where is not None
            else item
            for item in part.findings
        ),
        broken=tuple(
            dataclasses.replace(item, where=refs.Where(item.where.file, item.where.line + by))
            if item.where is not None
            else item
            for item in part.broken
        ),
    )


@dataclass(slots=True)
class _Gathered:
    docs: list[AnyDoc] = field(default_factory=list)
    findings: list[findings.Finding] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    nameless: bool = False

    def take(self, outcomes: Iterable[document.Outcome]) -> None:
        for outcome in outcomes:
            self.findings.extend(outcome.findings)
            if outcome.doc is not None:
                self.docs.append(outcome.doc)
            if outcome.broken is not None:
                self.broken.append(outcome.broken)
            self.nameless = self.nameless or outcome.nameless


def _read(chunk: yaml.Chunk, file: str, key: bytes) -> Part:
    trees, problem = yaml.read(chunk.text)
    gathered = _Gathered()
    gathered.take(document.read(tree, file, chunk.before) for tree in trees)
    if _NAMESPACE_LAST.search(chunk.text):
        gathered.broken = [_anywhere(broken) for broken in gathered.broken]
    lost = False
    if problem is not None:
        read = {doc.ref for doc in gathered.docs} | {broken.ref for broken in gathered.broken}
        where = refs.Where(file, chunk.before + problem.line)
        salvaged = [
            dataclasses.replace(b, where=where)
            for b in _salvage(chunk.text, problem.line)
            if b.ref not in read
        ]
        lost = not salvaged or not all(document.is_named(broken.ref) for broken in salvaged)
        named = not lost
        if not salvaged:
            salvaged = [broken_document(_namespace_in(chunk.text), where)]
        gathered.broken.extend(salvaged)
        gathered.findings.append(
            dataclasses.replace(
                problem.finding, origin=refs.Origin(salvaged[0].ref) if named else None, where=where
            )
        )
    return Part(
        key=key,
        before=chunk.before,
        docs=tuple(gathered.docs),
        findings=tuple(gathered.findings),
        broken=tuple(gathered.broken),
        unreadable=lost or gathered.nameless,
    )


def _anywhere(broken: Broken) -> Broken:
    ref = broken.ref
    return dataclasses.replace(broken, ref=refs.Ref(ref.group, ref.kind, "", ref.name))


def _namespace_in(text: str) -> str:
    """The only namespace that is written anywhere; "" when there are several, one is illegible or
    none is written: text that is cut off may have lost it, or its end."""
    if _NAMESPACE_LAST.search(text):
        return ""
    written = _NAMESPACE.findall(text)
    if len(set(written)) == 1 and len(written) == len(_NAMESPACE_KEY.findall(text)):
        return str(written[0])
    return ""


def _salvage(text: str, line: int) -> list[Broken]:
    """Which of our documents stand in text that is not YAML, read from what precedes the error.

    Closed on doubt: a policy that cannot be read must not look like a policy that is not there.
    Name and namespace are "" where even they cannot be made out.
    """
    if refs.GATEREEVE_GROUP not in text:
        return []
    if len(_KIND.findall(text)) > 1 and "items" in text:
        return []  # one broken item of a List may be any of them
    namespace = _namespace_in(text)
    rows = text[:_SALVAGE_CHARACTERS].split("\n")[: line - 1]
    for end in range(len(rows), max(0, len(rows) - _SALVAGE_TRIES), -1):
        trees, problem = yaml.read("\n".join(rows[:end]))
        if problem is None:
            named = [b for tree in trees if (b := document.find_ours(tree, namespace)) is not None]
            if named:
                return named
    match = _KIND.search(text)
    kind = registry.BY_KIND.get((refs.GATEREEVE_GROUP, match[1])) if match else None
    if kind is None:
        return []
    ref = refs.Ref(kind.group, kind.kind, namespace if kind.namespaced else "", "")
    return [
        Broken(
            ref=ref,
            models=() if kind.kind in ("Gate", "HostGrant") else None,
            rejects=None if kind.kind == "Approval" else (),
        )
    ]


__all__ = [
    "MAX_DOCUMENTS",
    "Parsed",
    "Part",
    "keep_last_good",
    "parse_text",
    "unreadable",
]
