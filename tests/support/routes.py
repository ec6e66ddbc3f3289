"""Routes in tests: documents as short YAML, certificates, and which row answers a request."""

from __future__ import annotations

import re
import textwrap
from datetime import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gatereeve.compile import compiler
from gatereeve.compile.compiler import Compiled
from gatereeve.ir.routes import Forward, Refuse, Route, VirtualHost
from tests.support.clocks import VALID
from tests.support.grants import OPEN
from tests.support.worlds import world_of

GATE = """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: public}
spec:
  region: de
  https: {port: 8443}
  http: {port: 8080}
  tls: {defaultCertificate: {namespace: platform, name: default}}
"""

BARE_GATE = GATE.replace("  tls: {defaultCertificate: {namespace: platform, name: default}}\n", "")

EVERYTHING = f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: everything}}
spec: {{namespaceSelector: {{all: true}}, hosts: ["*"], {OPEN}}}
"""

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: NAME, namespace: NS}
spec: {owner: olga, purpose: test, riskClass: minimal, protocol: PROTOCOL}
---
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: NAME, namespace: NS}
spec: {models: [NAME], allow: [{subjects: [{anonymous: true}]}]}
"""

VERSION = """
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {name: NAME-V, namespace: NS}
spec:
  model: NAME
  version: "V"
  author: mia
  artifact: {digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}
  region: de
"""


def model(name: str = "credit", ns: str = "lending", protocol: str = "kserve-v2") -> str:
    return MODEL.replace("NAME", name).replace("NS", ns).replace("PROTOCOL", protocol)


def version(name: str, number: str, servers: str, ns: str = "lending") -> str:
    """servers: `endpoints: […]` or `backend: {…}`."""
    text = VERSION.replace("NAME", name).replace("NS", ns).replace("-V", f"-{number}")
    return text.replace('"V"', f'"{number}"') + f"  {servers}\n"


def at(address: str, port: int = 9000) -> str:
    return f'endpoints: [{{address: "{address}", port: {port}}}]'


def service(name: str, *addresses: str, ns: str = "shop", port: int = 8080, extra: str = "") -> str:
    """A Service with port 80 named http, and one slice of ready endpoints."""
    listed = ", ".join(f'{{addresses: ["{a}"]}}' for a in addresses)
    return textwrap.dedent(f"""
    apiVersion: v1
    kind: Service
    metadata: {{name: {name}, namespace: {ns}}}
    spec: {{ports: [{{name: http, port: 80, targetPort: {port}}}]{extra}}}
    ---
    apiVersion: discovery.k8s.io/v1
    kind: EndpointSlice
    metadata: {{name: {name}-1, namespace: {ns}, labels: {{kubernetes.io/service-name: {name}}}}}
    addressType: IPv4
    endpoints: [{listed}]
    ports: [{{name: http, port: {port}}}]
    """)


def to_service(name: str, port: str = "number: 80") -> str:
    return f"service: {{name: {name}, port: {{{port}}}}}"


def to_model(name: str = "credit") -> str:
    return f"resource: {{apiGroup: gatereeve.dev, kind: Model, name: {name}}}"


def ingress(
    name: str = "web",
    *paths: str,
    host: str | None = "shop.example",
    ns: str = "shop",
    more: str = "",
    meta: str = "",
) -> str:
    """paths: `Prefix / BACKEND`: type, path and backend, parted by blanks."""
    listed = []
    for text in paths:
        kind, path, backend = text.split(" ", 2)
        listed.append(f"{{pathType: {kind}, path: {path!r}, backend: {{{backend}}}}}")
    named = "" if host is None else f'host: "{host}", '
    rules = f"rules: [{{{named}http: {{paths: [{', '.join(listed)}]}}}}]" if paths else "rules: []"
    return textwrap.dedent(f"""
    apiVersion: networking.k8s.io/v1
    kind: Ingress
    metadata: {{name: {name}, namespace: {ns}{meta}}}
    spec: {{ingressClassName: gatereeve, {rules}{more}}}
    """)


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: main, namespace: platform}
spec:
  gatewayClassName: gatereeve
  listeners:
    - {name: https, port: 8443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}
    - {name: http, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}
