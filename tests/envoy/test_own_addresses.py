"""Gateways with addresses of their own on a real Envoy: each shows its own routes, over TLS too, and
one that goes takes nobody else's port with it."""

from __future__ import annotations

import contextlib
import os
import socket

import pytest

from gatereeve.compile.routes.listener_sets import GATE_LABEL, service_name
from tests.support import gate as gates
from tests.support.routes import tls_secret

pytestmark = pytest.mark.envoy

GATE = (
    """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: g}
spec:
  region: de
  http: {host: 127.0.0.1, port: HTTP}
  gateways: {namespace: gatereeve, firstPort: 10000, ports: 10000}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: all}
spec: {namespaceSelector: {all: true}, hosts: ["*"], backends: {selector: {all: true}}, addresses: [{cidr: 127.0.0.0/8}, {cidr: 10.0.0.0/8}, {cidr: 192.0.2.0/24}]}
---
"""
    + gates.WEB
)


def gateway(name: str, listeners: str, ports: dict[int, int]) -> str:
    given = ", ".join(f"{{port: {port}, targetPort: {target}}}" for port, target in ports.items())
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}, namespace: team}}
spec: {{gatewayClassName: gatereeve, listeners: [{listeners}]}}
---
apiVersion: v1
kind: Service
metadata:
  name: {service_name("g", ("team", name))}
  namespace: gatereeve
  labels: {{{GATE_LABEL}: g}}
spec: {{ports: [{given}]}}
"""


def route(name: str, parents: str, path: str) -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}, namespace: team}}
spec:
  parentRefs: [{parents}]
  rules: [{{matches: [{{path: {{value: {path}}}}}], backendRefs: [{{name: web, port: 80}}]}}]
"""


HTTP = "{name: http, port: 80, protocol: HTTP}"
HTTPS = "{name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}"


def given_port() -> int:
    """A free port of the range that is given out; those of `free_port` lie above it."""
    for port in range(10000 + os.getpid() % 5000, 20000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            if port not in GIVEN:
                probe.bind(("127.0.0.1", port))
                GIVEN.add(port)
                return port
    raise RuntimeError("no port is free")


GIVEN: set[int] = set()


async def get(gate: gates.Gate, port: int, path: str, *, secure: bool = False) -> gates.Answer:
    tls = gates.client_tls() if secure else None
    async with gate.connect(tls, sni="shop.example", port=port) as connection:
        await connection.send(f"GET {path} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
        return await connection.answer()


async def test_each_gateway_shows_its_own_routes() -> None:
    first, second, secure = (given_port() for _ in range(3))
    async with gates.serving("web") as web, gates.running_gate("g") as gate:
        fixed = (
            GATE.replace("HTTP", str(gate.http), 1).replace("SERVER", str(web.port)),
            tls_secret("cert", "team", ("shop.example",)),
            gateway("one", f"{HTTP}, {HTTPS}", {80: first, 443: secure}),
            route("one", "{name: one}", "/one"),
            route("both", "{name: one}, {name: two}", "/both"),
        )
        two = (gateway("two", HTTP, {80: second}), route("two", "{name: two}", "/two"))
        await gate.publish(*fixed, *two)
        asked = [(port, path) for port in (first, second) for path in ("/one", "/two", "/both")]
        answers = [(await get(gate, port, path)).status for port, path in asked]
        assert answers == [200, 404, 200, 404, 200, 200]
        assert (await get(gate, secure, "/one", secure=True)).server == "web"
        assert (await get(gate, secure, "/two", secure=True)).code == "unknown-path"
        assert (await get(gate, gate.http, "/both")).code == "unknown-host"

        await gate.publish(*fixed)  # the second goes
        assert (await get(gate, first, "/both")).server == "web"


async def test_a_redirect_names_the_port_that_callers_use() -> None:
    port = given_port()
    async with gates.serving("web") as web, gates.running_gate("g") as gate:
        await gate.publish(
            GATE.replace("HTTP", str(gate.http), 1).replace("SERVER", str(web.port)),
            gateway("one", HTTP, {80: port}),
            """
            apiVersion: gateway.networking.k8s.io/v1
            kind: HTTPRoute
            metadata: {name: away, namespace: team}
            spec:
              parentRefs: [{name: one}]
              rules:
                - filters: [{type: RequestRedirect, requestRedirect: {hostname: example.org}}]
            """,
        )
        answer = await get(gate, port, "/here")
        assert (answer.status, answer.header("location")) == (302, "http://example.org/here")
