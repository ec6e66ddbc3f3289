"""The chart's whole life on a real Kubernetes: installed, upgraded, rolled back, gone without a trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import governed, inventory, own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.cluster.governed import CHART, NAMESPACE, RELEASE, SHOP, Installed, Load

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

DEFINITION = "accesspolicies.gatereeve.dev"
OLDER = "gatereeve.dev/schema=sha256:older"
PARTS = ("deployment/gatereeve-controllers", "deployment/gatereeve-gate-public")


def test_an_installation_is_upgraded_rolled_back_and_leaves_nothing(
    cluster: Cluster, tmp_path: Path
) -> None:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    before = everything(cluster)
    with governed.installed(cluster, tmp_path / "values.yaml") as ours:
        waiting.until(lambda: ours.ask() == 200, "the first answer")
        with Load(ours) as load:
            load.more()
            upgrade(ours, cluster)
            load.more()
            ours.helm("rollback", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout=240s")
            settle(cluster)
            assert turn(ours) == ""
            load.more()
        assert set(load.answers) == {200}, load.answers
        uninstall(ours, cluster)
        waiting.until(
            lambda: everything(cluster) <= before,
            "nothing is left",
            seen=lambda: sorted(everything(cluster) - before),
        )
    assert before <= everything(cluster), "nothing of somebody else's is gone"


def upgrade(ours: Installed, cluster: Cluster) -> None:
    """As docs/how-to/install.md says: an upgrade over older definitions is refused until they are new."""
    cluster.kubectl("annotate", "--overwrite", "crd", DEFINITION, OLDER)
    values = ("--set", "controllers.podAnnotations.turn=second", "--set", "gates[0].concurrency=2")
    with pytest.raises(AssertionError, match="Upgrade the definitions first"):
        ours.upgrade(*values)
    definitions = ours.helm("show", "crds", str(CHART))
    cluster.kubectl(*("apply", "--server-side", "--force-conflicts", "-f", "-"), given=definitions)
    ours.upgrade(*values)
    settle(cluster)
    assert turn(ours) == "second"


def uninstall(ours: Installed, cluster: Cluster) -> None:
    """In the order of docs/how-to/install.md; documents first, and our kinds last."""
    cluster.kubectl("delete", "namespace", SHOP, "--timeout=120s")
    ours.uninstall()
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s")
    cluster.kubectl("delete", "crd", "--selector", "app.kubernetes.io/part-of=gatereeve")


def settle(cluster: Cluster) -> None:
    for part in PARTS:
        cluster.rollout(part, namespace=NAMESPACE, deadline_s=240)


def turn(ours: Installed) -> str:
    path = "{.spec.template.metadata.annotations.turn}"
    return ours.get("deployment", "gatereeve-controllers", path)


def everything(cluster: Cluster) -> set[str]:
    return inventory.everything(lambda *arguments: cluster.kubectl(*arguments).stdout)
