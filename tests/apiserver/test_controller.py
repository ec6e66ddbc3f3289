"""The controller on a real API server: certificates, statuses, a real gate, loss of the API server."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gatereeve.compile.routes.listener_sets import GATE_LABEL
from gatereeve.pki import stores
from gatereeve.pki.certificate_plan import Bundle
from tests.cluster.api import MERGE, Api
from tests.cluster.controlplane import ControlPlane
from tests.envoy import upping
from tests.envoy.fleet import Load, Process
from tests.envoy.upping import until
from tests.features import documents as docs
from tests.support.ports import free_port

pytestmark = pytest.mark.usefixtures("crds", "gateway_crds")

OURS, TEAM = "controllers", "boutique"
"""Namespaces of this module alone: nothing here finalises them, and others have theirs."""


class Installed:
    """A controller (as `admin`) and what it needs, against one API server."""

    def __init__(self, root: Path, server: ControlPlane, admin: Api) -> None:
        self.root = root
        self.admin = admin
        self.xds, self.agent, self.https = free_port(), free_port(), free_port()
        self._server = server
        self.processes: list[Process] = []

    def controller(self, number: int = 0) -> Process:
        http = free_port()
        xds = self.xds if number == 0 else free_port()
        return self._start(
            f"controller-{number}", http,
            "controller", "--kubeconfig", str(self._server.kubeconfig("admin")),
            "--namespace", OURS, "--state", str(self.root / f"state-{number}"),
            "--xds", f"127.0.0.1:{xds}", "--http", f"127.0.0.1:{http}", "--name", "localhost",
        )  # fmt: skip

    def gate(self) -> Process:
        """A gate whose certificates are those of the Secret that the controller wrote."""
        until(lambda: self.secret("gatereeve-gate-public") is not None, "the gate's certificate")
        data = self.secret("gatereeve-gate-public")
        assert data is not None
        mounted = self.root / "mounted"
        stores.write_bundle(
            mounted,
            Bundle(certificate=data["tls.crt"], key=data["tls.key"], trust=data["ca.crt"]),
        )
        http = free_port()
        return self._start(
            "gate", http,
            "gate", "--gate", "public", "--replica", "a", "--server-name", "localhost",
            "--controller", f"127.0.0.1:{self.xds}", "--certificates", str(mounted),
            "--run", str(self.root / "run"), "--http", f"127.0.0.1:{http}",
            "--agent", f"127.0.0.1:{self.agent}", "--concurrency", "1", "--heap-mb", "512",
            "--drain-least", "0", "--drain-longest", "5",
        )  # fmt: skip

    def secret(self, name: str) -> dict[str, bytes] | None:
        answer = self.admin.get(_named("v1", "Secret", name, OURS))
        if not answer.accepted:
            return None
        return {key: base64.b64decode(value) for key, value in answer.body["data"].items()}

    def status(self, api_version: str, kind: str, name: str) -> dict[str, Any]:
        found = self.admin.get(_named(api_version, kind, name, TEAM))
        return dict(found.body.get("status") or {}) if found.accepted else {}

    def version(self, api_version: str, kind: str, name: str) -> str:
        """Of the object: another after every write."""
        found = self.admin.get(_named(api_version, kind, name, TEAM)).ok()
        return str(found["metadata"]["resourceVersion"])

    def meet(self, address: str) -> None:
        """The gate's Service has an address."""
        document = _named("v1", "Service", "gatereeve-gate-public", OURS)
        document["metadata"]["labels"] = {GATE_LABEL: "public"}
        document["spec"] = {"type": "LoadBalancer", "ports": [{"port": 443}]}
        self.admin.apply(document).ok()
        status = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": "VIP"}]}}
        path = f"/api/v1/namespaces/{OURS}/services/gatereeve-gate-public/status"
        self.admin.request("PATCH", path, body={"status": status}, media=MERGE).ok()

    def condition(self, kind: str, name: str, of: str) -> dict[str, Any]:
        conditions = self.status("gatereeve.dev/v1alpha1", kind, name).get("conditions", [])
        return next((c for c in conditions if c["type"] == of), {})

    def output(self) -> str:
        return "\n".join(f"--- {one.name}\n{one.output()}" for one in self.processes)

    def _start(self, name: str, http: int, *arguments: str) -> Process:
        made = Process(name=name, arguments=arguments, log=self.root / f"{name}.log", http=http)
        self.processes.append(made)
        made.start()
        return made

    def documents(self, port: int) -> None:
        """The documents of the feature tests, in the test's namespace, for a server on `port`."""
        version = docs.version(1).replace("port: 9001", f"port: {port}")
        gate = docs.gate().replace("port: 8080", f"port: {free_port()}")
        texts = [
            gate.replace("port: 8443", f"port: {self.https}"),
            docs.GRANT, docs.tls(), docs.signing_keys("corp"), docs.api_key("acme"),
            docs.MODEL, version, docs.POLICY.replace("{group: corp/staff}", "{anonymous: true}"), docs.ROUTE,
        ]  # fmt: skip
        for text in texts:
            for document in yaml.safe_load_all(text.replace("shop", TEAM)):
                if document is not None:
                    self.admin.apply(document).ok()


