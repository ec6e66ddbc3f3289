"""Who changed which governed document, from one World to the next. Pure but for `DeletionLog`.

What came or changed says so itself: the API server wrote the name into it (`guards.stamping`). What
is gone cannot, so the webhook's witness is asked. A document from a folder has no name to tell:
whatever its annotation says was typed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

from gatereeve.admission.guards.settings import CHANGED_BY
from gatereeve.api import registry
from gatereeve.api.assemble import table_of
from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.core.derived import changed_keys
from gatereeve.core.protocols import Clock
from gatereeve.core.records import What
from gatereeve.core.refs import Ref

MOST: Final = 10_000
"""Departures that are remembered; of more, the oldest are forgotten and have no name."""

LATEST_S: Final = 30.0
"""A deletion that the World shows later than this is not the one that was heard of: other admission
may have refused that one, and another replica have heard of the next."""

UNGOVERNED: Final = frozenset({"Namespace", "Service", "EndpointSlice", "Secret"})
"""Kinds that a World reads and nobody is stamped for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChange:
    """One document. by: None when nobody knows. before, after: its digest, None where it was not.

    A change of labels or annotations alone leaves the digest as it was.
    """

    ref: Ref
    what: What
    by: str | None
    before: str | None
    after: str | None


class DeletionLog:
    """A `core.protocols.Witness` that remembers who let what go, for LATEST_S. Of one loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: OrderedDict[Ref, tuple[str, float]] = OrderedDict()

    def deleted(self, ref: Ref, by: str) -> None:
        self._heard.pop(ref, None)
        self._heard[ref] = by, self._clock.monotonic()
        if len(self._heard) > MOST:
            self._heard.popitem(last=False)

    def take(self, ref: Ref) -> str | None:
        """Who let `ref` go, once; None when this replica's webhook did not hear of it just now."""
        by, at = self._heard.pop(ref, (None, 0.0))
        return by if self._clock.monotonic() - at <= LATEST_S else None


def changes(
    before: World | None, after: World, departures: DeletionLog
) -> tuple[DocumentChange, ...]:
    """What changed from `before` to `after`, in order of names; everything is new after None.

    Costs nothing for kinds whose documents are the same object.
    """
    found: list[DocumentChange] = []
    for kind in registry.EVERY:
        if kind.kind in UNGOVERNED:
            continue
        new = cast("Mapping[Key, AnyDoc]", table_of(after, kind))
        old = {} if before is None else cast("Mapping[Key, AnyDoc]", table_of(before, kind))
        if new is not old:
            found += _changes(old, new, departures)
    return tuple(sorted(found, key=lambda one: one.ref))


def returned(known: Mapping[Ref, str] | None, world: World) -> tuple[DocumentChange, ...]:
    """What changed while nobody looked, in order of names. known: digests of then, None of nothing.

    A change of labels or annotations alone is not seen, and nobody can say who deleted.
    """
    found: list[DocumentChange] = []
    left = dict(known or {})
    for kind in registry.EVERY:
        if kind.kind in UNGOVERNED:
            continue
        for doc in cast("Mapping[Key, AnyDoc]", table_of(world, kind)).values():
            before = left.pop(doc.ref, None)
            if before != doc.digest:
                what: What = (
                    "found" if known is None else "created" if before is None else "changed"
                )
                found.append(
                    DocumentChange(ref=doc.ref, what=what, by=_changer(doc), before=before, after=doc.digest)
                )  # fmt: skip
    found += [
        DocumentChange(ref=ref, what="deleted", by=None, before=digest, after=None)
        for ref, digest in left.items()
    ]
    return tuple(sorted(found, key=lambda one: one.ref))


def _changes(
    old: Mapping[Key, AnyDoc], new: Mapping[Key, AnyDoc], departures: DeletionLog
) -> Iterator[DocumentChange]:
    for key in changed_keys(old, new):
        was, doc = old.get(key), new.get(key)
        if doc is None:
            assert was is not None
            yield DocumentChange(
                ref=was.ref,
                what="deleted",
                by=departures.take(was.ref),
                before=was.digest,
                after=None,
            )
            continue
        if was is not None and was.digest == doc.digest and _words(was) == _words(doc):
            continue
        yield DocumentChange(
            ref=doc.ref,
            what="created" if was is None else "changed",
            by=_changer(doc),
            before=None if was is None else was.digest,
            after=doc.digest,
        )


def _changer(doc: AnyDoc) -> str | None:
    return None if doc.file else doc.meta.annotations.get(CHANGED_BY)


def _words(doc: AnyDoc) -> tuple[Mapping[str, str], Mapping[str, str]]:
    return doc.meta.labels, doc.meta.annotations
