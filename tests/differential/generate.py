"""Generated folders and requests for the differential test: small, strange, and mostly valid.

Everything is drawn through hypothesis, so that a failure shrinks to a small folder and request.
The documents use two hosts, one wildcard, every protocol, every identity method and every source of
attributes; the requests aim at what is there, and a little beside it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

from gatereeve.compile.request import ClientCertificate, Request
from tests.support import keys

HOSTS = ("a.example", "b.example", "*.w.example")
CALLED = ("a.example", "b.example", "x.w.example", "x.y.w.example", "w.example", "c.example")
REGIONS = ("de", "fr", "us")
PURPOSES = ("lending", "marketing")
GROUPS = ("corp/beta", "corp/staff", "partners/gold", "mesh/batch")
PROTOCOLS = ("kserve-v2", "openai", "json", "kserve-v1")
OPERATIONS = ("infer", "stream", "embeddings", "metadata", "health")
NAMESPACE = "team"
API_KEYS = {"acme": "acme-0123456789abcdef", "globex": "globex-0123456789abcde"}
SPIFFE = "spiffe://mesh/batch"


@cache
def authority() -> keys.Authority:
    return keys.Authority("client CA")


@cache
def server_authority() -> keys.Authority:
    return keys.Authority("server CA")


@cache
def server_pair() -> keys.Pair:
    return server_authority().issue(dns=("a.example", "b.example", "*.w.example", "c.example"))


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gate listens and where the versions' servers are."""

    https: int
    http: int
    servers: tuple[int, ...]


def _doc(
    kind: str, name: str, spec: object, *, namespace: str | None = NAMESPACE, **more: Any
) -> dict[str, Any]:
    group = more.pop("group", "gatereeve.dev/v1alpha1")
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return (
        {"apiVersion": group, "kind": kind, "metadata": metadata}
        | ({"spec": spec} if spec is not None else {})
        | more
    )


def gate(ports: Ports, draw: st.DrawFn) -> list[dict[str, Any]]:
    """The Gate with its Secrets and grants; region and purpose sources vary."""
    sources: list[dict[str, Any]] = [
        {"claim": {"provider": "corp", "claim": "country"}},
        {"header": {"name": "x-region", "from": ["127.0.0.0/24"]}},
        {
            "cidrs": [
                {"region": "de", "cidrs": ["127.0.0.0/16"]},
                {"region": "us", "cidrs": ["127.0.2.0/24"]},
            ]
        },
    ]
    purpose: list[dict[str, Any]] = [
        {"claim": {"provider": "corp", "claim": "purpose"}},
        {"header": {"name": "x-purpose", "from": ["127.0.0.0/8"]}},
    ]
    spec = {
        "region": "de",
        "https": {"host": "127.0.0.1", "port": ports.https},
        "http": {"host": "127.0.0.1", "port": ports.http},
        "plainHttp": draw(st.sampled_from(["redirect", "refuse"])),
        "tls": {"defaultCertificate": {"namespace": NAMESPACE, "name": "tls"}},
        "regionGroups": [{"name": "eu", "regions": ["de", "fr"]}],
        "identity": {
            "jwt": [
                {"name": "corp", "issuer": "https://corp.example", "audiences": ["gate"],
                 "jwks": {"inline": keys.jwks("corp")}},
            ],
            "apiKeys": {"name": "partners", "keys": [
                {"id": name, "groups": ["gold"] if name == "acme" else [],
                 "secret": {"namespace": NAMESPACE, "name": f"key-{name}"}} for name in API_KEYS]},
            "mtls": {"name": "mesh", "ca": {"secret": {"namespace": NAMESPACE, "name": "ca"}},
                     "identities": [{"id": "batch", "uri": SPIFFE, "groups": ["batch"]}]},
        },
        "attributes": {
            "region": draw(st.permutations(sources)) if draw(st.booleans()) else sources,
            "purpose": purpose,
        },
    }  # fmt: skip
    secrets = [
        _doc("Secret", f"key-{name}", None, group="v1", stringData={"key": value})
        for name, value in API_KEYS.items()
    ]
    secrets.append(
        _doc("Secret", "tls", None, group="v1", type="kubernetes.io/tls",
             stringData={"tls.crt": server_pair().certificate, "tls.key": server_pair().key})
    )  # fmt: skip
    secrets.append(
        _doc("Secret", "ca", None, group="v1", stringData={"ca.crt": authority().certificate})
    )
    grant = {"namespaceSelector": {"all": True}, "hosts": ["*"]}
    return [
        _doc("Gate", "g", spec, namespace=None),
        _doc("HostGrant", "all", grant, namespace=None),
        *secrets,
    ]