def _named(api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
    }


@pytest.fixture
def installed(apiserver: ControlPlane, admin: Api) -> Iterator[Installed]:
    with tempfile.TemporaryDirectory(prefix="gr-k-") as name:
        for namespace in (OURS, TEAM):
            admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        made = Installed(Path(name), apiserver, admin)
        try:
            yield made
        finally:
            for one in made.processes:
                if one.process is not None:
                    one.process.kill()
                    one.process.wait()


def test_a_gate_is_served_from_the_cluster(installed: Installed, apiserver: ControlPlane) -> None:
    with upping.backend() as server:
        installed.documents(server.server_port)
        controller = installed.controller()
        controller.until_ready()
        gate = installed.gate()
        gate.until_ready()
        with Load(installed.https, clients=1) as load:
            load.more(20)
            until(
                lambda: installed.condition("Gate", "public", "Programmed").get("status") == "True",
                f"the Gate's status\n{installed.output()}",
            )
            until(
                lambda: (
                    installed.condition("ModelVersion", "offers-1", "Served").get("status")
                    == "True"
                ),
                f"the version's status\n{installed.output()}",
            )
            status = installed.status("networking.k8s.io/v1", "Ingress", "offers")
            assert status == {"loadBalancer": {}}  # no Service of the gate: no address to tell

            apiserver.stop_apiserver()
            load.more(50)
            assert controller.is_ready()
            apiserver.start_apiserver()

            policy = yaml.safe_load(docs.POLICY.replace("shop", TEAM))
            policy["spec"]["allow"] = [{"name": "staff", "subjects": [{"group": "corp/staff"}]}]
            installed.admin.apply(policy).ok()
            load.more(5, status=401)
        assert set(load.answers) == {200, 401}

        installed.meet("192.0.2.7")
        address = {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}
        until(
            lambda: installed.status("networking.k8s.io/v1", "Ingress", "offers") == address,
            f"the Ingress's address\n{installed.output()}",
        )
        before = installed.version("networking.k8s.io/v1", "Ingress", "offers")
        assert controller.end() == 0
        controller = installed.controller()
        controller.until_ready()
        policy["spec"]["allow"] = [{"name": "others", "subjects": [{"group": "corp/others"}]}]
        changed = installed.admin.apply(policy).ok()["metadata"]["generation"]
        until(
            lambda: (
                installed.condition("AccessPolicy", "offers", "Accepted").get("observedGeneration")
                == changed
            ),
            f"the new leader's word\n{installed.output()}",
        )
        after = installed.version("networking.k8s.io/v1", "Ingress", "offers")
        assert after == before, "an address that comes again must not go"
        assert gate.end() == 0
        assert controller.end() == 0
