"""Which versions may be served: approvals bind to digests, expire, and need independent people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gatereeve.api.people import BreakGlassRule
from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.compile.governance.person_names import Directory
from gatereeve.compile.governance.versions import Judged, judge_versions
from tests.support.worlds import codes, world_of

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: lending}
spec: {owner: credit-team, purpose: lending, riskClass: %s, protocol: json}
---
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: credit-v1, namespace: lending}
spec:
  model: credit
  version: "1.0"
  author: mia
  artifact: {digest: "sha256:%s"}
  region: de
  endpoints: [{address: 127.0.0.1, port: 9001}]
"""

APPROVAL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {name: %(name)s, namespace: lending}
spec:
  subject: {name: credit-v1, digest: "%(digest)s"}
  role: %(role)s
  decision: %(decision)s
  approver: %(approver)s
  expires: "%(expires)s"
  reason: looked at it
"""


def documents(risk: str) -> str:
    return MODEL % (risk, "a" * 64)


def digest(risk: str) -> str:
    return world_of(documents(risk)).model_versions["lending", "credit-v1"].digest


def approval(risk: str, **changes: str) -> str:
    values = {
        "name": "a",
        "digest": digest(risk),
        "role": "owner",
        "decision": "approve",
        "approver": "olga",
        "expires": "2027-01-01T00:00:00Z",
    }
    return APPROVAL % (values | changes)


def judge(world: World) -> Judged:
    return judge_versions(
        world.models["lending", "credit"],
        tuple(world.model_versions.values()),
        tuple(world.approvals.values()),
        world.at,
        doubted={},
        emergency=BreakGlassRule(users=("otto",), max_hours=4),
        directory=Directory(),
    )


def test_a_minimal_model_needs_no_approval() -> None:
    judged = judge(world_of(documents("minimal")))
    assert [v.spec.version for v in judged.eligible] == ["1.0"]


def test_a_limited_model_needs_its_owner() -> None:
    assert not judge(world_of(documents("limited"))).eligible
    assert judge(world_of(documents("limited"), approval("limited"))).eligible


def test_a_high_risk_model_needs_an_independent_reviewer() -> None:
    owner = approval("high", name="o")
    same = approval("high", name="r", role="risk")
    other = approval("high", name="r", role="risk", approver="rita")
    assert not judge(world_of(documents("high"), owner)).eligible
    refused = judge(world_of(documents("high"), owner, same))
    assert codes(refused.findings) == {"approval-not-independent"}
    assert judge(world_of(documents("high"), owner, other)).eligible


def test_a_prohibited_model_has_no_eligible_version_whatever_is_approved() -> None:
    world = world_of(documents("prohibited"), approval("prohibited"))
    assert not judge(world).eligible


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"digest": "sha256:" + "b" * 64}, "version-changed"),
        ({"expires": "2026-10-31T00:00:00Z"}, "approval-expired"),
        ({"approver": "mia"}, "approval-self"),
        ({"approver": "Mia"}, "approval-self"),
        ({"approver": "ＭＩＡ"}, "approval-self"),
        ({"approver": "m\u0456a"}, "person-refused"),
        ({"approver": "\u043c\u0456\u0430"}, "person-refused"),
        ({"approver": '"mia\\u200b"'}, "person-refused"),
        ({"approver": "system:authenticated"}, "person-refused"),
        ({"approver": "system:serviceaccount:ci"}, "person-refused"),
        ({"decision": "reject"}, "version-rejected"),
    ],
)
def test_an_approval_that_does_not_count(change: dict[str, str], code: str) -> None:
    judged = judge(world_of(documents("limited"), approval("limited", **change)))
    assert not judged.eligible
    assert code in codes(judged.findings)


def test_one_person_is_not_two_reviewers() -> None:
    owner = approval("high", name="o", approver="olga")
    for again in ("Olga", "OLGA", "ｏlga"):
        world = world_of(
            documents("high"), owner, approval("high", name="r", role="risk", approver=again)
        )
        assert codes(judge(world).findings) == {"approval-not-independent"}
    bot = approval("high", name="o", approver="system:serviceaccount:ci:bot")
    same = approval("high", name="r", role="risk", approver="serviceaccount:CI/bot")
    judged = judge(world_of(documents("high"), bot, same))
    assert codes(judged.findings) == {"approval-not-independent"}


def test_a_rejection_counts_whoever_signs_it() -> None:
    """What cannot be understood closes."""
    yes = approval("limited", name="yes")
    no = approval("limited", name="no", decision="reject", approver='"p\\u0430ul"')
    judged = judge(world_of(documents("limited"), yes, no))
    assert codes(judged.findings) == {"version-rejected"}


def test_a_version_by_nobody_is_not_served() -> None:
    text = documents("minimal").replace("author: mia", 'author: "m\\u0456a"')
    judged = judge(world_of(text))
    assert not judged.eligible
    assert codes(judged.findings) == {"person-refused"}


def test_one_rejection_outweighs_every_approval() -> None:
    yes = approval("limited", name="yes")
    no = approval("limited", name="no", decision="reject", role="privacy", approver="paul")
    assert not judge(world_of(documents("limited"), yes, no)).eligible


def test_two_documents_with_one_version_are_both_out() -> None:
    twin = documents("minimal").split("---")[1].replace("credit-v1", "credit-other")
    judged = judge(world_of(documents("minimal"), twin))
    assert not judged.eligible
    assert codes(judged.findings) == {"version-duplicate"}


def test_the_next_expiry_is_known() -> None:
    judged = judge(world_of(documents("limited"), approval("limited")))
    assert judged.next_change == datetime(2027, 1, 1, tzinfo=UTC)


PEOPLE = """
apiVersion: gatereeve.dev/v1alpha1
kind: People
metadata: {name: %s}
spec: {people: [%s]}
"""


def is_served(*texts: str, risk: str = "limited") -> bool:
    """Whether the version is a candidate, by the whole compiler."""
    made = compiler.compile(world_of(GATE, documents(risk), *texts))
    (gate,) = made.outcome.gates.values()
    return bool(gate.policies["lending", "credit"].candidates)


GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec: {region: de, https: {port: 8443}}
"""


