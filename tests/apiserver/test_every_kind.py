"""Every kind through a real API server into a real controller: created, changed, deleted, refused.

What a controller serves is told by the hash that it wants its gate to run (the name of the published
snapshot) and by its problems, both over its control socket. Taking a change back must give the very
hash of before. One controller for the module; each test leaves the documents as it found them.
"""

from __future__ import annotations

import asyncio
import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve.api.parse import parse_text
from gatereeve.core.errors import GatereeveError
from gatereeve.runtime import control
from gatereeve.runtime.settings import StatePaths
from tests.cluster import waiting
from tests.cluster.api import Api, documents_in
from tests.cluster.controlplane import ControlPlane
from tests.envoy.fleet import Process
from tests.envoy.xds_gate import free_port
from tests.features import documents as docs

OURS, TEAM, OTHERS = "every-controllers", "every-team", "every-others"
GATE = "every"
Doc = dict[str, Any]
Change = Callable[[Doc], object]


def _documents() -> dict[str, Doc]:
    """One of each kind that a document can be of, all of which the gate's hash depends on."""
    gate = docs.gate().replace("name: public", f"name: {GATE}")
    texts = [
        gate, docs.GRANT, docs.tls(), docs.signing_keys("corp"), docs.api_key("acme"),
        docs.MODEL.replace("minimal", "limited"), docs.version(1), docs.version(2),
        docs.POLICY, docs.ROUTE, docs.WEB, docs.slices("10.1.0.5"), MORE,
    ]  # fmt: skip
    text = "---\n".join(texts).replace("shop", TEAM).replace("gatereeve\n", f"{GATE}\n")
    found: dict[str, Doc] = {}
    for document in documents_in(text):
        made = copy.deepcopy(dict(document))
        key = f"{made['kind']} {made['metadata']['name']}"
        assert key not in found, key
        found[key] = made
    found[f"Gate {GATE}"]["spec"]["classes"] = [GATE]
    for number in (1, 2):
        approval = _approval(found[f"ModelVersion offers-{number}"], number)
        found[f"Approval owner-{number}"] = approval
    return found


def _approval(version: Doc, number: int) -> Doc:
    (part,) = parse_text(yaml.safe_dump(version), "version.yaml").parts
    (read,) = part.docs
    return {
        "apiVersion": "gatereeve.dev/v1alpha1", "kind": "Approval",
        "metadata": {"name": f"owner-{number}", "namespace": TEAM},
        "spec": {
            "subject": {"kind": "ModelVersion", "name": f"offers-{number}", "digest": read.digest},
            "role": "owner", "decision": "approve", "approver": "olga", "reason": "measured",
        },
    }  # fmt: skip


