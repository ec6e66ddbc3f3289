"""Laws of the whole audit: order, honesty about what was not seen, exposure through gates."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from gatereeve.cluster_audit import audit, inventory, kinds
from gatereeve.cluster_audit.migration import is_vulnerable
from gatereeve.sources.folder import dumps
from tests.support.audits import codes_of, inventory_of

CASES = Path(__file__).parents[2] / "golden" / "audit"

VERSION = """
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: v, namespace: a}
spec: {model: m, version: "1", backend: {service: s, port: 80}}
---
"""
INGRESS = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: a}
spec: {%s defaultBackend: {service: {name: s, port: {number: 80}}}}
---
"""
GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: g}
spec: {classes: [mine]}
---
"""


def test_findings_are_the_same_in_any_order_of_objects() -> None:
    looked = inventory_of(
        *(path.read_text() for path in sorted(CASES.glob("*/in.yaml")))
    )  # fmt: skip
    docs = [doc for there in looked.docs.values() for doc in there]
    expected = audit.audit(inventory.make_inventory(docs))
    assert len(expected) > 60
    for seed in range(3):
        random.Random(seed).shuffle(docs)
        assert audit.audit(inventory.make_inventory(docs)) == expected


@pytest.mark.parametrize(
    ("documents", "exposed"),
    [
        (VERSION + INGRESS % "", True),
        (VERSION + INGRESS % "ingressClassName: nginx,", True),
        (VERSION + INGRESS % "ingressClassName: gatereeve,", False),  # Gates were not looked at
        (GATE + VERSION + INGRESS % "ingressClassName: gatereeve,", True),
        (GATE + VERSION + INGRESS % "ingressClassName: mine,", False),
    ],
)
def test_a_class_of_a_gate_is_governed(documents: str, *, exposed: bool) -> None:
    assert codes_of(documents) == (["exposed-model"] if exposed else [])


@pytest.mark.parametrize(
    ("parents", "exposed"), [("[{name: ours}]", False), ("[{name: ours}, {name: other}]", True), ("[]", True)]
)  # fmt: skip
def test_a_route_is_governed_when_all_its_gateways_are(parents: str, *, exposed: bool) -> None:
    documents = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: ours, namespace: a}}
spec: {{gatewayClassName: gatereeve}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: r, namespace: a}}
spec: {{parentRefs: {parents}, rules: [{{backendRefs: [{{name: s, port: 80}}]}}]}}
---
"""
    assert codes_of(VERSION + documents) == (["exposed-model"] if exposed else [])


def test_nothing_is_claimed_about_policies_that_were_not_listed() -> None:
    service = "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: a}\nspec: {selector: {app: x}}\n"
    assert codes_of(VERSION + service) == []
    none = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicyList\nitems: []\n"
    assert codes_of(VERSION + service + "---\n" + none) == ["model-unfenced"]


def test_what_was_not_seen_is_said() -> None:
    looked = inventory.make_inventory((), listed=["pods"], refused={"Role": "forbidden"})
    assert looked.seen == {"Pod": 0}
    assert looked.unseen["Role"] == "forbidden"
    assert set(looked.seen) | set(looked.unseen) == {kind.kind for kind in kinds.KINDS}


def test_kinds_of_an_audit_differ_in_name() -> None:
    names = [kind.kind for kind in kinds.KINDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("version", "open_"),
    [
        ((1, 10, 6), True), ((1, 11, 4), True), ((1, 11, 5), False), ((1, 12, 0), True),
        ((1, 12, 1), False), ((1, 13, 0), False), ((0, 51, 0), True), ((2, 0, 0), False),
    ],
)  # fmt: skip
def test_which_releases_are_open_to_cve_2025_1974(
    version: tuple[int, int, int], *, open_: bool
) -> None:
    assert is_vulnerable(version) is open_


def test_secrets_are_never_kept() -> None:
    dump = dumps.parse_dump(
        '{"kind":"List","apiVersion":"v1","items":[{"apiVersion":"v1","kind":"Secret",'
        '"metadata":{"name":"s"},"data":{"k":"c2VjcmV0"}}]}',
        "a.json",
    )
    assert dump.docs == ()


CONTROLLER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: c, namespace: ingress-nginx}
spec: {template: {spec: {containers: [{image: "registry.k8s.io/ingress-nginx/controller:v%s"}]}}}
---
"""
NO_CONFIG = "apiVersion: v1\nkind: ConfigMapList\nitems: []\n"


def test_defaults_are_told_only_when_config_maps_were_looked_at() -> None:
    assert codes_of(CONTROLLER % "1.15.1") == ["nginx-retired"]
    told = codes_of(CONTROLLER % "1.15.1" + NO_CONFIG)
    assert told == ["nginx-protection-moves"] * 3 + ["nginx-retired"]


def test_old_releases_admit_snippets_by_default() -> None:
    assert "nginx-setting-weak" in codes_of(CONTROLLER % "1.8.4" + NO_CONFIG)
    assert "nginx-setting-weak" not in codes_of(CONTROLLER % "1.9.0" + NO_CONFIG)


@pytest.mark.parametrize(
    ("image", "found"),
    [
        ("registry.k8s.io/ingress-nginx/controller:v1.15.1@sha256:ab", True),
        ("registry.k8s.io/ingress-nginx/controller-chroot:v1.15.1", True),
        ("quay.io/kubernetes-ingress-controller/nginx-ingress-controller:0.33.0", True),
        ("mirror.example.com/ingress-nginx-controller", True),
        ("registry.k8s.io/ingress-nginx/nginx-errors:v1.2.9", False),
        ("registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.5", False),
        ("nginx/nginx-ingress:3.7", False),
        ("example.com/controller:1", False),
    ],
)
def test_which_images_are_the_controller(image: str, *, found: bool) -> None:
    document = CONTROLLER.replace("registry.k8s.io/ingress-nginx/controller:v%s", image)
    assert ("nginx-retired" in codes_of(document)) is found
