"""Generated documents: a Gate, and any number of models with everything that belongs to one.

Each model has a host of its own and six documents: Model, ModelVersion, AccessPolicy, HTTPRoute
(even numbers) or Ingress (odd ones), Service and EndpointSlice. Pure: texts by file name, nothing
drawn at random, so two runs compile the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from gatereeve.api import parse
from gatereeve.api.world import World
from gatereeve.sources.store import assemble

NAMESPACE = "bench"
ISSUER = "https://id.bench.example"
AUDIENCE = "bench-models"
PROBE = "probe"
"""The principal (of provider `corp`) that benchmarks call as."""

MODELS_PER_FOLDER = 100
_LIMITS = "{requests: {count: 1000000, seconds: 1}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSetup:
    """What a running gate needs. Without one (compile only) the defaults stand in.

    certificate, key: PEM of the server. jwks: of the identity provider. api_key: of partner `acme`.
    backend: port on 127.0.0.1 of the servers that are asked. Ports: where the gate listens.
    """

    https: int = 8443
    certificate: str = ""
    key: str = ""
    jwks: str = ""
    api_key: str = "not-a-secret-0123456789abcdef0123456789"
    backend: int = 9000


def host_of(index: int) -> str:
    return f"model-{index:05d}.bench.example"


def protocol_of(index: int) -> str:
    return "kserve-v2" if index % 2 == 0 else "openai"


def port_of(index: int, setup: GateSetup) -> int:
    """The port of the model's server. No request is sent to OpenAI models, which have unequal policies
    and so need a server each."""
    return setup.backend if protocol_of(index) == "kserve-v2" else 10_000 + index % 20_000


def policy_file(index: int) -> str:
    """The file with the AccessPolicy of one model."""
    return f"{folder_of(index)}/model-{index:05d}.yaml"


def folder_of(index: int) -> str:
    return f"models/{index // MODELS_PER_FOLDER:03d}"


def folder(models: int, setup: GateSetup | None = None) -> dict[str, str]:
    """Texts by path relative to the folder: `gate.yaml`, and one file per model."""
    setup = setup or GateSetup()
    texts = {"gate.yaml": gate_text(setup)}
    for index in range(models):
        texts[policy_file(index)] = model_text(index, setup)
    return texts


def world(texts: Mapping[str, str], at: datetime) -> World:
    """The World of `texts`, read as a source would read them."""
    parsed = (parse.parse_text(text, name) for name, text in texts.items())
    return assemble(parsed, at=at)


def model_text(index: int, setup: GateSetup, *, denied: bool = False, rules: int = 3) -> str:
    """All documents of one model. denied, rules: as in `policy_text`."""
    policy = policy_text(index, denied=denied, rules=rules)
    return "---\n".join((*_model_documents(index, setup), policy))


def policy_text(index: int, *, denied: bool = False, rules: int = 3) -> str:
    """One AccessPolicy of `rules` allow rules, at least two; only the last of them admits PROBE.

    Both rules that benchmarks meet have a limit, which is counted and never reached.
    denied: a deny rule stands before them that refuses PROBE.
    """
    deny = f"  deny:\n    - name: out\n      subjects: [{{principal: corp/{PROBE}}}]\n"
    return (
        "apiVersion: gatereeve.dev/v1alpha1\n"
        "kind: AccessPolicy\n"
        f"metadata: {{name: {name_of(index)}, namespace: {NAMESPACE}}}\n"
        "spec:\n"
        f"  models: [{name_of(index)}]\n"
        f"{deny if denied else ''}"
        "  allow:\n" + "".join(_allow_rules(index, rules))
    )


def _allow_rules(index: int, rules: int) -> Iterator[str]:
    for number in range(2, rules):
        yield (
            f"    - name: group-{number}\n"
            f"      subjects: [{{group: corp/group-{number}}}]\n"
            "      regions: [eu]\n"
            f"      purposes: [purpose-{number}]\n"
            "      operations: [infer]\n"
        )
    yield (
        "    - name: partners\n"
        "      subjects: [{provider: partners}]\n"
        "      operations: [infer, stream]\n"
        f"      limits: {_LIMITS}\n"
    )
    yield (
        "    - name: people\n"
        f"      subjects: [{{principal: corp/{PROBE}}}, {{group: corp/team-{index % 50}}}]\n"
        "      regions: [eu]\n"
        f"      limits: {_LIMITS}\n"
    )


def gate_text(setup: GateSetup) -> str:
    """The Gate with JWT and API keys, the namespace, its grant, the Gateway and the Secrets."""
    jwks = setup.jwks.strip() or json.dumps({"keys": [_SOME_KEY]})
    return f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}, labels: {{bench: "yes"}}}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {{name: bench}}
spec:
  namespaceSelector: {{matchLabels: {{bench: "yes"}}}}
  hosts: ["*.bench.example"]
  backends: {{selector: {{all: true}}}}
  addresses: [{{cidr: 10.0.0.0/8}}, {{cidr: 127.0.0.0/8}}]
---
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {{name: bench}}
spec:
  region: de
  https: {{host: 127.0.0.1, port: {setup.https}}}
  tls: {{defaultCertificate: {{namespace: {NAMESPACE}, name: server}}}}
  identity:
    jwt:
      - name: corp
        issuer: {ISSUER}
        audiences: [{AUDIENCE}]
        jwks: {{inline: {json.dumps(jwks)}}}
        claims: {{id: sub, groups: groups}}
    apiKeys:
      name: partners
      header: x-api-key
      keys:
        - {{id: acme, secret: {{namespace: {NAMESPACE}, name: partner-acme}}}}
  attributes:
    region:
      - claim: {{provider: corp, claim: country}}
      - cidrs: [{{region: de, cidrs: [127.0.0.0/8]}}]
    purpose:
      - claim: {{provider: corp, claim: purpose}}
  regionGroups:
    - {{name: eu, regions: [de, fr, it, nl]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: bench, namespace: {NAMESPACE}}}
spec:
  gatewayClassName: gatereeve
  listeners:
    - name: https
      hostname: "*.bench.example"
      port: {setup.https}
      protocol: HTTPS
      tls: {{certificateRefs: [{{name: server}}]}}
---
{_secret("partner-acme", "Opaque", {"key": setup.api_key})}\
---
{_secret("server", "kubernetes.io/tls", {"tls.crt": setup.certificate, "tls.key": setup.key})}\
"""


