"""The 25 scenarios of Ingress conformance on a real Kubernetes, with real pods behind a real gate.

Documents and expectations are those of `tests.conformance.test_ingress`, where the reference decision
answers them; here clients ask the gate's load balancer and pods tell what they got.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import conformance, governed, own_image, tools, waiting
from tests.cluster.cluster import Cluster
from tests.cluster.governed import NAMESPACE, Installed
from tests.conformance import test_ingress as scenarios
from tests.conformance.test_ingress import CLASS, DEFAULT, HOSTS, LOAD, PATHS, Fixture
from tests.support.routes import tls_secret

pytestmark = pytest.mark.cluster

SPACE = "test"
VALUES = {**conformance.VALUES, "classes": {"name": "conformance"}}
TLS = tls_secret("conformance-tls", SPACE, ("foo.bar.com",))

BACKENDS = sorted({name for one in (DEFAULT, HOSTS, CLASS, PATHS) for name in one.backends})

SERVER = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: SERVICE, namespace: test}
spec:
  replicas: 1
  selector: {matchLabels: {app: SERVICE}}
  template:
    metadata: {labels: {app: SERVICE}}
    spec:
      containers:
        - name: echo
          image: gatereeve.test/echo:1
          imagePullPolicy: IfNotPresent
          env:
            - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
          readinessProbe: {tcpSocket: {port: 3000}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: SERVICE, namespace: test}
spec: {selector: {app: SERVICE}, ports: [{name: http, port: 8080, targetPort: 3000}]}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client got. seen: what the pod that answered tells of the request, {} when none did."""

    status: int
    headers: http.client.HTTPMessage
    seen: dict[str, Any]

    @property
    def service(self) -> str | None:
        """The Deployment of the pod that answered."""
        pod = self.seen.get("pod")
        return str(pod).rsplit("-", 2)[0] if pod else None


class Gate:
    """The gate as its callers meet it."""

    def __init__(self, ours: Installed) -> None:
        self.ours = ours
        self.cluster = ours.cluster

    def ask(self, url: str, method: str = "GET") -> Answer:
        """Over a connection of its own; a host that no name server knows is fine."""
        scheme, _, rest = url.partition("://")
        host, slash, rest = rest.partition("/")
        port = 443 if scheme == "https" else 80
        plain = socket.create_connection((self.ours.address, port), timeout=10)
        connection = http.client.HTTPConnection(host)
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection.sock = context.wrap_socket(plain, server_hostname=host)
        else:
            connection.sock = plain
        try:
            headers = {"user-agent": "conformance/1"}
            connection.request(method, slash + rest or "/", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        try:
            seen = json.loads(body)
        except ValueError:
            seen = {}
        return Answer(
            status=answer.status, headers=answer.headers, seen=seen if "pod" in seen else {}
        )

    @contextmanager
    def serving(self, fixture: Fixture) -> Iterator[None]:
        """The Ingress is there, and shows its address."""
        text = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {fixture.name}, namespace: {SPACE}, annotations: {{{fixture.annotation}}}}}
spec: {{{fixture.spec}}}
"""
        given = f"{text}\n---\n{TLS}"
        self.cluster.kubectl("apply", "--server-side", "-f", "-", given=given)
        try:
            waiting.until(
                lambda: self.address_of(fixture) == self.ours.address, f"{fixture.name} is met"
            )
            yield
        finally:
            self.cluster.kubectl("delete", "ingress", fixture.name, "-n", SPACE)
            waiting.until(lambda: self.ask("http://anybody/").status == 404, "it is gone")

    def address_of(self, fixture: Fixture) -> str:
        return self.ours.get(
            "ingress", fixture.name, "{.status.loadBalancer.ingress[0].ip}", SPACE
        )  # fmt: skip

    def wrong(self, url: str, service: str | None, method: str = "GET") -> str:
        """What is wrong with the answer, "" when it is as expected. service None: the gate's 404."""
        found = self.ask(url, method)
        wanted = (404, None) if service is None else (200, service)
        if (found.status, found.service) == wanted:
            return ""
        return f"{method} {url}: {found.status} from {found.service}, not {wanted}"


