"""Filter chains: by the names in the certificates, so that new hosts leave connections alone."""

from __future__ import annotations

from gatereeve.ir.gates import Certificate
from gatereeve.proxy.envoy import listeners
from tests.support import ir_builders as ir
from tests.support import keys

AUTHORITY = keys.Authority("servers")


def _certificate(name: str, names: tuple[str, ...], hosts: tuple[str, ...]) -> Certificate:
    pair = AUTHORITY.issue(dns=names)
    return Certificate(
        name=name,
        hosts=hosts,
        chain=pair.certificate,
        key=pair.key,
        origin=ir.origin("Secret", name),
    )


def _chains(*certificates: Certificate) -> dict[str, tuple[str, ...]]:
    return {c.name: server_names for c, server_names in listeners.chains(certificates)}


def test_a_new_host_under_a_known_certificate_changes_no_chain() -> None:
    few = _certificate("ns/a", ("*.a.test",), ("x.a.test",))
    more = Certificate(
        name=few.name, hosts=("x.a.test", "y.a.test"), chain=few.chain, key=few.key,
        origin=few.origin,
    )  # fmt: skip
    assert _chains(few) == _chains(more) == {"ns/a": ("*.a.test",)}


def test_a_host_with_a_certificate_of_its_own_is_named() -> None:
    wide = _certificate("ns/a", ("*.a.test",), ("x.a.test",))
    own = _certificate("ns/b", ("*.a.test", "b.test"), ("y.a.test",))
    assert _chains(wide, own) == {"ns/a": ("*.a.test",), "ns/b": ("b.test", "y.a.test")}


def test_the_default_certificate_comes_last_and_once() -> None:
    default = _certificate("ns/d", ("d.test",), ())
    named = _certificate("ns/a", ("a.test",), ("a.test",))
    assert listeners.chains([default, named])[-1] == (default, ())


def test_every_host_is_led_to_the_certificate_that_was_chosen_for_it() -> None:
    first = _certificate("ns/a", ("*.x.test", "b.y.test"), ("a.x.test",))
    second = _certificate("ns/b", ("*.x.test", "*.y.test"), ("c.x.test", "b.y.test", "d.y.test"))
    chains = listeners.chains([first, second])
    every = [name for _, server_names in chains for name in server_names]
    assert len(every) == len(set(every))
    by_name = {c.name: set(server_names) for c, server_names in chains}
    assert {"c.x.test", "b.y.test"} <= by_name["ns/b"]
    assert "*.x.test" in by_name["ns/a"]
