"""The documents that are attacked: a platform, and namespaces with a model each.

One function per document and one place for what the platform grants (`grant`). A folder is a
mapping of file name to bytes; one document stands in each file, so that breaking a file breaks one
document. Addresses of 10.0.0.0/8 name the servers (`servers`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from gatereeve.api.governance import HostGrantSpec
from tests.support import keys

Document = dict[str, Any]
Folder = dict[str, bytes]

OURS = "gatereeve.dev/v1alpha1"
ISSUER = "https://corp.test"
API_KEYS = {"acme": "acme-0123456789abcdef", "globex": "globex-0123456789abcd"}
DOMAIN = "attacks.test"
REGION_HEADER, PURPOSE_HEADER = "x-region", "x-purpose"
WEB = "10.30.0.1"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gate listens, and the two ports on which every server answers."""

    http: int
    https: int
    server: int
    node: int


def document(
    kind: str, name: str, namespace: str = "", spec: object = None, version: str = OURS, **more: Any
) -> Document:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    made: Document = {"apiVersion": version, "kind": kind, "metadata": metadata}
    return made | ({} if spec is None else {"spec": spec}) | more


def text(*documents: Document) -> bytes:
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def host(name: str) -> str:
    return f"{name}.{DOMAIN}"


def grant(
    name: str,
    namespace: str,
    hosts: Iterable[str],
    *,
    services: Sequence[str] = (),
    addresses: Sequence[tuple[str, Sequence[int]]] = (),
) -> Document:
    """What the platform grants to a namespace.

    services: those that may be reached as they are; none of them leaves models only.
    addresses: (CIDR, ports) that may be named without a selector.
    """
    spec: dict[str, Any] = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "hosts": list(hosts),
    }
    known = HostGrantSpec.model_fields
    if "backends" in known and services:
        spec["backends"] = {"services": [{"name": name} for name in services]}
    if "addresses" in known and addresses:
        spec["addresses"] = [{"cidr": c, "ports": list(p)} for c, p in addresses]
    return document("HostGrant", name, "", spec)


def gate(ports: Ports, *, jwks: str | None = None) -> Document:
    own = {"host": "127.0.0.1"}
    trusted = ["127.0.0.0/8"]
    spec = {
        "region": "de",
        "https": own | {"port": ports.https},
        "http": own | {"port": ports.http},
        "plainHttp": "refuse",
        "tls": {"defaultCertificate": {"namespace": "platform", "name": "tls"}},
        "identity": {
            "jwt": [
                {"name": "corp", "issuer": ISSUER, "audiences": ["gate"],
                 "jwks": {"inline": keys.jwks("corp") if jwks is None else jwks}},
            ],
            "apiKeys": {
                "name": "partners",
                "keys": [
                    {"id": name, "secret": {"namespace": "platform", "name": name}} for name in API_KEYS
                ],
            },
        },
        "attributes": {
            "region": [{"header": {"name": REGION_HEADER, "from": trusted}}],
            "purpose": [{"header": {"name": PURPOSE_HEADER, "from": trusted}}],
        },
    }  # fmt: skip
    return document("Gate", "g", "", spec)


@cache
def _pair() -> keys.Pair:
    return keys.Authority("servers").issue(dns=(f"*.{DOMAIN}",))


def secrets() -> list[Document]:
    tls = {"tls.crt": _pair().certificate, "tls.key": _pair().key}
    return [
        document("Secret", "tls", "platform", None, "v1", type="kubernetes.io/tls", stringData=tls),
        *(
            document("Secret", n, "platform", None, "v1", type="Opaque", stringData={"key": k})
            for n, k in API_KEYS.items()
        ),
    ]


def model(name: str, ns: str, protocol: str = "json", **more: Any) -> Document:
    spec = {"owner": "o", "purpose": "p", "riskClass": "minimal", "protocol": protocol}
    return document("Model", name, ns, spec | more)


def version(name: str, ns: str, number: str = "1", **where: Any) -> Document:
    """where: `backend={…}` or `endpoints=[…]`."""
    spec = {
        "model": name, "version": number, "author": "mia", "region": "de",
        "artifact": {"digest": "sha256:" + "0" * 64}, **where,
    }  # fmt: skip
    return document("ModelVersion", f"{name}-{number}", ns, spec)


def policy(name: str, ns: str, model: str, **rules: Any) -> Document:
    return document("AccessPolicy", name, ns, {"models": [model], **rules})


def service(name: str, ns: str, port: int, **spec: Any) -> Document:
    ports = [{"name": "http", "port": 80, "targetPort": port}]
    return document("Service", name, ns, {"ports": ports} | spec, "v1")


def slices(service: str, ns: str, address: str, port: int, family: str = "IPv4") -> Document:
    made = document("EndpointSlice", f"{service}-1", ns, None, "discovery.k8s.io/v1")
    made["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    return made | {
        "addressType": family,
        "ports": [{"name": "http", "port": port}],
        "endpoints": [{"addresses": [address]}],
    }


def to_model(name: str) -> Document:
    return {"resource": {"apiGroup": "gatereeve.dev", "kind": "Model", "name": name}}


def to_service(name: str) -> Document:
    return {"service": {"name": name, "port": {"name": "http"}}}


def ingress(
    name: str, ns: str, host: str, backend: Document, path: str = "/", kind: str = "Prefix"
) -> Document:
    paths = [{"path": path, "pathType": kind, "backend": backend}]
    spec = {"ingressClassName": "gatereeve", "rules": [{"host": host, "http": {"paths": paths}}]}
    return document("Ingress", name, ns, spec, "networking.k8s.io/v1")


def platform(ports: Ports) -> Folder:
    """What every folder begins with: the gate, its secrets, and an ordinary website at WEB."""
    return {
        "gate.yaml": text(gate(ports)),
        "secrets.yaml": text(*secrets()),
        "web.yaml": text(
            grant("web", "web", [host("web")], services=["web"], addresses=[(f"{WEB}/32", [ports.server])]),
            service("web", "web", ports.server),
            slices("web", "web", WEB, ports.server),
            ingress("web", "web", host("web"), to_service("web")),
        ),
    }  # fmt: skip


def canary(number: int) -> bytes:
    """An ordinary host that comes with a change: once it is served, the change was read."""
    name = host(f"canary-{number}")
    return text(
        grant("canary", "web", [name], services=["web"]),
        ingress("canary", "web", name, to_service("web")),
    )


def claims(user: str, **more: object) -> dict[str, object]:
    """Of a token that is valid now; None removes one."""
    now = int(time.time())
    found: dict[str, object] = {
        "iss": ISSUER, "aud": "gate", "sub": user, "iat": now, "exp": now + 7200, "groups": ["staff"],
    }  # fmt: skip
    return {key: value for key, value in (found | more).items() if value is not None}


@cache
def bearer(user: str) -> str:
    return f"Authorization: Bearer {keys.token('corp', claims(user))}"


def key(name: str) -> str:
    return f"X-Api-Key: {API_KEYS[name]}"


def as_json(folder: Mapping[str, bytes]) -> str:
    return json.dumps({name: data[:4000].decode("latin-1") for name, data in folder.items()})
