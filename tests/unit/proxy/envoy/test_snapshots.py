"""A gate as bytes: deterministic, as small a change as possible, and no secret in a dump."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gatereeve.core.errors import PublishError
from gatereeve.core.refs import ConfigHash
from gatereeve.ir import routes
from gatereeve.ir.gates import Certificate, Gate
from gatereeve.ir.identity import Identity
from gatereeve.proxy.envoy import dumps, names
from gatereeve.proxy.xds import snapshot as snap
from tests.support import ir_builders as ir
from tests.support import keys
from tests.unit.proxy.envoy import built

HOSTS = tuple(f"h{number}.test" for number in range(40))


def _gate(*hosts: str, issuer: ir.Issuer | None = None) -> Gate:
    known = Identity(
        jwt=(() if issuer is None else (issuer.provider(),)), api_keys=ir.api_keys(acme=("gold",))
    )
    made = tuple(ir.host(ir.route(), name=name, tls="any") for name in sorted(hosts or HOSTS))
    rules = ir.access(allow=(ir.rule(),))
    return ir.gate(
        access=(rules,),
        identity=known,
        listeners=(ir.listener(*made, name="http", protocol="http", port=8080),),
        clusters=(ir.cluster("c-v1", "v1"),),
    )


def _bytes(made: snap.Snapshot) -> dict[str, dict[str, bytes]]:
    return {
        kind: {name: one.body for name, one in found.items()}
        for kind, found in made.resources.items()
    }


def test_equal_gates_give_equal_bytes() -> None:
    issuer = ir.Issuer()
    assert _bytes(built.snapshot(_gate(issuer=issuer))) == _bytes(
        built.snapshot(_gate(issuer=issuer))
    )


def test_what_was_built_before_changes_the_time_and_never_the_result() -> None:
    gate, builder = _gate(), built.builder()
    built.snapshot(_gate("other.test"), builder)
    first = built.snapshot(gate, builder)
    again = built.snapshot(gate, builder)
    assert _bytes(first) == _bytes(again) == _bytes(built.snapshot(gate))


def test_one_changed_host_changes_one_route_configuration_and_the_gates_hash() -> None:
    gate, builder = _gate(), built.builder()
    before = built.snapshot(gate, builder)
    (listener,) = gate.listeners
    hosts = (replace(listener.hosts[0], routes=()), *listener.hosts[1:])
    changed = replace(
        gate, listeners=(replace(listener, hosts=hosts),), hash=ConfigHash("sha256:d")
    )
    found = snap.diff(before, built.snapshot(changed, builder))
    assert found[snap.RDS].changed == (
        names.route_configuration_of("http", listener.hosts[0].host),
    )
    assert found[snap.ECDS].changed == (names.GATE,)
    assert set(found) == {snap.RDS, snap.ECDS}


def test_a_failed_build_leaves_nothing_old_behind() -> None:
    """What changed together with a host that cannot be built is built the next time."""
    gate, builder = _gate(), built.builder()
    built.snapshot(gate, builder)
    (listener,) = gate.listeners
    rules = ir.access(allow=(ir.rule(), ir.rule("lending/credit/allow[1]")))
    share = routes.Share(cluster="model/lending/credit/v1", version="v1", weight=1)
    broken = ir.ordinary(action=routes.Forward(shares=(share,)))
    hosts = (replace(listener.hosts[0], routes=(broken,)), *listener.hosts[1:])
    with pytest.raises(PublishError):
        built.snapshot(
            replace(gate, access=(rules,), listeners=(replace(listener, hosts=hosts),)), builder
        )
    changed = replace(gate, access=(rules,))
    assert _bytes(built.snapshot(changed, builder)) == _bytes(built.snapshot(changed))
    assert _bytes(built.snapshot(gate, builder)) == _bytes(built.snapshot(gate))


def test_a_new_host_touches_no_listener() -> None:
    before, after = built.snapshot(_gate()), built.snapshot(_gate(*HOSTS, "new.test"))
    found = snap.diff(before, after)
    assert snap.LDS not in found
    assert found[snap.SRDS].added == (names.scope_key("http", "new.test"),)


def test_a_host_always_lives_in_the_same_route_configuration() -> None:
    assert names.route_configuration_of("https", "models.test") == "https/3af"


def test_every_scope_leads_to_a_route_configuration_that_is_there() -> None:
    made = built.snapshot(_gate())
    for name in made.of(snap.SRDS):
        scope = built.message(made, snap.SRDS, name)
        assert scope.route_configuration_name in made.of(snap.RDS)
        assert scope.key.fragments[0].string_key == name


def test_an_https_listener_without_a_certificate_is_not_opened() -> None:
    gate = ir.gate(ir.route())
    assert set(built.snapshot(gate).of(snap.LDS)) == {"http"}


def test_dumps_hold_no_secret() -> None:
    pair = keys.Authority("servers").issue(dns=("h0.test",))
    certificate = Certificate(
        name="team/tls",
        hosts=("h0.test",),
        chain=pair.certificate,
        key=pair.key,
        origin=ir.origin("Secret", "tls"),
    )
    gate = _gate("h0.test")
    secure = replace(gate.listeners[0], name="https", protocol="https", certificates=(certificate,))
    gate = replace(gate, listeners=(secure,))
    made = built.snapshot(gate)
    text = dumps.to_yaml(made, gate)
    assert "key-acme" not in text
    assert pair.key.splitlines()[1] not in text
    assert "[redacted]" in text
    assert any(b"key-acme" in one.body for one in made.of(snap.ECDS).values())
