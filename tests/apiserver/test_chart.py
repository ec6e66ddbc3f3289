"""The chart, the plain manifests and `install check` on a real API server.

No controllers run here, so no pod starts: what is shown is that the API server takes every object, that
Pod Security takes every pod, what the rights are worth, and what an upgrade and a removal leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatereeve.core.installation import Check, Verdict
from gatereeve.runtime import installation_check, manifests
from gatereeve.sources.kube.access import Kubeconfig
from tests.cluster.api import Api, documents_in
from tests.cluster.controlplane import ControlPlane
from tests.envoy.fleet import Process
from tests.envoy.upping import until
from tests.support import charts
from tests.support.charts import CHART, NAMESPACE, RELEASE
from tests.support.ports import free_port

pytestmark = pytest.mark.usefixtures("crds", "gateway_crds")

CONTROLLER = "system:serviceaccount:gatereeve-system:gatereeve-controller"
VALUES = """
image: {repository: registry.example/gatereeve}
gates:
  - name: public
    document: {region: de, https: {port: 8443, publicPort: 443}}
    gatewayPorts: {first: 20000, last: 21999}
  - name: inside
    lowPorts: true
    service: {type: NodePort, nodePorts: {https: 30443}}
networkPolicies:
  models: [{namespace: default, podSelector: {matchLabels: {app: credit}}}]
"""
GROUPS = (
    *("v1/Service", "v1/ServiceAccount", "v1/Secret", "apps/v1/Deployment"),
    *("policy/v1/PodDisruptionBudget", "autoscaling/v2/HorizontalPodAutoscaler"),
    *("networking.k8s.io/v1/NetworkPolicy", "networking.k8s.io/v1/IngressClass"),
    *("rbac.authorization.k8s.io/v1/ClusterRole", "rbac.authorization.k8s.io/v1/Role"),
    *("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "rbac.authorization.k8s.io/v1/RoleBinding"),
    *("gateway.networking.k8s.io/v1/GatewayClass", "gatereeve.dev/v1alpha1/Gate"),
)  # fmt: skip

Helm = Callable[..., str]


@pytest.fixture
def helm(apiserver: ControlPlane) -> Helm:
    charts.need_helm()
    kubeconfig = f"--kubeconfig={apiserver.kubeconfig('admin')}"

    def call(*arguments: str, given: str | None = None) -> str:
        return charts.helm(kubeconfig, *arguments, given=given)

    return call


@pytest.fixture
def release(helm: Helm, root: Api) -> Iterator[Helm]:
    """Installed; what is left of it afterwards is a test of its own."""
    helm(
        *("install", RELEASE, str(CHART), "--namespace", NAMESPACE, "--create-namespace"),
        *("--values", "-"),
        given=VALUES,
    )
    yield helm
    helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")
    assert not ours(root)


def upgrade(helm: Helm, *arguments: str) -> None:
    values = ("--values", "-", *arguments)
    helm("upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, *values, given=VALUES)


def ours(root: Api) -> set[str]:
    """Everything there is of the release."""
    found = set()
    for group in GROUPS:
        version, _, kind = group.rpartition("/")
        for one in root.all_of(version, kind, everywhere=True).ok()["items"]:
            if one["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == RELEASE:
                found.add(f"{kind} {one['metadata']['name']}")
    return found


def test_one_command_installs_upgrades_and_removes(release: Helm, root: Api) -> None:
    installed = ours(root)
    assert {"Gate public", "GatewayClass gatereeve", "IngressClass gatereeve"} <= installed
    assert {"Deployment gatereeve-gate-public", "Deployment gatereeve-controllers"} <= installed
    upgrade(release, "--set", "controllers.replicas=3")
    assert ours(root) == installed
    deployment = named("apps/v1", "Deployment", "gatereeve-controllers")
    assert root.get(deployment).ok()["spec"]["replicas"] == 3
    # `release` looks at what is left.


def test_what_was_scaled_stays_scaled_over_an_upgrade(release: Helm, root: Api) -> None:
    deployment = named("apps/v1", "Deployment", "gatereeve-gate-public")
    root.patch(deployment, {"spec": {"replicas": 7}}, subresource="scale").ok()
    upgrade(release, "--set", "gateDefaults.concurrency=3")
    assert root.get(deployment).ok()["spec"]["replicas"] == 7


def test_an_upgrade_waits_for_the_definitions(
    release: Helm, root: Api, apiserver: ControlPlane
) -> None:
    policies = named(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "accesspolicies.gatereeve.dev"
    )
    older = {"metadata": {"annotations": {"gatereeve.dev/schema": "sha256:older"}}}
    root.patch(policies, older).ok()
    with pytest.raises(charts.HelmError, match=r"accesspolicies\.gatereeve\.dev in the cluster"):
        upgrade(release)
    definitions = release("show", "crds", str(CHART))
    apiserver.kubectl(
        *("apply", "--server-side", "--force-conflicts", "-f", "-"), given=definitions
    )
    upgrade(release)


@pytest.mark.usefixtures("release")
def test_restricted_pod_security_takes_every_pod(namespace: str, root: Api) -> None:
    enforced = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    root.patch(named("v1", "Namespace", namespace), enforced).ok()
    for name in ("controllers", "gate-public", "gate-inside"):
        template = root.get(named("apps/v1", "Deployment", f"gatereeve-{name}")).ok()
        pod = template["spec"]["template"]["spec"]
        assert dry_run(root, namespace, pod).accepted
        privileged = {**pod, "securityContext": {**pod["securityContext"], "runAsNonRoot": False}}
        assert dry_run(root, namespace, privileged).reason == "Forbidden"


def dry_run(root: Api, namespace: str, pod: dict[str, Any]) -> Any:
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": namespace},
        "spec": pod,
    }
    return root.create(document, query={"dryRun": "All"})


def may(apiserver: ControlPlane, verb: str, what: str, *more: str) -> bool:
    """Whether the controllers' account may do that."""
    asked = apiserver.kubectl("auth", "can-i", verb, what, *more, user=CONTROLLER, check=False)
    return asked.returncode == 0


