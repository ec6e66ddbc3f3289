"""The documents of a source by name, made of what its files or objects hold, and Worlds of them.

One store serves a folder and a cluster. Files and objects claim names; who may have a name is decided
here, from all claims of it:

    one usable document           it is in force
    several, or one and a broken  none of them is used (`duplicate-name`)
    only unusable ones            the document that was in force stays (`last-good-kept`); without
                                  one, the name is broken
    only kept ones                the first of them, by its file, is in force
    none                          the name is gone

Only names whose claims changed are decided again, and a World shares every table that did not change
with the one before. The order in which files are given makes no difference. Pure; one caller at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gatereeve.api import registry
from gatereeve.api.affected import broken_form
from gatereeve.api.parsed import Parsed
from gatereeve.api.tables import Table, in_order, world_of
from gatereeve.api.world import AnyDoc, Broken, Doc, GeoTable, Key, World
from gatereeve.core import findings, refs
from gatereeve.core.report import describe

KindKey = tuple[str, str]
"""(group, kind)."""


class Contents(Protocol):
    """What one file or object holds. kept: documents that give way to any other of their name."""

    @property
    def docs(self) -> Iterable[AnyDoc]: ...
    @property
    def kept(self) -> Iterable[AnyDoc]: ...
    @property
    def broken(self) -> Iterable[Broken]: ...
    @property
    def findings(self) -> Iterable[findings.Finding]: ...


@dataclass(frozen=True, slots=True, eq=False)
class _Claim:
    what: AnyDoc | Broken
    is_kept: bool = False


Claims = dict[refs.Ref, list[_Claim]]
"""What one file or object claims, by name."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """What a World shows of a name that more than one document, or no usable one, claims."""

    broken: tuple[Broken, ...] = ()
    findings: tuple[findings.Finding, ...] = ()


_NOTHING = _Refusal()


class DocumentStore:
    """Held by one thread at a time; what it gives out is immutable.

    revision: rises with every change that a World would show.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._claims: dict[refs.Ref, dict[str, list[_Claim]]] = {}
        self._names: dict[str, frozenset[refs.Ref]] = {}
        self._noted: dict[str, dict[refs.Ref, refs.Where]] = {}
        self._findings: dict[str, tuple[findings.Finding, ...]] = {}
        self._refused: dict[refs.Ref, _Refusal] = {}
        self._tables: dict[KindKey, Table] = {kind: {} for kind in registry.BY_KIND}
        self._pending: dict[KindKey, dict[Key, AnyDoc | None]] = {}

    def put(self, changes: Mapping[str, Contents | None]) -> bool:
        """Each of these files or objects, by its name, holds this now; None: it is gone.

        The changes are taken together: a document that moved from one to another was never away.
        Returns whether a World shows any of it.
        """
        is_shown = False
        names: dict[refs.Ref, None] = {}
        for holder, contents in changes.items():
            is_shown |= self._take_findings(holder, contents)
            names.update(dict.fromkeys(self._take_claims(holder, contents)))
        for ref in names:
            is_shown |= self._decide(ref)
        self.revision += is_shown
        return is_shown

    def table(self, kind: KindKey) -> Table:
        """The documents of one kind that are in force, in order of their names. Immutable."""
        changed = self._pending.pop(kind, None)
        if changed:
            table = dict(self._tables[kind])
            is_in_order = all(key in table for key in changed)
            for key, doc in changed.items():
                if doc is None:
                    table.pop(key, None)
                else:
                    table[key] = doc
            self._tables[kind] = table if is_in_order else in_order(table)
        return self._tables[kind]

    def world(
        self,
        *,
        at: datetime,
        files: Mapping[str, bytes] | None = None,
        jwks: Mapping[str, str] | None = None,
        geo: Mapping[str, GeoTable] | None = None,
        found: Iterable[findings.Finding] = (),
    ) -> World:
        """The World as it is now. at, files, jwks, geo: as in `World`. found: of the source itself."""
        refused = self._refused.values()
        return world_of(
            {kind: self.table(kind) for kind in registry.BY_KIND},
            at=at,
            files={} if files is None else files,
            jwks={} if jwks is None else jwks,
            geo={} if geo is None else geo,
            found=(
                *(finding for group in self._findings.values() for finding in group),
                *(finding for refusal in refused for finding in refusal.findings),
                *found,
            ),
            broken=tuple(
                sorted((b for refusal in refused for b in refusal.broken), key=_broken_order)
            ),
        )

    def _take_findings(self, holder: str, contents: Contents | None) -> bool:
        """Returns whether they differ from those before."""
        before = self._findings.pop(holder, ())
        given = () if contents is None else tuple(contents.findings)
        self._noted.pop(holder, None)
        if given:
            self._findings[holder] = given
            noted = self._noted[holder] = {}
            for finding in given:
                if finding.where is not None and finding.origin is not None:
                    noted.setdefault(finding.origin.ref, finding.where)
        return before != given

    def _take_claims(self, holder: str, contents: Contents | None) -> Iterator[refs.Ref]:
        """Notes what is claimed now; gives the names of which the holder claims something else."""
        claims = {} if contents is None else _claims(contents)
        for ref in self._names.pop(holder, frozenset()) | claims.keys():
            holders = self._claims.setdefault(ref, {})
            before, given = holders.get(holder, []), claims.get(ref, [])
            if [(id(c.what), c.is_kept) for c in before] == [
                (id(c.what), c.is_kept) for c in given
            ]:
                continue
            if given:
                holders[holder] = given
            else:
                del holders[holder]
            if not holders:
                del self._claims[ref]
            yield ref
        if claims:
            self._names[holder] = frozenset(claims)

    def _decide(self, ref: refs.Ref) -> bool:
        """Decides who has the name; whether a World shows another answer than before."""
        holders = self._claims.get(ref, {})
        claims = [claim for holder in sorted(holders) for claim in holders[holder]]
        last = self._in_force(ref)
        docs = [c.what for c in claims if isinstance(c.what, Doc) and not c.is_kept]
        broken = [c.what for c in claims if isinstance(c.what, Broken)]
        kept = [c.what for c in claims if isinstance(c.what, Doc) and c.is_kept]
        doc: AnyDoc | None = kept[0] if kept else None
        refusal = _NOTHING
        if len(docs) == 1 and not broken:
            doc = docs[0]
        elif docs or broken:
            stays, refusal = self._refuse(ref, docs, broken, last)
            doc = stays or doc
        if doc is not last:
            key = (ref.namespace, ref.name)
            self._pending.setdefault((ref.group, ref.kind), {})[key] = doc
        before = self._refused.pop(ref, _NOTHING)
        if refusal != _NOTHING:
            self._refused[ref] = refusal
        return doc is not last or refusal != before

    def _in_force(self, ref: refs.Ref) -> AnyDoc | None:
        kind, key = (ref.group, ref.kind), (ref.namespace, ref.name)
        pending = self._pending.get(kind, {})
        return pending[key] if key in pending else self._tables.get(kind, {}).get(key)

    def _refuse(
        self, ref: refs.Ref, docs: list[AnyDoc], broken: list[Broken], last: AnyDoc | None
    ) -> tuple[AnyDoc | None, _Refusal]:
        """None of these is used: what is in force instead, and what is said about it."""
        noted = self._noted_at(ref)
        found = []
        for doc in docs:
            where = doc.where()
            others = {str(w) for w in (*(d.where() for d in docs), noted) if w and w != where}
            places = sorted(others)[:3] or "another document"
            origin = refs.Origin(ref)
            found.append(describe("duplicate-name", origin, where, document=ref, places=places))
        unusable = (*broken, *map(broken_form, docs))
        closed = tuple(dict.fromkeys(b for b in unusable if last is None or not _is_same(b, last)))
        if last is None or len(closed) == len(unusable):
            return None, _Refusal(closed, tuple(found))
        where = noted or last.where()
        found.append(describe("last-good-kept", refs.Origin(ref), where, document=ref))
        return last, _Refusal(closed, tuple(found))

    def _noted_at(self, ref: refs.Ref) -> refs.Where | None:
        """Where the first finding about that name is, by the order of the files."""
        places = (self._noted.get(holder, {}).get(ref) for holder in sorted(self._claims[ref]))
        return next((place for place in places if place is not None), None)


def assemble(contents: Iterable[Parsed], *, at: datetime) -> World:
    """The World of these files at that instant (UTC), without any history. Files may lack names."""
    store = DocumentStore()
    store.put({f"{parsed.file}\0{number}": parsed for number, parsed in enumerate(contents)})
    return store.world(at=at)


def _claims(contents: Contents) -> Claims:
    given = [
        *map(_Claim, contents.docs),
        *map(_Claim, contents.broken),
        *(_Claim(doc, is_kept=True) for doc in contents.kept),
    ]
    claims: Claims = {}
    for claim in given:
        claims.setdefault(claim.what.ref, []).append(claim)
    return claims


def _is_same(broken: Broken, doc: AnyDoc) -> bool:
    """Whether the document may stand in for the broken one: not for another object of its name."""
    return not broken.uid or broken.uid == doc.meta.uid


def _broken_order(broken: Broken) -> tuple[object, ...]:
    """None, which stands for anything, comes first."""
    return (
        broken.ref,
        str(broken.where or ""),
        *((part is not None, part or ()) for part in (broken.models, broken.rejects)),
    )
