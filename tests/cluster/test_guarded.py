"""The door of a real Kubernetes: guards and webhook in force, and what the loss of the webhook stops."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import governed, own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.cluster.governed import NAMESPACE, SHOP, Installed
from tests.features import documents as docs

pytestmark = pytest.mark.cluster

GUARDS = "app.kubernetes.io/managed-by=gatereeve,app.kubernetes.io/component=guards"
KINDS = (
    "validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicybindings,"
    "mutatingadmissionpolicybindings,validatingadmissionpolicies,mutatingadmissionpolicies,"
    "clusterrolebindings,clusterroles"
)
CONTROLLERS = "deployment/gatereeve-controllers"
POLICY = governed.policy()


def gatereeve(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "gatereeve", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def ours(cluster: Cluster, tmp_path: Path) -> Iterator[Installed]:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    with governed.installed(cluster, tmp_path / "values.yaml") as made:
        try:
            guards = gatereeve("guards", "--kubeconfig", str(cluster.kubeconfig))
            cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=guards)
            yield made
        finally:
            cluster.kubectl("delete", KINDS, "--selector", GUARDS, "--ignore-not-found")


def tried(cluster: Cluster, text: str) -> str:
    """What the API server says of it, "" when it lets it in."""
    done = cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-",
        given=text, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""


def test_governed_changes_need_the_door_and_nothing_else_does(
    cluster: Cluster, ours: Installed
) -> None:
    told = cluster.kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout
    version = yaml.safe_load(docs.version(1))
    version["metadata"]["name"] = "offers-again"
    version["spec"] |= {"author": told}
    twice = yaml.safe_dump(version)
    waiting.until(
        lambda: "version-duplicate" in tried(cluster, twice),
        "the API server trusts the webhook",
        seen=lambda: tried(cluster, twice),
    )
    assert tried(cluster, POLICY) == ""

    document = yaml.safe_load(POLICY)
    document["metadata"]["labels"] = {"changed": "yes"}
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", given=yaml.safe_dump(document)
    )
    waiting.until(
        lambda: ("changed", told) in noted(cluster, "AccessPolicy shop/offers"),
        "the change is on record",
        seen=lambda: noted(cluster, "AccessPolicy shop/offers"),
    )

    cluster.kubectl("scale", "-n", NAMESPACE, CONTROLLERS, "--replicas=0")
    waiting.until(lambda: "failed calling webhook" in tried(cluster, POLICY), "the door is shut")
    assert ours.ask() == 200, "what is in force stays so"
    assert ours.ask(key=None) == 401
    free = "{apiVersion: v1, kind: ConfigMap, metadata: {name: free, namespace: shop}}"
    assert tried(cluster, free) == ""
    cluster.kubectl("rollout", "restart", "-n", SHOP, "deployment/offers-v1")
    cluster.rollout("deployment/offers-v1", namespace=SHOP)
    cluster.kubectl("scale", "-n", NAMESPACE, CONTROLLERS, "--replicas=2")
    cluster.rollout(CONTROLLERS, namespace=NAMESPACE)
    waiting.until(lambda: tried(cluster, POLICY) == "", "the door is open again")
    # The model's pods were replaced while nobody could tell the gates; now somebody does.
    waiting.until(lambda: ours.ask() == 200, "the gates know the new pods")


def noted(cluster: Cluster, document: str) -> set[tuple[str, str | None]]:
    """What is on record of a document, with all controllers: what happened, and who did it."""
    found: set[tuple[str, str | None]] = set()
    selector = "app.kubernetes.io/component=controller"
    pods = cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", selector, "-o", "name").stdout
    for pod in pods.split():
        lines = cluster.kubectl(
            "exec", "-n", NAMESPACE, pod, "--",
            "gatereeve", "tail", "--state", "/var/lib/gatereeve/state", "-n", "500", "--json",
            check=False,
        ).stdout.splitlines()  # fmt: skip
        records = [json.loads(line) for line in lines]
        found |= {(r["what"], r.get("by")) for r in records if r.get("document") == document}
    return found
