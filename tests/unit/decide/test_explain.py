"""Explanations: every step keeps its place, and places become files and lines."""

from __future__ import annotations

from gatereeve.api.gate import Address, GateSpec
from gatereeve.api.world import Doc, Meta, World
from gatereeve.core.canonical import canonical_bytes
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.refs import Origin, Ref, Where
from gatereeve.decide.explain import explain, to_plain
from gatereeve.decide.locate import locate
from gatereeve.decide.request import Request
from gatereeve.ir.access import FromProvider
from gatereeve.ir.identity import Identity
from tests.support import ir_builders as ir

REF = Ref("gatereeve.dev", "Gate", "", "main")
GATE_DOC: Doc[GateSpec] = Doc(
    ref=REF,
    meta=Meta(),
    spec=GateSpec(region="de", http=Address(port=80)),
    digest="",
    file="gate.yaml",
    lines={"": 3, "spec.identity": 7},
)
WORLD = World(at=ir.NOW, gates={("", "main"): GATE_DOC})


def test_locate_finds_the_nearest_line() -> None:
    assert locate(WORLD, Origin(REF, "spec.identity.jwt[0]")) == Where("gate.yaml", 7)
    assert locate(WORLD, Origin(REF, "")) == Where("gate.yaml", 3)


def test_what_is_not_in_the_world_has_no_place() -> None:
    assert locate(WORLD, Origin(Ref("gatereeve.dev", "Gate", "", "other"))) is None
    assert locate(WORLD, Origin(Ref("example.org", "Gate", "", "main"))) is None
    assert locate(WORLD, Origin(Ref("gatereeve.dev", "Nothing", "", "main"))) is None


def test_an_explanation_is_the_decision_with_places_and_is_json() -> None:
    corp = ir.Issuer()
    gate = ir.gate(
        ir.route(),
        access=(ir.access(allow=(ir.rule(subjects=(FromProvider(provider="corp"),)),)),),
        identity=Identity(jwt=(corp.provider(origin=Origin(REF, "spec.identity.jwt[0]")),)),
    )
    request = Request(host=ir.HOST, path=ir.INFER, headers=(corp.header(),))
    explanation = explain(gate, request, now=ir.NOW, world=WORLD, findings=())
    assert explanation.decision.forwarded
    places = {line.step.name: line.where for line in explanation.lines}
    assert places["identity"] == Where("gate.yaml", 7)
    assert places["allow"] is None
    plain = to_plain(explanation)
    assert canonical_bytes(plain)
    assert plain["caller"] == {
        "provider": "corp",
        "id": "alice",
        "method": "jwt",
        "issuer": "https://corp.test/",
        "groups": [],
    }
    refused = explain(gate, Request(host=ir.HOST, path="/x"), now=ir.NOW, world=WORLD, findings=())
    assert (to_plain(refused)["code"], to_plain(refused)["caller"]) == ("unknown-path", None)


def test_a_document_that_is_not_understood_is_named_where_no_rule_admits() -> None:
    origin = Origin(Ref("gatereeve.dev", "Model", "lending", "credit"))
    why = Finding(
        code=FindingCode("policy-broken"),
        message="AccessPolicy lending/credit cannot be read, and it may concern lending/credit",
        hint="correct that document",
        origin=origin,
    )
    corp = ir.Issuer()
    gate = ir.gate(ir.route(), access=(ir.access(),), identity=Identity(jwt=(corp.provider(),)))
    request = Request(host=ir.HOST, path=ir.INFER, headers=(corp.header(),))
    decided = [
        explain(gate, request, now=ir.NOW, world=WORLD, findings=findings).decision
        for findings in ((), (why,))
    ]
    assert [one.code for one in decided] == ["no-allow-rule", "no-allow-rule"]
    assert decided[0].model == origin.ref.short
    assert [why.message in one.steps[-1].detail for one in decided] == [False, True]
