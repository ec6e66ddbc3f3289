"""Who changed which governed document, from World to World, on its way into the store of records.

Digests of what was noted last outlive the process, so that a restart notes what changed meanwhile
and nothing twice; a kill between note and file notes a change again, which loses nothing. Without
the file everything counts as found. Decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import uuid4

from gatereeve.admission.change_authors import (
    DeletionLog,
    DocumentChange,
    find_changes,
    find_changes_since,
)
from gatereeve.api.world import World
from gatereeve.core import records
from gatereeve.core.protocols import Clock
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.digests import Digests

_VERSION: Final = "ModelVersion"


class DocumentRecords:
    """See the module. Used from one event loop; `changed`, then `note`, for every World in order.

    digests: loaded. departures: who deleted documents, as far as this replica's webhook reviewed it.
    """

    def __init__(
        self, changes: ChangeRecords, clock: Clock, digests: Digests, departures: DeletionLog
    ) -> None:
        self._changes = changes
        self._clock = clock
        self._digests = digests
        self._departures = departures
        self._noted: World | None = None

    def changed(self, world: World) -> tuple[DocumentChange, ...]:
        """What differs from the World that was noted last, or from what an earlier process noted."""
        if self._noted is not None:
            return find_changes(self._noted, world, self._departures)
        known = {ref: self._digests.get(ref) or "" for ref in self._digests}
        return find_changes_since(known or None, world)

    def note(
        self, changes: Iterable[DocumentChange], world: World, configs: Mapping[str, str]
    ) -> None:
        """Record changes that led to `world`. configs: the configurations it compiled to, by Gate."""
        changes = tuple(changes)
        self._noted = world
        if not changes:
            return
        at, bound = records.instant(self._clock.now()), dict(configs)
        versions = any(change.ref.kind == _VERSION for change in changes)
        decisions = _decisions(world) if versions else {}
        self._changes.keep(
            records.DocumentRecord(
                record_id=str(uuid4()), document=str(change.ref), at=at, what=change.what,
                by=change.by, before=change.before, after=change.after, configs=bound,
                approvals=tuple(
                    decisions.get((change.ref.namespace, change.ref.name, change.after), ())
                ),
            )
            for change in changes
        )  # fmt: skip
        for change in changes:
            self._digests.put(change.ref, change.after)


def _decisions(world: World) -> Mapping[tuple[str, str, str | None], list[str]]:
    """Every decision that there is, in order of names, by the version and digest that it is on."""
    decisions: defaultdict[tuple[str, str, str | None], list[str]] = defaultdict(list)
    for (namespace, _), doc in sorted(world.approvals.items()):
        spec, subject = doc.spec, doc.spec.subject
        decisions[namespace, subject.name, subject.digest].append(
            f"{spec.role} {spec.decision} {spec.approver}"
        )
    return decisions