SUBJECTS = st.sampled_from(
    [
        {"principal": "corp/alice"},
        {"principal": "corp/bob"},
        {"principal": "partners/acme"},
        {"principal": "mesh/batch"},
        {"provider": "corp"},
        {"provider": "partners"},
        {"anonymous": True},
        *({"group": g} for g in GROUPS),
    ]
)


@st.composite
def rule(draw: st.DrawFn, *, deny: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not deny or draw(st.booleans()):
        found["subjects"] = draw(st.lists(SUBJECTS, min_size=1, max_size=3))
    if draw(st.integers(0, 3)) == 0:
        found["regions"] = draw(st.lists(st.sampled_from((*REGIONS, "eu")), min_size=1, max_size=2))
    if draw(st.integers(0, 3)) == 0:
        found["purposes"] = [draw(st.sampled_from(PURPOSES))]
    if draw(st.integers(0, 3)) == 0:
        found["operations"] = draw(st.lists(st.sampled_from(OPERATIONS), min_size=1, max_size=2))
    if deny and not found:
        found["purposes"] = ["marketing"]
    return found


@st.composite
def folder(draw: st.DrawFn, ports: Ports) -> str:
    """A folder as one YAML text."""
    docs = gate(ports, draw)
    names = draw(st.sampled_from([("m0",), ("m0", "m1")]))
    for index, name in enumerate(names):
        docs += _model(draw, name, ports.servers[index * 2 : index * 2 + 2])
    docs += _routes(draw, names)
    docs += _plain_service(ports.servers[-1])
    return yaml.safe_dump_all(docs, sort_keys=False)


def _model(draw: st.DrawFn, name: str, servers: tuple[int, ...]) -> list[dict[str, Any]]:
    protocol = draw(st.sampled_from(PROTOCOLS))
    residency = draw(
        st.sampled_from(
            [
                [],
                [],
                [{"from": ["eu"], "process": ["eu"]}],
                [{"from": ["eu"], "process": ["eu"]}, {"from": ["*"], "process": ["us", "eu"]}],
            ]
        )
    )
    spec = {
        "owner": "o", "purpose": "p", "protocol": protocol, "residency": residency,
        "riskClass": draw(st.sampled_from(["minimal", "minimal", "minimal", "limited", "prohibited"])),
        "audit": draw(st.sampled_from(["recorded", "recorded", "recorded", "strict"])),
        "fields": [{"name": "subject", "location": "request-header", "path": "x-subject-id", "role": "subject"}],
    }  # fmt: skip
    docs = [_doc("Model", name, spec)]
    versions = draw(st.sampled_from([("1",), ("1", "2")]))
    for position, version in enumerate(versions):
        docs.append(
            _doc("ModelVersion", f"{name}-{version}", {
                "model": name, "version": version, "author": "mia",
                "artifact": {"digest": "sha256:" + "0" * 64},
                "region": draw(st.sampled_from(["de", "us"])),
                "endpoints": [{"address": "127.0.0.1", "port": servers[position]}],
            })
        )  # fmt: skip
    for number in range(draw(st.integers(0, 2))):
        docs.append(
            _doc("AccessPolicy", f"{name}-{number}", {
                "models": [name],
                "mode": draw(st.sampled_from(["enforce", "enforce", "enforce", "shadow"])),
                "deny": draw(st.lists(rule(deny=True), max_size=1)),
                "allow": draw(st.lists(rule(deny=False), min_size=1, max_size=3)),
            })
        )  # fmt: skip
    if len(versions) > 1 and draw(st.integers(0, 3)):
        docs.append(_doc("Rollout", name, _rollout(draw, name)))
    return docs


def _rollout(draw: st.DrawFn, name: str) -> dict[str, Any]:
    weight = draw(st.sampled_from([0, 1000, 5000, 10000]))
    spec: dict[str, Any] = {
        "model": name,
        "split": [{"version": "1", "weight": 10000 - weight}, {"version": "2", "weight": weight}],
        "stickyBy": {"attribute": draw(st.sampled_from(["principal", "subject"]))},
    }
    match = draw(
        st.sampled_from(
            [
                None,
                {"groups": ["corp/beta"], "version": "2"},
                {"regions": ["eu"], "version": "2"},
                {"headers": {"x-canary": "yes"}, "version": "2"},
                {"groups": ["partners/gold", "mesh/batch"], "regions": ["de"], "version": "2"},
            ]
        )
    )
    if match:
        spec["match"] = [match]
    if draw(st.booleans()):
        spec["fallback"] = "1"
    return spec


def _routes(draw: st.DrawFn, names: tuple[str, ...]) -> list[dict[str, Any]]:
    docs: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        path = draw(st.sampled_from(["/", "/", "/lending", "/v2", "/v1"]))
        host = draw(st.sampled_from(HOSTS))
        backend = {"resource": {"apiGroup": "gatereeve.dev", "kind": "Model", "name": name}}
        rules = [
            {
                "host": host,
                "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend}]},
            }
        ]
        docs.append(
            _doc("Ingress", f"r{number}", {"ingressClassName": "gatereeve", "rules": rules},
                 group="networking.k8s.io/v1")
        )  # fmt: skip
    if draw(st.booleans()):
        host = draw(st.sampled_from(HOSTS))
        service = {"service": {"name": "plain", "port": {"number": 80}}}
        kind = draw(st.sampled_from(["Exact", "Prefix"]))
        paths = [
            {
                "path": draw(st.sampled_from(["/plain", "/v2", "/"])),
                "pathType": kind,
                "backend": service,
            }
        ]
        docs.append(
            _doc("Ingress", "plain", {"ingressClassName": "gatereeve", "rules": [
                {"host": host, "http": {"paths": paths}}]}, group="networking.k8s.io/v1")
        )  # fmt: skip
    return docs


def _plain_service(port: int) -> list[dict[str, Any]]:
    slices = _doc("EndpointSlice", "plain-1", None, group="discovery.k8s.io/v1", addressType="IPv4",
                  ports=[{"name": "", "port": port}],
                  endpoints=[{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}])  # fmt: skip
    slices["metadata"]["labels"] = {"kubernetes.io/service-name": "plain"}
    return [
        _doc("Service", "plain", {"ports": [{"port": 80, "targetPort": port}]}, group="v1"),
        slices,
    ]


def _claims(user: str, **more: object) -> dict[str, object]:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": "https://corp.example", "aud": "gate", "sub": user, "iat": now, "exp": now + 3600,
        "groups": ["beta", "staff"] if user == "alice" else "staff",
    }  # fmt: skip
    return {k: v for k, v in (claims | more).items() if v is not None}


