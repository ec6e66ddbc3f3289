"""Hosts that are withdrawn: each has documents of its own, and one of the ways in `WAYS` ends it.

A host `h7.test` has a grant, a model, a version, a policy, a route, and what its way needs: an
approval, an API key, a client certificate, an issuer. `Folder` holds the text of every file;
`withdraw` changes what the way of a host says, `restore` puts it back.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

from gatereeve.api import parse
from tests.envoy.protected import ISSUER
from tests.support import keys
from tests.support.grants import OPEN_FIELDS

GATE = "g"
NAMESPACE = "team"
_API = "gatereeve.dev/v1alpha1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """gone: files (by prefix) that go. spoils: files that say something else (see `Folder`)."""

    gone: tuple[str, ...] = ()
    spoils: tuple[str, ...] = ()


WAYS = {
    "grant": Way(gone=("grant",)),
    "route": Way(gone=("route",)),
    "policy": Way(gone=("policy",)),
    "deny": Way(spoils=("policy",)),
    "model": Way(gone=("model",)),
    "version": Way(gone=("version",)),
    "approval": Way(gone=("approval",)),
    "signing-key": Way(spoils=("gate",)),
    "issuer": Way(spoils=("gate",)),
    "secret": Way(gone=("apikey",)),
    "secret-changed": Way(spoils=("apikey",)),
    "api-key": Way(spoils=("gate",)),
    "client-name": Way(spoils=("gate",)),
    "certificate": Way(gone=("tls",)),
    "region": Way(spoils=("gate",)),
}
"""Every way but the authority of client certificates and the Gate itself, which end all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One host and how it is withdrawn."""

    number: int
    way: str

    @property
    def name(self) -> str:
        return f"h{self.number}.test"

    @property
    def uri(self) -> str:
        """The name in its client certificate."""
        return f"spiffe://mesh.test/c{self.number}"

    @property
    def api_key(self) -> str:
        return f"key-{self.number:032d}"

    @property
    def issuer(self) -> str:
        return f"p{self.number}" if self.way in ("signing-key", "issuer") else "corp"

    @property
    def by_certificate(self) -> bool:
        return self.way == "client-name"

    @property
    def by_api_key(self) -> bool:
        return self.way in ("secret", "secret-changed", "api-key")

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The credentials of its caller."""
        if self.by_api_key:
            return (("x-api-key", self.api_key),)
        if self.by_certificate:
            return ()
        now = int(time.time())
        claims = {
            "iss": f"{ISSUER}/{self.issuer}", "aud": "gate", "sub": "alice", "iat": now,
            "exp": now + 36000, "groups": ["staff"],
        }  # fmt: skip
        return (("authorization", f"Bearer {keys.token(self.issuer, claims)}"),)


