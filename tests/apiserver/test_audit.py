"""`gatereeve audit-cluster` on a real API server: as an administrator, and as somebody who sees little."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from gatereeve.cli import app
from tests.apiserver.conftest import AsUser
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane

runner = CliRunner()

INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: credit
  annotations: {nginx.ingress.kubernetes.io/auth-url: "https://auth.example/check"}
spec:
  ingressClassName: nginx
  rules:
    - host: credit.example.com
      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: vllm, port: {number: 80}}}}]}
"""
SERVER = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: vllm, labels: {app: vllm}}
spec:
  selector: {matchLabels: {app: vllm}}
  template:
    metadata: {labels: {app: vllm}}
    spec: {containers: [{name: vllm, image: "example.com/vllm/vllm-openai:v0.9", args: [serve]}]}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: vllm}
spec: {selector: {app: vllm}, ports: [{port: 80}]}
"""


def audited(apiserver: ControlPlane, user: str) -> tuple[int, dict[str, Any]]:
    kubeconfig = str(apiserver.kubeconfig(user))
    done = runner.invoke(app, ["audit-cluster", "--kubeconfig", kubeconfig, "--output", "json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.fixture
def _exposed(as_user: AsUser) -> None:
    for text in (SERVER, SERVICE, INGRESS):
        as_user("admin").apply(text).ok()


@pytest.mark.usefixtures("_exposed", "crds", "gateway_crds")
def test_a_model_past_governance_is_found_in_the_cluster_itself(
    apiserver: ControlPlane, namespace: str
) -> None:
    _, said = audited(apiserver, "admin")
    here = [f for f in said["findings"] if f"{namespace}/" in str(f)]
    codes = {f["code"] for f in here}
    assert "exposed-model-server" in codes
    assert any(one.startswith("nginx-") for one in codes)
    assert said["seen"]["Ingress"] >= 1
    assert said["seen"]["InferenceService"] == 0, "not served, so there is none"
    assert said["unseen"] == {}


@pytest.mark.usefixtures("_exposed", "crds", "gateway_crds")
def test_what_may_not_be_listed_is_said_and_never_counts_as_clean(
    apiserver: ControlPlane, root: Api
) -> None:
    rbac = "rbac.authorization.k8s.io"
    role = {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "test-audit"},
        "rules": [{"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list"]}],
    }  # fmt: skip
    binding = {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "test-audit"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "test-audit"},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": "mallory"}],
    }  # fmt: skip
    for one in (role, binding):
        root.apply(one).ok()
    try:
        _, said = audited(apiserver, "mallory")
    finally:
        for one in (binding, role):
            root.delete(one)
    assert list(said["seen"]) == ["Ingress", "InferenceService", "InferencePool"]
    assert "forbidden" in said["unseen"]["Deployment"]
    assert "forbidden" in said["unseen"]["ClusterRole"]
