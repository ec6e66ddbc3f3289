"""Names are unique, the last good document stays, the order of files does not matter."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from gatereeve.api import parse, registry, tables
from gatereeve.api.parsed import Part, keep_last_good
from gatereeve.api.world import AnyDoc, World
from gatereeve.core import refs
from gatereeve.sources.store import DocumentStore, assemble
from tests.unit.api import documents

AT = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = refs.Ref("gatereeve.dev", "AccessPolicy", "lending", "credit")


class Folder:
    """A store, and the World after each change of its files."""

    def __init__(self) -> None:
        self.store = DocumentStore()
        self.files: set[str] = set()

    def now(self, *texts: str) -> World:
        """The World when these are all the files, taken at once."""
        files = {f"{i}.yaml": parse.parse_text(text, f"{i}.yaml") for i, text in enumerate(texts)}
        self.store.put({**dict.fromkeys(self.files - files.keys()), **files})
        self.files = set(files)
        return self.store.world(at=AT)


def world(*texts: str) -> World:
    return Folder().now(*texts)


def find(world: World, ref: refs.Ref) -> AnyDoc | None:
    kind = registry.BY_KIND[ref.group, ref.kind]
    return tables.table_of(world, kind).get((ref.namespace, ref.name))


def test_every_kind_has_its_place_in_key_order() -> None:
    other = documents.MODEL.replace("name: credit", "name: alpha")
    found = world(*documents.ALL, other)
    assert list(found.models) == [("lending", "alpha"), ("lending", "credit")]
    for table in (found.gates, found.model_versions, found.approvals, found.access_policies,
                  found.rollouts, found.host_grants, found.secrets, found.ingresses):  # fmt: skip
        assert len(table) == 1
    assert found.at == AT
    assert found.findings == ()


def test_the_order_of_files_makes_no_difference() -> None:
    broken = documents.POLICY.replace("models", "modles")
    texts = [*documents.ALL, documents.MODEL, broken]
    files = [parse.parse_text(text, f"{i}.yaml") for i, text in enumerate(texts)]
    one, other = assemble(files, at=AT), assemble(reversed(files), at=AT)
    assert one.models == other.models
    assert one.findings == other.findings
    assert one.broken == other.broken


def test_of_two_documents_with_one_name_neither_is_used() -> None:
    found = world(documents.POLICY, documents.POLICY.replace("ru", "by"), documents.MODEL)
    assert found.access_policies == {}
    assert [(b.ref, b.models) for b in found.broken] == [(POLICY, ("credit",))]
    assert [(f.code, f.where) for f in found.findings] == [
        ("duplicate-name", refs.Where("0.yaml", 1)),
        ("duplicate-name", refs.Where("1.yaml", 1)),
    ]
    assert "1.yaml:1" in found.findings[0].message
    assert len(found.models) == 1


def test_the_same_name_in_another_namespace_or_kind_is_another_document() -> None:
    found = world(documents.POLICY, documents.POLICY.replace("lending", "other"), documents.ROLLOUT)
    assert len(found.access_policies) == 2
    assert found.findings == ()


def test_a_valid_and_a_broken_document_with_one_name_are_both_unused() -> None:
    found = world(documents.POLICY, documents.POLICY.replace("models", "modles"))
    assert found.access_policies == {}
    assert {f.code for f in found.findings} == {"unknown-field", "missing-field", "invalid-field",
        "duplicate-name"} & {f.code for f in found.findings}  # fmt: skip
    assert "duplicate-name" in {f.code for f in found.findings}
    assert {b.models for b in found.broken} == {None, ("credit",)}


def test_what_became_invalid_stays_as_it_was_last_good() -> None:
    folder = Folder()
    good = folder.now(documents.POLICY)
    bad = folder.now(documents.POLICY.replace("models", "modles"))
    assert find(bad, POLICY) is find(good, POLICY)
    assert bad.broken == ()
    kept = [f for f in bad.findings if f.code == "last-good-kept"]
    assert [(f.origin, f.where and f.where.file) for f in kept] == [(refs.Origin(POLICY), "0.yaml")]
    still = folder.now(documents.POLICY.replace("models", "modls"))
    assert find(still, POLICY) is find(good, POLICY)


def test_the_last_good_stays_when_a_second_document_takes_its_name() -> None:
    folder = Folder()
    good = folder.now(documents.POLICY)
    two = folder.now(documents.POLICY, documents.POLICY.replace("ru", "by"))
    assert find(two, POLICY) is find(good, POLICY)
    assert {f.code for f in two.findings} == {"duplicate-name", "last-good-kept"}


def test_a_document_that_moved_and_broke_in_one_change_was_never_away() -> None:
    folder = Folder()
    good = folder.now(documents.POLICY)
    moved = folder.now(documents.MODEL, documents.POLICY.replace("models", "modles"))
    assert find(moved, POLICY) is find(good, POLICY)


def test_a_broken_file_does_not_hold_up_the_others() -> None:
    """Only names whose claims changed are decided again; other tables are the same objects."""
    folder = Folder()
    broken = documents.POLICY.replace("models", "modles")
    one = folder.now(broken, documents.MODEL, documents.ROLLOUT)
    revision = folder.store.revision
    two = folder.now(broken, documents.MODEL.replace("high", "limited"), documents.ROLLOUT)
    assert folder.store.revision == revision + 1
    assert two.models is not one.models
    assert two.rollouts is not one.rollouts  # read anew: `Folder.now` parses every file
    assert two.access_policies is one.access_policies
    assert two.broken == one.broken


def test_the_same_contents_again_change_nothing() -> None:
    store = DocumentStore()
    file = parse.parse_text(documents.MODEL, "f.yaml")
    assert store.put({"f.yaml": file})
    assert not store.put({"f.yaml": file})
    assert not store.put({"g.yaml": None})
    assert store.revision == 1


def test_another_object_of_the_same_name_has_no_past() -> None:
    store = DocumentStore()
    good = documents.POLICY.replace("name: credit,", "name: credit, uid: u1,")
    store.put({"p": parse.parse_text(good, "")})
    (broken,) = parse.parse_text(documents.POLICY.replace("models", "modles"), "").broken
    kept = Part(key=b"", before=0, broken=(dataclasses.replace(broken, uid="u1"),))
    store.put({"p": kept})
    same = store.world(at=AT)
    assert (len(same.access_policies), same.broken) == (1, ())
    store.put({"p": dataclasses.replace(kept, broken=(dataclasses.replace(broken, uid="u2"),))})
    other = store.world(at=AT)
    assert (len(other.access_policies), [b.ref for b in other.broken]) == (0, [POLICY])


@pytest.mark.parametrize(
    "ruined",
    [
        documents.POLICY.replace("metadata:", "metdata:"),
        documents.POLICY.replace("namespace: lending", "namspace: lending"),
        documents.POLICY.replace("namespace: lending", "namespace: 7"),
        documents.POLICY.replace("name: credit,", ""),
    ],
)
def test_a_document_that_lost_its_name_stays_as_it_was_last_good(ruined: str) -> None:
    store = DocumentStore()
    before = parse.parse_text(documents.POLICY, "f.yaml")
    store.put({"f.yaml": before})
    good = store.world(at=AT)
    store.put({"f.yaml": keep_last_good(parse.parse_text(ruined, "f.yaml", before), before)})
    kept = store.world(at=AT)
    assert find(kept, POLICY) is find(good, POLICY)
    assert kept.broken == ()
    assert "last-good-kept" in {f.code for f in kept.findings}


def test_of_two_approvals_with_one_name_the_rejections_are_remembered() -> None:
    rejecting = documents.APPROVAL.replace("decision: approve", "decision: reject")
    found = world(documents.APPROVAL, rejecting)
    assert found.approvals == {}
    assert [b.rejects for b in found.broken] == [(), ("credit-v1",)]


def test_what_was_removed_is_removed() -> None:
    folder = Folder()
    folder.now(documents.POLICY, documents.MODEL)
    assert find(folder.now(documents.MODEL), POLICY) is None
    assert folder.now(documents.MODEL, documents.POLICY.replace("models", "modles")).broken


def test_what_never_was_good_is_broken() -> None:
    folder = Folder()
    folder.now(documents.MODEL)
    bad = folder.now(documents.POLICY.replace("models", "modles"))
    assert [b.ref for b in bad.broken] == [POLICY]
