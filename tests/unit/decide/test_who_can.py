"""The access matrix."""

from __future__ import annotations

from dataclasses import replace

from gatereeve.core.canonical import canonical_bytes
from gatereeve.decide.who_can import Cell, Matrix, to_plain, who_can
from gatereeve.ir.access import (
    FromProvider,
    InGroup,
    IsAnonymous,
    IsPrincipal,
    RequestLimit,
    Rule,
)
from gatereeve.ir.identity import Identity
from gatereeve.ir.routes import Match, PathMatch, Refuse
from tests.support import ir_builders as ir

STAFF = InGroup(provider="corp", group="staff")
ALICE = IsPrincipal(provider="corp", id="alice")
IDENTITY = Identity(
    jwt=(ir.Issuer().provider(),),
    api_keys=ir.api_keys(bank=("beta",), shop=()),
    mtls=ir.mtls(scorer=("beta",)),
)


def matrix(*allow: Rule, deny: tuple[Rule, ...] = (), identity: Identity = IDENTITY) -> Matrix:
    beta = InGroup(provider="partners", group="beta")
    rows = (
        ir.route(
            "beta",
            match=Match(path=PathMatch(kind="exact", value=ir.INFER), groups=(beta,)),
            action=ir.forward(v2=1),
        ),
        ir.route("split", action=ir.forward(v1=1)),
        ir.route("metadata", path="/v2", governed=ir.governance(operation="metadata")),
    )
    return who_can(
        ir.gate(
            *rows,
            access=(ir.access(allow=allow, deny=deny),),
            identity=identity,
            clusters=(ir.cluster("c-v1", "v1", "v0"),),
        ),
        ir.MODEL,
    )


def cells(*allow: Rule, deny: tuple[Rule, ...] = ()) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(c.subject, c.operation, c.except_by) for c in matrix(*allow, deny=deny).cells]


def test_a_cell_for_each_subject_and_routed_operation() -> None:
    rule = ir.rule(
        "r",
        subjects=(STAFF, ALICE),
        regions=("de",),
        operations=("infer", "stream"),
        limit=RequestLimit(count=5, seconds=60),
    )
    found = matrix(rule)
    assert found.cells[0] == Cell(
        subject="group corp/staff",
        operation="infer",
        regions=("de",),
        purposes=None,
        limit=RequestLimit(count=5, seconds=60),
        rule="r",
        versions=("v0", "v1"),
        refused=(),
        except_by=(),
        origin=rule.origin,
    )
    assert [c.subject for c in found.cells] == ["group corp/staff", "principal corp/alice"]
    assert found.notes == ()


def test_versions_follow_known_groups() -> None:
    def versions(subject: IsPrincipal) -> tuple[str, ...]:
        return matrix(ir.rule(subjects=(subject,), operations=("infer",))).cells[0].versions

    assert versions(IsPrincipal(provider="partners", id="bank")) == ("v0", "v1", "v2")
    assert versions(IsPrincipal(provider="partners", id="shop")) == ("v0", "v1")
    assert versions(IsPrincipal(provider="mesh", id="scorer")) == ("v0", "v1")
    assert versions(ALICE) == ("v0", "v1")


def test_a_covering_denial_removes_a_touching_one_is_named() -> None:
    allow = ir.rule(subjects=(STAFF,), operations=("infer",), regions=("de", "fr"))
    everybody = ir.rule("d", operations=("infer",))
    assert cells(allow, deny=(everybody,)) == []
    provider = ir.rule("d", subjects=(FromProvider(provider="corp"),))
    assert cells(allow, deny=(provider,)) == []
    for deny in (
        ir.rule("d", regions=("fr", "us")),
        ir.rule("d", subjects=(ALICE,)),
        ir.rule("d", purposes=("marketing",)),
    ):
        assert cells(allow, deny=(deny,)) == [("group corp/staff", "infer", ("d",))]
    for deny in (
        ir.rule("d", regions=("us",)),
        ir.rule("d", subjects=(IsAnonymous(),)),
        ir.rule("d", subjects=(FromProvider(provider="mesh"),)),
        ir.rule("d", operations=("metadata",)),
    ):
        assert cells(allow, deny=(deny,)) == [("group corp/staff", "infer", ())]


def test_two_principals_do_not_touch() -> None:
    allow = ir.rule(subjects=(ALICE,), operations=("infer",))
    deny = ir.rule("d", subjects=(IsPrincipal(provider="corp", id="bob"),))
    assert cells(allow, deny=(deny,)) == [("principal corp/alice", "infer", ())]


def test_a_note_says_that_no_caller_is_allowed() -> None:
    assert "no enforced allow rule" in matrix().notes[0]
    allow = ir.rule(subjects=(STAFF,))
    assert "deny rules" in matrix(allow, deny=(ir.rule("d", regions=None),)).notes[0]
    unrouted = who_can(ir.gate(), ir.MODEL)
    assert "no route" in unrouted.notes[0]
    refusing = ir.route(action=Refuse(code="no-eligible-version"))
    nowhere = who_can(ir.gate(refusing, access=(ir.access(allow=(allow,)),)), ir.MODEL)
    assert nowhere.cells[0].refused == ("no-eligible-version",)
    assert "no-eligible-version" in nowhere.notes[0]


def test_anonymous_and_shadow_are_said() -> None:
    rule = ir.rule(subjects=(IsAnonymous(),))
    assert matrix(rule).notes == ("Callers without a credential are allowed.",)
    shadow = replace(ir.access(allow=(ir.rule(subjects=(STAFF,)),)), shadow_deny=(rule,))
    found = who_can(ir.gate(ir.route(), access=(shadow,)), ir.MODEL)
    assert "shadow" in found.notes[0]


def test_json() -> None:
    deny = ir.rule("d", subjects=(ALICE,))
    plain = to_plain(matrix(ir.rule(subjects=(STAFF,)), deny=(deny,)))
    assert canonical_bytes(plain)
    assert plain["denied"] == [
        {
            "rule": "d",
            "subjects": ["principal corp/alice"],
            "regions": None,
            "purposes": None,
            "operations": None,
            "document": str(deny.origin),
        }
    ]
