"""Gatereeve installed by its chart on the cluster of the harness, one governed model, and a load on it."""

from __future__ import annotations

import collections
import contextlib
import http.client
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import yaml

from tests.cluster import own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.features import documents as docs

CHART = Path(__file__).parent.parent.parent / "deploy" / "chart" / "gatereeve"
NAMESPACE = "gatereeve-system"
RELEASE = "gatereeve"
SHOP = "shop"
READY_S = 240.0

VALUES = {
    "image": {"repository": "gatereeve.test/gatereeve", "tag": "dev"},
    "gates": [
        {
            "name": "public",
            "concurrency": 1,
            "drain": {"leastSeconds": 5, "longestSeconds": 30},
            # Room for four of them, and for those that replace them, on a small machine.
            "resources": {"requests": {"cpu": "50m", "memory": "256Mi"}},
            "recorder": {"resources": {"requests": {"cpu": "10m", "memory": "96Mi"}}},
            "document": {
                "region": "de",
                "https": {"port": 8443, "publicPort": 443},
                "http": {"port": 8080, "publicPort": 80},
                "tls": {"defaultCertificate": {"namespace": SHOP, "name": "tls"}},
                "identity": {
                    "apiKeys": {
                        "name": "partners",
                        "keys": [
                            {"id": "acme", "secret": {"namespace": SHOP, "name": "acme"}},
                            {"id": "guest", "secret": {"namespace": SHOP, "name": "guest"}},
                        ],
                    }
                },
            },
        }
    ],
    "networkPolicies": {
        "models": [{"namespace": SHOP, "podSelector": {"matchLabels": {"app": "offers-v1"}}}]
    },
}

SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: offers-v1, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: offers-v1}}
  template:
    metadata: {labels: {app: offers-v1}}
    spec:
      terminationGracePeriodSeconds: 10
      automountServiceAccountToken: false
      containers:
        - name: model
          image: gatereeve.test/model-standin:1
          imagePullPolicy: IfNotPresent
          env: [{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
          ports: [{name: http, containerPort: 8080}]
          readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: offers-v1, namespace: shop}
spec: {selector: {app: offers-v1}, ports: [{name: http, port: 80, targetPort: http}]}
"""


def documents() -> str:
    """The documents of the feature tests, for a Service behind the version and a partner's key."""
    version = yaml.safe_load(docs.version(1))
    del version["spec"]["endpoints"]
    version["spec"]["backend"] = {"service": "offers-v1", "port": "http"}
    texts = [
        docs.GRANT, docs.tls(), docs.api_key("acme"), docs.api_key("guest"), docs.MODEL,
        yaml.safe_dump(version), policy(), docs.ROUTE, SERVER,
    ]  # fmt: skip
    return "\n---\n".join(texts)


def policy() -> str:
    """Who may call: acme, and nobody else."""
    return docs.POLICY.replace("{group: corp/staff}", "{principal: partners/acme}")


KEY, GUEST = "acme-0123456789abcdef0", "guest-0123456789abcdef0"
"""Keys of a partner who may call, and of one who may not."""


@dataclass(kw_only=True)
class Installed:
    """One release on a cluster. address: of the gate."""

    cluster: Cluster
    values: Path
    address: str = field(default="", init=False)

    def helm(self, *arguments: str) -> str:
        command = [str(tools.path("helm")), f"--kubeconfig={self.cluster.kubeconfig}", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self) -> None:
        """By the chart, in a namespace of restricted pods; ready when this returns."""
        self.values.write_text(yaml.safe_dump(VALUES))
        self.cluster.load_image(own_image.ARCHIVE)
        for name, label in ((NAMESPACE, "enforce=restricted"), (SHOP, "enforce=baseline")):
            self.cluster.kubectl("create", "namespace", name)
            key = f"pod-security.kubernetes.io/{label}"
            self.cluster.kubectl("label", "namespace", name, key)
        self.upgrade("--install")
        self.cluster.kubectl("apply", "--server-side", "-f", "-", given=documents())
        for what in ("controllers", "gate-public"):
            self.cluster.rollout(f"deployment/gatereeve-{what}", namespace=NAMESPACE)
        self.cluster.rollout("deployment/offers-v1", namespace=SHOP)
        self.find_address()

    def find_address(self) -> None:
        """Where the load balancer is met."""
        path = "{.status.loadBalancer.ingress[0].ip}"
        self.address = waiting.until(
            lambda: self.get("service", "gatereeve-gate-public", path), "the gate has an address"
        )

    def upgrade(self, *more: str) -> None:
        self.helm(
            "upgrade", RELEASE, str(CHART), "--namespace", NAMESPACE, "--values", str(self.values),
            *more,
        )  # fmt: skip

    def uninstall(self) -> None:
        self.helm("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait")

    def get(self, kind: str, name: str, path: str, namespace: str = NAMESPACE) -> str:
        found = self.cluster.kubectl(
            "get", kind, name, "--namespace", namespace, "--output", f"jsonpath={path}", check=False
        )
        return found.stdout

    def condition(self, kind: str, name: str, of: str, namespace: str = SHOP) -> str:
        path = f'{{.status.conditions[?(@.type=="{of}")].status}}'
        return self.get(kind, name, path, namespace)

    def ask(self, *, key: str | None = KEY) -> int:
        """The status of one request over a connection of its own."""
        connection = self.connect()
        try:
            return _ask(connection, key)
        finally:
            connection.close()

    def connect(self, *, timeout: float = 30) -> http.client.HTTPConnection:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection((self.address, 443), timeout=timeout)
        connection = http.client.HTTPConnection(docs.HOST)
        connection.sock = context.wrap_socket(plain, server_hostname=docs.HOST)
        return connection


def _ask(connection: http.client.HTTPConnection, key: str | None) -> int:
    headers = {"host": docs.HOST} | ({"x-api-key": key} if key else {})
    connection.request("POST", "/", b"{}", headers)
    answer = connection.getresponse()
    answer.read()
    if answer.will_close:
        connection.close()
    return answer.status


class Load:
    """Requests without pause on kept connections until the context ends; every answer is counted.

    A connection that the gate closed, as it said it would, is opened anew; nothing is asked twice.
    """

    def __init__(self, installed: Installed, *, clients: int = 2) -> None:
        self.answers: collections.Counter[int | str] = collections.Counter()
        self._installed = installed
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def more(self, number: int = 50) -> None:
        goal = self.answers[200] + number
        waiting.until(
            lambda: self.answers[200] >= goal, f"{number} more answers", seen=lambda: self.answers
        )

    def _run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self._stop.is_set():
            try:
                connection = connection or self._installed.connect()
                self.answers[_ask(connection, KEY)] += 1
                if connection.sock is None:
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.answers[f"{type(error).__name__}: {error}"] += 1
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()


def remove(cluster: Cluster, *namespaces: str) -> None:
    """What a release leaves in a cluster, its namespaces and kinds with it."""
    cluster.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--wait=true")
    for kind in ("clusterrole", "clusterrolebinding", "ingressclass", "gatewayclass"):
        cluster.kubectl(
            "delete", kind, "--selector", f"app.kubernetes.io/instance={RELEASE}",
            "--ignore-not-found", check=False,
        )  # fmt: skip
    crds = cluster.kubectl("get", "crd", "--output=name").stdout.split()
    ours = [name for name in crds if name.endswith(".gatereeve.dev")]
    if ours:
        cluster.kubectl("delete", *ours)


@contextlib.contextmanager
def installed(cluster: Cluster, values: Path) -> Iterator[Installed]:
    """A release, and nothing of it afterwards."""
    made = Installed(cluster=cluster, values=values)
    try:
        made.install()
        yield made
    finally:
        remove(cluster, SHOP, NAMESPACE)
