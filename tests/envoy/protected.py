"""One gate with something to protect: models that only some may call, beside a public website.

`models.test` has the model `credit` (staff; mallory is denied) and the website under `/public`;
`vault.test` a model for anonymous callers from headquarters only; `chat.test` two models behind one
address, told apart by the body; `other.test` a model of another team that is open to everybody.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import yaml

from tests.support import gate as gates
from tests.support import keys
from tests.support.grants import OPEN_FIELDS

NAME = "g"
ISSUER = "https://corp.test"
API_KEY = "acme-0123456789abcdef"
SPIFFE = "spiffe://mesh.test/batch"
INFER = "/v2/models/credit/infer"
HOSTS = ("models.test", "vault.test", "chat.test", "other.test", "plain.test")
MODELS = ("credit", "vault", "chat", "secret", "other")
MAX_BODY = 65536


@dataclass(slots=True, kw_only=True)
class Scene:
    """A running gate and the servers behind it, by the name of what they serve."""

    gate: gates.Gate
    servers: Mapping[str, gates.Server]
    clients: keys.Authority = field(default_factory=lambda: keys.Authority("clients"))
    pair: keys.Pair = field(
        default_factory=lambda: keys.Authority("servers").issue(dns=(*HOSTS, "*.wild.test"))
    )

    def reached(self) -> dict[str, list[gates.Seen]]:
        """What the servers saw since the last call; those that saw nothing are left out."""
        return {name: seen for name, one in self.servers.items() if (seen := one.take())}

    async def ask(self, data: bytes, *, sni: str = "models.test", tls: bool = True) -> gates.Answer:
        """The first answer to these bytes, on a connection of their own."""
        async with self.gate.connect(gates.client_tls() if tls else None, sni=sni) as connection:
            await connection.send(data)
            return await connection.answer()

    async def ask_until_closed(
        self, data: bytes, *, sni: str = "models.test"
    ) -> list[gates.Answer]:
        """Every answer to these bytes until the gate closes the connection."""
        async with self.gate.connect(gates.client_tls(), sni=sni) as connection:
            await connection.send(data)
            return await connection.answers()

    def documents(self, **policies: object) -> str:
        """The folder. policies: another spec for the AccessPolicy of a model, None for none."""
        docs = [*self._gate(), *self._website()]
        for name, ns, protocol, spec in _MODELS:
            docs += self._model(name, ns, protocol)
            chosen = policies.get(name, spec)
            if chosen is not None:
                docs.append(_doc("AccessPolicy", name, ns, chosen))
        for host, ns, *names in _ROUTES:
            docs.append(_route(host, ns, *names))
        return yaml.safe_dump_all(docs, sort_keys=False)

    def _gate(self) -> list[object]:
        port = {"host": "127.0.0.1"}
        jwt = {"name": "corp", "issuer": ISSUER, "audiences": ["gate"]}
        secret = {"namespace": "platform"}
        spec = {
            "region": "de",
            "https": port | {"port": self.gate.https},
            "http": port | {"port": self.gate.http},
            "plainHttp": "refuse",
            "maxBodyBytes": MAX_BODY,
            "tls": {"defaultCertificate": secret | {"name": "tls"}},
            "identity": {
                "jwt": [jwt | {"jwks": {"inline": keys.jwks("corp")}}],
                "apiKeys": {
                    "name": "partners",
                    "keys": [{"id": "acme", "secret": secret | {"name": "acme"}}],
                },
                "mtls": {
                    "name": "mesh",
                    "ca": {"secret": secret | {"name": "ca"}},
                    "identities": [{"id": "batch", "uri": SPIFFE}],
                },
            },
            "attributes": {
                "region": [
                    {"header": {"name": "x-region", "from": ["10.9.0.0/16"]}},
                    {"cidrs": [{"region": "hq", "cidrs": ["10.1.0.0/16"]}]},
                ]
            },
        }
        grants = [
            _doc("HostGrant", ns, "", {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns}},
                "hosts": hosts,
                **OPEN_FIELDS,
            })
            for ns, hosts in (("team", [h for h in HOSTS if h != "other.test"]), ("else", ["other.test"]))
        ]  # fmt: skip
        tls = {"tls.crt": self.pair.certificate, "tls.key": self.pair.key}
        return [
            _doc("Gate", NAME, "", spec),
            *grants,
            _secret("tls", tls, "kubernetes.io/tls"),
            _secret("acme", {"key": API_KEY}),
            _secret("ca", {"ca.crt": self.clients.certificate}),
        ]

    def _model(self, name: str, ns: str, protocol: str) -> list[object]:
        spec = {"owner": "o", "purpose": "p", "riskClass": "minimal", "protocol": protocol}
        version = {
            "model": name, "version": "1", "author": "mia", "region": "de",
            "artifact": {"digest": "sha256:" + "0" * 64},
            "endpoints": [{"address": "127.0.0.1", "port": self.servers[name].port}],
        }  # fmt: skip
        return [_doc("Model", name, ns, spec), _doc("ModelVersion", f"{name}-1", ns, version)]

    def _website(self) -> list[object]:
        port = self.servers["web"].port
        service = {"ports": [{"name": "http", "port": 80, "targetPort": port}]}
        slices = _doc("EndpointSlice", "web-1", "team", None, "discovery.k8s.io/v1") | {
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": port}],
            "endpoints": [{"addresses": ["127.0.0.1"]}],
        }
        labels = {"kubernetes.io/service-name": "web"}
        slices["metadata"] = {"name": "web-1", "namespace": "team", "labels": labels}
        backend = {"service": {"name": "web", "port": {"name": "http"}}}
        return [
            _doc("Service", "web", "team", service, "v1"),
            slices,
            _ingress("www", "team", "models.test", "/public", backend),
            _ingress("plain", "team", "plain.test", "/", backend),
        ]


STAFF = {"models": ["credit"], "deny": [{"subjects": [{"principal": "corp/mallory"}]}],
         "allow": [{"subjects": [{"group": "corp/staff"}, {"provider": "partners"}, {"provider": "mesh"}]}]}  # fmt: skip

_MODELS: tuple[tuple[str, str, str, object], ...] = (
    ("credit", "team", "kserve-v2", STAFF),
    (
        "vault",
        "team",
        "json",
        {"models": ["vault"], "allow": [{"subjects": [{"anonymous": True}], "regions": ["hq"]}]},
    ),
    (
        "chat",
        "team",
        "openai",
        {"models": ["chat"], "allow": [{"subjects": [{"group": "corp/staff"}]}]},
    ),
    (
        "secret",
        "team",
        "openai",
        {"models": ["secret"], "allow": [{"subjects": [{"principal": "corp/ceo"}]}]},
    ),
    (
        "other",
        "else",
        "json",
        {"models": ["other"], "allow": [{"subjects": [{"anonymous": True}]}]},
    ),
)
_ROUTES = (
    ("models.test", "team", "credit"),
    ("vault.test", "team", "vault"),
    ("chat.test", "team", "chat"),
    ("chat.test", "team", "secret"),
    ("other.test", "else", "other"),
)


def _doc(
    kind: str, name: str, namespace: str, spec: object, version: str = "gatereeve.dev/v1alpha1"
) -> dict[str, object]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    made: dict[str, object] = {"apiVersion": version, "kind": kind, "metadata": metadata}
    return made if spec is None else made | {"spec": spec}


def _secret(name: str, data: Mapping[str, str], kind: str = "Opaque") -> dict[str, object]:
    return _doc("Secret", name, "platform", None, "v1") | {"type": kind, "stringData": dict(data)}


def _ingress(name: str, ns: str, host: str, path: str, backend: object) -> dict[str, object]:
    paths = [{"path": path, "pathType": "Prefix", "backend": backend}]
    spec = {
        "ingressClassName": "gatereeve",
        "rules": [{"host": host, "http": {"paths": paths}}],
    }
    return _doc("Ingress", name, ns, spec, "networking.k8s.io/v1")


def _route(host: str, ns: str, model: str) -> dict[str, object]:
    backend = {"resource": {"apiGroup": "gatereeve.dev", "kind": "Model", "name": model}}
    return _ingress(model, ns, host, "/", backend)


@contextlib.asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    """The gate, serving all of it."""
    async with contextlib.AsyncExitStack() as stack:
        servers = {
            name: await stack.enter_async_context(gates.serving(name)) for name in (*MODELS, "web")
        }
        running = await stack.enter_async_context(gates.running_gate(NAME))
        made = Scene(gate=running, servers=servers)
        compiled = await running.publish(made.documents())
        assert not [f for f in compiled.findings if f.severity == 3], compiled.findings
        yield made


def claims(user: str = "alice", **more: object) -> dict[str, object]:
    """The claims of a token that is valid now; None removes one."""
    now = int(time.time())
    found: dict[str, object] = {
        "iss": ISSUER, "aud": "gate", "sub": user, "iat": now, "exp": now + 3600,
        "groups": ["staff"],
    }  # fmt: skip
    return {key: value for key, value in (found | more).items() if value is not None}


def token(user: str = "alice", **more: object) -> str:
    return keys.token("corp", claims(user, **more))


def bearer(user: str = "alice", **more: object) -> str:
    return f"Bearer {token(user, **more)}"


def post(
    target: str,
    *headers: str,
    host: str = "models.test",
    body: bytes = b"{}",
    method: str = "POST",
) -> bytes:
    """A request as bytes; headers as they stand, after Host and Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


def chat(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