"""


def http_route(
    *rules: str,
    name: str = "web",
    ns: str = "shop",
    hosts: str = "[shop.example]",
    parents: str = "[{name: main, namespace: platform}]",
) -> str:
    return textwrap.dedent(f"""
    apiVersion: gateway.networking.k8s.io/v1
    kind: HTTPRoute
    metadata: {{name: {name}, namespace: {ns}}}
    spec: {{parentRefs: {parents}, hostnames: {hosts}, rules: [{", ".join(rules)}]}}
    """)


def reference_grant(
    to: str, *, ns: str, from_kind: str = "HTTPRoute", from_ns: str = "shop"
) -> str:
    group, kind = to.split("/")
    return textwrap.dedent(f"""
    apiVersion: gateway.networking.k8s.io/v1beta1
    kind: ReferenceGrant
    metadata: {{name: {kind.lower()}-for-{from_ns}, namespace: {ns}}}
    spec:
      from: [{{group: gateway.networking.k8s.io, kind: {from_kind}, namespace: {from_ns}}}]
      to: [{{group: "{group}", kind: {kind}}}]
    """)


@cache
def key_and_certificate(
    names: tuple[str, ...],
    start: datetime = VALID.start,
    end: datetime = VALID.end,
    kind: str = "p256",
) -> tuple[str, str]:
    """(certificate, key) in PEM, self-signed."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind == "p256":
        key = ec.generate_private_key(ec.SECP256R1())
    elif kind == "k256":
        key = ec.generate_private_key(ec.SECP256K1())
    else:
        key = rsa.generate_private_key(public_exponent=65537, key_size=int(kind))
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(end)
    )
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(n) for n in names])
        builder = builder.add_extension(san, critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    return (
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def tls_secret(
    name: str = "default",
    ns: str = "platform",
    names: tuple[str, ...] = ("shop.example",),
    *,
    start: datetime = VALID.start,
    end: datetime = VALID.end,
    kind: str = "p256",
    secret_type: str = "kubernetes.io/tls",
    crt: str | None = None,
    key: str | None = None,
) -> str:
    made = key_and_certificate(names, start, end, kind)
    crt, key = made[0] if crt is None else crt, made[1] if key is None else key
    return "\n".join(
        [
            "apiVersion: v1",
            "kind: Secret",
            f"metadata: {{name: {name}, namespace: {ns}}}",
            f"type: {secret_type}",
            "stringData:",
            "  tls.crt: |",
            textwrap.indent(crt, "    "),
            "  tls.key: |",
            textwrap.indent(key, "    "),
        ]
    )


def compiled(*texts: str, gate: str = GATE, grant: str = EVERYTHING) -> Compiled:
    """The compilation of a gate with a default certificate, a grant for everybody, and `texts`."""
    world = world_of(gate, grant, tls_secret(), *texts)
    assert not world.findings, world.findings
    return compiler.compile(world)


def vhost(made: Compiled, host: str, protocol: str = "https") -> VirtualHost | None:
    (gate,) = made.ir.gates
    for listener in gate.listeners:
        if listener.protocol == protocol:
            return next((h for h in listener.hosts if h.host == host), None)
    return None


def rows(made: Compiled, host: str = "shop.example", protocol: str = "https") -> tuple[Route, ...]:
    found = vhost(made, host, protocol)
    return () if found is None else found.routes


def answer(  # the first row that fits decides
    routes: tuple[Route, ...],
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    body_model: str | None = None,
) -> Route | None:
    def fits(route: Route) -> bool:
        match = route.match
        value = match.path.value
        on_path = {
            "exact": path == value,
            "prefix": value == "/" or path == value or path.startswith(value + "/"),
            "regex": match.path.kind == "regex" and re.fullmatch(value, path) is not None,
        }[match.path.kind]
        return (
            on_path
            and (not match.methods or method in match.methods)
            and all(_holds(m.kind, m.value, (headers or {}).get(m.name)) for m in match.headers)
            and all(_holds(m.kind, m.value, (query or {}).get(m.name)) for m in match.query)
            and (match.body_model is None or body_model in match.body_model)
        )

    return next((route for route in routes if fits(route)), None)


def _holds(kind: str, wanted: str, value: str | None) -> bool:
    if value is None:
        return False
    return value == wanted if kind == "exact" else re.fullmatch(wanted, value) is not None


def to(route: Route | None) -> str:
    """Where a row leads, in short: `404`, clusters `a 90, b 10`, `refuse CODE`, `redirect 302`."""
    if route is None:
        return "404"
    if isinstance(route.action, Refuse):
        return f"refuse {route.action.code}"
    if isinstance(route.action, Forward):
        shares = route.action.shares
        if len(shares) == 1:
            return shares[0].cluster
        return ", ".join(f"{share.cluster or '-'} {share.weight}" for share in shares)
    return f"redirect {route.action.status}"


def found(made: Compiled, code: str) -> list[str]:
    """`Kind namespace/name path` of every finding with this code."""
    return [str(f.origin) for f in made.findings if f.code == code]
