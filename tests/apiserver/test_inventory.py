"""What is compared before and after an installation holds every object, of kinds that come and go, too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster import inventory
from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane

DOCUMENTS: dict[str, Callable[[str], str]] = {
    "ConfigMap": lambda name: f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}}}",
    "ClusterRole": lambda name: (
        f"{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: {name}}}}}"
    ),
    "Model": lambda name: (
        f"{{apiVersion: gatereeve.dev/v1alpha1, kind: Model, metadata: {{name: {name}}},"
        " spec: {owner: a, purpose: b, riskClass: minimal, protocol: json}}"
    ),
}


@pytest.mark.usefixtures("crds")
def test_each_object_that_comes_is_seen_and_when_it_goes_is_not(
    apiserver: ControlPlane, admin: Api, namespace: str
) -> None:
    def seen() -> set[str]:
        return inventory.everything(lambda *asked: apiserver.kubectl(*asked).stdout)

    before = seen()
    for kind, document in DOCUMENTS.items():
        admin.create(document("counted")).ok()
        where = "<none>" if kind == "ClusterRole" else namespace
        assert seen() - before == {f"{kind} {where} counted"}
        admin.delete(document("counted")).ok()
    assert seen() == before
