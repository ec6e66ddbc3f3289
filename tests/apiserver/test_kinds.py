"""Every kind through a real API server: created, changed, deleted, made again; a restart; bad objects.

A controller of its own reads what is applied. What came of it is told by the hash of the gate's whole
configuration: a change shows, and whoever takes it back is where they were, to the byte.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve.api import objects
from gatereeve.core import errors
from gatereeve.runtime import control_socket
from gatereeve.runtime.settings import StatePaths
from tests.cluster import waiting
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.envoy.fleet import Process
from tests.features import documents as docs
from tests.support.ports import free_port
from tests.support.reviews import plain

TEAM, OURS, GATE = "kinds", "kinds-controllers", "kinds"


def here(text: str) -> str:
    """A document of the feature tests, in this module's namespace, for its Gate and class."""
    return (
        text.replace("shop", TEAM).replace("name: public", f"name: {GATE}")
        .replace("ingressClassName: gatereeve", "ingressClassName: kinds")
    )  # fmt: skip


def version(number: int) -> str:
    return here(docs.version(number))


def approval(number: int, *, name: str = "", digest: str = "", approver: str = "olga") -> str:
    doc = objects.read(plain(version(number))).doc
    assert doc is not None
    return here(f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: {name or f"offers-{number}"}, namespace: shop}}
spec:
  subject: {{kind: ModelVersion, name: offers-{number}, digest: "{digest or doc.digest}"}}
  role: owner
  decision: approve
  approver: {approver}
  reason: looked at it closely
""")


DOCUMENTS: dict[str, str] = {
    "Namespace": f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {TEAM}, labels: {{team: kinds}}}}
""",
    "Gate": here(docs.gate()).replace("  region: de", "  region: de\n  classes: [kinds]"),
    "HostGrant": """
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: kinds}
spec: {namespaceSelector: {matchLabels: {team: kinds}}, hosts: ["*.example"], backends: {selector: {all: true}}, addresses: [{cidr: 10.0.0.0/8}, {cidr: 127.0.0.0/8}]}
""",
    "Secret": here(docs.api_key("acme")),
    "TLS": here(docs.tls()),
    "JWKS": here(docs.signing_keys("corp")),
    "IngressClass": """
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: kinds}
spec: {controller: gatereeve.dev/gate}
""",
    "GatewayClass": """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: kinds}
spec: {controllerName: gatereeve.dev/gate}
""",
    "Gateway": f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: web, namespace: {TEAM}}}
spec:
  gatewayClassName: kinds
  listeners:
    - {{name: https, port: 8443, protocol: HTTPS, hostname: "*.example", tls: {{certificateRefs: [{{name: tls}}]}}}}
""",
    "Model": here(docs.MODEL).replace("riskClass: minimal", "riskClass: limited"),
    "ModelVersion": version(1),
    "SecondVersion": version(2),
    "Approval": approval(1),
    "SecondApproval": approval(2),
    "Rollout": here("""
apiVersion: gatereeve.dev/v1alpha1
kind: Rollout
metadata: {name: offers, namespace: shop}
spec: {model: offers, split: [{version: "1", weight: 9000}, {version: "2", weight: 1000}]}
"""),
    "AccessPolicy": here(docs.POLICY),
    "Ingress": here(docs.ROUTE),
    "Service": f"""
apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {OURS}}}
spec: {{clusterIP: None, ports: [{{name: http, port: 80, targetPort: 8000}}]}}
""",
    "EndpointSlice": f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: {OURS}, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8000}}]
endpoints: [{{addresses: ["10.9.0.1"], conditions: {{ready: true}}}}]
""",
    "ReferenceGrant": f"""
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {{name: web, namespace: {OURS}}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: {TEAM}}}]
  to: [{{group: "", kind: Service}}]
""",
    "HTTPRoute": f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: web, namespace: {TEAM}}}
spec:
  parentRefs: [{{name: web}}]
  hostnames: [web.example]
  rules:
    - matches: [{{path: {{type: PathPrefix, value: /}}}}]
      backendRefs: [{{name: web, namespace: {OURS}, port: 80}}]
""",
}
"""By kind, mostly; all of them have a part in the gate's configuration."""

