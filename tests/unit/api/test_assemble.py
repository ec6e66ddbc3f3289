"""Files to one World: names are unique, the last good stays, order does not matter."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatereeve.api import parse
from gatereeve.api.assemble import assemble, find
from gatereeve.api.parsed import keep_last_good
from gatereeve.api.world import World
from gatereeve.core import refs
from tests.unit.api import documents

AT = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = refs.Ref("gatereeve.dev", "AccessPolicy", "lending", "credit")


def world(*texts: str, previous: World | None = None) -> World:
    files = [parse.parse_text(text, f"{i}.yaml") for i, text in enumerate(texts)]
    return assemble(files, at=AT, previous=previous)


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
    good = world(documents.POLICY)
    bad = world(documents.POLICY.replace("models", "modles"), previous=good)
    assert find(bad, POLICY) is find(good, POLICY)
    assert bad.broken == ()
    kept = [f for f in bad.findings if f.code == "last-good-kept"]
    assert [(f.origin, f.where and f.where.file) for f in kept] == [(refs.Origin(POLICY), "0.yaml")]
    still = world(documents.POLICY.replace("models", "modls"), previous=bad)
    assert find(still, POLICY) is find(good, POLICY)


def test_the_last_good_stays_when_a_second_document_takes_its_name() -> None:
    good = world(documents.POLICY)
    two = world(documents.POLICY, documents.POLICY.replace("ru", "by"), previous=good)
    assert find(two, POLICY) is find(good, POLICY)
    assert {f.code for f in two.findings} == {"duplicate-name", "last-good-kept"}


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
    before = parse.parse_text(documents.POLICY, "f.yaml")
    good = assemble([before], at=AT)
    after = keep_last_good(parse.parse_text(ruined, "f.yaml", before), before)
    kept = assemble([after], at=AT, previous=good)
    assert find(kept, POLICY) is find(good, POLICY)
    assert kept.broken == ()
    assert "last-good-kept" in {f.code for f in kept.findings}


def test_of_two_approvals_with_one_name_the_rejections_are_remembered() -> None:
    rejecting = documents.APPROVAL.replace("decision: approve", "decision: reject")
    found = world(documents.APPROVAL, rejecting)
    assert found.approvals == {}
    assert [b.rejects for b in found.broken] == [(), ("credit-v1",)]


def test_what_was_removed_is_removed() -> None:
    good = world(documents.POLICY, documents.MODEL)
    assert find(world(documents.MODEL, previous=good), POLICY) is None


def test_what_never_was_good_is_broken() -> None:
    bad = world(documents.POLICY.replace("models", "modles"), previous=world(documents.MODEL))
    assert [b.ref for b in bad.broken] == [POLICY]


def test_an_unknown_reference_is_not_found() -> None:
    assert find(world(documents.MODEL), refs.Ref("x", "Y", "", "z")) is None
