"""What a Gate is served after rejections: the rules of `gate`."""

from typing import Any

from gatereeve.core import refs
from gatereeve.proxy.xds import gate
from gatereeve.proxy.xds import snapshot as snap
from tests.features import xds_messages as msg


def served(state: gate.GateState, type_url: snap.TypeUrl) -> dict[str, str]:
    assert state.view is not None
    return dict(state.view.types[type_url].versions)


def content(*messages: Any) -> dict[str, str]:
    return {r.name: r.version for r in map(snap.resource_of, messages)}


def accepted(state: gate.GateState) -> None:
    """A gate accepted all that is served."""
    assert state.view is not None
    for type_url, of_type in state.view.types.items():
        state.acknowledged(type_url, of_type.resources.values())
    state.settled()


def secrets(version: str, **texts: str) -> snap.Snapshot:
    return msg.snapshot(version, *(msg.secret(name, text) for name, text in texts.items()))


def test_equal_content_is_the_same_view() -> None:
    state = gate.GateState("public")
    assert state.publish(secrets("v1", k="1"))
    before = state.view
    assert not state.publish(secrets("v1", k="1"))
    assert state.view is before
    assert state.publish(secrets("v2", k="1"))  # only the name is new
    assert state.view is not None
    assert before is not None
    assert state.view.types[snap.SDS] is before.types[snap.SDS]


def test_the_form_before_stands_in_when_another_gate_rejects_the_newest() -> None:
    state = gate.GateState("public")
    for text in ("1", "2"):
        state.publish(secrets(text, k=text))
        accepted(state)
    state.reject(snap.SDS, content(msg.secret("k", "2")))
    assert served(state, snap.SDS) == content(msg.secret("k", "1"))
    state.reject(snap.SDS, content(msg.secret("k", "1")))
    assert served(state, snap.SDS) == {}
    assert state.view is not None
    assert state.view.types[snap.SDS].kept == {"k"}


def test_rejected_content_is_tried_again_only_after_it_was_something_else() -> None:
    state = gate.GateState("public")
    state.publish(secrets("v1", k="good"))
    accepted(state)
    state.publish(secrets("v2", k="bad"))
    state.reject(snap.SDS, content(msg.secret("k", "bad")))
    state.publish(secrets("v3", k="bad", other="1"))
    assert served(state, snap.SDS) == content(msg.secret("k", "good"), msg.secret("other", "1"))
    state.publish(secrets("v4", k="better"))
    assert served(state, snap.SDS) == content(msg.secret("k", "better"))
    assert state.view is not None
    assert state.view.is_whole()


def test_a_rejected_listener_keeps_the_routes_and_clusters_it_needs() -> None:
    state = gate.GateState("public")
    old = (
        msg.cluster("a"),
        msg.endpoints("a", 1),
        msg.listener("web", 1, routes="old"),
        msg.routes("old", x="a"),
    )
    state.publish(msg.snapshot("v1", *old))
    accepted(state)
    new_listener = msg.listener("web", 1, routes="new")
    state.publish(msg.snapshot("v2", new_listener, msg.routes("new", x=200)))
    assert served(state, snap.CDS) == {}
    state.reject(snap.LDS, content(new_listener))
    assert served(state, snap.LDS) == content(msg.listener("web", 1, routes="old"))
    assert served(state, snap.CDS) == content(msg.cluster("a"))
    assert served(state, snap.EDS) == content(msg.endpoints("a", 1))
    assert served(state, snap.RDS) == content(msg.routes("old", x="a"), msg.routes("new", x=200))


def test_a_removed_listener_goes_though_something_else_was_rejected() -> None:
    state = gate.GateState("public")
    state.publish(msg.snapshot("v1", msg.listener("web", 1), msg.routes(x=200)))
    accepted(state)
    state.publish(msg.snapshot("v2", msg.routes("bad", x=200), msg.cluster("c")))
    state.reject(snap.RDS, content(msg.routes("bad", x=200)))
    assert served(state, snap.LDS) == {}


def test_forms_of_what_is_gone_are_forgotten() -> None:
    state = gate.GateState("public")
    state.publish(secrets("v1", k="1"))
    accepted(state)
    state.publish(secrets("v2"))
    accepted(state)
    state.publish(secrets("v3", k="2"))
    state.reject(snap.SDS, content(msg.secret("k", "2")))
    assert served(state, snap.SDS) == {}


def test_last_good_is_what_was_accepted() -> None:
    state = gate.GateState("public")
    assert state.last_good() is None
    state.publish(secrets("v1", k="1"))
    accepted(state)
    state.publish(secrets("v2", k="2", new="1"))
    kept = state.last_good()
    assert kept is not None
    assert kept.version == refs.ConfigHash("v2")
    assert {name: r.version for name, r in kept.of(snap.SDS).items()} == content(
        msg.secret("k", "1")
    )
