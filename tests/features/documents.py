"""The documents that feature tests begin with: one governed model, one ordinary service.

Each text is one file of the folder. Tests replace, add and remove whole files or lines in them.
"""

from __future__ import annotations

from functools import cache

from tests.support import keys
from tests.support.grants import OPEN

HOST = "offers.example"
DIGEST = "sha256:" + "0" * 64

GRANT = f"""
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: shop}}
spec: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}, hosts: ["*.example"], {OPEN}}}
"""

MODEL = """
apiVersion: gatereeve.dev/v1alpha1
kind: Model
metadata: {name: offers, namespace: shop}
spec: {owner: shop-team, purpose: offers, riskClass: minimal, protocol: json}
"""

POLICY = """
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: offers, namespace: shop}
spec:
  models: [offers]
  allow:
    - {name: staff, subjects: [{group: corp/staff}]}
"""

ROUTE = """
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: offers, namespace: shop}
spec:
  ingressClassName: gatereeve
  rules:
    - host: offers.example
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {resource: {apiGroup: gatereeve.dev, kind: Model, name: offers}}
"""

WEB = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80, targetPort: 8000}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: gatereeve
  rules:
    - host: web.example
      http:
        paths:
          - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
"""


def version(number: int, **more: str) -> str:
    """A ModelVersion of `offers`, with a server of its own."""
    extra = "".join(f"  {name}: {value}\n" for name, value in more.items())
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: ModelVersion
metadata: {{name: offers-{number}, namespace: shop}}
spec:
  model: offers
  version: "{number}"
  author: mia
  artifact: {{digest: "{DIGEST}"}}
  region: de
  endpoints: [{{address: 127.0.0.1, port: {9000 + number}}}]
{extra}"""


def slices(*addresses: str) -> str:
    """The addresses of the Service `web`."""
    endpoints = ", ".join(f"{{addresses: [{a}], conditions: {{ready: true}}}}" for a in addresses)
    return f"""
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8000}}]
endpoints: [{endpoints}]
"""


def gate(*, keys_of_partners: tuple[str, ...] = ("acme",), more: str = "") -> str:
    """The Gate. keys_of_partners: Secrets with API keys; more: further lines of its spec."""
    api_keys = "".join(
        f"        - {{id: {name}, secret: {{namespace: shop, name: {name}}}}}\n"
        for name in keys_of_partners
    )
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {{name: public}}
spec:
  region: de
  http: {{port: 8080}}
  https: {{port: 8443}}
  tls: {{defaultCertificate: {{namespace: shop, name: tls}}}}
  identity:
    jwt:
      - name: corp
        issuer: https://corp.example
        audiences: [gate]
        jwks: {{source: {{secret: {{namespace: shop, name: corp}}, key: jwks}}}}
    apiKeys:
      name: partners
      keys:
{api_keys}{more}"""


def secret(name: str, value: str, *, key: str = "key") -> str:
    return f"""
apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: shop}}
stringData: {{{key}: '{value}'}}
"""


def signing_keys(issuer: str) -> str:
    """The Secret with the key set of the provider `corp`."""
    return secret("corp", keys.jwks(issuer), key="jwks")


def api_key(name: str, number: int = 0) -> str:
    """The Secret with the API key of a partner."""
    return secret(name, f"{name}-0123456789abcdef{number}")


@cache
def _authority() -> keys.Authority:
    return keys.Authority("features")


@cache
def pair(issue: int = 0, *names: str) -> keys.Pair:
    """A certificate for `names`; another `issue`, another key."""
    assert issue >= 0
    return _authority().issue(dns=names or ("*.example",))


def tls(issue: int = 0, *names: str, secret: str = "tls") -> str:
    """A TLS Secret."""
    made = pair(issue, *names)
    chain, key = (text.replace("\n", "\n    ").rstrip() for text in (made.certificate, made.key))
    return f"""
apiVersion: v1
kind: Secret
metadata: {{name: {secret}, namespace: shop}}
type: kubernetes.io/tls
stringData:
  tls.crt: |
    {chain}
  tls.key: |
    {key}
"""


def base() -> dict[str, str]:
    """The folder, by file."""
    return {
        "gate": gate(),
        "grant": GRANT,
        "tls": tls(),
        "corp": signing_keys("corp"),
        "acme": api_key("acme"),
        "model": MODEL,
        "version1": version(1),
        "policy": POLICY,
        "route": ROUTE,
        "web": WEB,
        "slices": slices("10.1.0.5"),
    }
