"""Who changed which governed document, from one World to the next. Pure, except for `DeletionLog`.

For a new or changed document the API server writes the author into an annotation
(`guards.change_stamps`). For a deleted document the webhook reports the author to `DeletionLog`. A
document from a folder has no author, because its annotation is not trusted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from gatereeve.admission.guards.settings import CHANGED_BY
from gatereeve.api import registry
from gatereeve.api.tables import table_of
from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.core.derived import changed_keys
from gatereeve.core.protocols import Clock
from gatereeve.core.records import What
from gatereeve.core.refs import Ref

MAX_DELETIONS: Final = 10_000
"""The number of deletions that `DeletionLog` keeps; it removes the oldest first."""

MAX_AGE_S: Final = 30.0
"""A deletion that the World shows later than this is another one: other admission may have refused the
first, and another replica may have reviewed the second."""

UNGOVERNED: Final = frozenset({"Namespace", "Service", "EndpointSlice", "Secret"})
"""Kinds of a World that have no author."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChange:
    """One changed document. by: None if unknown. before, after: its digest; None if it did not exist.

    A change of labels or annotations alone does not change the digest.
    """

    ref: Ref
    what: What
    by: str | None
    before: str | None
    after: str | None


class DeletionLog:
    """A `core.protocols.Witness` that keeps the author of each deletion. Used from one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._deletions: OrderedDict[Ref, tuple[str, float]] = OrderedDict()

    def deleted(self, ref: Ref, by: str) -> None:
        self._deletions.pop(ref, None)
        self._deletions[ref] = by, self._clock.monotonic()
        if len(self._deletions) > MAX_DELETIONS:
            self._deletions.popitem(last=False)

    def take(self, ref: Ref) -> str | None:
        """Return and remove the author of the deletion of `ref`; None if it is unknown or too old."""
        by, at = self._deletions.pop(ref, (None, 0.0))
        return by if self._clock.monotonic() - at <= MAX_AGE_S else None


def find_changes(
    before: World | None, after: World, deletions: DeletionLog
) -> tuple[DocumentChange, ...]:
    """Return the changes from `before` to `after`, sorted by name. Before None, every document is new."""
    changes: list[DocumentChange] = []
    for kind in registry.EVERY:
        if kind.kind in UNGOVERNED:
            continue
        new = cast("Mapping[Key, AnyDoc]", table_of(after, kind))
        old = {} if before is None else cast("Mapping[Key, AnyDoc]", table_of(before, kind))
        if new is not old:
            changes += _compare_tables(old, new, deletions)
    return tuple(sorted(changes, key=lambda change: change.ref))


def find_changes_since(
    digests: Mapping[Ref, str] | None, world: World
) -> tuple[DocumentChange, ...]:
    """Return the changes while the controller was not running, sorted by name.

    digests: of the documents at its last stop; None if there was no stop. A change of labels or
    annotations alone is not found, and deletions have no author.
    """
    changes: list[DocumentChange] = []
    remaining = dict(digests or {})
    for kind in registry.EVERY:
        if kind.kind in UNGOVERNED:
            continue
        for doc in cast("Mapping[Key, AnyDoc]", table_of(world, kind)).values():
            before = remaining.pop(doc.ref, None)
            if before != doc.digest:
                what: What = (
                    "found" if digests is None else "created" if before is None else "changed"
                )
                changes.append(
                    DocumentChange(ref=doc.ref, what=what, by=_get_author(doc), before=before, after=doc.digest)
                )  # fmt: skip
    changes += [
        DocumentChange(ref=ref, what="deleted", by=None, before=digest, after=None)
        for ref, digest in remaining.items()
    ]
    return tuple(sorted(changes, key=lambda change: change.ref))


def _compare_tables(
    old: Mapping[Key, AnyDoc], new: Mapping[Key, AnyDoc], deletions: DeletionLog
) -> Iterator[DocumentChange]:
    for key in changed_keys(old, new):
        before, doc = old.get(key), new.get(key)
        if doc is None:
            assert before is not None
            yield DocumentChange(
                ref=before.ref,
                what="deleted",
                by=deletions.take(before.ref),
                before=before.digest,
                after=None,
            )
            continue
        if (
            before is not None
            and before.digest == doc.digest
            and _get_metadata(before) == _get_metadata(doc)
        ):
            continue
        yield DocumentChange(
            ref=doc.ref,
            what="created" if before is None else "changed",
            by=_get_author(doc),
            before=None if before is None else before.digest,
            after=doc.digest,
        )


def _get_author(doc: AnyDoc) -> str | None:
    return None if doc.file else doc.meta.annotations.get(CHANGED_BY)


def _get_metadata(doc: AnyDoc) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return doc.meta.labels, doc.meta.annotations
