"""Gatereeve on a real Kubernetes, installed by its chart: served, refused, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import governed, own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.cluster.governed import NAMESPACE, SHOP, Load

pytestmark = pytest.mark.cluster


def test_a_model_is_governed_and_survives_the_loss_of_any_part(
    cluster: Cluster, tmp_path: Path
) -> None:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    with governed.installed(cluster, tmp_path / "values.yaml") as ours:
        waiting.until(lambda: ours.ask() == 200, "the first answer")
        assert ours.ask(key=None) == 401
        assert ours.ask(key="wrong-0123456789abcdef") == 401
        for kind, name, of in (
            ("model", "offers", "Routed"),
            ("modelversion", "offers-1", "Served"),
            ("accesspolicy", "offers", "Enforced"),
        ):
            waiting.until(
                lambda: ours.condition(kind, name, of) == "True",  # noqa: B023 - at once
                f"{kind} {name} {of}",
            )
        waiting.until(
            lambda: (
                ours.get("ingress", "offers", "{.status.loadBalancer.ingress[0].ip}", SHOP)
                == ours.address
            ),
            "the Ingress tells its address",
        )
        with Load(ours) as load:
            load.more()
            pod = cluster.kubectl("get", "pods", "-n", SHOP, "-o", "name").stdout.split()[0]
            cluster.kubectl("delete", "-n", SHOP, pod, "--wait=true")
            load.more()
            cluster.kubectl(
                "rollout", "restart", "-n", NAMESPACE, "deployment/gatereeve-gate-public"
            )
            cluster.rollout("deployment/gatereeve-gate-public", namespace=NAMESPACE)
            load.more()
            cluster.kubectl(
                "delete", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=controller",
                "--force", "--grace-period=0", "--wait=true",
            )  # fmt: skip
            load.more()
            cluster.rollout("deployment/gatereeve-controllers", namespace=NAMESPACE)
            load.more()
        assert set(load.answers) == {200}, load.answers

        cluster.kubectl("delete", "-n", SHOP, "accesspolicy", "offers")
        waiting.until(lambda: ours.ask() == 403, "a policy that goes takes its access along")
        ours.uninstall()
        left = ("get", "all", "--namespace", NAMESPACE, "--output=name")
        waiting.until(lambda: not cluster.kubectl(*left).stdout.split(), "every part of it is gone")
