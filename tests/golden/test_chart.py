"""Golden folders of the Helm chart: `values.yaml` gives `rendered.yaml`. `make golden` rewrites.

Rendered as by a cluster with Gateway API. What is refused, and what holds for every case, is below.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from gatereeve.cli import app
from gatereeve.core.errors import SettingsError
from gatereeve.runtime import manifests
from tests.support import charts

HERE = Path(__file__).parent / "chart"
CASES = sorted(path.parent for path in HERE.glob("*/values.yaml"))
GATEWAY_API = ("--api-versions", "gateway.networking.k8s.io/v1/GatewayClass")
IMAGE = "image: {repository: registry.example/gatereeve}\n"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_golden(case: Path, *, update_golden: bool) -> None:
    charts.need_helm()
    text = (case / "values.yaml").read_text()
    assert text.startswith("# "), "the first line says what the case shows"
    actual = charts.render(text, *GATEWAY_API)
    path = case / "rendered.yaml"
    if update_golden:
        path.write_text(actual)
    assert path.exists(), f"{path} is missing; `make golden` writes it"
    assert actual == path.read_text(), f"{path} differs; `make golden` and read the diff"


def test_lint() -> None:
    charts.need_helm()
    charts.helm("lint", "--strict", "--set", "image.repository=x/y", str(charts.CHART))


REFUSED = {
    "an unknown value": (IMAGE + "gate: []", "additional properties 'gate' not allowed"),
    "a typing error of a gate": (
        IMAGE + "gates: [{name: public, replica: 3}]",
        "additional properties 'replica' not allowed",
    ),
    "a wrong type": (IMAGE + "controllers: {replicas: two}", "want integer"),
    "no image": ("gates: []", "image.repository is required"),
    "webhook clients of any name": (
        IMAGE + "webhook: {clients: {configMap: kube-root-ca.crt}}",
        "webhook.clients.names is required",
    ),
    "an image that is none": ("image: {repository: 'x y'}", "does not match pattern"),
    "a gate without a name": (IMAGE + "gates: [{replicas: 2}]", "missing property 'name'"),
    "a gate twice": (IMAGE + "gates: [{name: a}, {name: a}]", "gates: a stands there twice"),
    "a gate without a port": (
        IMAGE + "gates: [{name: a, httpPort: 0, httpsPort: 0}]",
        "gates: a: httpsPort or httpPort is needed",
    ),
    "a drain that ends before it may": (
        IMAGE + "gateDefaults: {drain: {longestSeconds: 5}}",
        "drain: leastSeconds is more than longestSeconds",
    ),
    "a name that is an argument": (IMAGE + "gates: [{name: '--x'}]", "does not match pattern"),
}


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.replace(" ", "-"))
def test_refused(case: str) -> None:
    charts.need_helm()
    values, why = REFUSED[case]
    with pytest.raises(charts.HelmError) as refused:
        charts.render(values)
    assert why in str(refused.value)


def test_without_gateway_api_there_is_no_class_of_it() -> None:
    charts.need_helm()
    kinds = {one["kind"] for one in yaml.safe_load_all(charts.render(IMAGE)) if one}
    assert "IngressClass" in kinds
    assert "GatewayClass" not in kinds


def objects() -> Iterator[dict[str, Any]]:
    """Every object of every case, and of the plain manifests."""
    texts = [(case / "rendered.yaml").read_text() for case in CASES]
    texts += [
        manifests.manifests(
            namespace="models", image="registry.example/gatereeve:1", gate="edge", gateway_api=True
        )
    ]
    for text in texts:
        yield from (one for one in yaml.safe_load_all(text) if one)


def pods() -> Iterator[dict[str, Any]]:
    """The specification of every pod."""
    found = [one["spec"]["template"]["spec"] for one in objects() if one["kind"] == "Deployment"]
    assert found
    yield from found


def containers() -> Iterator[dict[str, Any]]:
    for pod in pods():
        yield from (*pod.get("initContainers", ()), *pod["containers"])


def test_the_command_line_knows_every_argument() -> None:
    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]  # a Group
    for container in containers():
        command, *arguments = container["args"]
        known = {opt for p in commands[command].params for opt in (*p.opts, *p.secondary_opts)}
        given = {argument.partition("=")[0] for argument in arguments}
        assert given <= known, f"{command} does not know {given - known}"
        required = {p.opts[0] for p in commands[command].params if p.required}
        assert required <= given, f"{command} wants {required - given}"


def test_every_pod_is_restricted_and_writes_nothing_into_its_image() -> None:
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    for pod in pods():
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


def test_only_controllers_have_a_token() -> None:
    for pod in pods():
        is_controller = pod["serviceAccountName"] == "gatereeve-controller"
        assert pod["automountServiceAccountToken"] is is_controller
    bound = {
        subject["name"]
        for one in objects() if one["kind"] in ("ClusterRoleBinding", "RoleBinding")
        for subject in one["subjects"]
    }  # fmt: skip
    assert bound == {"gatereeve-controller"}


def test_a_pod_is_given_longer_than_its_drain() -> None:
    for pod in pods():
        for argument in pod["containers"][0]["args"]:
            name, _, value = argument.partition("=")
            if name == "--drain-longest":
                assert pod["terminationGracePeriodSeconds"] == int(value) + 15


def test_plain_manifests_say_only_what_was_chosen() -> None:
    text = manifests.manifests(
        namespace="models", image="registry.example/gatereeve:1", gate="edge", gateway_api=False
    )
    assert "invalid" not in text
    assert "GatewayClass" not in text
    assert {one["metadata"].get("namespace", "models") for one in yaml.safe_load_all(text)} == {
        "models"
    }
    assert "registry.example/gatereeve:1" in text


@pytest.mark.parametrize(
    "choice",
    [
        {"namespace": "a b"},
        {"namespace": "x\nkind: ClusterRole"},
        {"image": "x:1\n"},
        {"image": "x: {a: b}"},
        {"gate": "Public"},
        {"gate": "../x"},
    ],
    ids=repr,
)
def test_plain_manifests_take_no_text_for_a_name(choice: dict[str, str]) -> None:
    fine = {"namespace": "models", "image": "x/y:1", "gate": "edge"}
    with pytest.raises(SettingsError):
        manifests.manifests(**(fine | choice), gateway_api=True)