@pytest.mark.usefixtures("release")
def test_what_the_controllers_may_do(apiserver: ControlPlane) -> None:
    everywhere, here = "--all-namespaces", f"--namespace={NAMESPACE}"
    assert may(apiserver, "watch", "models.gatereeve.dev", everywhere)
    assert may(apiserver, "patch", "models.gatereeve.dev", "--subresource=status", everywhere)
    assert may(apiserver, "patch", "secrets", here)
    for verb, what, *more in (
        ("patch", "models.gatereeve.dev", everywhere),
        ("delete", "accesspolicies.gatereeve.dev", everywhere),
        ("create", "approvals.gatereeve.dev", everywhere),
        ("patch", "secrets", "--namespace=default"),
        ("create", "pods", here),
        ("patch", "deployments.apps", here),
        ("patch", "validatingadmissionpolicies.admissionregistration.k8s.io"),
        ("create", "clusterrolebindings.rbac.authorization.k8s.io"),
        ("impersonate", "users"),
    ):
        assert not may(apiserver, verb, what, *more), f"{verb} {what}"


def test_rights_end_with_the_namespaces_that_are_watched(
    release: Helm, apiserver: ControlPlane, namespace: str
) -> None:
    upgrade(release, "--set", f"controllers.watchNamespaces={{{namespace}}}")
    inside, outside = f"--namespace={namespace}", "--namespace=default"
    assert may(apiserver, "list", "secrets", inside)
    assert may(apiserver, "patch", "models.gatereeve.dev", "--subresource=status", inside)
    assert may(apiserver, "watch", "gates.gatereeve.dev")
    for verb, what in (("get", "secrets"), ("list", "models.gatereeve.dev"), ("list", "services")):
        assert not may(apiserver, verb, what, outside), f"{verb} {what}"


