"""Gatereeve under steady load through the loss and the change of every part; `build/cluster.json` tells.

Bars: no failed request (of a lost node: only those that were under way on it), no answer without its
policy. This takes some ten minutes and is `make cluster-test`; CI has `make cluster-smoke`.
"""

from __future__ import annotations

import asyncio
import copy
import platform
import random
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve import __version__
from gatereeve.proxy.local import envoy_process
from tests.cluster import governed, own_image, tools, waiting
from tests.cluster.cluster import ROOT, Cluster
from tests.cluster.governed import NAMESPACE, SHOP, Installed
from tests.cluster.losses import CLIENTS, Load, Report
from tests.features import documents as docs

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

REPORT = ROOT / "build" / "cluster.json"
CONTROLLERS, GATES, MODEL = (
    "deployment/gatereeve-controllers",
    "deployment/gatereeve-gate-public",
    "deployment/offers-v1",
)
AWAY_S = 60.0
RANDOM_DELETIONS = 12
SEED = 20261127


class Losing:
    """The steps, on one release."""

    def __init__(self, ours: Installed, load: Load, report: Report) -> None:
        self.ours, self.load, self.report = ours, load, report
        self.cluster = ours.cluster
        self.values: dict[str, Any] = copy.deepcopy(governed.VALUES)

    def settled(self) -> None:
        self.cluster.rollout(CONTROLLERS, namespace=NAMESPACE)
        self.cluster.rollout(GATES, namespace=NAMESPACE)
        self.cluster.rollout(MODEL, namespace=SHOP)

    def restart(self, what: str, namespace: str) -> None:
        self.cluster.kubectl("rollout", "restart", "-n", namespace, what)
        self.cluster.rollout(what, namespace=namespace, deadline_s=240)

    def upgrade(self) -> None:
        self.ours.values.write_text(yaml.safe_dump(self.values))
        self.ours.upgrade()

    def pods(self, namespace: str, *selectors: str) -> list[str]:
        found = self.cluster.kubectl(
            "get", "pods", "-n", namespace, "-o", "name",
            "--field-selector=status.phase=Running", *(f"--selector={one}" for one in selectors),
        )  # fmt: skip
        return found.stdout.split()

    def model(self) -> None:
        with self.report.step(
            "roll the model", "kubectl rollout restart of the model's Deployment"
        ):
            self.restart(MODEL, SHOP)

    def gates(self) -> None:
        with self.report.step(
            "roll the gates", "the same of the gates, with slow answers under way"
        ):
            self.restart(GATES, NAMESPACE)

    def controllers(self) -> None:
        with self.report.step("upgrade the controllers", "helm upgrade with other values"):
            self.values.setdefault("controllers", {})["podAnnotations"] = {"example.com/turn": "2"}
            self.upgrade()
            self.cluster.rollout(CONTROLLERS, namespace=NAMESPACE, deadline_s=240)
        with self.report.step("kill the controllers", "all of them deleted by force, at once"):
            self.cluster.kubectl(
                "delete", "pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=controller",
                "--force", "--grace-period=0", "--wait=true",
            )  # fmt: skip
            self.cluster.rollout(CONTROLLERS, namespace=NAMESPACE, deadline_s=240)

    def scale(self) -> None:
        gate = self.values["gates"][0]
        gate["autoscaling"] = {"enabled": False}
        for replicas in (4, 2):
            with self.report.step(
                f"scale the gates to {replicas}", "helm upgrade with other values"
            ):
                gate["replicas"] = replicas
                self.upgrade()
                self.cluster.rollout(GATES, namespace=NAMESPACE, deadline_s=240)
                waiting.until(
                    lambda wanted=replicas: len(self.gate_pods()) == wanted,  # type: ignore[misc]
                    f"{replicas} gates run", deadline_s=120,
                )  # fmt: skip

    def gate_pods(self) -> list[str]:
        return self.pods(NAMESPACE, "gatereeve.dev/gate=public")

    def certificates(self) -> None:
        with self.report.step(
            "renew what callers see", "another certificate in the Secret of the host"
        ) as step:
            before = self.shown()
            self.cluster.kubectl("apply", "--server-side", "-f", "-", given=docs.tls(1))
            began = time.monotonic()
            waiting.until(lambda: self.shown() != before, "the other certificate is shown")
            step.notes["secondsUntilShown"] = round(time.monotonic() - began, 2)
        with self.report.step(
            "renew our own", "the Secrets of controllers and gates deleted; the leader issues anew"
        ) as step:
            issued = self.issued()
            self.cluster.kubectl(
                "delete", "secret", "-n", NAMESPACE, "gatereeve-controller", "gatereeve-gate-public"
            )
            waiting.until(
                lambda: all(self.issued()) and self.issued() != issued, "they are issued anew"
            )
            self.restart(CONTROLLERS, NAMESPACE)  # so that gates connect anew, with what is new
            self.changed_policy_is_enforced()

    def issued(self) -> tuple[str, ...]:
        path = "{.metadata.uid}"
        return tuple(
            self.ours.get("secret", f"gatereeve-{name}", path)
            for name in ("controller", "gate-public")
        )

    def shown(self) -> str:
        return ssl.get_server_certificate((self.ours.address, 443))

    def at_random(self) -> None:
        chance = random.Random(SEED)
        kinds = (
            (NAMESPACE, "app.kubernetes.io/component=controller"),
            (NAMESPACE, "gatereeve.dev/gate=public"),
            (SHOP, "app=offers-v1"),
        )
        with self.report.step(
            "delete pods at random",
            f"{RANDOM_DELETIONS} pods, one after the other, each when all are ready again",
        ) as step:
            step.notes["seed"] = SEED
            for _ in range(RANDOM_DELETIONS):
                namespace, selector = chance.choice(kinds)
                pod = chance.choice(sorted(self.pods(namespace, selector)))
                self.cluster.kubectl("delete", "-n", namespace, pod, "--wait=true")
                self.settled()

    def without_the_api_server(self) -> None:
        with self.report.step(
            "stop the API server", f"for {AWAY_S:.0f} s; then a changed policy must come into force"
        ):
            self.cluster.stop("kube-apiserver")
            time.sleep(AWAY_S)
            self.load.more()
            self.cluster.start("kube-apiserver")
            waiting.until(
                lambda: (
                    self.cluster.kubectl("get", "--raw", "/readyz", check=False).returncode == 0
                ),
                "the API server is ready",
            )
            self.settled()
            self.changed_policy_is_enforced()

    def changed_policy_is_enforced(self) -> None:
        """For a caller of its own, so that the load's answers stay what they are meant to be."""
        allowed = yaml.safe_load(governed.policy())
        allowed["spec"]["allow"].append(
            {"name": "guests", "subjects": [{"principal": "partners/guest"}]}
        )
        self.cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", given=yaml.safe_dump(allowed)
        )
        waiting.until(lambda: self.ours.ask(key=governed.GUEST) == 200, "the guest is let in")
        self.cluster.kubectl(
            "apply", "--server-side", "--force-conflicts", "-f", "-", given=governed.policy()
        )
        waiting.until(lambda: self.ours.ask(key=governed.GUEST) == 403, "and is not any more")
        waiting.until(
            lambda: {self.ours.ask(key=governed.GUEST) for _ in range(20)} == {403},
            "by no gate: twenty connections in a row",
        )

    def node(self) -> None:
        """A second machine with a gate and a model on it; its power goes."""
        with self.report.step(
            "add a node", "a second node joins; gates and models spread over both"
        ):
            self.cluster.add_node(2)
            self.cluster.load_image(own_image.ARCHIVE)
            self.values["gates"][0]["replicas"] = 4
            self.upgrade()
            self.cluster.kubectl("scale", "-n", SHOP, MODEL, "--replicas=4")
            self.settled()
            self.restart(MODEL, SHOP)
            self.restart(GATES, NAMESPACE)
        there = self.on_node("node2")
        assert any("gate-public" in pod for pod in there), there
        assert any("offers" in pod for pod in there), there
        with self.report.step(
            "lose a node", "its power goes; balancers leave it, Kubernetes notices after 20 s",
            allowed=len(CLIENTS),
        ) as step:  # fmt: skip
            step.notes["pods"] = there
            step.notes["bar"] = "one for each client: what it had under way when the node was lost"
            self.cluster.lose_node(2)
            began = time.monotonic()
            self.load.more(5)
            waiting.until(lambda: self.not_ready("node2"), "Kubernetes notices", deadline_s=120)
            step.notes["secondsUntilNoticed"] = round(time.monotonic() - began, 1)
            self.load.more(5)
        with self.report.step("after the loss", "the same load, one node"):
            self.load.more(10)

    def on_node(self, node: str) -> list[str]:
        found: list[str] = []
        for namespace in (NAMESPACE, SHOP):
            found += self.cluster.kubectl(
                "get",
                "pods",
                "-n",
                namespace,
                "-o",
                "name",
                f"--field-selector=spec.nodeName={node}",
            ).stdout.split()
        return found

    def not_ready(self, node: str) -> bool:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        return self.ours.get("node", node, path) != "True"


@pytest.fixture
def losing(cluster: Cluster, tmp_path: Path) -> Iterator[Losing]:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    with governed.installed(cluster, tmp_path / "values.yaml") as ours:
        waiting.until(lambda: ours.ask() == 200, "the first answer")
        load = Load(ours)
        environment = {
            "kubernetes": tools.KUBERNETES_VERSION,
            "gatereeve": __version__,
            "envoy": asyncio.run(envoy_process.find_envoy()).version,
            "kernel": platform.release(),
        }
        report = Report(REPORT, load, environment)
        with load:
            yield Losing(ours, load, report)


def test_nothing_that_is_lost_or_changed_loses_a_request(losing: Losing) -> None:
    losing.model()
    losing.gates()
    losing.controllers()
    losing.scale()
    losing.certificates()
    losing.at_random()
    losing.without_the_api_server()
    try:
        losing.node()
    finally:
        losing.cluster.remove_node(2)
    assert [step.as_object() for step in losing.report.steps if not step.held] == []
