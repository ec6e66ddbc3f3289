"""What the policies repeat of the compiler, compared with it: hosts, paths, annotations, listeners.

Grants and routes are drawn at random, by a fixed seed. A route is refused at the door exactly when
the compiler finds fault with it for a reason that the policies know.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.compile.routes import foreign_annotations
from gatereeve.core.refs import Ref
from tests.cluster.api import Api
from tests.support import guarded
from tests.support.worlds import world_of

KNOWN = {"host-not-granted", "path-refused", "annotation-refused", "class-ambiguous"}
"""Codes that the policies repeat."""

UNSEEN = "paths were not looked at"
CASES = 150
HOSTS = ("a.example", "b.a.example", "c.b.a.example", "*.a.example", "*.b.a.example", "*.example",
         "z.example")  # fmt: skip
PATHS = ("/", "/a", "/a/b", "/ab", "/a/b/c", "/a-b", "/A", "/a.b")
ODD = ("/a//b", "/a/./b", "/a/..", "/a;b", "/a/%2Fb", "/a/%41", "/a/%20b", "/a/%e4", "/a/%E4", "/a\\b",
       "/a/*", "/a/(b)", "/a/$", "/a+b", "/a!", "/a/", "/a'b", "/a=b,c:@d")  # fmt: skip
SPACES = tuple(f"space-{number}" for number in range(6))


def _documents() -> str:
    draw = random.Random("grants")
    parts = [guarded.DOCUMENTS]
    for number, space in enumerate(SPACES):
        parts.append(f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {space}}}\n")
        for grant in range(draw.randint(0 if number else 1, 3)):
            hosts = draw.sample([*HOSTS, "*"], draw.randint(1, 3))
            paths = draw.sample(PATHS[:6], draw.randint(1, 2))
            selector = {"matchLabels": {"kubernetes.io/metadata.name": space}}
            spec = {"namespaceSelector": selector, "hosts": hosts, "paths": paths}
            parts.append(
                yaml.safe_dump(
                    {
                        "apiVersion": "gatereeve.dev/v1alpha1",
                        "kind": "HostGrant",
                        "metadata": {"name": f"{space}-{grant}"},
                        "spec": spec,
                    }
                )
            )
    listeners = [
        {"name": f"l{n}", "port": port, "protocol": protocol,
         "allowedRoutes": {"namespaces": {"from": "All"}}, **({"hostname": host} if host else {})}
        for n, (port, protocol, host) in enumerate(
            ((8443, "HTTPS", "*.a.example"), (8080, "HTTP", "b.a.example"), (8080, "HTTP", "z.example"))
        )
    ]  # fmt: skip
    parts.append(
        yaml.safe_dump(
            {
                "apiVersion": "gateway.networking.k8s.io/v1",
                "kind": "Gateway",
                "metadata": {"name": "narrow", "namespace": "infra"},
                "spec": {"gatewayClassName": "gatereeve", "listeners": listeners},
            }
        )
    )
    return "---\n".join(parts)


DOCUMENTS = _documents()


@pytest.fixture(scope="module", autouse=True)
def _guards(root: Api, crds: None, gateway_crds: None) -> Iterator[None]:
    objects = make_guards(world_of(DOCUMENTS), GuardSettings(webhook=False))
    with guarded.guarded(root, objects, *SPACES):
        yield


def codes_of(document: dict[str, Any]) -> set[str]:
    """What the compiler finds about the document that the policies know, too."""
    world: World = world_of(DOCUMENTS, yaml.safe_dump(document))
    group = document["apiVersion"].rpartition("/")[0]
    meta = document["metadata"]
    ref = Ref(group, document["kind"], meta["namespace"], meta["name"])
    found = [f for f in compiler.compile(world).findings if f.origin and f.origin.ref == ref]
    codes = {str(f.code) for f in found}
    if "no-matching-host" in codes:  # not served at all, so its paths were not looked at
        return codes & KNOWN | {UNSEEN}
    return codes & KNOWN


def compare(root: Api, document: dict[str, Any]) -> bool | None:
    """Whether both accepted; None where the API server itself has no such objects."""
    answer = root.create(document, query={"dryRun": "All"})
    if answer.status == 422 and "ValidatingAdmissionPolicy" not in answer.message:
        return None
    expected = codes_of(document)
    said = {code for code in KNOWN if code in answer.message}
    if UNSEEN in expected:
        expected = expected - {UNSEEN} | said & {"path-refused"}
    assert answer.accepted == (not expected), (yaml.safe_dump(document), expected, answer.message)
    assert said <= expected, (yaml.safe_dump(document), expected, answer.message)
    return answer.accepted


def an_ingress(draw: random.Random) -> dict[str, Any]:
    backend = {"service": {"name": "other", "port": {"number": 80}}}
    rules = []
    for _ in range(draw.randint(1, 2)):
        paths = [
            {
                "path": draw.choice(ODD if draw.random() < 0.25 else PATHS),
                "pathType": draw.choice(("Exact", "Prefix", "ImplementationSpecific")),
                "backend": backend,
            }
            for _ in range(draw.randint(1, 2))
        ]
        host = {"host": draw.choice(HOSTS)} if draw.random() < 0.9 else {}
        rules.append({**host, "http": {"paths": paths}})
    spec: dict[str, Any] = {"ingressClassName": "gatereeve", "rules": rules}
    if draw.random() < 0.15:
        spec["defaultBackend"] = backend
    if draw.random() < 0.3:
        tls: dict[str, Any] = {"secretName": "cert"} if draw.random() < 0.8 else {}
        if draw.random() < 0.7:
            tls["hosts"] = draw.sample(HOSTS, draw.randint(1, 2))
        spec["tls"] = [tls]
    annotations = {}
    if draw.random() < 0.2:
        names = (*foreign_annotations.HARMLESS, *foreign_annotations.OFF_IS_HARMLESS, *foreign_annotations.CONTROLLERS, "example.com/x",
                 "nginx.ingress.kubernetes.io/backend-protocol")  # fmt: skip
        name = draw.choice(names)
        name = name + "a" if name.endswith(("/", "-", ".")) else name
        annotations[name] = draw.choice(("false", "true", " FALSE ", "HTTP", "x", "a\nb", "a\rb"))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "drawn", "namespace": draw.choice(SPACES), "annotations": annotations},
        "spec": spec,
    }


def a_route(draw: random.Random) -> dict[str, Any]:
    parent: dict[str, Any] = {
        "name": draw.choice(("web", "narrow", "narrow")),
        "namespace": "infra",
    }
    if parent["name"] == "narrow" and draw.random() < 0.5:
        parent |= draw.choice(({"sectionName": "l0"}, {"sectionName": "l1"}, {"port": 8080}))
    rules = []
    for _ in range(draw.randint(0, 2)):
        matches = [
            {
                "path": {
                    "type": draw.choice(("Exact", "PathPrefix", "PathPrefix", "RegularExpression")),
                    "value": draw.choice(ODD[4:] if draw.random() < 0.2 else PATHS),
                }
            }
            for _ in range(draw.randint(0, 2))
        ]
        rules.append({**({"matches": matches} if matches else {}),
                      "backendRefs": [{"name": "other", "port": 80}]})  # fmt: skip
    spec: dict[str, Any] = {"parentRefs": [parent]}
    if rules:
        spec["rules"] = rules
    if draw.random() < 0.8:
        spec["hostnames"] = draw.sample(HOSTS, draw.randint(1, 2))
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "drawn", "namespace": draw.choice(SPACES)},
        "spec": spec,
    }


def test_ingresses_are_refused_for_what_the_compiler_finds(root: Api) -> None:
    draw = random.Random("ingresses")
    verdicts = [compare(root, an_ingress(draw)) for _ in range(CASES)]

    assert {True, False} <= set(verdicts)


def test_http_routes_are_refused_for_what_the_compiler_finds(root: Api) -> None:
    draw = random.Random("routes")
    verdicts = [compare(root, a_route(draw)) for _ in range(CASES)]

    assert {True, False} <= set(verdicts)
