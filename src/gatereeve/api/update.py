"""The World after a change of few files, from the World before: what `assemble` would give, sooner.

Only while every name is settled: as soon as a document is broken, kept, held or claimed twice, in
the old files or the new, everything is assembled afresh. A property test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gatereeve.api import registry
from gatereeve.api.assemble import Table, assemble, in_order, table_of, world_of
from gatereeve.api.parsed import Parsed
from gatereeve.api.world import World

_FEW = 64
"""Changed files; beyond that a fresh start is as quick."""

Change = tuple[Parsed | None, Parsed | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assembly:
    """A World and the files that it was made of, by path.

    settled: every document of the files is in the World, and nothing else is.
    """

    world: World
    files: Mapping[str, Parsed]
    settled: bool


def update(
    last: Assembly | None, parsed: Sequence[Parsed], *, at: datetime, jwks: Mapping[str, str]
) -> Assembly:
    """The World of `parsed`, one entry per path. at, jwks: as for `assemble`."""
    files = {one.file: one for one in parsed}
    if last is not None and last.settled:
        world = _changed(last, files, at, jwks)
        if world is not None:
            return Assembly(world=world, files=files, settled=True)
    world = assemble(parsed, at=at, jwks=jwks, previous=last.world if last else None)
    settled = (
        not world.broken
        and not any(f.code in ("duplicate-name", "last-good-kept") for f in world.findings)
        and all(_is_settled(one) for one in parsed)
    )
    return Assembly(world=world, files=files, settled=settled)


def _changed(
    last: Assembly, files: Mapping[str, Parsed], at: datetime, jwks: Mapping[str, str]
) -> World | None:
    """The World of `files`, or None when their names have to be settled first."""
    changes: list[Change] = [
        (last.files.get(path), one)
        for path, one in files.items()
        if last.files.get(path) is not one
    ]
    changes += [(one, None) for path, one in last.files.items() if path not in files]
    if len(changes) > _FEW or not all(new is None or _is_settled(new) for _, new in changes):
        return None
    tables = _tables(last.world, changes)
    if tables is None:
        return None
    paths = {one.file for change in changes for one in change if one is not None}
    found = [f for f in last.world.findings if f.where is None or f.where.file not in paths]
    found += [f for _, new in changes if new is not None for f in new.findings]
    return world_of(tables, at=at, files={}, jwks=jwks, geo={}, found=found, broken=())


def _tables(world: World, changes: Sequence[Change]) -> dict[tuple[str, str], Table] | None:
    """The tables after `changes`, unchanged ones as they are; None when a name is claimed twice."""
    tables = {(kind.group, kind.kind): table_of(world, kind) for kind in registry.EVERY}
    gone = {doc.ref for old, _ in changes if old is not None for doc in old.docs}
    came = [doc for _, new in changes if new is not None for doc in new.docs]
    fresh = {doc.ref for doc in came} - gone
    claimed = any((r.namespace, r.name) in tables[r.group, r.kind] for r in fresh)
    if claimed or len({doc.ref for doc in came}) < len(came):
        return None
    for kind in {(ref.group, ref.kind) for ref in gone | fresh}:
        tables[kind] = dict(tables[kind])
    for ref in gone - {doc.ref for doc in came}:
        del tables[ref.group, ref.kind][ref.namespace, ref.name]
    for doc in came:
        tables[doc.ref.group, doc.ref.kind][doc.ref.namespace, doc.ref.name] = doc
    for kind in {(ref.group, ref.kind) for ref in fresh}:
        tables[kind] = in_order(tables[kind])
    return tables


def _is_settled(parsed: Parsed) -> bool:
    return not any(part.broken or part.kept for part in parsed.parts)
