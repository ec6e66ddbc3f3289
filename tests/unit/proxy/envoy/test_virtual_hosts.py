"""Hosts and rows: what is in force for each row, whatever level it stands on; guards; choices by region."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2

from gatereeve.core.refs import ConfigHash
from gatereeve.ir import access, identity, record_fields, routes
from gatereeve.ir.gates import Gate
from gatereeve.ir.identity import Attributes, Identity
from gatereeve.proxy.envoy import engines, names, virtual_hosts
from gatereeve.proxy.xds import snapshot as snap
from tests.support import ir_builders as ir
from tests.support import no_bypass
from tests.unit.proxy.envoy import built

ISSUER = ir.Issuer()


def _http(*hosts: routes.VirtualHost, rules: access.Access | None = None) -> Gate:
    """All of it on plain HTTP, which spares the certificate."""
    return ir.gate(
        access=(rules or ir.access(allow=(ir.rule(),)),),
        identity=Identity(jwt=(ISSUER.provider(),)),
        attributes=Attributes(region=(identity.CidrSource(entries=(("10.0.0.0/8", "de"),)),)),
        listeners=(ir.listener(*hosts, name="http", protocol="http", port=8080),),
        clusters=(ir.cluster("c-v1", "v1"),),
    )


def _rows(host: routes.VirtualHost, rules: access.Access | None = None) -> tuple[Any, list[Any]]:
    made = built.exact_host(built.snapshot(_http(host, rules=rules)), host.host, "http")
    return made, list(made.routes)


def _engine(packed: bytes | None) -> filter_pb2.RBAC:
    assert packed is not None
    return filter_pb2.RBACPerRoute.FromString(packed).rbac


def test_each_row_has_its_own_engines_in_force_wherever_they_stand() -> None:
    host = ir.host(
        ir.route("a", path="/a"),
        ir.route("b", path="/b"),
        ir.ordinary("web", path="/web"),
        tls="any",
    )
    made, rows = _rows(host)
    by_name = {row.name: row for row in rows}
    governed = _engine(built.said(made, by_name["a"], names.ALLOW))
    assert "0000|lending/credit/allow[0]" in governed.rules.policies
    assert _engine(built.said(made, by_name["b"], names.ALLOW)) == governed
    ordinary = _engine(built.said(made, by_name["web"], names.ALLOW))
    assert list(ordinary.rules.policies) == [engines.OPEN]
    last = rows[-1]
    assert last.name == "unknown-path"
    assert list(_engine(built.said(made, last, names.ALLOW)).rules.policies) == [engines.OPEN]


def test_rules_for_some_operations_ask_the_route() -> None:
    rules = ir.access(allow=(ir.rule(operations=("infer", "health")),))
    made, rows = _rows(ir.host(ir.route(), tls="any"), rules)
    row = next(row for row in rows if row.name == "infer")
    policy = _engine(built.said(made, row, names.ALLOW)).rules.policies[
        "0000|lending/credit/allow[0]"
    ]
    asked = policy.permissions[0].sourced_metadata
    assert asked.metadata_source == 1
    told = row.metadata.filter_metadata[record_fields.GATE_NAMESPACE].fields
    assert told["operation"].string_value == "infer"


def test_no_allow_rule_admits_nobody() -> None:
    made, rows = _rows(ir.host(ir.route(), tls="any"), ir.access())
    row = next(row for row in rows if row.name == "infer")
    rules = _engine(built.said(made, row, names.ALLOW)).rules
    assert rules.action == rules.ALLOW
    assert not rules.policies


def test_policies_sort_in_the_order_of_their_rules() -> None:
    rules = ir.access(allow=tuple(ir.rule(f"ns/p/allow[{n}]") for n in range(12)))
    made, rows = _rows(ir.host(ir.route(), tls="any"), rules)
    row = next(row for row in rows if row.name == "infer")
    found = sorted(_engine(built.said(made, row, names.ALLOW)).rules.policies)
    assert [record_fields.rule_of(name) for name in found] == [r.name for r in rules.allow]


def test_the_record_learns_row_rule_and_stickiness() -> None:
    split = ir.forward(v1=9, v2=1)
    _, rows = _rows(ir.host(ir.route(action=split), tls="any"))
    row = next(row for row in rows if row.name == "infer")
    told = json.loads(
        row.metadata.filter_metadata[record_fields.GATE_NAMESPACE].fields["record"].string_value
    )
    assert told["row"] == "infer"
    assert told["model"] == ir.MODEL
    assert told["sticky"] == ["principal", "address"]
    assert [c.weight.value for c in row.route.weighted_clusters.clusters] == [9, 1]
    assert all(policy.terminal for policy in row.route.hash_policy)


@pytest.mark.parametrize(
    ("tls", "action"), [("redirect", "redirect"), ("refuse", "direct_response")]
)
def test_a_governed_host_is_not_served_over_plain_http(tls: str, action: str) -> None:
    _, rows = _rows(ir.host(ir.route(), tls=tls))
    assert [row.name for row in rows[:-1]] == ["trace"]
    assert rows[-1].WhichOneof("action") == action


def test_a_prefix_of_a_model_is_guarded_against_odd_paths() -> None:
    _, rows = _rows(ir.host(ir.route(path="/m", kind="prefix"), tls="any"))
    guard, row = (row for row in rows if row.name == "infer")
    assert guard.match.path_separated_prefix == "/m"
    (path,) = guard.match.headers
    assert (path.name, path.invert_match) == (":path", True)
    assert guard.direct_response.status == 400
    assert row.match.path_separated_prefix == "/m"


def test_wildcards_share_one_configuration_and_refuse_other_letters() -> None:
    host = ir.host(ir.route(), name="*.wild.test", single_label=True, tls="any")
    made = built.wild_host(built.snapshot(_http(host)), "*.wild.test", "http")
    assert list(made.domains) == ["*.wild.test"]
    assert "single-label" in [row.name for row in made.routes]
    unknown = built.wild_host(built.snapshot(_http(host)), "unknown-host", "http")
    assert unknown.routes[-1].direct_response.status == 404


def test_reaching_a_row_says_which_regions_it_was_not() -> None:
    def row(name: str, *regions: str, headers: tuple[routes.ValueMatch, ...] = ()) -> routes.Route:
        path = routes.PathMatch(kind="exact", value="/m")
        return ir.route(name, match=routes.Match(path=path, regions=regions, headers=headers))

    canary = routes.ValueMatch(name="x-canary", kind="exact", value="yes")
    rows = (
        row("canary", "de", headers=(canary,)),
        row("de", "de"),
        row("fr", "fr"),
        row("else"),
    )
    found = virtual_hosts.selections(rows)
    assert [one.within for one in found] == [("de",), ("de",), ("fr",), ()]
    assert [one.outside for one in found] == [(), (), ("de",), ("de", "fr")]


def test_a_row_chosen_by_region_checks_the_region_by_stable_filters() -> None:
    path = routes.PathMatch(kind="exact", value="/m")
    host = ir.host(
        ir.route("de", match=routes.Match(path=path, regions=("de",))),
        ir.route("else", match=routes.Match(path=path)),
        tls="any",
    )
    made, rows = _rows(host)
    by_name = {row.name: row for row in rows}
    for name, policy in (("de", "5|0000|region"), ("else", "5|0001|region")):
        stages = _engine(built.said(made, by_name[name], names.STAGES))
        assert policy in stages.shadow_rules.policies


def test_every_host_that_is_built_holds_the_law() -> None:
    gate = _http(
        ir.host(ir.route(action=_to_model()), tls="any"),
        ir.host(ir.route(action=_to_model()), name="*.wild.test", tls="any"),
    )
    assert no_bypass.check_governed(built.messages(built.snapshot(gate))) == []


def _to_model() -> routes.Forward:
    share = routes.Share(cluster="model/lending/credit/v1", version="v1", weight=1)
    return routes.Forward(shares=(share,))


@pytest.mark.parametrize(
    ("filter_name", "problem"),
    [
        (names.STAGES, "no stages"),
        (names.ALLOW, "no allow rules"),
        (names.JWT, "tokens are not verified"),
        (names.LIMIT, "no bucket"),
    ],
)
def test_the_law_names_what_a_way_to_a_model_lacks(filter_name: str, problem: str) -> None:
    rules = ir.access(allow=(ir.rule(limit=access.RequestLimit(count=1, seconds=60)),))
    host = ir.host(ir.route(action=_to_model()), tls="any")
    made, rows = _rows(host, rules)
    row = next(row for row in rows if row.name == "infer")
    assert no_bypass.check_virtual_host(made, verifies_tokens=True) == []
    for level in (row, made):
        level.typed_per_filter_config.pop(filter_name, None)
    found = no_bypass.check_virtual_host(made, verifies_tokens=True)
    assert found
    assert problem in found[0]


def test_an_ordinary_row_to_a_model_breaks_the_law_and_nothing_is_published() -> None:
    from gatereeve.core.errors import PublishError  # noqa: PLC0415 - only here

    host = ir.host(ir.ordinary(action=_to_model()), tls="any")
    with pytest.raises(PublishError, match="ungoverned"):
        built.snapshot(_http(host))


def test_a_mirror_is_a_way_to_a_model() -> None:
    forward = replace(
        routes.Forward(shares=(routes.Share(cluster="web", version="", weight=1),)),
        mirrors=(routes.Mirror(cluster="model/lending/credit/v1", per_million=1_000_000),),
    )
    made, rows = _rows(ir.host(ir.route(action=forward), tls="any"))
    row = next(row for row in rows if row.name == "infer")
    for level in (row, made):
        level.typed_per_filter_config.pop(names.STAGES, None)
    assert no_bypass.check_virtual_host(made, verifies_tokens=True)


def test_the_hash_is_told_by_one_small_filter() -> None:
    gate = _http(ir.host(ir.route(), tls="any"))
    other = replace(gate, hash=ConfigHash("sha256:e"))
    assert set(snap.diff(built.snapshot(gate), built.snapshot(other))) == {snap.ECDS}
