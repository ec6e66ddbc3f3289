"""A controller at the door of a real API server: its webhook, the guards it keeps, who is on record."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from typer.testing import CliRunner

from gatereeve.cli import app
from gatereeve.core import records
from gatereeve.core.errors import GatereeveError
from gatereeve.ledger.reading import RecordLog
from gatereeve.runtime.cluster_reader import read_cluster
from gatereeve.sources.kube import rights
from gatereeve.sources.kube.access import Kubeconfig
from tests.cluster import waiting
from tests.cluster.api import Answer, Api
from tests.cluster.controlplane import WEBHOOK_CLIENT, ControlPlane
from tests.envoy.fleet import Process
from tests.support import guarded
from tests.support.ports import free_port
from tests.support.reviews import body

OURS, ACCOUNT = "gatereeve-system", "system:serviceaccount:gatereeve-system:gatereeve-controller"
runner = CliRunner()
RBAC = "rbac.authorization.k8s.io"


class Installed:
    """One controller with the rights that the chart gives it, reached by the API server."""

    def __init__(self, root: Path, server: ControlPlane) -> None:
        self.state, self.port, http = root / "state", free_port(), free_port()
        self.process = Process(
            name="controller", log=root / "controller.log", http=http,
            arguments=(
                "controller", "--kubeconfig", str(server.kubeconfig(ACCOUNT)), "--namespace", OURS,
                "--state", str(self.state), "--xds", f"127.0.0.1:{free_port()}",
                "--http", f"127.0.0.1:{http}", "--name", "localhost",
                "--webhook", f"127.0.0.1:{self.port}", "--webhook-name", "localhost",
                "--webhook-clients", str(server.ca), "--webhook-client", WEBHOOK_CLIENT,
            ),
        )  # fmt: skip

    def metrics(self) -> str:
        answer = self.process.ask("/metrics")
        return "" if answer is None else answer.text

    def noted(self, document: str) -> list[records.DocumentRecord]:
        lines = [entry for _, entry in RecordLog(self.state).read_backwards()]
        found = [records.decode(line) for line in lines]
        return [
            one
            for one in reversed(found)
            if isinstance(one, records.DocumentRecord) and one.document == document
        ]


def allow(root: Api) -> list[dict[str, Any]]:
    """What `rights` says, cluster-wide, as it is a test that has no Helm."""
    rules = (*rights.cluster_rules(), *rights.own_namespace_rules())
    role = {
        "apiVersion": f"{RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": "test-door"},
        "rules": [rule.as_object() for rule in rules],
    }  # fmt: skip
    binding = {
        "apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "test-door"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "test-door"},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": ACCOUNT}],
    }  # fmt: skip
    for one in (role, binding):
        root.apply(one).ok()
    return [binding, role]


@pytest.fixture(scope="module")
def installed(
    apiserver: ControlPlane, root: Api, crds: None, gateway_crds: None
) -> Iterator[Installed]:
    for name in guarded.NAMESPACES:
        labels = guarded.LABELS.get(name, {})
        meta = {"name": name, "labels": labels}
        root.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}).ok()
    given = allow(root)
    documents = guarded.DOCUMENTS.split("---\n")
    for text in documents:
        root.apply(text).ok()
    with tempfile.TemporaryDirectory(prefix="gr-d-") as name:
        made = Installed(Path(name), apiserver)
        made.process.start()
        try:
            made.process.until_ready()
            objects = guarded.generated(
                webhook=True, url=f"https://localhost:{made.port}", service=""
            )
            with guarded.guarded(root, objects):
                yield made
        finally:
            assert made.process.process is not None
            made.process.process.kill()
            made.process.process.wait()
            for text in documents:
                if "kind: Namespace" not in text:
                    root.delete(text)
            for one in given:
                root.delete(one)


DUPLICATE = guarded.version("credit-again", author="admin").replace("version: v1", "version: v0")


def tried(api: Api, document: str) -> Answer:
    return api.apply(document, query={"dryRun": "All"})


def test_the_webhook_is_known_by_the_authority_that_the_leader_shows(
    installed: Installed, root: Api
) -> None:
    """`guarded` waited for it: until the authority is shown, everything governed is refused."""
    assert "version-duplicate" in tried(root, DUPLICATE).message
    hook = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "gatereeve"}}  # fmt: skip
    hooks = root.get(hook).ok()["webhooks"]
    assert all(one["clientConfig"]["caBundle"] for one in hooks)
    text = installed.metrics()
    assert 'gatereeve_reviews_total{outcome="refused"}' in text
    assert 'gatereeve_review_seconds_bucket{le="+Inf"}' in text


def test_parameters_follow_the_documents(installed: Installed, root: Api) -> None:
    late = guarded.version("credit-v9", author="admin").replace("version: v1", "version: v9")
    root.apply(late.replace("service: credit", "service: late")).ok()
    parameters = guarded.parameters_of("lending")
    waiting.until(
        lambda: "late" in root.get(parameters).ok()["spec"]["services"], "the parameters know it"
    )
    root.delete(late).ok()
    waiting.until(
        lambda: "late" not in root.get(parameters).ok()["spec"]["services"], "and forget it"
    )


def test_every_change_is_on_record_with_who_made_it(
    installed: Installed, apiserver: ControlPlane, root: Api
) -> None:
    name = "AccessPolicy lending/on-record"
    policy = (
        "{apiVersion: gatereeve.dev/v1alpha1, kind: AccessPolicy,"
        " metadata: {name: on-record, namespace: lending},"
        " spec: {models: [credit], allow: [{name: a, subjects: [{anonymous: true}]}]}}"
    )
    with apiserver.api("mira", namespace="lending") as mira:
        mira.apply(policy).ok()
        waiting.until(lambda: len(installed.noted(name)) == 1, "the creation is noted")
        with apiserver.api("max", namespace="lending") as other:
            other.apply(policy.replace("name: a,", "name: b,"), query={"force": "true"}).ok()
            waiting.until(lambda: len(installed.noted(name)) == 2, "the change is noted")
        mira.delete(policy).ok()
    waiting.until(lambda: len(installed.noted(name)) == 3, "the deletion is noted")
    created, changed, deleted = installed.noted(name)
    assert [(one.what, one.by) for one in (created, changed, deleted)] == [
        ("created", "mira"),
        ("changed", "max"),
        ("deleted", "mira"),
    ]
    assert created.after == changed.before != changed.after == deleted.before
    assert deleted.after is None
    assert set(changed.configs) == {"public"}


def test_a_review_that_the_api_server_did_not_send_is_not_answered(
    installed: Installed, apiserver: ControlPlane, root: Api
) -> None:
    """Not even to holders of other certificates of the same authority, such as nodes."""
    policy = (
        "{apiVersion: gatereeve.dev/v1alpha1, kind: AccessPolicy,"
        " metadata: {name: forged, namespace: lending},"
        " spec: {models: [credit], allow: [{name: a, subjects: [{anonymous: true}]}]}}"
    )
    root.apply(policy).ok()
    name = "AccessPolicy lending/forged"
    waiting.until(lambda: installed.noted(name), "it is seen")
    node = apiserver.authority.issue("node", user="system:node:n1")
    (hook,) = [
        one
        for one in root.get({"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "gatereeve"},
                             "kind": "ValidatingWebhookConfiguration"}).ok()["webhooks"]
        if one["name"] == "deletions.gatereeve.dev"
    ]  # fmt: skip
    forged = body(None, old=policy, operation="DELETE", user="petra")
    for shown in (None, node):
        trust = ssl.create_default_context(
            cadata=base64.b64decode(hook["clientConfig"]["caBundle"]).decode()
        )
        if shown is not None:
            trust.load_cert_chain(*shown)
        with (
            httpx2.Client(verify=trust, trust_env=False) as client,
            pytest.raises(httpx2.HTTPError),
        ):
            client.post(
                hook["clientConfig"]["url"], content=forged,
                headers={"content-type": "application/json"},
            )  # fmt: skip
    root.delete(policy).ok()
    waiting.until(
        lambda: [one.what for one in installed.noted(name)][-1:] == ["deleted"], "it is noted"
    )
    assert installed.noted(name)[-1].by == "admin"


def test_a_hand_on_the_guards_is_on_record_and_told(installed: Installed, root: Api) -> None:
    name = "gatereeve-approvals"
    policy = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
              "metadata": {"name": name}}  # fmt: skip
    document = f"ValidatingAdmissionPolicy {name}"
    waiting.until(lambda: installed.noted(document), "the guards are seen")
    before = len(installed.noted(document))
    root.patch(policy, {"spec": {"failurePolicy": "Ignore"}}).ok()
    waiting.until(lambda: len(installed.noted(document)) == before + 1, "the change is noted")
    assert installed.noted(document)[-1].what == "changed"
    root.patch(policy, {"spec": {"failurePolicy": "Fail"}}).ok()
    waiting.until(lambda: len(installed.noted(document)) == before + 2, "so is its end")


def test_without_the_controller_governed_changes_wait_and_nothing_else_does(
    installed: Installed, root: Api
) -> None:
    process = installed.process.process
    assert process is not None
    process.kill()
    process.wait()
    refused = tried(root, guarded.model(risk="limited"))
    assert refused.status == 500
    assert "review.gatereeve.dev" in refused.message
    config = "{apiVersion: v1, kind: ConfigMap, metadata: {name: free, namespace: lending}}"
    assert tried(root, config).accepted
    foreign = guarded.ingress(spec="ingressClassName: nginx")
    assert tried(root, foreign).accepted
    installed.process.start()
    installed.process.until_ready()
    waiting.until(
        lambda: tried(root, guarded.model(risk="limited")).accepted, "governed changes go on"
    )


def test_guards_are_made_from_and_compared_with_the_cluster(
    installed: Installed, apiserver: ControlPlane
) -> None:
    kubeconfig = str(apiserver.kubeconfig("admin"))
    made = runner.invoke(app, ["guards", "--kubeconfig", kubeconfig, "--to", "json"])
    assert made.exit_code == 0, made.stderr
    names = {(one["kind"], one["metadata"]["name"]) for one in json.loads(made.stdout)["items"]}
    assert ("ValidatingAdmissionPolicy", "gatereeve-approvals") in names

    found = runner.invoke(
        app, ["guards", "--kubeconfig", kubeconfig, "--check", "cluster"]
    )  # fmt: skip
    lines = [
        line
        for line in found.stdout.splitlines()
        # Namespaces of other tests, which are going for ever here, can be given none.
        if "guard-" in line and "GuardParameters" not in line
    ]
    # This test's webhook has an address of its own, which is what a hand on it would look like; and
    # other tests have namespaces here.
    assert {line.partition(" guard-")[2].partition(":")[0] for line in lines} == {
        "changed",
        "stale",
    }
    (changed,) = [line for line in lines if "guard-changed" in line]
    assert "ValidatingWebhookConfiguration gatereeve" in changed
    assert found.exit_code == 1


def test_a_cluster_that_cannot_be_read_is_told(apiserver: ControlPlane) -> None:
    with pytest.raises(GatereeveError) as told:
        asyncio.run(
            read_cluster(Kubeconfig(path=apiserver.kubeconfig("mallory")), within_s=2.0)
        )  # fmt: skip
    assert "was not read within 2 s" in str(told.value)
    assert "Model: " in str(told.value)
