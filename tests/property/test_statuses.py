"""Laws of statuses: the same documents give the same ones, a memo changes none of them, each object
is spoken of once, and nobody else's ever is."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.compile.routes.listener_sets import GATE_LABEL, service_name
from gatereeve.core.conditions import (
    MAX_MESSAGE,
    Condition,
    GatewayBody,
    ObjectStatus,
    RouteBody,
)
from gatereeve.core.refs import GATEREEVE_GROUP, Ref
from gatereeve.statuses import derive
from tests.support.routes import (
    EVERYTHING,
    GATE,
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
from tests.support.statuses import settled
from tests.support.worlds import world_of

CLASSES = ("gatereeve", "own", "theirs", "unknown")
FIXED = (
    EVERYTHING,
    tls_secret(),
    model("a", "shop"),
    version("a", "1", at("10.1.0.1", 8080), ns="shop"),
    service("web", "10.0.0.1"),
    """
    apiVersion: gateway.networking.k8s.io/v1
    kind: GatewayClass
    metadata: {name: own}
    spec: {controllerName: gatereeve.dev/gate, parametersRef: {group: gatereeve.dev, kind: Gate, name: public}}
    ---
    apiVersion: gateway.networking.k8s.io/v1
    kind: GatewayClass
    metadata: {name: theirs}
    spec: {controllerName: example.com/other}
    ---
    apiVersion: networking.k8s.io/v1
    kind: IngressClass
    metadata: {name: theirs}
    spec: {controller: example.com/other}
    """,
)
OWN = GATE.replace("spec:\n", "spec:\n  gateways: {namespace: gatereeve}\n")

gates = st.sampled_from(
    (GATE, OWN, GATE.replace("spec:\n", "spec:\n  classes: [gatereeve, theirs]\n"))
)


def gateway(name: str, of: str, port: int, target: int) -> str:
    return f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: Gateway
    metadata: {{name: {name}, namespace: shop}}
    spec:
      gatewayClassName: {of}
      listeners: [{{name: x, port: {port}, protocol: HTTP}}, {{name: y, port: 8443, protocol: HTTPS}}]
    ---
    apiVersion: v1
    kind: Service
    metadata:
      name: {service_name("public", ("shop", name))}
      namespace: gatereeve
      labels: {{{GATE_LABEL}: public}}
    spec: {{ports: [{{port: {port}, targetPort: {target}}}]}}
    """


gateways = st.builds(
    gateway,
    st.sampled_from(("g1", "g2")),
    st.sampled_from(CLASSES),
    st.sampled_from((80, 8080)),
    st.sampled_from((20000, 20001)),
)
routes = st.builds(
    lambda name, parents, ref: http_route(
        f"{{backendRefs: [{ref}]}}", name=name, parents=f"[{', '.join(parents)}]", hosts="[]"
    ),
    st.sampled_from(("r1", "r2")),
    st.lists(
        st.sampled_from(("{name: g1}", "{name: g2, sectionName: y}", "{name: gone}")),
        min_size=1, max_size=3, unique=True,
    ),
    st.sampled_from(("{name: web, port: 80}", "{name: gone, port: 80}", "{group: gatereeve.dev, kind: Model, name: a}")),
)  # fmt: skip
ingresses = st.builds(
    lambda name, of, backend: ingress(name, f"Prefix / {backend}").replace("gatereeve,", f"{of},"),
    st.sampled_from(("i1", "i2")),
    st.sampled_from(CLASSES),
    st.sampled_from((to_service("web"), to_model("a"))),
)


def by_name(texts: list[str]) -> list[str]:
    return list({text.split("name: ", 1)[1].split(",")[0]: text for text in texts}.values())


documents = st.tuples(
    gates,
    st.lists(gateways, max_size=2).map(by_name),
    st.lists(routes, max_size=2).map(by_name),
    st.lists(ingresses, max_size=2).map(by_name),
).map(lambda parts: [parts[0], *FIXED, *parts[1], *parts[2], *parts[3]])


def told(world: World) -> tuple[ObjectStatus, ...]:
    made = compiler.compile(world)
    return derive(world, made, settled(made))


@settings(max_examples=60, deadline=None)
@given(texts=documents, chance=st.randoms(use_true_random=False))
def test_order_makes_no_difference(texts: list[str], chance: Random) -> None:
    shuffled = list(texts)
    chance.shuffle(shuffled)
    assert told(world_of(*texts)) == told(world_of(*shuffled))


@settings(max_examples=40, deadline=None)
@given(first=documents, second=documents)
def test_tables_that_are_kept_make_no_difference(first: list[str], second: list[str]) -> None:
    compiling = compiler.Compiler()
    worlds = world_of(*first), world_of(*second)
    for world in (*worlds, *worlds):
        made = compiling.compile(world)
        assert made.ir == compiler.compile(world).ir
        assert derive(world, made, settled(made)) == told(world)


@settings(max_examples=100, deadline=None)
@given(texts=documents)
def test_nobody_elses_object_is_spoken_of(texts: list[str]) -> None:
    world = world_of(*texts)
    statuses = told(world)
    refs = [status.ref for status in statuses]
    assert refs == sorted(set(refs))
    served = {"gatereeve", "own"}
    ours = {
        ("shop", key[1])
        for key, doc in world.gateways.items()
        if doc.spec.gateway_class_name in served
    }
    for status in statuses:
        assert status.ref.group == GATEREEVE_GROUP or is_ours(world, status.ref, served)
        if isinstance(status.body, RouteBody):
            assert all((p.namespace or "shop", p.name) in ours for p in status.body.parents)
        for condition in conditions(status):
            assert condition.reason.isidentifier()
            assert len(condition.message) <= MAX_MESSAGE
            assert condition.message.isprintable()


def is_ours(world: World, ref: Ref, served: set[str]) -> bool:
    key = (ref.namespace, ref.name)
    if ref.kind == "Ingress":
        return world.ingresses[key].spec.ingress_class_name == "gatereeve"
    if ref.kind == "Gateway":
        return world.gateways[key].spec.gateway_class_name in served
    if ref.kind == "GatewayClass":
        return world.gateway_classes[key].spec.controller_name == "gatereeve.dev/gate"
    return ref.kind == "HTTPRoute"


def conditions(status: ObjectStatus) -> list[Condition]:
    found = list(status.conditions)
    if isinstance(status.body, RouteBody):
        found += [c for parent in status.body.parents for c in parent.conditions]
    if isinstance(status.body, GatewayBody):
        found += [c for listener in status.body.listeners for c in listener.conditions]
    return found