MORE = f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {{name: offers, namespace: shop}}
spec: {{model: offers, split: [{{version: "1", weight: 9}}, {{version: "2", weight: 1}}]}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {{name: every-class}}
spec: {{controller: gatereeve.dev/gate, parameters: {{apiGroup: gatereeve.dev, kind: Gate, name: {GATE}}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: classed, namespace: shop}}
spec:
  ingressClassName: every-class
  rules:
    - host: classed.example
      http: {{paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{name: every-class}}
spec: {{controllerName: gatereeve.dev/gate, parametersRef: {{group: gatereeve.dev, kind: Gate, name: {GATE}}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: gw, namespace: shop}}
spec: {{gatewayClassName: every-class, listeners: [{{name: web, port: 8080, protocol: HTTP}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: api, namespace: shop}}
spec:
  parentRefs: [{{name: gw}}]
  hostnames: [api.example]
  rules: [{{backendRefs: [{{name: far, namespace: {OTHERS}, port: 80}}]}}]
---
apiVersion: v1
kind: Service
metadata: {{name: far, namespace: {OTHERS}}}
spec: {{ports: [{{name: http, port: 80}}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {{name: far, namespace: {OTHERS}}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}}]
  to: [{{group: "", kind: Service}}]
"""


class Installed:
    """A controller of `OURS`, which reads the two namespaces of this module."""

    def __init__(self, root: Path, server: ControlPlane, api: Api) -> None:
        self.api, self.documents = api, _documents()
        self.paths = StatePaths(root=root / "state")
        http = free_port()
        watched = (f"--watch={TEAM}", f"--watch={OTHERS}")
        self.process = Process(
            name="controller", log=root / "controller.log", http=http,
            arguments=(
                "controller", "--kubeconfig", str(server.kubeconfig("admin")), "--namespace", OURS,
                "--state", str(root / "state"), "--xds", f"127.0.0.1:{free_port()}",
                "--http", f"127.0.0.1:{http}", "--name", "localhost", *watched,
            ),
        )  # fmt: skip

    def gate(self) -> Mapping[str, Any]:
        """What the controller says of our gate; {} when there is none or nobody answers."""
        try:
            found = asyncio.run(control.ask(self.paths))
        except GatereeveError:
            return {}
        return next((one for one in found["gates"] if one["name"] == GATE), {})

    def hash(self) -> str:
        return str(self.gate().get("wanted", ""))

    def problems(self) -> str:
        return json.dumps(asyncio.run(control.ask(self.paths))["problems"])

    def until_hash(self, holds: Callable[[str], bool], what: str) -> str:
        waiting.until(
            lambda: holds(self.hash()), what, deadline_s=20.0, seen=lambda: (self.gate(), self.problems())
        )  # fmt: skip
        return self.hash()

    def until_told(self, code: str) -> None:
        waiting.until(
            lambda: f'"{code}"' in self.problems(), f"{code} is told", deadline_s=20.0,
            seen=self.problems,
        )  # fmt: skip

    def put(self, key: str) -> None:
        self.api.apply(self.documents[key]).ok()

    def until_judged(self, document: Doc) -> list[Doc]:
        """The conditions of an object, once all of them are about its newest generation."""

        def look() -> list[Doc]:
            found = self.api.get(document).ok()
            status = found.get("status", {})
            held = [*status.get("conditions", [])]
            for parent in status.get("parents", []):
                held += parent["conditions"]
            newest = found["metadata"]["generation"]
            return held if all(one["observedGeneration"] == newest for one in held) else []

        return waiting.until(look, f"{document['kind']} is judged", deadline_s=30.0, seen=look)


@pytest.fixture(scope="module")
def installed(
    apiserver: ControlPlane, root: Api, crds: None, gateway_crds: None
) -> Iterator[Installed]:
    for name in (OURS, TEAM, OTHERS):
        root.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}).ok()
    with tempfile.TemporaryDirectory(prefix="gr-e-") as name:
        made = Installed(Path(name), apiserver, root)
        for key in made.documents:
            made.put(key)
        made.process.start()
        try:
            made.process.until_ready()
            yield made
        finally:
            if made.process.process is not None:
                made.process.kill()
            for document in made.documents.values():
                root.delete(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """change: an edit that must change what is served; None: the API server refuses every edit.

    condition: a condition type of the kind's status, if it has one.
    """

    key: str
    change: Change | None
    condition: str = ""


def _set(value: object, *path: str | int) -> Change:
    def edit(document: Doc) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place.setdefault(step, {}) if isinstance(step, str) else place[step]
        place[path[-1]] = value

    return edit


_BACKEND = ("spec", "rules", 0, "http", "paths", 0)
ROWS = (
    Row(key=f"Gate {GATE}", change=_set("fr", "spec", "region"), condition="Accepted"),
    Row(key="HostGrant every-team", change=_set(["other.test"], "spec", "hosts"), condition="Accepted"),
    Row(key="Model offers", change=_set("high", "spec", "riskClass"), condition="Accepted"),
    Row(key="ModelVersion offers-1", change=None, condition="Approved"),
    Row(key="Approval owner-1", change=None, condition="InForce"),
    Row(key="AccessPolicy offers", change=_set("shadow", "spec", "mode"), condition="Attached"),
    Row(key="Rollout offers", change=_set(4, "spec", "split", 0, "weight"), condition="Accepted"),
    Row(key="Ingress offers", change=_set("/v1", *_BACKEND, "path")),
    Row(key="IngressClass every-class", change=_set("nobody", "spec", "parameters", "name")),
    Row(key="Service web", change=_set(81, "spec", "ports", 0, "port")),
    Row(key="EndpointSlice web-1", change=_set(["10.1.0.6"], "endpoints", 0, "addresses")),
    Row(key="Secret acme", change=_set({"key": "another-0123456789abcdef"}, "stringData")),
    Row(key="GatewayClass every-class", change=_set("nobody", "spec", "parametersRef", "name"), condition="Accepted"),
    Row(key="Gateway gw", change=_set("else.example", "spec", "listeners", 0, "hostname"), condition="Accepted"),
    Row(key="HTTPRoute api", change=_set(["new.example"], "spec", "hostnames"), condition="Accepted"),
    Row(key="ReferenceGrant far", change=_set("elsewhere", "spec", "from", 0, "namespace")),
)  # fmt: skip
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key.split()[0])


@each_row
def test_created_changed_and_deleted(installed: Installed, row: Row) -> None:
    document = installed.documents[row.key]
    before = installed.until_hash(bool, "something is served")
    if row.change is not None:
        edited = copy.deepcopy(document)
        row.change(edited)
        installed.api.apply(edited).ok()
        installed.until_hash(lambda found: found not in ("", before), "the change is served")
        if row.condition:
            held = installed.until_judged(document)
            assert row.condition in {one["type"] for one in held}
        installed.put(row.key)
        installed.until_hash(lambda found: found == before, "the change is taken back")
    installed.api.delete(document).ok()
    installed.until_hash(lambda found: found != before, "the deletion is served")
    installed.put(row.key)
    installed.until_hash(lambda found: found == before, "it is served as before")
    if row.condition:
        held = installed.until_judged(document)
        assert row.condition in {one["type"] for one in held}


def _stale(api: Api, document: Doc) -> Any:
    found = api.get(document).ok()
    found["metadata"]["resourceVersion"] = "1"
    return api.replace(found)


def _annotated(size: int) -> Callable[[Api, Doc], Any]:
    def send(api: Api, document: Doc) -> Any:
        return api.patch(document, {"metadata": {"annotations": {"example.com/big": "x" * size}}})

    return send


def _shapeless(api: Api, document: Doc) -> Any:
    body = (
        "endpoints"
        if document["kind"] == "EndpointSlice"
        else "data"
        if document["kind"] == "Secret"
        else "spec"
    )
    return api.patch(document, {body: 7})  # fmt: skip


REFUSED: dict[str, tuple[Callable[[Api, Doc], Any], set[int]]] = {
    "conflict": (_stale, {409}),
    "malformed": (_shapeless, {400, 422}),
    "too large": (_annotated(300_000), {422}),
    "far too large": (_annotated(4_000_000), {413}),
}


@each_row
@pytest.mark.parametrize("how", REFUSED)
def test_what_the_api_server_refuses_changes_nothing(
    installed: Installed, row: Row, how: str
) -> None:
    send, statuses = REFUSED[how]
    document = installed.documents[row.key]
    before = installed.until_hash(bool, "something is served")
    there = installed.api.get(document).ok()["metadata"]
    answer = send(installed.api, document)
    assert answer.status in statuses, answer.message
    after = installed.api.get(document).ok()["metadata"]
    assert after.get("generation") == there.get("generation")
    assert "example.com/big" not in after.get("annotations", {})
    assert installed.hash() == before


@pytest.mark.parametrize("key", ["ModelVersion offers-1", "Approval owner-1"])
def test_what_is_immutable_stays(installed: Installed, key: str) -> None:
    before = installed.until_hash(bool, "something is served")
    field = {"region": "fr"} if key.startswith("ModelVersion") else {"reason": "other"}
    answer = installed.api.patch(installed.documents[key], {"spec": field})
    assert answer.status == 422
    assert "immutable" in answer.message
    assert installed.hash() == before


def _ingress(host: str = "", *, path: str = "/", notes: str = "{}", more: str = "") -> str:
    said = f'host: "{host}", ' if host else ""
    return f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: bad, namespace: {TEAM}, annotations: {notes}}}
spec:
  ingressClassName: {GATE}
  {more}
  rules:
    - {{{said}http: {{paths: [{{path: "{path}", pathType: ImplementationSpecific, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}]}}}}
"""


def _ours(kind: str, spec: str) -> str:
    return (
        f"{{apiVersion: gatereeve.dev/v1alpha1, kind: {kind},"
        f" metadata: {{name: bad, namespace: {TEAM}}}, spec: {spec}}}"
    )


BAD: dict[str, tuple[str, str]] = {
    "a host of nobody's": (_ingress("bank.test"), "host-not-granted"),
    "every host": (_ingress(), "host-not-granted"),
    "a wildcard over others": (_ingress("*.test"), "host-not-granted"),
    "a catch-all": (
        _ingress("bad.example", more="defaultBackend: {service: {name: web, port: {number: 80}}}"),
        "host-not-granted",
    ),
    "a path of another shape": (_ingress("bad.example", path="/a//b"), "path-refused"),
    "an encoded slash": (_ingress("bad.example", path="/a%2fb"), "path-refused"),
    "a snippet": (
        _ingress("bad.example", notes="{nginx.ingress.kubernetes.io/server-snippet: deny}"),
        "annotation-refused",
    ),
    "a bound of bodies": (
        _ingress("bad.example", notes="{nginx.ingress.kubernetes.io/proxy-body-size: 8m}"),
        "annotation-refused",
    ),
    "the host and path of an older one": (_ingress(docs.HOST), "route-conflict"),
    "a policy for no model": (
        _ours("AccessPolicy", "{models: [nobody], allow: [{name: a, subjects: [{anonymous: true}]}]}"),
        "model-not-found",
    ),
    "a rollout of no model": (
        _ours("Rollout", '{model: nobody, split: [{version: "1", weight: 1}]}'),
        "model-not-found",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_a_bad_object_is_told_and_leaves_others_alone(installed: Installed, what: str) -> None:
    """Without guards: the compiler is the lock."""
    text, code = BAD[what]
    hosts = installed.gate()["hosts"]
    before = installed.until_hash(bool, "something is served")
    installed.api.apply(text).ok()
    try:
        installed.until_told(code)
        assert installed.gate()["hosts"] <= hosts + 1  # at most its own, refusing
    finally:
        installed.api.delete(text).ok()
    installed.until_hash(lambda found: found == before, "everything is as before")


def test_a_class_named_twice_does_not_even_come_in(installed: Installed) -> None:
    answer = installed.api.apply(
        _ingress("bad.example", notes="{kubernetes.io/ingress.class: nginx}")
    )
    assert answer.status == 422
    assert "ingressClassName" in answer.message


def test_a_killed_controller_comes_back_to_the_same_and_sees_what_it_missed(
    installed: Installed,
) -> None:
    before = installed.until_hash(bool, "something is served")
    installed.process.kill()
    installed.process.start()
    installed.until_hash(lambda found: found == before, "the same is served")

    installed.process.kill()
    for key in ("Ingress offers", "Rollout offers", "HTTPRoute api", "AccessPolicy offers"):
        installed.api.delete(installed.documents[key]).ok()
    installed.process.start()
    installed.until_hash(lambda found: found not in ("", before), "deletions are seen")
    for key in ("Ingress offers", "Rollout offers", "HTTPRoute api", "AccessPolicy offers"):
        installed.put(key)
    installed.until_hash(lambda found: found == before, "everything is as before")