@pytest.fixture(scope="module")
def gate(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    if not own_image.ARCHIVE.exists():
        pytest.skip("our image is not built: `make image`")
    tools.path("helm")
    values: Path = tmp_path_factory.mktemp("ingress") / "values.yaml"
    ours = Installed(cluster=cluster, values=values)
    try:
        conformance.install(ours, VALUES)
        cluster.kubectl("create", "namespace", SPACE)
        servers = "\n---\n".join(SERVER.replace("SERVICE", name) for name in BACKENDS)
        cluster.kubectl("apply", "--server-side", "-f", "-", given=servers)
        for name in BACKENDS:
            cluster.rollout(f"deployment/{name}", namespace=SPACE)
        yield Gate(ours)
    finally:
        governed.remove(cluster, SPACE, NAMESPACE)


def test_01_and_09_a_default_backend_and_its_ten_pods(gate: Gate) -> None:
    with gate.serving(DEFAULT):
        soon(gate, "http://my-host/", "echo-service")
        for method, url in (
            ("GET", "http://my-host/"),
            ("GET", "http://my-host/sub-path"),
            ("POST", "http://some-host/"),
            ("PUT", f"http://{gate.ours.address}/resource"),
            ("DELETE", "http://some-host/resource"),
            ("PATCH", "http://my-host/resource"),
        ):
            found = gate.ask(url, method)
            assert (found.status, found.service) == (200, "echo-service"), (method, url)
            assert not {"content-length", "content-type", "date", "server"} - {
                name.lower() for name in found.headers
            }
            path = "/" + url.split("/", 3)[3]
            assert (found.seen["method"], found.seen["path"]) == (method, path)
            assert found.seen["proto"] == "HTTP/1.1"
            assert found.seen["headers"]["User-Agent"] == ["conformance/1"]
        gate.cluster.kubectl("scale", "-n", SPACE, "deployment/echo-service", "--replicas=10")
        gate.cluster.rollout("deployment/echo-service", namespace=SPACE)

        def pods() -> set[str]:
            answers = [gate.ask("http://load-balancing/") for _ in range(100)]
            assert {one.status for one in answers} == {200}
            return {str(one.seen["pod"]) for one in answers}

        waiting.until(lambda: len(pods()) == 10, "ten pods answer")
        gate.cluster.kubectl("scale", "-n", SPACE, "deployment/echo-service", "--replicas=1")
    assert LOAD.spec == DEFAULT.spec


def test_02_to_07_hosts(gate: Gate) -> None:
    with gate.serving(HOSTS):
        soon(gate, "https://foo.bar.com/", "foo-bar-com")
        wrong = [
            gate.wrong(url, service)
            for url, service in (
                ("https://foo.bar.com/", "foo-bar-com"),
                ("http://foo.bar.com/", "foo-bar-com"),
                ("http://subdomain.bar.com/", None),
                ("http://bar.foo.com/", "wildcard-foo-com"),
                ("http://baz.bar.foo.com/", None),
                ("http://foo.com/", None),
            )
        ]
        assert [one for one in wrong if one] == []
        assert gate.ask("http://bar.foo.com/").seen["host"] == "bar.foo.com"
        context = ssl.create_default_context(cadata=certificate(TLS))
        with (
            socket.create_connection((gate.ours.address, 443), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="foo.bar.com") as secure,
        ):
            assert secure.getpeercert(), "the certificate verifies the name"


def test_08_an_invalid_class_is_left_alone(gate: Gate) -> None:
    text = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {CLASS.name}, namespace: {SPACE}}}
spec: {{{CLASS.spec}}}
"""
    gate.cluster.kubectl("apply", "--server-side", "-f", "-", given=text)
    with gate.serving(PATHS):  # one that came later has its address by now
        assert gate.address_of(CLASS) == ""
        assert gate.ask("http://ingress-class/").status == 404
    gate.cluster.kubectl("delete", "ingress", CLASS.name, "-n", SPACE)


def test_10_to_25_paths(gate: Gate) -> None:
    marks = scenarios.test_10_to_25_paths.pytestmark  # type: ignore[attr-defined]  # the same table
    (cases,) = [mark.args[1] for mark in marks if mark.name == "parametrize"]
    assert [number for number, _, _ in cases] == list(range(10, 26))
    with gate.serving(PATHS):
        soon(gate, "http://exact-path-rules/foo", "foo-exact")
        wrong = {number: gate.wrong(f"http://{url}", service) for number, url, service in cases}
        assert {number: said for number, said in wrong.items() if said} == {}


def soon(gate: Gate, url: str, service: str) -> None:
    """The first answer as expected: from then on nothing may be wrong."""
    waiting.until(
        lambda: not gate.wrong(url, service),
        f"{url} is answered",
        seen=lambda: gate.wrong(url, service),
    )


def certificate(secret: str) -> str:
    """That of a Secret, which signed itself."""
    return str(yaml.safe_load(secret)["stringData"]["tls.crt"])
