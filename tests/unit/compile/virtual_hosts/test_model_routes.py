"""A mounted model: which rows stand for which operation, version, residency class and caller."""

from __future__ import annotations

import pytest

from gatereeve.compile import compiler
from gatereeve.compile.governance.model_policy import ModelPolicy
from gatereeve.compile.virtual_hosts.model_routes import ModelRoutes, Mount, compile_model_routes
from gatereeve.core.refs import Origin, Ref
from gatereeve.ir.routes import Forward, PathMatch, PathRewrite, Refuse, Route
from tests.support.worlds import codes, world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  http: {port: 8080}
  regionGroups: [{name: eu, regions: [de, fr]}]
"""

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: credit, namespace: lending}
spec: {owner: t, purpose: p, riskClass: minimal, protocol: %(protocol)s, residency: %(residency)s, audit: %(audit)s}
"""

VERSION = """
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: credit-%(v)s, namespace: lending}
spec:
  model: credit
  version: "%(v)s"
  author: mia
  artifact: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
  region: %(region)s
  endpoints: [{address: 127.0.0.1, port: 900%(v)s}]
"""

ROLLOUT = """
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: credit, namespace: lending}
spec:
  model: credit
  match: [{name: beta, groups: [corp/beta], version: "2"}]
  split: [{version: "1", weight: 9000}, {version: "2", weight: 1000}]
  fallback: "1"
  mirror: {version: "2", percent: 10}
"""


def plan(
    *extra: str,
    protocol: str = "kserve-v2",
    residency: str = "[]",
    audit: str = "recorded",
    regions: tuple[str, ...] = ("de", "de"),
) -> ModelPolicy:
    model = MODEL % {"protocol": protocol, "residency": residency, "audit": audit}
    versions = [VERSION % {"v": n + 1, "region": r} for n, r in enumerate(regions)]
    world = world_of(GATE, model, *versions, *extra)
    assert not world.findings
    policies = compiler.compile(world).outcome.gates["public"].policies
    return policies["lending", "credit"]


def mount(path: str = "/", kind: str = "prefix", **more: object) -> Mount:
    origin = Origin(Ref("networking.k8s.io", "Ingress", "lending", "credit"))
    return Mount(path=PathMatch(kind=kind, value=path), origin=origin, **more)  # type: ignore[arg-type]


def rows_of(rows: ModelRoutes, operation: str, requested: str | None = None) -> list[Route]:
    return [
        r
        for r in rows.routes
        if r.governance is not None
        and r.governance.operation == operation
        and r.governance.requested == requested
        and "generate" not in r.match.path.value
    ]


def shares(route: Route) -> dict[str, int]:
    assert isinstance(route.action, Forward)
    return {share.version: share.weight for share in route.action.shares}


def test_match_rules_stand_before_the_sticky_split() -> None:
    beta, split = rows_of(compile_model_routes(plan(ROLLOUT), mount()), "infer")
    assert shares(beta) == {"2": 1}
    assert [g.group for g in beta.match.groups] == ["beta"]
    assert shares(split) == {"1": 9000, "2": 1000}
    assert split.governance is not None
    assert split.governance.route_rule == "split"


def test_the_fallback_is_a_second_priority_of_the_other_versions_only() -> None:
    rows = compile_model_routes(plan(ROLLOUT), mount())
    names = {c.name for c in rows.clusters}
    assert "model/lending/credit/2>1" in names
    assert "model/lending/credit/1" in names


def test_a_version_that_was_asked_for_by_name_has_no_fallback() -> None:
    (row,) = rows_of(compile_model_routes(plan(ROLLOUT), mount()), "infer", requested="2")
    assert isinstance(row.action, Forward)
    assert row.action.shares[0].cluster == "model/lending/credit/2"


def test_a_mount_of_some_versions_leaves_the_choice_among_them_to_the_rollout() -> None:
    split = ROLLOUT.replace("}]\n  fallback", '}, {version: "3", weight: 500}]\n  fallback')
    made = plan(split, regions=("de", "de", "de"))
    beta, both = rows_of(compile_model_routes(made, mount(pinned=("1", "2"))), "infer")
    assert (shares(beta), shares(both)) == ({"2": 1}, {"1": 9000, "2": 1000})
    assert isinstance(both.action, Forward)
    assert [m.cluster for m in both.action.mirrors] == ["model/lending/credit/2"]
    assert [s.cluster for s in both.action.shares] == [
        "model/lending/credit/1",
        "model/lending/credit/2>1",
    ]
    (rest,) = rows_of(compile_model_routes(made, mount(pinned=("1", "3"))), "infer")
    assert shares(rest) == {"1": 9000, "3": 500}
    assert isinstance(rest.action, Forward)
    assert rest.action.mirrors == ()
    beta, rest = rows_of(compile_model_routes(made, mount(pinned=("2", "3"))), "infer")
    assert shares(rest) == {"2": 1000, "3": 500}
    assert isinstance(rest.action, Forward)
    assert all(">" not in share.cluster for share in rest.action.shares)
    (alone,) = rows_of(compile_model_routes(made, mount(pinned=("3",))), "infer")
    assert shares(alone) == {"3": 1}


