"""Laws of what may be reached (P1, P2), over every small change of two teams' documents.

Taking away documents of governance never opens a Service, and a document that the platform did not
grant never leads to another namespace's server. `fine` and `evil` are generated: which Services
stand behind their models, by which way other routes and slices come near them.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from random import Random

import pytest

from gatereeve.api.world import Memory
from gatereeve.compile import compiler
from gatereeve.compile.backends import addresses
from gatereeve.compile.compiler import Compiled
from tests.support import teams
from tests.support.clocks import AT
from tests.support.routes import (
    GATE,
    at,
    ingress,
    model,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
)
from tests.support.worlds import world_of

GOVERNING = ("kind: Model\n", "kind: ModelVersion", "kind: AccessPolicy", "kind: HostGrant")
PORT = 9000
GATE_AND_KEY = (GATE, tls_secret(names=("*.example",)))


def grant(ns: str, cidr: str, services: str = "selector: {all: true}") -> str:
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: {ns}}}
spec:
  namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {ns}}}}}
  hosts: ["*.{ns}.example"]
  backends: {{{services}}}
  addresses: [{{cidr: {cidr}}}]
"""


def team(ns: str, net: str, random: Random) -> list[str]:
    """A model behind a Service or an address, an alias of it or not, a side route, a website."""
    mine = f"10.{net}.0.1"
    behind = random.choice(("backend: {service: behind, port: http}", at(mine, PORT)))
    texts = [
        grant(ns, f"10.{net}.0.0/16"),
        *model("k", ns, "json").split("\n---\n"),
        version("k", "1", behind, ns=ns),
        ingress("k", f"Prefix / {to_model('k')}", host=f"k.{ns}.example", ns=ns),
        *service("behind", mine, ns=ns, port=PORT).split("\n---\n"),
        *service("web", f"10.{net}.0.9", ns=ns).split("\n---\n"),
        ingress("web", f"Prefix / {to_service('web')}", host=f"web.{ns}.example", ns=ns),
    ]
    for name in random.sample(("behind", "alias", "mapped"), k=random.randint(1, 3)):
        texts.append(ingress(name, f"Prefix / {to_service(name)}", host=f"{name}.{ns}.example", ns=ns))  # fmt: skip
        if name == "alias":
            texts += service("alias", mine, ns=ns, port=PORT).split("\n---\n")
        if name == "mapped":
            text = service("mapped", f"::ffff:{mine}", ns=ns, port=PORT)
            texts += text.replace("IPv4", "IPv6").split("\n---\n")
    return texts


def intruders(victim: str, ns: str, random: Random) -> list[str]:
    """Documents of `ns` that name the victim's server: a model of its own, and a Service."""
    spelling = random.choice((victim, f"::ffff:{victim}", f"64:ff9b::{victim}"))
    kind = "IPv6" if ":" in spelling else "IPv4"
    slices = service("steal", spelling, ns=ns, port=PORT).replace("IPv4", kind)
    return [
        *model("t", ns, "json").split("\n---\n"),
        version("t", "1", at(spelling, PORT), ns=ns),
        ingress("t", f"Prefix / {to_model('t')}", host=f"t.{ns}.example", ns=ns),
        *slices.split("\n---\n"),
        ingress("steal", f"Prefix / {to_service('steal')}", host=f"steal.{ns}.example", ns=ns),
    ]


def compiled(texts: list[str], memory: Memory) -> tuple[Compiled, Memory]:
    """As the runtime does it: with the memory of the Worlds before."""
    world = replace(world_of(*GATE_AND_KEY, *texts, at=AT), memory=memory)
    return compiler.Compiler().compile_remembering(world)


def ungoverned(made: Compiled, server: addresses.Server) -> set[str]:
    """Routes without a policy that lead to a server."""
    return {
        f"{host.host} {route.name}"
        for gate in made.ir.gates
        for listener in gate.listeners
        for host in listener.hosts
        for route in host.routes
        if route.governance is None
        for cluster in gate.clusters
        if cluster.name in teams.clusters_of(route) and server in teams.reached(cluster)
    }


def reaching(made: Compiled, server: addresses.Server) -> set[str]:
    """Hosts whose routes, governed or not, lead to a server."""
    return {
        host.host
        for gate in made.ir.gates
        for listener in gate.listeners
        for host in listener.hosts
        for route in host.routes
        for cluster in gate.clusters
        if cluster.name in teams.clusters_of(route) and server in teams.reached(cluster)
    }


@pytest.mark.parametrize("seed", range(12))
def test_taking_governance_away_opens_no_service(seed: int) -> None:
    texts = team("a", "1", Random(seed))
    server = addresses.server("10.1.0.1", PORT)
    made, memory = compiled(texts, Memory())
    assert "k.a.example" in reaching(made, server)
    assert not ungoverned(made, server)
    governing = [text for text in texts if any(kind in text for kind in GOVERNING)]
    for count in (1, 2, len(governing)):
        for gone in itertools.combinations(governing, count):
            left, later = compiled([text for text in texts if text not in gone], memory)
            assert not ungoverned(left, server), gone
            again, _ = compiled([text for text in texts if text not in gone], later)
            assert not ungoverned(again, server), gone


@pytest.mark.parametrize("seed", range(12))
def test_no_single_document_that_goes_or_breaks_opens_a_service(seed: int) -> None:
    """With a memory, any document; a broken one is gone, or has lost its namespace or its labels."""
    texts = team("a", "1", Random(seed))
    server = addresses.server("10.1.0.1", PORT)
    _, memory = compiled(texts, Memory())
    for text in texts:
        others = [one for one in texts if one is not text]
        broken = (
            "", text.replace(", namespace: a", ""), text.replace("kubernetes.io/service-name", "x"),
            text.replace("ports: [{name: http, port: 9000}]", ""), text.replace("spec:", "spek:"),
        )  # fmt: skip
        for form in broken:
            made, _ = compiled([*others, form] if form else others, memory)
            assert not ungoverned(made, server), (text, form)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("wide", [False, True])
def test_no_document_leads_to_another_namespaces_server(seed: int, *, wide: bool) -> None:
    """Without a grant of the address, and with one that the owner has more narrowly."""
    random = Random(seed)
    victim = team("b", "2", random)
    server = addresses.server("10.2.0.1", PORT)
    before, memory = compiled(victim, Memory())
    hosts = reaching(before, server)
    assert hosts
    bad = intruders("10.2.0.1", "a", random)
    mine = grant("a", "10.0.0.0/8" if wide else "10.1.0.0/16")
    for count in (1, len(bad)):
        for chosen in itertools.combinations(bad, count):
            for kept in (memory, Memory()):
                made, _ = compiled([*victim, mine, *chosen], kept)
                assert reaching(made, server) == hosts