@cache
def tokens() -> tuple[str, ...]:
    """Good tokens first, then every kind of bad one."""
    now = int(time.time())
    good = [
        keys.token("corp", _claims("alice", country="de")),
        keys.token("corp", _claims("alice", country="US", purpose="lending")),
        keys.token("corp", _claims("bob", country="fr", purpose="Marketing")),
        keys.token("corp", _claims("bob")),
        keys.token("corp", _claims("carol", groups=None)),
    ]
    bad = [
        keys.token("corp", _claims("alice", exp=now - 3600)),
        keys.token("corp", _claims("alice", exp=None)),
        keys.token("corp", _claims("alice", aud="other")),
        keys.token("corp", _claims("alice", iss="https://other.example")),
        keys.token("corp", _claims("alice", nbf=now + 3600)),
        keys.token("stranger", _claims("alice"), kid="corp"),
        keys.token("corp", _claims("alice"), alg="none"),
        "not.a.token",
        "garbage",
    ]
    return (*good, *bad)


PATHS = (
    "/v2/models/m0/infer", "/v2/models/m0/versions/1/infer", "/v2/models/m0/versions/2/infer",
    "/v2/models/m0/versions/9/infer", "/v2/models/m0/ready", "/v2/models/m0", "/v2/health/live",
    "/v2/models/m1/infer", "/v2/models/other/infer", "/v2/repository/index", "/v2",
    "/lending/v2/models/m0/infer", "/lending/v1/chat/completions", "/lending/x", "/lending",
    "/v1/chat/completions", "/v1/embeddings", "/v1/models/m0", "/v1/models/m0:predict", "/v1/models",
    "/plain", "/plain/x", "/plainx", "/", "/anything/else",
    "/v2/models/m0/infer?x=1", "/V2/models/m0/infer", "/v2//models/m0/infer", "/x/../v2/models/m0/infer",
    "/v2/models/m0/infer;x=1", "/v2/models/m0%2finfer", "/v2/models/m0/%69nfer", "/v2/models/m0/infer/",
    "/./v2/models/m0/infer", "/v2/models/m0/infer%00", "/v2\\models\\m0\\infer",
)  # fmt: skip