@pytest.mark.parametrize("watched", ["", NAMESPACE], ids=["all-namespaces", "one-namespace"])
def test_the_rights_are_enough_for_a_controller(
    release: Helm, apiserver: ControlPlane, root: Api, tmp_path: Path, watched: str
) -> None:
    if watched:
        upgrade(release, "--set", f"controllers.watchNamespaces={{{watched}}}")
    http = free_port()
    arguments = (
        *("controller", "--kubeconfig", str(apiserver.kubeconfig(CONTROLLER))),
        *("--namespace", NAMESPACE, "--state", str(tmp_path / "state")),
        *("--xds", f"127.0.0.1:{free_port()}", "--http", f"127.0.0.1:{http}"),
        *(("--watch", watched) if watched else ()),
    )
    process = Process(name="controller", arguments=arguments, log=tmp_path / "log", http=http)
    process.start()
    try:
        process.until_ready()
        certificate = named("v1", "Secret", "gatereeve-gate-public")
        until(lambda: root.get(certificate).accepted, f"a certificate\n{process.output()}")
        gate = named("gatereeve.dev/v1alpha1", "Gate", "public")
        until(
            lambda: bool(root.get(gate).ok().get("status", {}).get("conditions")),
            f"a status\n{process.output()}",
        )
        assert "forbidden" not in process.output().lower()
    finally:
        assert process.process is not None
        process.process.kill()
        process.process.wait()
        # Or the next one would wait until the Lease of this one ran out.
        root.delete(named("coordination.k8s.io/v1", "Lease", "gatereeve-controller"))
        for one in root.all_of("v1", "Secret", everywhere=True).ok()["items"]:
            if "gatereeve.dev/bundle" in one["metadata"].get("labels", {}):
                root.delete(one | {"apiVersion": "v1", "kind": "Secret"})


def test_plain_manifests_are_taken_as_they_are(apiserver: ControlPlane, root: Api) -> None:
    text = manifests.definitions() + manifests.manifests(
        namespace="models", image="registry.example/gatereeve:1", gate="edge", gateway_api=True
    )
    apiserver.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)
    try:
        labels = root.get(named("v1", "Namespace", "models")).ok()["metadata"]["labels"]
        assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert root.get(named("apps/v1", "Deployment", "gatereeve-gate-edge", "models")).accepted
    finally:
        for one in documents_in(text):
            if one["kind"] not in ("Namespace", "CustomResourceDefinition"):
                root.delete(one)
    assert not ours(root)


async def test_check_finds_nothing_missing_where_nothing_is(apiserver: ControlPlane) -> None:
    checks = await look(apiserver, "admin")
    assert {name: one.verdict for name, one in checks.items()} == {
        "Kubernetes": Verdict.FINE,
        "rights": Verdict.FINE,
        "kinds": Verdict.FINE,
        "admission policies": Verdict.FINE,
        "Gateway API": Verdict.FINE,
        "metrics": Verdict.DEGRADED,  # nobody measures here
    }


async def test_check_says_what_somebody_may_not_do_and_cannot_tell(apiserver: ControlPlane) -> None:
    checks = await look(apiserver, "mallory")
    assert checks["rights"].verdict is Verdict.MISSING
    assert "create deployments.apps in gatereeve-system" in checks["rights"].state
    assert checks["kinds"].verdict is Verdict.UNKNOWN
    assert checks["Gateway API"].verdict is Verdict.UNKNOWN


async def test_check_sees_a_definition_that_was_edited(apiserver: ControlPlane, root: Api) -> None:
    name = "models.gatereeve.dev"
    models = named("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    where = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties"
    root.patch(models, [{"op": "add", "path": f"{where}/back", "value": {"type": "string"}}]).ok()
    try:
        checks = await look(apiserver, "admin")
        assert checks["kinds"].verdict is Verdict.MISSING
        assert name in checks["kinds"].state
    finally:
        root.patch(models, [{"op": "remove", "path": f"{where}/back"}]).ok()


async def look(apiserver: ControlPlane, user: str) -> dict[str, Check]:
    access = Kubeconfig(path=apiserver.kubeconfig(user))
    return {one.about: one for one in await installation_check.look(access, namespace=NAMESPACE)}


def named(version: str, kind: str, name: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }
