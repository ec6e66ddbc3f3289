"""Who changed what between two Worlds: names from stamps and witnesses, digests, and what is no change."""

from __future__ import annotations

import dataclasses

from gatereeve.admission import change_authors
from gatereeve.admission.change_authors import DeletionLog, DocumentChange, find_changes
from gatereeve.api import objects
from gatereeve.api.world import ModelDoc, World
from gatereeve.core.protocols import Witness
from gatereeve.core.refs import Ref
from tests.recording import StillClock
from tests.support.clocks import AT
from tests.support.reviews import plain
from tests.support.worlds import world_of
from tests.unit.admission.test_review import MODEL

REF = Ref("gatereeve.dev", "Model", "shop", "offers")


def world(text: str | None, by: str = "mia", **metadata: object) -> World:
    """As a cluster gives it: objects, without a file."""
    if text is None:
        return World(at=AT)
    document = plain(text)
    document["metadata"] |= {"annotations": {"gatereeve.dev/changed-by": by}, **metadata}
    doc = objects.read(document).doc
    assert doc is not None
    return World(at=AT, models={("shop", "offers"): doc})  # type: ignore[dict-item]  # a Model


def digest(of: World) -> str:
    return of.models["shop", "offers"].digest


def test_what_comes_changes_and_goes_is_told_with_who_and_digests() -> None:
    departures = DeletionLog(StillClock())
    nothing, first = world(None), world(MODEL)
    second = world(MODEL.replace("limited", "high"), by="max")

    assert find_changes(nothing, first, departures) == (
        DocumentChange(ref=REF, what="created", by="mia", before=None, after=digest(first)),
    )
    assert find_changes(first, second, departures) == (
        DocumentChange(
            ref=REF, what="changed", by="max", before=digest(first), after=digest(second)
        ),
    )
    departures.deleted(REF, "petra")
    gone = DocumentChange(ref=REF, what="deleted", by="petra", before=digest(second), after=None)
    assert find_changes(second, nothing, departures) == (gone,)
    assert find_changes(second, nothing, departures) == (dataclasses.replace(gone, by=None),)
    assert len(find_changes(None, first, departures)) == 1


def test_what_nobody_said_is_no_change() -> None:
    first = world(MODEL, resourceVersion="1")
    again = world(MODEL, resourceVersion="2", finalizers=["a/b"], generation=2)

    assert find_changes(first, first, DeletionLog(StillClock())) == ()
    assert find_changes(first, again, DeletionLog(StillClock())) == ()


def test_labels_are_a_change_with_the_same_digest() -> None:
    first, labelled = world(MODEL), world(MODEL, labels={"a": "b"})

    [change] = find_changes(first, labelled, DeletionLog(StillClock()))
    assert (change.what, change.before, change.after) == ("changed", digest(first), digest(first))


def test_a_name_in_a_file_was_typed() -> None:
    typed = MODEL.replace("offers,", "offers, annotations: {gatereeve.dev/changed-by: me},", 1)

    [change] = find_changes(None, world_of(typed), DeletionLog(StillClock()))
    assert change.by is None


def test_departures_are_bounded_and_the_last_word_counts() -> None:
    departures: DeletionLog = DeletionLog(StillClock())
    witness: Witness = departures
    for number in range(change_authors.MAX_DELETIONS + 5):
        witness.deleted(Ref("gatereeve.dev", "Model", "shop", f"m{number}"), "mia")
    witness.deleted(REF, "mia")
    witness.deleted(REF, "max")

    assert departures.take(Ref("gatereeve.dev", "Model", "shop", "m0")) is None
    assert departures.take(REF) == "max"


def test_a_name_that_was_heard_long_before_is_not_the_name_of_this_deletion() -> None:
    clock = StillClock()
    departures = DeletionLog(clock)
    departures.deleted(REF, "petra")
    clock.move(change_authors.MAX_AGE_S + 1)
    assert departures.take(REF) is None


def test_other_kinds_are_nobodys_change() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
    assert find_changes(World(at=AT), world_of(service), DeletionLog(StillClock())) == ()
    model: ModelDoc = world(MODEL).models["shop", "offers"]
    assert model.file == ""