BODIES = tuple(
    json.dumps(b).encode()
    for b in (
        {"model": "m0"}, {"model": "m0", "stream": True}, {"model": "m1", "stream": False},
        {"model": "other"}, {"model": 3}, {"stream": True}, [], {"model": "m0", "stream": "true"},
        {"inputs": []},
    )
) + (b"", b"{", b'{"model":"m1","model":"m0"}', b'{"model":"m0"} trailing')  # fmt: skip

HEADERS = st.lists(
    st.sampled_from(
        [
            ("x-region", "us"), ("x-region", "DE"), ("x-purpose", "lending"), ("x-purpose", "marketing"),
            ("x-canary", "yes"), ("x-canary", "no"), ("x-model-version", "1"), ("x-model-version", "2"),
            ("x-model-version", "7"), ("x-forwarded-for", "127.0.2.9"), ("x-gatereeve-sni", "b.example"),
            ("x-envoy-original-path", "/plain"), ("x-original-url", "/plain"), ("x_region", "us"),
        ]
    ),
    max_size=3,
    unique_by=lambda h: h[0],
)  # fmt: skip


@st.composite
def request(draw: st.DrawFn) -> Request:
    """One request; half of them aim at a model with something that looks right."""
    scheme = "http" if draw(st.integers(0, 9)) == 0 else "https"
    host = draw(st.sampled_from(CALLED))
    headers = list(draw(HEADERS))
    who = draw(st.integers(0, 9))
    certificate = None
    if who <= 4:
        good = draw(st.integers(0, 3))
        chosen = tokens()[: 5 if good else None]
        headers.append(("authorization", "Bearer " + draw(st.sampled_from(chosen))))
    if who in (4, 5, 6):
        value = draw(st.sampled_from((*API_KEYS.values(), "wrong-key-0123456789")))
        headers.append(("x-api-key", value))
    if who in (6, 7) and scheme == "https":
        uri = draw(st.sampled_from((SPIFFE, SPIFFE, "spiffe://mesh/unknown")))
        certificate = ClientCertificate(uris=(uri,))
    if draw(st.booleans()):
        headers.append(("x-subject-id", f"s{draw(st.integers(0, 30))}"))
    body = draw(st.sampled_from(BODIES))
    if draw(st.integers(0, 5)):
        headers.append(("content-type", "application/json"))
    method = draw(st.sampled_from(["POST", "POST", "POST", "GET", "DELETE", "PUT"]))
    return Request(
        scheme=scheme,  # type: ignore[arg-type]  # one of the two
        host=host,
        method=method,
        path=draw(st.sampled_from(PATHS)),
        headers=tuple(headers),
        body=b"" if method == "GET" else body,
        peer=draw(st.sampled_from(["127.0.0.1", "127.0.1.1", "127.0.2.1"])),
        sni=host if scheme == "https" else None,
        certificate=certificate,
    )
