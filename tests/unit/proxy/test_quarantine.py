"""A gate without some of its documents refuses where they stood, and is otherwise the same."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatereeve.compile.routes import grammar
from gatereeve.core.refs import Origin
from gatereeve.ir.gates import Certificate, Gate
from gatereeve.ir.identity import Identity
from gatereeve.ir.routes import Forward, Match, PathMatch, Refuse, Route, ValueMatch
from gatereeve.proxy import quarantine
from gatereeve.proxy.envoy import names
from gatereeve.proxy.quarantine import ExcludedDocuments
from gatereeve.proxy.xds import snapshot as snap
from tests.support import ir_builders as ir

REFUSED = Refuse(code="configuration-rejected")
ROUTE = Origin(ir.origin("HTTPRoute", "credit").ref)
WEB = Origin(ir.origin("Ingress", "web").ref)


def rows(gate: Gate) -> dict[str, Route]:
    return {row.name: row for row in gate.listeners[0].hosts[0].routes}


def without(gate: Gate, *units: Origin, **more: object) -> Gate:
    return quarantine.without(gate, ExcludedDocuments(units=frozenset(units), **more))  # type: ignore[arg-type]


def test_nothing_out_is_the_gate_itself() -> None:
    gate = ir.gate(ir.route())
    assert quarantine.without(gate, ExcludedDocuments()) is gate


def test_rows_of_a_document_refuse_and_all_else_stays() -> None:
    gate = ir.gate(ir.route(), ir.ordinary())
    made = without(gate, ROUTE)
    assert rows(made)["infer"].action == REFUSED
    assert rows(made)["infer"].match == rows(gate)["infer"].match
    assert rows(made)["infer"].governance is None
    assert rows(made)["web"] is rows(gate)["web"]
    assert made.hash != gate.hash
    assert without(gate, WEB).hash not in (made.hash, gate.hash)


def test_a_host_without_anything_out_stays_the_same_object() -> None:
    gate = ir.gate(ir.ordinary())
    assert without(gate, ROUTE).listeners[0].hosts[0] is gate.listeners[0].hosts[0]


def test_a_row_that_holds_requests_until_the_body_is_read_stays() -> None:
    holds = ir.refusing("unknown-model", "/v1/chat/completions")
    made = without(ir.gate(holds, ir.route()), ROUTE)
    assert rows(made)[holds.name] is holds


def test_the_hosts_of_what_is_out_more_deeply_refuse_everything() -> None:
    made = without(ir.gate(ir.route(), ir.ordinary()), ROUTE, deep=frozenset({ROUTE}))
    assert rows(made) == {}


def test_without_a_cluster_its_share_has_no_backend() -> None:
    two = ir.route("two", action=ir.forward(v1=1, v2=1))
    one = ir.route("one", path="/one", action=ir.forward(v2=1))
    gate = ir.gate(two, one, clusters=(ir.cluster("c-v1", "v1"), ir.cluster("c-v2", "v2")))
    made = without(gate, Origin(ir.origin("ModelVersion", "c-v2").ref))
    assert [cluster.name for cluster in made.clusters] == ["c-v1"]
    action = rows(made)["two"].action
    assert isinstance(action, Forward)
    assert [(share.cluster, share.weight) for share in action.shares] == [("c-v1", 1), ("", 1)]
    assert rows(made)["one"].action == REFUSED
    assert rows(made)["one"].governance is not None


def test_a_provider_that_is_out_verifies_nobody() -> None:
    corp, other = ir.Issuer("corp"), ir.Issuer("other")
    two = other.provider(origin=ir.origin("Gate", "main", "spec.identity.jwt[1]"))
    identity = Identity(jwt=(corp.provider(), two), api_keys=ir.api_keys(acme=()))
    gate = ir.gate(ir.route(), identity=identity)
    made = without(gate, corp.provider().origin, ir.api_keys().origin)
    assert [p.jwks for p in made.identity.jwt] == ['{"keys":[]}', two.jwks]
    assert made.identity.api_keys == replace(ir.api_keys(), keys=())


def test_an_older_gate_admits_only_what_the_newest_admits_too() -> None:
    corp, late = ir.Issuer("corp"), ir.Issuer("corp")
    old_identity = Identity(jwt=(corp.provider(),), api_keys=ir.api_keys(acme=(), left=()))
    new_identity = Identity(jwt=(late.provider(),), api_keys=ir.api_keys(acme=(), new=()))
    old = ir.gate(ir.route(), identity=old_identity, trusted_hops=1)
    new = ir.gate(ir.ordinary(), identity=new_identity, trusted_hops=2)
    made = without(new, new.origin, frame=old)
    assert made.trusted_hops == 1
    assert [p.jwks for p in made.identity.jwt] == ['{"keys":[]}']
    assert made.identity.api_keys is not None
    assert [key.id for key in made.identity.api_keys.keys] == ["acme"]
    assert made.listeners[0].hosts == new.listeners[0].hosts


def test_a_withdrawn_certificate_is_not_shown_again() -> None:
    def certificate(name: str) -> Certificate:
        return Certificate(name=name, hosts=(), chain=name, key="k", origin=ir.origin("Secret", name))  # fmt: skip

    def serving(*names: str) -> Gate:
        listener = replace(ir.listener(ir.host()), certificates=tuple(map(certificate, names)))
        return ir.gate(listeners=(listener,))

    made = without(serving("a", "c"), serving().origin, frame=serving("a", "b"))
    assert [one.name for one in made.listeners[0].certificates] == ["a"]
    made = without(serving("a", "c"), Origin(ir.origin("Secret", "c").ref))
    assert [one.name for one in made.listeners[0].certificates] == ["a"]


def test_who_is_behind_a_resource() -> None:
    gate = ir.gate(ir.route(), ir.ordinary(), clusters=(ir.cluster("c-v1", "v1"),))
    name = names.route_configuration_of("https", ir.HOST)
    assert set(quarantine.units_in(gate, snap.RDS, name)) == {ROUTE, WEB}
    assert set(quarantine.units_in(gate, snap.CDS, "c-v1")) == {
        Origin(ir.origin("ModelVersion", "c-v1").ref)
    }
    assert quarantine.units_in(gate, snap.CDS, "none") == {}


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [
        ("/x/(a{100}){11}", "/x"),
        ("/x", "/"),
        ("/x/y/?", "/x"),
        ("/x/y?z", "/x"),
        ("/x/|/y", "/"),
        ("/x/(a|b)", "/x"),
        ("/x/[|]", "/x"),
        (".*", "/"),
        ("/a/b/c.*", "/a/b"),
        (r"/a\./b", "/"),
    ],
)
def test_a_pattern_becomes_its_literal_beginning(pattern: str, prefix: str) -> None:
    row = replace(ir.ordinary(), match=Match(path=PathMatch(kind="regex", value=pattern)))
    assert rows(without(ir.gate(row), WEB))["web"].match.path == PathMatch(kind="prefix", value=prefix)  # fmt: skip


_PIECES = st.sampled_from(("/x", "/", "a", "?", "*", "{2}", "(b|c)", "[d-f|]", r"\.", "|", "/y-z"))


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, min_size=1, max_size=7).map(lambda some: "/" + "".join(some)), st.data())
def test_it_takes_all_that_the_pattern_takes(pattern: str, data: st.DataObject) -> None:
    try:
        re.compile(pattern)
    except re.error:
        return
    path = data.draw(st.from_regex(pattern, fullmatch=True))
    if not path.startswith("/"):
        return
    prefix = quarantine._plain_path(PathMatch(kind="regex", value=pattern)).value
    assert grammar.is_under(path, prefix)


def test_patterns_of_headers_and_queries_are_left_out() -> None:
    pattern = ValueMatch(name="x", kind="regex", value="(a)")
    exact = ValueMatch(name="y", kind="exact", value="1")
    match = Match(path=PathMatch(kind="exact", value="/"), headers=(pattern, exact), query=(pattern,))  # fmt: skip
    made = without(ir.gate(replace(ir.ordinary(), match=match)), WEB)
    assert rows(made)["web"].match == replace(match, headers=(exact,), query=())