CHANGES: dict[str, tuple[str, str]] = {
    "Namespace": ("team: kinds", "team: others"),
    "Gate": ("region: de", "region: fr"),
    "HostGrant": ("*.example", "*.test"),
    "Secret": ("0123456789abcdef0", "0123456789abcdef1"),
    "Gateway": ('"*.example"', "other.example"),
    "Model": ("protocol: json", "protocol: json, residency: [{from: [us], process: [de]}]"),
    "AccessPolicy": ("corp/staff", "corp/others"),
    "Rollout": ("weight: 9000", "weight: 5000"),
    "Ingress": ("path: /", "path: /v1"),
    "HTTPRoute": ("value: /", "value: /v1"),
    "Service": ("port: 80", "port: 81"),
    "EndpointSlice": ("10.9.0.1", "10.9.0.2"),
    "ReferenceGrant": (f"namespace: {TEAM}}}]", "namespace: others}]"),
}
IMMUTABLE = {
    "ModelVersion": ("region: de", "region: fr"),
    "Approval": ("looked at it closely", "did not look"),
}
DELETED = sorted(
    DOCUMENTS.keys()
    - {
        "Namespace",
        "TLS",
        "JWKS",
        "SecondVersion",
        "SecondApproval",
        "IngressClass",
        "GatewayClass",
    }
)
"""No controller of this API server finalises namespaces. A class that a Gate lists needs no document."""

FOREIGN = {
    "IngressClass": ("gatereeve.dev/gate", "k8s.io/ingress-nginx"),
    "GatewayClass": ("gatereeve.dev/gate", "example.com/other"),
}


class House:
    """One controller, as the administrator, and the hash of what it would have the gate do."""

    def __init__(self, root: Path, server: ControlPlane, admin: Api) -> None:
        self.admin = admin
        self.paths = StatePaths(root=root / "state")
        http = free_port()
        self.process = Process(
            name="controller", log=root / "controller.log", http=http,
            arguments=(
                "controller", "--kubeconfig", str(server.kubeconfig("admin")), "--namespace", OURS,
                "--state", str(self.paths.root), "--xds", f"127.0.0.1:{free_port()}",
                "--http", f"127.0.0.1:{http}", "--name", "localhost",
            ),
        )  # fmt: skip
        self.base = ""

    def status(self) -> dict[str, Any]:
        try:
            return asyncio.run(control_socket.ask(self.paths))
        except errors.GatereeveError:
            return {}

    def hash(self) -> str:
        """Of the gate; "" when there is none."""
        gates = [gate for gate in self.status().get("gates", []) if gate["name"] == GATE]
        return str(gates[0]["wanted"]) if gates else ""

    def differs(self, what: str) -> None:
        waiting.until(lambda: self.hash() != self.base, what, seen=self.status)

    def returns(self, what: str) -> None:
        waiting.until(lambda: self.hash() == self.base, what, seen=self.status)

    def problems(self) -> set[str]:
        """Of documents of this module: the API server has those of others, too."""
        found = self.status().get("problems", [])
        return {one["code"] for one in found if GATE in str(one["place"])}

    def condition(self, kind: str, of: str) -> dict[str, Any]:
        body = self.admin.get(DOCUMENTS[kind]).ok()
        found = body.get("status", {}).get("conditions", [])
        return next((one for one in found if one["type"] == of), {}) | {
            "generation": body["metadata"].get("generation")
        }


@pytest.fixture(scope="module")
def house(apiserver: ControlPlane, root: Api, crds: None, gateway_crds: None) -> Iterator[House]:
    labels = {"team": "kinds"}  # its Service has addresses by hand, which the HostGrant grants
    root.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OURS, "labels": labels}}
    ).ok()
    for text in DOCUMENTS.values():
        root.apply(text).ok()
    with tempfile.TemporaryDirectory(prefix="gr-kinds-") as name:
        made = House(Path(name), apiserver, root)
        made.process.start()
        try:
            made.process.until_ready()
            made.base = made.hash()
            assert made.base
            yield made
        finally:
            assert made.process.process is not None
            made.process.process.kill()
            made.process.process.wait()
            for kind, text in DOCUMENTS.items():
                if kind != "Namespace":
                    root.delete(text)


def test_nothing_is_wrong_with_what_they_begin_with(house: House) -> None:
    assert house.problems() == set(), house.status()["problems"]


@pytest.mark.parametrize("kind", sorted(CHANGES))
def test_a_change_shows_and_is_taken_back(house: House, kind: str) -> None:
    text, (old, new) = DOCUMENTS[kind], CHANGES[kind]
    assert old in text
    house.admin.apply(text.replace(old, new, 1)).ok()
    house.differs(f"the changed {kind} shows")
    house.admin.apply(text).ok()
    house.returns(f"the {kind} of before is in force")


@pytest.mark.parametrize("kind", DELETED)
def test_what_is_deleted_has_no_part_any_more_until_it_is_there_again(
    house: House, kind: str
) -> None:
    house.admin.delete(DOCUMENTS[kind]).ok()
    house.differs(f"the {kind} is gone")
    house.admin.apply(DOCUMENTS[kind]).ok()
    house.returns(f"the {kind} is there again")


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_a_class_of_another_controller_is_left_alone_whatever_the_gate_lists(
    house: House, kind: str
) -> None:
    text, (old, new) = DOCUMENTS[kind], FOREIGN[kind]
    house.admin.delete(text).ok()
    house.admin.apply(text.replace(old, new)).ok()
    house.differs(f"the {kind} is somebody else's")
    house.admin.delete(text).ok()
    house.admin.apply(text).ok()
    house.returns(f"the {kind} is ours again")


