"""The session without a wire: the barrier, isolation of culprits, when to wake."""

from typing import Any

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from gatereeve.proxy.xds import gate, responses, session
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg


def view_of(*messages: Any) -> gate.View:
    state = gate.GateState("public")
    state.publish(msg.snapshot("v1", *messages))
    assert state.view is not None
    return state.view


def asked(type_url: str, *names: str, nonce: str = "", error: str = "") -> Any:
    request = discovery_pb2.DeltaDiscoveryRequest(
        type_url=type_url, resource_names_subscribe=names, response_nonce=nonce
    )
    if error:
        request.error_detail.message = error
    return request


def sent(response: Any) -> tuple[str, list[str]]:
    return snap.short_name(response.type_url), [r.name for r in response.resources]


CONTENT = (
    msg.cluster("a"),
    msg.endpoints("a", 1),
    msg.listener("web", 1),
    msg.routes(x="a"),
)


def test_routes_go_after_the_barrier_though_clusters_hang() -> None:
    view = view_of(*CONTENT)
    tried = session.Session(session.Discipline(barrier_s=3))
    for request in (asked(snap.CDS), asked(snap.LDS)):
        tried.receive(request)
    assert sent(tried.respond(view, 100.0)) == ("CDS", ["a"])  # never acknowledged
    assert tried.respond(view, 100.0) is None
    assert tried.wake_at(100.0) == 103.0
    assert tried.respond(view, 102.9) is None
    assert sent(tried.respond(view, 103.0)) == ("LDS", ["web"])
    assert tried.barrier_timeouts == 1
    tried.receive(asked(snap.LDS, nonce="2"))
    tried.receive(asked(snap.RDS, "routes"))
    assert sent(tried.respond(view, 103.0)) == ("RDS", ["routes"])  # not one barrier each
    assert tried.wake_at(103.0) is None


def test_a_gate_that_asks_for_no_clusters_is_not_kept_waiting() -> None:
    tried = session.Session(session.Discipline())
    tried.receive(asked(snap.RDS, "routes"))
    assert sent(tried.respond(view_of(*CONTENT), 0.0)) == ("RDS", ["routes"])


def test_it_is_settled_only_with_all_that_is_needed() -> None:
    view = view_of(*CONTENT)
    tried = session.Session(session.Discipline())
    order = []
    for request in (
        asked(snap.CDS),
        asked(snap.LDS),
        asked(snap.EDS, "a"),
        asked(snap.RDS, "routes"),
    ):
        tried.receive(request)
        while (response := tried.respond(view, 0.0)) is not None:
            assert not tried.is_settled(view)
            order.append(sent(response)[0])
            tried.receive(asked(response.type_url, nonce=response.nonce))
    assert order == ["CDS", "EDS", "LDS", "RDS"]
    assert tried.is_settled(view)


def test_nothing_is_removed_before_a_reconnecting_gate_said_what_else_it_holds() -> None:
    """It may hold routes to `old`; they are switched, and only then `old` goes."""
    view = view_of(*CONTENT)
    versions = {t: dict(view.types[t].versions) for t in snap.TYPES}
    tried = session.Session(session.Discipline(grace_s=0))
    for request, held in (
        (asked(snap.CDS), versions[snap.CDS] | {"old": "1"}),
        (asked(snap.EDS, "a", "old"), versions[snap.EDS] | {"old": "1"}),
        (asked(snap.LDS), versions[snap.LDS]),
    ):
        request.initial_resource_versions.update(held)
        tried.receive(request)
        assert tried.respond(view, 0.0) is None
    request = asked(snap.RDS, "routes")
    request.initial_resource_versions["routes"] = "leads to old"
    tried.receive(request)
    response = tried.respond(view, 0.0)
    assert response is not None
    assert sent(response) == ("RDS", ["routes"])
    assert tried.respond(view, 0.0) is None
    tried.receive(asked(snap.RDS, nonce=response.nonce))
    response = tried.respond(view, 0.0)
    assert response is not None
    assert (response.type_url, list(response.removed_resources)) == (snap.CDS, ["old"])


def test_routes_wait_for_endpoints_that_an_earlier_controller_owed() -> None:
    view = view_of(*CONTENT)
    tried = session.Session(session.Discipline())
    for type_url in (snap.CDS, snap.LDS):
        request = asked(type_url)
        request.initial_resource_versions.update(view.types[type_url].versions)
        tried.receive(request)
    tried.receive(asked(snap.RDS, "routes"))
    assert tried.respond(view, 0.0) is None
    tried.receive(asked(snap.EDS, "a"))
    response = tried.respond(view, 0.0)
    assert response is not None
    assert sent(response) == ("EDS", ["a"])
    assert tried.respond(view, 0.0) is None
    tried.receive(asked(snap.EDS, nonce=response.nonce))
    assert sent(tried.respond(view, 0.0)) == ("RDS", ["routes"])


def test_a_rejected_removal_is_not_tried_again() -> None:
    tried = session.Session(session.Discipline(grace_s=0))
    request = asked(snap.CDS)
    request.initial_resource_versions["gone"] = "1"
    tried.receive(request)
    view = view_of()
    response = tried.respond(view, 0.0)
    assert response is not None
    assert list(response.removed_resources) == ["gone"]
    receipt = tried.receive(asked(snap.CDS, nonce=response.nonce, error="no"))
    assert isinstance(receipt, session.Rejected)
    assert receipt.culprits == {}
    assert tried.respond(view, 1.0) is None


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4}, set(range(8)), {0, 7}])
def test_isolation_finds_exactly_the_culprits(bad: set[int]) -> None:
    names = [f"s{number}" for number in range(8)]
    state = gate.GateState("public")
    state.publish(msg.snapshot("v1", *(msg.secret(name) for name in names)))
    tried = session.Session(session.Discipline())
    tried.receive(asked(snap.SDS, *names))
    for _ in range(40):
        assert state.view is not None
        response = tried.respond(state.view, 0.0)
        if response is None:
            break
        is_bad = any(int(r.name[1:]) in bad for r in response.resources)
        request = asked(snap.SDS, nonce=response.nonce, error="nobody named" if is_bad else "")
        receipt = tried.receive(request)
        if isinstance(receipt, session.Rejected) and receipt.culprits:
            state.reject(snap.SDS, receipt.culprits)
        elif isinstance(receipt, session.Accepted):
            state.acknowledged(snap.SDS, receipt.sent.resources)
    else:
        pytest.fail("it never comes to rest")
    assert state.view is not None
    assert state.view.types[snap.SDS].suppressed == {f"s{number}" for number in bad}
    held = tried.subscriptions[snap.SDS].held
    good = {name for name in names if int(name[1:]) not in bad}
    assert {name for name, version in held.items() if version} == good


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("Error adding/updating cluster(s) a: bad, a-b: worse", {"a", "a-b"}),
        ("Error adding/updating cluster(s) a-b: bad", {"a-b"}),
        ("cluster 'a.b/c': bad", {"a.b/c"}),
        ("see a.", {"a"}),
        ("nobody", set()),
        ("aa ab ba", set()),
    ],
)
def test_culprits_are_named_as_whole_words(detail: str, expected: set[str]) -> None:
    assert responses.culprits(detail, ["a", "a-b", "a.b/c"]) == expected
