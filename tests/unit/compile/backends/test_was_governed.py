"""What stood behind a model stays closed to ordinary routes until it is released."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gatereeve.api.world import Held, Memory, World
from gatereeve.compile.compiler import Compiled, Compiler
from tests.support.clocks import AT
from tests.support.routes import (
    GATE,
    answer,
    at,
    found,
    ingress,
    model,
    rows,
    service,
    tls_secret,
    to,
    to_model,
    to_service,
    version,
)
from tests.support.worlds import world_of

GRANT = """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: NS}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
  hosts: [NS.example, side.NS.example, alias.NS.example]
  backends: {services: [{name: behind}, {name: alias}, {name: web}]}
  addresses: [{cidr: 10.1.0.0/16}]
"""
A = GRANT.replace("NS", "a")
MODEL = model("k", "a", "json")
BEHIND = service("behind", "10.1.0.1", ns="a", port=9000)
BY_SERVICE = version("k", "1", "backend: {service: behind, port: http}", ns="a")
BY_ADDRESS = version("k", "1", at("10.1.0.1", 9000), ns="a")
SIDE = ingress("side", f"Prefix / {to_service('behind')}", host="side.a.example", ns="a")
ALIAS = service("alias", "10.1.0.1", ns="a", port=9000)
ALIAS_ROUTE = ingress("alias", f"Prefix / {to_service('alias')}", host="alias.a.example", ns="a")
WEB = service("web", "10.1.0.9", ns="a")
WEB_ROUTE = ingress("web", f"Prefix / {to_service('web')}", host="a.example", ns="a")
OTHERS = (GATE, tls_secret(), BEHIND, ALIAS, WEB, SIDE, ALIAS_ROUTE, WEB_ROUTE)


class Runs:
    """Worlds one after the other, with the memory that each leaves to the next."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.compiler = Compiler()
        self.at = AT

    def apply(self, *texts: str) -> Compiled:
        self.at += timedelta(minutes=1)
        world = self._world(texts)
        compiled, self.memory = self.compiler.compile_remembering(world)
        return compiled

    def _world(self, texts: tuple[str, ...]) -> World:
        world = world_of(*texts, at=self.at)
        assert not world.findings, world.findings
        return world.__class__(
            **{
                name: getattr(world, name)
                for name in World.__dataclass_fields__
                if name != "memory"
            },
            memory=self.memory,
        )


def leads(made: Compiled, host: str) -> str:
    return to(answer(rows(made, host), "/x"))


REFUSED = "refuse no-backend"


@pytest.mark.parametrize("one", [BY_SERVICE, BY_ADDRESS], ids=["service", "address"])
@pytest.mark.parametrize("left", [(), (MODEL,)], ids=["all gone", "version gone"])
def test_it_stays_closed_when_its_documents_are_gone(one: str, left: tuple[str, ...]) -> None:
    runs = Runs()
    before = runs.apply(A, MODEL, one, *OTHERS)
    assert leads(before, "a.example") == "service/a/web/80"
    after = runs.apply(A, *left, *OTHERS)
    for host in ("side.a.example", "alias.a.example"):
        assert leads(after, host) == REFUSED
    assert leads(after, "a.example") == "service/a/web/80"
    assert len(found(after, "was-governed")) == 2
    again = Runs(runs.memory)  # another process
    assert leads(again.apply(A, *OTHERS), "side.a.example") == REFUSED


def test_without_a_memory_the_grant_alone_decides() -> None:
    assert leads(Runs().apply(A, *OTHERS), "side.a.example") == "service/a/behind/80"


def released(moment: str) -> str:
    return A.replace("{name: behind}", f"{{name: behind, released: '{moment}'}}")


