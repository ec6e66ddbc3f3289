"""All documents of a cluster as they are now, and Worlds made of them.

Only what changed is done again: a World shares every table that did not change with the one before.
Held by one event loop; what it gives out is immutable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from gatereeve.api import registry
from gatereeve.api.assemble import Table, in_order, world_of
from gatereeve.api.world import Broken, GeoTable, World
from gatereeve.core import findings
from gatereeve.sources.kube.objects import Key, StoredObject

KindKey = tuple[str, str]


class KubeDocuments:
    """Entries by kind and name. revision: rises with every change that a World would show."""

    def __init__(self) -> None:
        self.revision = 0
        self._entries: dict[KindKey, dict[Key, StoredObject]] = {
            key: {} for key in registry.BY_KIND
        }
        self._tables: dict[KindKey, Table] = {key: {} for key in registry.BY_KIND}
        self._pending: dict[KindKey, set[Key]] = {}
        self._broken: dict[tuple[KindKey, Key], Broken] = {}
        self._found: dict[tuple[KindKey, Key], tuple[findings.Finding, ...]] = {}

    def entries(self, kind: KindKey) -> Mapping[Key, StoredObject]:
        return self._entries[kind]

    def put(self, kind: KindKey, key: Key, entry: StoredObject | None) -> bool:
        """The object of that name is this now, or gone; whether that is new."""
        before = self._entries[kind].get(key)
        if before is entry:
            return False
        if entry is None:
            del self._entries[kind][key]
        else:
            self._entries[kind][key] = entry
        if _is_shown_alike(before, entry):
            return False
        self._pending.setdefault(kind, set()).add(key)
        self._note(kind, key, entry)
        self.revision += 1
        return True

    def table(self, kind: KindKey) -> Table:
        """The documents of one kind that are in force, in order of their names. Immutable."""
        changed = self._pending.pop(kind, None)
        if changed:
            self._tables[kind] = _after(self._tables[kind], self._entries[kind], changed)
        return self._tables[kind]

    def world(
        self,
        *,
        at: datetime,
        files: Mapping[str, bytes],
        jwks: Mapping[str, str],
        geo: Mapping[str, GeoTable],
        found: Iterable[findings.Finding],
    ) -> World:
        """The World as it is now. at, files, jwks, geo: as in `World`. found: of the source itself."""
        return world_of(
            {kind: self.table(kind) for kind in registry.BY_KIND},
            at=at,
            files=files,
            jwks=jwks,
            geo=geo,
            found=(*(f for group in self._found.values() for f in group), *found),
            broken=tuple(self._broken[place] for place in sorted(self._broken)),
        )

    def _note(self, kind: KindKey, key: Key, entry: StoredObject | None) -> None:
        if entry is not None and entry.broken is not None:
            self._broken[kind, key] = entry.broken
        else:
            self._broken.pop((kind, key), None)
        if entry is not None and entry.findings:
            self._found[kind, key] = entry.findings
        else:
            self._found.pop((kind, key), None)


def _is_shown_alike(before: StoredObject | None, entry: StoredObject | None) -> bool:
    """Whether a World looks the same with either: a broken object may stay just as broken."""
    if before is None or entry is None:
        return False
    return (
        before.doc is entry.doc
        and before.broken == entry.broken
        and before.findings == entry.findings
    )


def _after(table: Table, entries: Mapping[Key, StoredObject], changed: set[Key]) -> Table:
    new = dict(table)
    fresh = False
    for key in changed:
        entry = entries.get(key)
        doc = entry.doc if entry is not None else None
        if doc is None:
            new.pop(key, None)
        else:
            fresh = fresh or key not in new
            new[key] = doc
    return in_order(new) if fresh else new
