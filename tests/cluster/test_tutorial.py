"""The tutorial for a cluster runs on one as it is written, and leaves it as it found it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import governed, inventory, manifests, own_image, tools
from tests.cluster.cluster import Cluster
from tests.cluster.governed import CHART, NAMESPACE, SHOP
from tests.support import tutorials

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

LIMIT_S = 480.0
PAGE = tutorials.FOLDER / f"{tutorials.CLUSTER}.md"


def test_the_tutorial_does_what_it_says(cluster: Cluster, tmp_path: Path) -> None:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    cluster.load_image(own_image.ARCHIVE)
    for crd in manifests.gateway_crds():
        cluster.kubectl("apply", "--server-side", "-f", str(crd))
    before = everything(cluster)
    try:
        code, output = tutorials.run(PAGE, tmp_path, limit_s=LIMIT_S, more=reader(cluster))
        assert code == 0, output
        assert sorted(everything(cluster) - before) == []
    finally:
        governed.remove(cluster, SHOP, NAMESPACE)


def reader(cluster: Cluster) -> dict[str, str]:
    """Where a reader's programs, cluster, chart and image are."""
    repository, _, tag = own_image.NAME.rpartition(":")
    folders = {str(tools.path(name).parent) for name in ("kubectl", "helm")}
    return {
        "PATH": ":".join([*sorted(folders), "/usr/local/bin", "/usr/bin", "/bin"]),
        "KUBECONFIG": str(cluster.kubeconfig),
        "CHART": str(CHART),
        "REPOSITORY": repository,
        "TAG": tag,
    }


def everything(cluster: Cluster) -> set[str]:
    return inventory.everything(lambda *arguments: cluster.kubectl(*arguments).stdout)
