"""Laws of routing: shuffled documents give identical gates, a memo changes nothing but the time,
and no row without a policy ever leads to an address of a model."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.compile.backends.addresses import server
from gatereeve.compile.compiler import Compiled
from gatereeve.ir.routes import Forward
from tests.support.routes import (
    EVERYTHING,
    GATE,
    GATEWAY,
    at,
    http_route,
    ingress,
    model,
    service,
    tls_secret,
    to_model,
    to_service,
    version,
)
from tests.support.worlds import world_of

NAMES = ("a", "b", "c")
HOSTS = ("a.example", "b.example", "*.example", None)
PATHS = ("/", "/v2", "/v2/models/a/infer", "/web")
BACKENDS = (
    to_model("a"),
    to_model("b"),
    to_service("web"),
    to_service("behind"),
    to_service("hidden"),
    to_service("gone"),
)
REFS = (
    "{group: gatereeve.dev, kind: Model, name: a}",
    "{group: gatereeve.dev, kind: Model, name: b}",
    "{name: web, port: 80}",
    "{name: behind, port: 80, weight: 3}",
    "{name: hidden, port: 80}",
    "{name: gone, port: 80}",
)
FIXED = (
    GATE,
    EVERYTHING,
    GATEWAY,
    tls_secret(),
    model("a", "shop"),
    model("b", "shop", "openai"),
    version("a", "1", at("10.1.0.1", 8080), ns="shop"),
    version("a", "2", "backend: {service: behind, port: http}", ns="shop"),
    version("b", "1", at("10.1.0.3", 8080), ns="shop"),
    service("behind", "10.1.0.2"),
    service("web", "10.0.0.1", "10.0.0.2"),
    service("hidden", "10.0.0.3", "10.1.0.3"),
)
MODEL_SERVERS = {server(f"10.1.0.{n}", 8080) for n in (1, 2, 3)}

paths = st.tuples(
    st.sampled_from(("Prefix", "Exact")), st.sampled_from(PATHS), st.sampled_from(BACKENDS)
).map(" ".join)
ingresses = st.builds(
    lambda name, listed, host: ingress(f"i-{name}", *listed, host=host),
    st.sampled_from(NAMES),
    st.lists(paths, min_size=1, max_size=3),
    st.sampled_from(HOSTS),
)
matches = st.builds(
    lambda kind, path, method, header: f"{{path: {{type: {kind}, value: {path}}}{method}{header}}}",
    st.sampled_from(("PathPrefix", "Exact", "RegularExpression")),
    st.sampled_from(PATHS),
    st.sampled_from(("", ", method: POST")),
    st.sampled_from(("", ", headers: [{name: x, value: '1'}]")),
)
filters = st.sampled_from(
    (
        "",
        ", filters: [{type: RequestMirror, requestMirror: {backendRef: {name: hidden, port: 80}}}]",
        ", filters: [{type: RequestMirror, requestMirror: {backendRef: {name: behind, port: 80}}}]",
    )
)
rules = st.builds(
    lambda match, refs, more: f"{{matches: [{match}], backendRefs: [{', '.join(refs)}]{more}}}",
    matches,
    st.lists(st.sampled_from(REFS), max_size=2),
    filters,
)
http_routes = st.builds(
    lambda name, listed, host: http_route(
        *listed, name=f"r-{name}", hosts="[]" if host is None else f'["{host}"]'
    ),
    st.sampled_from(NAMES),
    st.lists(rules, min_size=1, max_size=2),
    st.sampled_from(HOSTS),
)


def by_name(texts: list[str]) -> list[str]:
    """One document per name: the last one."""
    return list({text.split("name: ", 1)[1].split(",")[0]: text for text in texts}.values())


documents = st.tuples(
    st.lists(ingresses, max_size=3).map(by_name), st.lists(http_routes, max_size=3).map(by_name)
).map(lambda routes: [*FIXED, *routes[0], *routes[1]])
worlds = documents.map(lambda texts: world_of(*texts))


def gates_and_findings(made: Compiled) -> tuple[object, ...]:
    return made.ir, made.findings


def without_lines(made: Compiled) -> set[tuple[str, ...]]:
    return {(f.code, str(f.origin), f.message, f.hint) for f in made.findings}


@settings(max_examples=60, deadline=None)
@given(texts=documents, chance=st.randoms(use_true_random=False))
def test_shuffled_documents_give_identical_gates(texts: list[str], chance: Random) -> None:
    shuffled = "\n---\n".join(texts).split("\n---\n")
    chance.shuffle(shuffled)
    first, second = compiler.compile(world_of(*texts)), compiler.compile(world_of(*shuffled))
    assert first.ir == second.ir
    assert without_lines(first) == without_lines(second)


@settings(max_examples=60, deadline=None)
@given(first=worlds, second=worlds)
def test_tables_that_are_kept_change_nothing_but_the_time(first: World, second: World) -> None:
    compiling = compiler.Compiler()
    for world in (first, second, first, second):
        assert gates_and_findings(compiling.compile(world)) == gates_and_findings(
            compiler.compile(world)
        )


@settings(max_examples=150, deadline=None)
@given(world=worlds)
def test_no_row_without_a_policy_leads_to_a_model(world: World) -> None:
    (gate,) = compiler.compile(world).ir.gates
    clusters = {c.name: c for c in gate.clusters}
    for listener in gate.listeners:
        for host in listener.hosts:
            governed = any(r.governance is not None for r in host.routes)
            assert listener.protocol == "https" or not governed or host.tls != "any"
            assert len({r.name for r in host.routes}) == len(host.routes)
            for route in host.routes:
                if route.governance is not None or not isinstance(route.action, Forward):
                    continue
                named = [s.cluster for s in route.action.shares if s.cluster]
                named += [m.cluster for m in route.action.mirrors]
                for name in named:
                    assert clusters[name].model == ""
                    reached = {
                        server(e.address, e.port)
                        for group in clusters[name].endpoints.groups
                        for e in group.endpoints
                    }
                    assert not reached & MODEL_SERVERS