def _secret(name: str, kind: str, values: Mapping[str, str]) -> str:
    lines = [f"  {key}: {json.dumps(value)}\n" for key, value in values.items()]
    return (
        f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n"
        f"type: {kind}\nstringData:\n{''.join(lines)}"
    )


def name_of(index: int) -> str:
    return f"model-{index:05d}"


def _model_documents(index: int, setup: GateSetup) -> Iterator[str]:
    name = name_of(index)
    meta = f"metadata: {{name: {name}, namespace: {NAMESPACE}}}"
    served = f"  servedName: {name}\n" if protocol_of(index) == "openai" else ""
    yield (
        f"apiVersion: gatereeve.dev/v1alpha1\nkind: Model\n{meta}\nspec:\n"
        f"  owner: owner-{index % 97}\n  purpose: Answers the benchmark.\n  riskClass: minimal\n"
        f"  protocol: {protocol_of(index)}\n{served}"
    )
    yield (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: ModelVersion\n"
        f"metadata: {{name: {name}-v1, namespace: {NAMESPACE}}}\nspec:\n"
        f"  model: {name}\n  version: v1\n  author: author-{index % 89}\n"
        f"  artifact: {{digest: 'sha256:{index:064x}'}}\n  region: de\n"
        f"  backend: {{service: {name}, port: http}}\n"
    )
    yield (
        f"apiVersion: v1\nkind: Service\n{meta}\n"
        f"spec: {{ports: [{{name: http, port: 80, targetPort: {port_of(index, setup)}}}]}}\n"
    )
    yield (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        f"metadata: {{name: {name}-1, namespace: {NAMESPACE},"
        f" labels: {{kubernetes.io/service-name: {name}}}}}\n"
        "addressType: IPv4\n"
        "endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}]\n"
        f"ports: [{{name: http, port: {port_of(index, setup)}}}]\n"
    )
    yield _http_route(index, meta) if index % 2 == 0 else _ingress(index, meta)


def _http_route(index: int, meta: str) -> str:
    return (
        f"apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n{meta}\nspec:\n"
        f"  parentRefs: [{{name: bench}}]\n  hostnames: [{host_of(index)}]\n  rules:\n"
        "    - matches: [{path: {type: PathPrefix, value: /v2}}]\n"
        f"      backendRefs: [{{group: gatereeve.dev, kind: Model, name: {name_of(index)}}}]\n"
    )


def _ingress(index: int, meta: str) -> str:
    resource = f"{{apiGroup: gatereeve.dev, kind: Model, name: {name_of(index)}}}"
    return (
        f"apiVersion: networking.k8s.io/v1\nkind: Ingress\n{meta}\nspec:\n"
        "  ingressClassName: gatereeve\n"
        f"  tls: [{{hosts: [{host_of(index)}], secretName: server}}]\n"
        f"  rules:\n    - host: {host_of(index)}\n      http:\n        paths:\n"
        f"          - {{path: /, pathType: Prefix, backend: {{resource: {resource}}}}}\n"
    )


_SOME_KEY = {
    # The public key of RFC 7517, appendix A.1, so that compiling alone needs no key of its own.
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "use": "sig",
    "kid": "bench-1",
    "alg": "ES256",
}