def test_people_that_are_listed() -> None:
    mia, olga = "{name: mia, aliases: [m@corp.example]}", "{name: olga, aliases: [o@corp.example]}"
    both = PEOPLE % ("all", f"{mia}, {olga}")
    assert is_served(approval("limited"))
    assert is_served(approval("limited"), both)
    assert is_served(approval("limited", approver="O@Corp.example"), both)
    assert is_served(approval("limited"), PEOPLE % ("a", mia), PEOPLE % ("b", olga))
    assert not is_served(approval("limited", approver="m@corp.example"), both)
    assert not is_served(approval("limited"), PEOPLE % ("all", mia))
    assert not is_served(approval("limited"), PEOPLE % ("all", olga)), "the author is unknown"
    assert not is_served(PEOPLE % ("all", olga), risk="minimal")


def test_roles_of_people() -> None:
    risk = PEOPLE % ("all", "{name: mia}, {name: olga, roles: [risk]}")
    assert not is_served(approval("limited"), risk)
    assert is_served(approval("limited"), risk.replace("[risk]", "[risk, owner]"))
    twice = PEOPLE % ("more", "{name: Olga, roles: [owner]}")
    assert not is_served(approval("limited"), risk, twice), "both must admit the role"


def test_a_name_of_two_people_is_nobodys() -> None:
    shared = "{name: mia}, {name: olga, aliases: [o]}, {name: rita, aliases: [O]}"
    assert not is_served(approval("limited", approver="o"), PEOPLE % ("all", shared))
    assert is_served(approval("limited"), PEOPLE % ("all", shared))
    taken = "{name: mia}, {name: olga, aliases: [Mia]}"
    assert not is_served(approval("limited"), PEOPLE % ("all", taken))


def test_people_that_cannot_be_read_are_no_people() -> None:
    broken = PEOPLE % ("all", "{name: mia}, {name: olga}, {nam: x}")
    assert not is_served(approval("limited"), broken)
    some = PEOPLE % ("some", "{name: mia}, {name: olga}")
    assert is_served(approval("limited"), broken, some)