@dataclass(slots=True, kw_only=True)
class Folder:
    """The files as parsed documents, by name. spoiled: hosts whose way is in force.

    authority: signs client certificates; another one withdraws all of those. no_gate: the Gate is
    gone.
    """

    hosts: tuple[Host, ...]
    https: int
    server: int
    authority: keys.Authority = field(default_factory=lambda: keys.Authority("clients"))
    spoiled: set[int] = field(default_factory=set)
    no_gate: bool = False
    _pair: keys.Pair = field(
        default_factory=lambda: keys.Authority("servers").issue(dns=("*.test",))
    )
    _parsed: dict[str, tuple[str, parse.Parsed]] = field(default_factory=dict)

    def parsed(self) -> list[parse.Parsed]:
        """All files there are now; those that say the same are the same values."""
        found: dict[str, str] = {} if self.no_gate else {"gate": self._gate()}
        for host in self.hosts:
            way = WAYS[host.way] if host.number in self.spoiled else Way()
            for kind, text in self._files(host, spoiled="policy" in way.spoils).items():
                if kind not in way.gone:
                    found[f"{kind}{host.number}"] = text
            if "apikey" in way.spoils:
                found[f"apikey{host.number}"] = _secret(f"k{host.number}", {"key": "x" * 40})
        found["tls"] = _secret("tls", self._tls(), "kubernetes.io/tls")
        found["ca"] = _secret("ca", {"ca.crt": self.authority.certificate})
        for name, text in found.items():
            if name not in self._parsed or self._parsed[name][0] != text:
                self._parsed[name] = text, parse.parse_text(text, f"{name}.yaml")
        return [self._parsed[name][1] for name in found]

    def _of(self, *ways: str) -> list[Host]:
        return [host for host in self.hosts if host.way in ways]

    def _tls(self) -> dict[str, str]:
        return {"tls.crt": self._pair.certificate, "tls.key": self._pair.key}

    def _gate(self) -> str:
        issuers = [self._issuer("corp", "corp")]
        for host in self._of("signing-key", "issuer"):
            if host.number not in self.spoiled:
                issuers.append(self._issuer(host.issuer, host.issuer))
            elif host.way == "signing-key":
                issuers.append(self._issuer(host.issuer, "another"))
        api_keys = [
            {"id": f"k{h.number}", "secret": {"namespace": NAMESPACE, "name": f"k{h.number}"}}
            for h in self._of("secret", "secret-changed", "api-key")
            if not (h.way == "api-key" and h.number in self.spoiled)
        ]
        names = [
            {"id": f"c{host.number}", "uri": host.uri}
            for host in self._of("client-name")
            if host.number not in self.spoiled
        ]
        moved = any(host.number in self.spoiled for host in self._of("region"))
        here = {"region": "lab", "cidrs": ["10.9.0.0/16" if moved else "127.0.0.0/8"]}
        identity: dict[str, object] = {
            "jwt": issuers,
            "apiKeys": {"name": "partners", "keys": api_keys},
            "mtls": {
                "name": "mesh",
                "ca": {"secret": {"namespace": NAMESPACE, "name": "ca"}},
                "identities": names or [{"id": "other", "uri": "spiffe://mesh.test/other"}],
            },
        }
        if not api_keys:
            del identity["apiKeys"]
        spec = {
            "region": "de",
            "https": {"host": "127.0.0.1", "port": self.https},
            "identity": identity,
            "attributes": {"region": [{"cidrs": [here]}]},
        }
        return _doc("Gate", GATE, "", spec)

    def _issuer(self, name: str, signed_by: str) -> dict[str, object]:
        return {
            "name": name, "issuer": f"{ISSUER}/{name}", "audiences": ["gate"],
            "jwks": {"inline": keys.jwks(signed_by)},
        }  # fmt: skip

    def _files(self, host: Host, *, spoiled: bool) -> dict[str, str]:
        name = f"m{host.number}"
        risk = "limited" if host.way == "approval" else "minimal"
        model = {"owner": "o", "purpose": "p", "riskClass": risk, "protocol": "json"}
        version = {
            "model": name, "version": "1", "author": "mia", "region": "de",
            "artifact": {"digest": "sha256:" + "0" * 64},
            "endpoints": [{"address": "127.0.0.1", "port": self.server}],
        }  # fmt: skip
        labels = {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}
        found = {
            "grant": _doc("HostGrant", name, "", {"namespaceSelector": labels, "hosts": [host.name], **OPEN_FIELDS}),
            "model": _doc("Model", name, NAMESPACE, model),
            "version": _doc("ModelVersion", name, NAMESPACE, version),
            "policy": _doc("AccessPolicy", name, NAMESPACE, _policy(host, denied=spoiled)),
            "route": _route(host, name),
        }  # fmt: skip
        if host.way == "approval":
            found["approval"] = _approval(name, found["version"])
        if host.by_api_key:
            found["apikey"] = _secret(f"k{host.number}", {"key": host.api_key})
        if host.way == "certificate":
            found["tls"] = _secret(f"tls{host.number}", self._tls(), "kubernetes.io/tls")
        return found


def _policy(host: Host, *, denied: bool) -> dict[str, object]:
    subject: dict[str, str] = {"group": f"{host.issuer}/staff"}
    if host.by_api_key:
        subject = {"provider": "partners"}
    elif host.by_certificate:
        subject = {"provider": "mesh"}
    allow: dict[str, object] = {"subjects": [subject]}
    if host.way == "region":
        allow["regions"] = ["lab"]
    spec: dict[str, object] = {"models": [f"m{host.number}"], "allow": [allow]}
    if denied:
        spec["deny"] = [{"subjects": [{"provider": "corp"}]}]
    return spec


def _approval(name: str, version: str) -> str:
    (part,) = parse.parse_text(version, "version.yaml").parts
    (document,) = part.docs
    spec = {
        "subject": {"name": name, "digest": document.digest}, "role": "owner",
        "decision": "approve", "approver": "olga", "reason": "looked at it",
    }  # fmt: skip
    return _doc("Approval", name, NAMESPACE, spec)


def _route(host: Host, name: str) -> str:
    backend = {"resource": {"apiGroup": "gatereeve.dev", "kind": "Model", "name": name}}
    secret = f"tls{host.number}" if host.way == "certificate" else "tls"
    spec = {
        "ingressClassName": "gatereeve",
        "tls": [{"hosts": [host.name], "secretName": secret}],
        "rules": [{
            "host": host.name,
            "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]},
        }],
    }  # fmt: skip
    return _doc("Ingress", name, NAMESPACE, spec, "networking.k8s.io/v1")


def _doc(kind: str, name: str, namespace: str, spec: object, version: str = _API) -> str:
    """One document; JSON is YAML."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})


def _secret(name: str, data: dict[str, str], kind: str = "Opaque") -> str:
    made = {"apiVersion": "v1", "kind": "Secret", "type": kind, "stringData": data}
    return json.dumps(made | {"metadata": {"name": name, "namespace": NAMESPACE}})