@pytest.mark.parametrize("kind", sorted(IMMUTABLE))
def test_what_was_decided_on_cannot_be_edited(house: House, kind: str) -> None:
    old, new = IMMUTABLE[kind]
    answer = house.admin.apply(DOCUMENTS[kind].replace(old, new))
    assert answer.status == 422
    assert "immutable" in answer.message
    assert house.hash() == house.base


def test_the_last_of_two_writers_is_told(house: House) -> None:
    """Whoever writes what they read before somebody else wrote is refused, and nothing is half done."""
    before = house.admin.get(DOCUMENTS["AccessPolicy"]).ok()
    house.admin.apply(DOCUMENTS["AccessPolicy"].replace("corp/staff", "corp/first")).ok()
    late = house.admin.replace(before)
    assert (late.status, late.reason) == (409, "Conflict")
    house.admin.apply(DOCUMENTS["AccessPolicy"]).ok()
    house.returns("the policy of before is in force")


OUR_KINDS = (
    "Gate", "HostGrant", "Model", "ModelVersion", "AccessPolicy", "Approval", "Rollout",
)  # fmt: skip


@pytest.mark.parametrize("kind", OUR_KINDS)
@pytest.mark.parametrize(
    "spec", ["text", [], {}, {"model": 7}, None, {"nonsense": {"deep": [1]}}], ids=repr
)
def test_what_is_malformed_never_comes_in(house: House, kind: str, spec: object) -> None:
    document = yaml.safe_load(DOCUMENTS[kind]) | {"spec": spec}
    document["metadata"]["name"] = "malformed"
    answer = house.admin.create(document, query={"fieldValidation": "Strict"})
    assert answer.status in (400, 422), answer
    assert house.hash() == house.base


@pytest.mark.parametrize("kind", OUR_KINDS)
def test_what_is_too_large_never_comes_in(house: House, kind: str) -> None:
    document = yaml.safe_load(DOCUMENTS[kind])
    document["metadata"] |= {"name": "large", "annotations": {"a": "x" * 300_000}}
    assert house.admin.create(document).status == 422
    document["metadata"]["annotations"] = {}
    document["spec"]["padding"] = "x" * 4_000_000
    answer = house.admin.create(document, query={"fieldValidation": "Strict"})
    assert answer.status in (400, 413, 422, 500), answer.status
    assert not answer.accepted
    assert house.hash() == house.base


def ingress(
    host: str = "bad.example", path: str = "/", *, spec: str = "", annotations: str = "{}",
    backend: str = "{resource: {apiGroup: gatereeve.dev, kind: Model, name: offers}}",
) -> str:  # fmt: skip
    named = f'host: "{host}", ' if host else ""
    rules = (
        f"  rules: [{{{named}http: {{paths: [{{path: '{path}', pathType: ImplementationSpecific,"
        f" backend: {backend}}}]}}}}]\n"
    )
    return (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"
        f"metadata: {{name: bad, namespace: {TEAM}, annotations: {annotations}}}\n"
        f"spec:\n  {spec or 'ingressClassName: kinds'}\n{'' if 'defaultBackend' in spec else rules}"
    )


def http_route(rule: str, parent: str = "{name: web}", host: str = "bad.example") -> str:
    return (
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n"
        f"metadata: {{name: bad, namespace: {TEAM}}}\n"
        f"spec: {{parentRefs: [{parent}], hostnames: [{host}], rules: [{rule}]}}\n"
    )


