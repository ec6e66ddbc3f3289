"""Where it is not known where a model's servers are, ordinary Services may lead to them (P1, P2).

Cold starts: nothing remembers how the documents were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatereeve.api.world import AnyDoc, Key, World
from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
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
    to_model,
    to_service,
    version,
)
from tests.support.routes import to as led
from tests.support.worlds import world_of

ADDRESS = "10.1.0.1"
GRANT = """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: NS}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NS}}
  hosts: [NS.example, side.NS.example, alias.NS.example]
  backends: {services: [{name: behind}, {name: alias}, {name: web}]}
  addresses: [{cidr: CIDR}]
"""


def grant(ns: str, cidr: str) -> str:
    return GRANT.replace("NS", ns).replace("CIDR", cidr)


A = grant("a", f"{ADDRESS}/32")
MODEL = model("k", "a", "json")
VERSION = version("k", "1", "backend: {service: behind, port: http}", ns="a")
ENDPOINTS = version("k", "1", at(ADDRESS, 9000), ns="a")
BEHIND = service("behind", ADDRESS, ns="a", port=9000)
ALIAS = service("alias", ADDRESS, ns="a", port=9000)
ROUTES = (
    ingress("model", f"Prefix / {to_model('k')}", host="a.example", ns="a"),
    ingress("side", f"Prefix / {to_service('behind')}", host="side.a.example", ns="a"),
    ingress("alias", f"Prefix / {to_service('alias')}", host="alias.a.example", ns="a"),
)
OTHER = (
    grant("w", "10.9.0.0/16"),
    service("web", "10.9.0.1", ns="w"),
    ingress("web", f"Prefix / {to_service('web')}", host="w.example", ns="w"),
)
WIDE = grant("t", "10.0.0.0/8")
BY_SERVICE = (
    WIDE,
    service("alias", ADDRESS, ns="t", port=9000),
    ingress("alias", f"Prefix / {to_service('alias')}", host="alias.t.example", ns="t"),
)
BY_MODEL = (
    WIDE,
    model("t", "t", "json"),
    version("t", "1", at(ADDRESS, 9000), ns="t"),
    ingress("t", f"Prefix / {to_model('t')}", host="t.example", ns="t"),
)
NAMES = ("*.example", "*.a.example", "*.t.example")


def made(*texts: str) -> Compiled:
    return compiler.compile(world_of(GATE, tls_secret(names=NAMES), *texts))


def leads(compiled: Compiled, host: str) -> str:
    return led(answer(rows(compiled, host), "/x"))


NAMELESS = "kind: ModelVersion\nspec: {model: k}\n"
NO_KIND = VERSION.replace("kind: ModelVersion", "metadate: {}")
SLICE = BEHIND.index("apiVersion: discovery")

BROKEN = {
    "a version of which nothing can be made out": (A, MODEL, "\x00", BEHIND),
    "a version without name and namespace": (A, MODEL, NAMELESS, BEHIND),
    "a version without kind": (A, MODEL, NO_KIND, BEHIND),
    "a version in another namespace": (A, MODEL, VERSION.replace("namespace: a", "namespace: aa"), BEHIND),
    "a version in the default namespace": (A, MODEL, VERSION.replace(", namespace: a", ""), BEHIND),
    "endpoints in another namespace": (A, MODEL, ENDPOINTS.replace("namespace: a", "namespace: aa"), BEHIND),
    "a version of a Service that is not there": (A, MODEL, VERSION.replace("behind", "behin"), BEHIND),
    "a version that is gone": (A, MODEL, BEHIND),
    "a slice of which nothing can be made out": (A, MODEL, VERSION, BEHIND[:SLICE], "\x00"),
    "a slice without endpoints": (A, MODEL, VERSION, BEHIND.replace(f"[{ADDRESS}]", "[]")),
    "a slice in another namespace": (A, MODEL, VERSION, BEHIND[:SLICE], BEHIND[SLICE:].replace("namespace: a", "namespace: aa")),
    "a slice that is gone": (A, MODEL, VERSION, BEHIND[:SLICE]),
}  # fmt: skip


@pytest.mark.parametrize("how", BROKEN)
def test_no_service_of_the_namespace_leads_to_the_model(how: str) -> None:
    compiled = made(*BROKEN[how], ALIAS, *ROUTES)
    for host in ("side.a.example", "alias.a.example"):
        answered = leads(compiled, host)
        assert answered.startswith(("refuse", "model")), (host, answered)
    assert leads(compiled, "alias.a.example").startswith("refuse")
    assert found(compiled, "hidden-path-to-model")


@pytest.mark.parametrize(
    "how", [one for one in BROKEN if "made out" not in one and "name and" not in one]
)
def test_other_namespaces_are_served_where_the_namespace_is_known(how: str) -> None:
    assert leads(made(*BROKEN[how], ALIAS, *ROUTES, *OTHER), "w.example") == "service/w/web/80"


def stolen(compiled: Compiled) -> list[str]:
    """Where another namespace's documents, with a wide grant of their own, reach the server."""
    return [
        cluster.name
        for gate in compiled.ir.gates
        for cluster in gate.clusters
        if cluster.name.startswith(("model/t/", "service/t/"))
        for group in cluster.endpoints.groups
        if group.endpoints
    ]


@pytest.mark.parametrize("thief", [BY_MODEL, BY_SERVICE], ids=["model", "service"])
@pytest.mark.parametrize("how", ["", *BROKEN])
def test_another_namespace_gains_no_server(how: str, thief: tuple[str, ...]) -> None:
    assert not stolen(made(*(BROKEN[how] if how else (A, MODEL, VERSION, BEHIND)), *thief))


@pytest.mark.parametrize("thief", [BY_MODEL, BY_SERVICE], ids=["model", "service"])
@pytest.mark.parametrize(("old", "new"), [("hosts:", "host:"), ("kind: HostGrant", "kinds: x")])
def test_a_grant_that_cannot_be_read_gives_its_server_to_no_other(
    old: str, new: str, thief: tuple[str, ...]
) -> None:
    assert not stolen(made(A.replace(old, new), MODEL, ENDPOINTS, *thief))


def test_a_server_that_no_other_may_name_is_used() -> None:
    assert stolen(made(*BY_SERVICE)) == ["service/t/alias/80"]


def in_a_cluster(world: World) -> World:
    """The same documents, as an API server gives them: they stand in no file."""

    def moved(table: Mapping[Key, AnyDoc]) -> dict[Key, AnyDoc]:
        return {key: replace(doc, file="") for key, doc in table.items()}

    names = ("models", "model_versions", "services", "endpoint_slices", "ingresses", "host_grants")
    tables: dict[str, Any] = {name: moved(getattr(world, name)) for name in names}
    broken = tuple(replace(one, where=None) for one in world.broken)
    return replace(world, broken=broken, **tables)


@pytest.mark.parametrize(
    "parts",
    [
        (VERSION, service("other", "10.1.0.7", ns="a")),
        (VERSION, BEHIND.replace("targetPort: 9000", "targetPort: [9000]")),
        (VERSION, BEHIND.replace("addressType: IPv4", "addressType: [IPv4]")),
        (VERSION.replace("backend:", "backnd:"), BEHIND),
    ],
    ids=["the Service is gone", "a broken Service", "a broken slice", "a broken version"],
)
def test_in_a_cluster_too(parts: tuple[str, ...]) -> None:
    wide = A.replace("CIDR", "").replace(f"{ADDRESS}/32", "10.1.0.0/16")
    world = in_a_cluster(
        world_of(GATE, tls_secret(names=NAMES), wide, MODEL, *parts, ALIAS, *ROUTES)
    )
    compiled = compiler.compile(world)
    assert leads(compiled, "alias.a.example").startswith("refuse")
    assert found(compiled, "hidden-path-to-model")


def test_a_cluster_without_pods_for_a_moment_serves_what_is_beside_the_model() -> None:
    web = service("web", "10.1.0.9", ns="a")
    route = ingress("web", f"Prefix / {to_service('web')}", host="alias.a.example", ns="a")
    wide = A.replace(f"{ADDRESS}/32", "10.1.0.0/16")
    empty = BEHIND.replace(f"[{ADDRESS}]", "[]")
    texts = (GATE, tls_secret(names=NAMES), wide, MODEL, VERSION, empty, web, route)
    compiled = compiler.compile(in_a_cluster(world_of(*texts)))
    assert leads(compiled, "alias.a.example") == "service/a/web/80"
