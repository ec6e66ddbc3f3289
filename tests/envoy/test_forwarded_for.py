"""X-Forwarded-For on a real Envoy: backends see one address, the client's as the gate judged it."""

from __future__ import annotations

import pytest

from gatereeve.decide.reference import decide
from gatereeve.decide.request import Request
from tests.support import clocks
from tests.support import gate as gates
from tests.support.worlds import world_of

pytestmark = pytest.mark.envoy

DOCUMENTS = (
    """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: g}
spec: {region: de, trustedHops: HOPS, http: {host: 127.0.0.1, port: PORT}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: all}
spec: {namespaceSelector: {all: true}, hosts: ["*"]}
---
"""
    + gates.WEB
    + """---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: team}
spec: {gatewayClassName: gatereeve, listeners: [{name: http, port: PORT, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: team}
spec:
  parentRefs: [{name: gw}]
  rules:
    - matches: [{path: {value: /plain}}]
      backendRefs: [{name: web, port: 80}]
    - matches: [{path: {value: /written}}]
      filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: X-Forwarded-For, value: 192.0.2.1}]}
      backendRefs: [{name: web, port: 80}]
    - matches:
        - path: {value: /matched}
          headers: [{name: X-Forwarded-For, type: RegularExpression, value: "10[.]1[.]0[.]1.*"}]
      backendRefs: [{name: web, port: 80}]
"""
)

SENT: tuple[tuple[str, ...], ...] = (
    (),
    ("10.1.0.1",),
    ("10.1.0.1", "10.1.0.2"),
    ("10.1.0.1, 10.1.0.2, 10.1.0.3",),
    ("junk, 10.1.0.2",),
    ("",),
    ("127.0.0.1",),
)


def expected(sent: tuple[str, ...], hops: int) -> str:
    """The entry that the last trusted hop wrote; the peer where there is none, or no address."""
    entries = [part.strip() for value in sent if value for part in value.split(",")]
    if not hops or len(entries) < hops or entries[-hops] == "junk":
        return "127.0.0.1"
    return entries[-hops]


@pytest.mark.parametrize("hops", [0, 1, 2])
async def test_a_backend_sees_the_clients_address_and_nothing_that_the_client_wrote(
    hops: int,
) -> None:
    async with gates.serving("web") as web, gates.running_gate("g") as gate:
        documents = DOCUMENTS.replace("PORT", str(gate.http)).replace("SERVER", str(web.port))
        documents = documents.replace("HOPS", str(hops))
        made = await gate.publish(documents)
        assert world_of(documents).findings == ()
        for sent in SENT:
            for path in ("/plain", "/written", "/matched"):
                lines = "".join(f"X-Forwarded-For: {value}\r\n" for value in sent)
                async with gate.connect(None, sni="a.test", port=gate.http) as connection:
                    await connection.send(
                        f"GET {path} HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n".encode()
                    )
                    answer = await connection.answer()
                request = Request(
                    host="a.test", scheme="http", path=path, peer="127.0.0.1",
                    headers=tuple(("X-Forwarded-For", value) for value in sent),
                )  # fmt: skip
                decided = decide(made.ir.gates[0], request, now=clocks.now())
                assert (answer.status, answer.code) == (decided.status, decided.code), (sent, path)
                seen = [one.values("x-forwarded-for") for one in web.take()]
                assert seen == ([[expected(sent, hops)]] if answer.status == 200 else [])