OUTSIDE = (
    f"apiVersion: v1\nkind: Service\nmetadata: {{name: outside, namespace: {TEAM}}}\n"
    "spec: {type: ExternalName, externalName: metadata.internal}\n"
)
TO_WEB = f"backendRefs: [{{name: web, namespace: {OURS}, port: 80}}]"
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "no host": ((ingress(""),), "host-not-granted"),
    "a host of somebody else": ((ingress("bank.test"),), "host-not-granted"),
    "a wildcard over everybody": ((ingress("*.test"),), "host-not-granted"),
    "a catch-all": (
        (ingress(spec="ingressClassName: kinds\n  defaultBackend: {service: {name: x, port: {number: 80}}}"),),
        "host-not-granted",
    ),
    "two slashes": ((ingress(path="/a//b"),), "path-refused"),
    "an encoded slash": ((ingress(path="/a%2fb"),), "path-refused"),
    "a dot segment": ((ingress(path="/a/../b"),), "path-refused"),
    "a path parameter": ((ingress(path="/a;x=1"),), "path-refused"),
    "a snippet": (
        (ingress(annotations="{nginx.ingress.kubernetes.io/configuration-snippet: deny all}"),),
        "annotation-refused",
    ),
    "no such model": (
        (ingress(backend="{resource: {apiGroup: gatereeve.dev, kind: Model, name: none}}"),),
        "model-not-found",
    ),
    "no such Service": (
        (http_route(f"{{backendRefs: [{{name: none, namespace: {OURS}, port: 80}}]}}"),),
        "backend-not-found",
    ),
    "a Service of another namespace": (
        (http_route("{backendRefs: [{name: web, namespace: default, port: 80}]}"),),
        "backend-not-granted",
    ),
    "an unknown kind behind": (
        (http_route("{backendRefs: [{group: example.com, kind: Lambda, name: x}]}"),),
        "backend-kind-unknown",
    ),
    "no such listener": (
        (http_route(f"{{{TO_WEB}}}", parent="{name: web, sectionName: none}"),), "parent-not-found"
    ),
    "no host in common": ((http_route(f"{{{TO_WEB}}}", host="web.test"),), "no-matching-host"),
    "a pattern that is none": (
        (http_route(f"{{matches: [{{path: {{type: RegularExpression, value: '/([a'}}}}], {TO_WEB}}}"),),
        "pattern-refused",
    ),
    "a name that leads outside": (
        (
            OUTSIDE,
            http_route("{backendRefs: [{name: outside, port: 80}]}"),
        ),
        "external-name-refused",
    ),
    "an approval of another digest": (
        (approval(1, name="replayed", digest="sha256:" + "f" * 64),), "version-changed"
    ),
    "an author's own approval": ((approval(1, name="own", approver="mia"),), "approval-self"),
    "a policy for a model that is not there": (
        (here(docs.POLICY).replace("name: offers,", "name: bad,").replace("[offers]", "[none]"),),
        "model-not-found",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(BAD))
def test_a_bad_object_is_told_and_leaves_nothing_behind(house: House, what: str) -> None:
    texts, code = BAD[what]
    assert code not in house.problems()
    try:
        for text in texts:
            house.admin.apply(text).ok()
        waiting.until(lambda: code in house.problems(), f"{code} is told", seen=house.status)
    finally:
        for text in texts:
            house.admin.delete(text)
    house.returns("nothing of it is left")
    waiting.until(lambda: code not in house.problems(), "and it is told no more")


def test_statuses_tell_of_the_generation_that_they_judged(house: House) -> None:
    for kind, of in (
        ("Model", "Routed"), ("ModelVersion", "Approved"), ("Approval", "InForce"),
        ("AccessPolicy", "Accepted"), ("Rollout", "Accepted"), ("HostGrant", "Accepted"),
        ("Gate", "Accepted"), ("Gateway", "Accepted"), ("GatewayClass", "Accepted"),
    ):  # fmt: skip
        waiting.until(
            lambda kind=kind, of=of: (  # type: ignore[misc]  # bound by default
                (one := house.condition(kind, of)).get("status") == "True"
                and one["observedGeneration"] == one["generation"]
            ),
            f"{kind} {of}",
            seen=lambda kind=kind, of=of: house.condition(kind, of),  # type: ignore[misc]
        )


def test_a_forged_status_is_written_over_and_what_a_leader_left_is_taken_back(
    house: House,
) -> None:
    """A route that names no Gateway of ours, with words in our name: those of an earlier leader."""
    route = yaml.safe_load(http_route(f"{{{TO_WEB}}}", parent="{name: foreign}"))
    house.admin.apply(route).ok()
    forged = {
        "parents": [
            {
                "controllerName": "gatereeve.dev/gate", "parentRef": {"name": "foreign"},
                "conditions": [
                    {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
                     "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}
                ],
            }
        ]
    }  # fmt: skip
    house.admin.patch(route, {"status": forged}, subresource="status").ok()
    restart(house)
    waiting.until(
        lambda: not house.admin.get(route).ok()["status"]["parents"], "our words are taken back"
    )
    house.admin.delete(route)
    house.returns("nothing of it is left")


def restart(house: House) -> None:
    process = house.process.process
    assert process is not None
    process.kill()
    process.wait()
    house.process.start()
    house.process.until_ready()


def test_a_restart_changes_nothing(house: House) -> None:
    restart(house)
    house.returns("the same documents give the same configuration")
    kept = json.dumps(house.status()["problems"])
    assert json.dumps(house.status()["problems"]) == kept
