"""Breaking the glass: what an emergency stands in for, for whom, for how long; and what it never does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatereeve.compile import compiler
from tests.support.worlds import codes, world_of
from tests.unit.compile.governance.test_versions import approval, digest, documents, judge

GLASS = """
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {name: glass, namespace: lending%(metadata)s}
spec:
  subject: {name: credit-v1, digest: "%(digest)s"}
  role: owner
  decision: approve
  approver: %(approver)s
  reason: the other version leaks
  breakGlass: {until: "%(until)s"%(since)s}
"""
NOON, TWO, FOUR = "2026-10-31T23:00:00Z", "2026-11-01T02:00:00Z", "2026-11-01T04:00:00Z"


def glass(risk: str = "limited", **changes: str) -> str:
    values = {
        "digest": digest(risk),
        "approver": "otto",
        "until": TWO,
        "since": f', since: "{NOON}"',
        "metadata": "",
    }
    return GLASS % (values | changes)


@pytest.mark.parametrize("risk", ["limited", "high"])
def test_it_stands_in_for_what_is_missing_and_is_loud(risk: str) -> None:
    judged = judge(world_of(documents(risk), glass(risk)))

    assert [v.spec.version for v in judged.eligible] == ["1.0"]
    assert codes(judged.findings) == {"break-glass-active"}
    assert judged.next_change == datetime(2026, 11, 1, 2, tzinfo=UTC)


def test_it_is_silent_where_nothing_is_missing() -> None:
    judged = judge(world_of(documents("limited"), approval("limited"), glass()))

    assert judged.eligible
    assert not judged.findings


def test_it_is_no_approval_of_its_role() -> None:
    """An emergency that is over leaves nothing behind."""
    after = datetime(2026, 11, 1, 2, tzinfo=UTC)
    judged = judge(world_of(documents("limited"), glass(), at=after))

    assert not judged.eligible
    assert codes(judged.findings) == {"approval-expired", "version-unapproved"}


def test_the_api_server_tells_when_it_began() -> None:
    created = f', creationTimestamp: "{NOON}"'

    assert judge(world_of(documents("limited"), glass(metadata=created, since=""))).eligible
    long = judge(world_of(documents("limited"), glass(metadata=created, since="", until=FOUR)))
    assert codes(long.findings) == {"break-glass-refused", "version-unapproved"}


def test_a_typed_beginning_does_not_shorten_what_the_api_server_counts() -> None:
    created = ', creationTimestamp: "2026-10-31T20:00:00Z"'
    judged = judge(world_of(documents("limited"), glass(metadata=created)))

    assert not judged.eligible


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"approver": "mallory"}, "break-glass-refused"),
        ({"approver": "mia"}, "approval-self"),
        ({"digest": "sha256:" + "b" * 64}, "version-changed"),
        ({"since": ""}, "break-glass-refused"),
        ({"until": "2026-11-01T04:00:01Z"}, "break-glass-refused"),
        ({"since": ', since: "2026-11-01T01:00:00Z"'}, "break-glass-refused"),
    ],
    ids=["nobody's", "the author's", "replayed", "without a beginning", "too long", "not begun"],
)
def test_what_does_not_count(change: dict[str, str], code: str) -> None:
    judged = judge(world_of(documents("limited"), glass(**change)))

    assert not judged.eligible
    assert code in codes(judged.findings)


def test_it_begins_by_itself_when_its_time_comes() -> None:
    later = glass(since=', since: "2026-11-01T01:00:00Z"')

    assert judge(world_of(documents("limited"), later)).next_change == datetime(
        2026, 11, 1, 1, tzinfo=UTC
    )
    assert judge(
        world_of(documents("limited"), later, at=datetime(2026, 11, 1, 1, tzinfo=UTC))
    ).eligible


def test_it_never_outweighs_a_rejection_nor_a_prohibition() -> None:
    no = approval("limited", name="no", decision="reject", approver="paul")
    rejected = judge(world_of(documents("limited"), glass(), no))

    assert not rejected.eligible
    assert codes(rejected.findings) == {"version-rejected"}
    assert not judge(world_of(documents("prohibited"), glass("prohibited"))).eligible


@pytest.mark.parametrize(
    "spec",
    [
        "decision: reject, reason: long enough it is, breakGlass: {until: 2027-01-01T00:00:00Z}",
        "decision: approve, reason: short, breakGlass: {until: 2027-01-01T00:00:00Z}",
        (
            "decision: approve, reason: long enough it is, expires: 2027-01-01T00:00:00Z,"
            " breakGlass: {until: 2027-01-01T00:00:00Z}"
        ),
        (
            "decision: approve, reason: long enough it is,"
            " breakGlass: {since: 2027-01-02T00:00:00Z, until: 2027-01-01T00:00:00Z}"
        ),
    ],
    ids=["a rejection", "no reason to speak of", "two ends", "it ends before it begins"],
)
def test_documents_that_contradict_themselves_are_not_read(spec: str) -> None:
    text = (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: Approval\n"
        "metadata: {name: glass, namespace: lending}\n"
        f'spec: {{subject: {{name: credit-v1, digest: "{digest("limited")}"}}, role: owner,'
        f" approver: otto, {spec}}}\n"
    )
    world = world_of(documents("limited"), text)

    assert not world.approvals
    assert "invalid-field" in codes(world.findings)


def test_whoever_breaks_it_is_named_in_each_gate() -> None:
    gates = (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: Gate\nmetadata: {name: a}\n"
        "spec: {region: de, http: {port: 8080}, classes: [a],"
        " governance: {breakGlass: {users: [otto]}}}\n---\n"
        "apiVersion: gatereeve.dev/v1alpha1\nkind: Gate\nmetadata: {name: b}\n"
        "spec: {region: de, http: {port: 8081}, classes: [b]}\n"
    )
    found = codes(compiler.compile(world_of(documents("limited"), glass(), gates)).findings)

    assert {"break-glass-active", "break-glass-refused"} <= found