def test_versions_outside_a_mount_are_not_to_be_had_by_name() -> None:
    rows = compile_model_routes(plan(ROLLOUT, regions=("de", "de", "de")), mount(pinned=("1", "2")))
    assert [r.action for r in rows_of(rows, "infer", "3")] == [Refuse(code="no-eligible-version")]
    assert [shares(r) for r in rows_of(rows, "infer", "2")] == [{"2": 1}]


def test_what_is_no_operation_is_refused() -> None:
    rows = compile_model_routes(plan(ROLLOUT), mount())
    last = rows.shared[-1]
    assert last.action == Refuse(code="unknown-operation")
    assert last.match.path == PathMatch(kind="prefix", value="/")


def test_a_mount_outside_the_protocols_paths_is_taken_off() -> None:
    row = rows_of(compile_model_routes(plan(ROLLOUT), mount("/lending")), "infer")[0]
    assert row.match.path.value == "/lending/v2/models/credit/infer"
    assert isinstance(row.action, Forward)
    assert row.action.rewrite == PathRewrite(kind="full", value="/v2/models/credit/infer")


def test_an_exact_path_keeps_only_its_own_operation() -> None:
    rows = compile_model_routes(plan(ROLLOUT), mount("/v2/models/credit/infer", "exact"))
    assert {r.match.path.value for r in rows.routes} == {"/v2/models/credit/infer"}
    outside = compile_model_routes(plan(ROLLOUT), mount("/nothing/here", "exact"))
    assert codes(outside.findings) == {"path-outside-protocol"}
    assert not outside.routes


def test_a_pattern_mounts_nothing() -> None:
    assert codes(compile_model_routes(plan(), mount("/.*", "regex")).findings) == {
        "pattern-refused"
    }


def test_residency_holds_for_split_requested_fallback_and_mirror() -> None:
    rows = compile_model_routes(
        plan(ROLLOUT, residency="[{from: [eu], process: [eu]}]", regions=("de", "us")), mount()
    )
    for row in rows_of(rows, "infer"):
        if row.match.regions:
            assert set(row.match.regions) == {"de", "eu", "fr"}
            assert shares(row) == {"1": 9000}
            assert isinstance(row.action, Forward)
            assert row.action.mirrors == ()
        else:
            assert row.action == Refuse(code="no-eligible-version")
    (lawful, other) = rows_of(rows, "infer", requested="2")
    assert lawful.action == Refuse(code="no-eligible-version")
    assert other.action == Refuse(code="no-eligible-version")


def test_without_a_rollout_two_versions_leave_nobody_served() -> None:
    made = plan()
    (row,) = rows_of(compile_model_routes(made, mount()), "infer")
    assert row.action == Refuse(code="no-eligible-version")
    assert "rollout-missing" in codes(made.findings)


def test_a_strict_model_is_refused_until_there_is_a_recorder() -> None:
    made = plan(ROLLOUT, audit="strict")
    assert {type(r.action) for r in compile_model_routes(made, mount()).routes} == {Refuse}
    assert "strict-audit-unavailable" in codes(made.findings)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
def test_openai_bodies_choose_and_a_body_without_a_known_model_is_refused(path: str) -> None:
    rows = compile_model_routes(plan(ROLLOUT, protocol="openai"), mount())
    mine = [r for r in rows.routes if r.match.path.value == path]
    assert mine
    assert all(r.match.body_model == ("credit",) for r in mine)
    assert any(
        r.match.path.value == path and r.action == Refuse(code="unknown-model") for r in rows.shared
    )


def test_a_broken_policy_refuses_the_models_it_names() -> None:
    broken = """
    apiVersion: gatereeve.dev/v1alpha1
    kind: AccessPolicy
    metadata: {name: p, namespace: lending}
    spec: {models: [credit], allow: [{subjcts: []}]}
    """
    world = world_of(
        GATE, MODEL % {"protocol": "json", "residency": "[]", "audit": "recorded"}, broken
    )
    policies = compiler.compile(world).outcome.gates["public"].policies
    assert policies["lending", "credit"].refuse == "policy-broken"