def test_a_release_opens_what_was_governed_before_it() -> None:
    runs = Runs()
    early = released(AT.isoformat())
    runs.apply(early, MODEL, BY_SERVICE, *OTHERS)
    closed = runs.apply(early, *OTHERS)
    assert leads(closed, "side.a.example") == REFUSED, "a release in advance counts for nothing"
    (held,) = runs.memory.services.values()
    assert held.until == runs.at
    (hint,) = {f.hint for f in closed.findings if f.code == "was-governed" and "behind" in f.hint}
    assert f'released: "{runs.at.isoformat()}"' in hint, "the finding shows the line"
    late = released(runs.at.isoformat())
    opened = runs.apply(late, *OTHERS)
    assert leads(opened, "side.a.example") == "service/a/behind/80"
    assert leads(opened, "alias.a.example") == REFUSED, "each Service is released by its own line"
    runs.apply(late, MODEL, BY_SERVICE, *OTHERS)
    assert leads(runs.apply(late, *OTHERS), "side.a.example") == REFUSED, "once per time"


def test_a_release_that_is_not_past_counts_for_nothing() -> None:
    runs = Runs()
    runs.apply(A, MODEL, BY_SERVICE, *OTHERS)
    future = released((AT + timedelta(days=1)).isoformat())
    assert leads(runs.apply(future, *OTHERS), "side.a.example") == REFUSED
    runs.at = AT + timedelta(days=1)
    assert leads(runs.apply(future, *OTHERS), "side.a.example") == "service/a/behind/80"


def test_a_release_of_addresses() -> None:
    runs = Runs()
    runs.apply(A, MODEL, BY_ADDRESS, *OTHERS)
    assert leads(runs.apply(A, *OTHERS), "alias.a.example") == REFUSED
    text = A.replace("{cidr: 10.1.0.0/16}", f"{{cidr: 10.1.0.0/16, released: '{runs.at.isoformat()}'}}")  # fmt: skip
    assert leads(runs.apply(text, *OTHERS), "alias.a.example") == "service/a/alias/80"


def test_another_namespace_does_not_inherit_a_server() -> None:
    """Whatever its own policy says, and although the platform granted the address to both."""
    theirs = (
        GRANT.replace("NS", "b"), model("t", "b", "json"), version("t", "1", at("10.1.0.1", 9000), ns="b"),
        ingress("t", f"Prefix / {to_model('t')}", host="b.example", ns="b"),
    )  # fmt: skip
    runs = Runs()
    runs.apply(A, MODEL, BY_ADDRESS, *OTHERS)
    made = runs.apply(*theirs, GATE, tls_secret())
    assert found(made, "address-taken") == ["ModelVersion b/t-1 spec.endpoints[0].address"]
    (cluster,) = [c for g in made.ir.gates for c in g.clusters]
    assert not any(group.endpoints for group in cluster.endpoints.groups)


def test_with_equal_grants_the_one_that_was_there_keeps_its_server() -> None:
    """Naming the address closes nothing of the owner's."""
    theirs = (
        GRANT.replace("NS", "b"), model("t", "b", "json"), version("t", "1", at("10.1.0.1", 9000), ns="b"),
    )  # fmt: skip
    runs = Runs()
    runs.apply(A, MODEL, BY_ADDRESS, GATE, tls_secret())
    made = runs.apply(A, MODEL, BY_ADDRESS, *theirs, GATE, tls_secret())
    assert found(made, "address-taken") == ["ModelVersion b/t-1 spec.endpoints[0].address"]
    assert set(runs.memory.servers) == {("a", "10.1.0.1", 9000)}
    cold = Runs().apply(A, MODEL, BY_ADDRESS, *theirs, GATE, tls_secret())
    assert len(found(cold, "address-taken")) == 2, "nobody remembers whose it was"


def test_a_version_that_is_refused_leaves_no_memory_of_an_address() -> None:
    runs = Runs()
    runs.apply(A.replace("10.1.0.0/16", "10.9.0.0/16"), MODEL, BY_ADDRESS, GATE, tls_secret())
    assert runs.memory.servers == {}


def test_the_memory_is_the_same_object_while_nothing_is_new() -> None:
    runs = Runs()
    runs.apply(A, MODEL, BY_SERVICE, *OTHERS)
    before = runs.memory
    assert before.services == {("a", "behind"): Held(model="a/k")}
    runs.apply(A, MODEL, BY_SERVICE, *OTHERS)
    assert runs.memory is before
