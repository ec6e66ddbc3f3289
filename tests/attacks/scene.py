"""The folder that requests attack: it stands still while thousands of them come.

rules    a model whose rules read purpose, region, subject, requested version and a match
paths    /public is a model for everybody, /admin beside it one for a partner, on one host
infer    a model with fixed operations (kserve-v2) for staff and partners
chat     two models with one API, told apart by the body; `shared`: both on one server
open     a model that asks for a token only
"""

from __future__ import annotations

from tests.attacks import cells
from tests.attacks import documents as docs
from tests.attacks.documents import Document, Folder, Ports, host

RULES, RULES_2 = "10.40.0.1", "10.40.0.2"
PUBLIC, ADMIN = "10.40.1.1", "10.40.1.2"
INFER = "10.40.2.1"
CHAT, SECRET, SHARED = "10.40.3.1", "10.40.3.2", "10.40.3.3"
NS = "team"
SUBJECT, CANARY, VERSION = "x-subject-id", "x-canary", "x-model-version"
INFER_PATH = "/v2/models/infer/infer"
HOSTS = ("rules", "paths", "infer", "chat", "shared")
_PARTNERS = [{"subjects": [{"provider": "partners"}, {"group": "corp/staff"}]}]
_MALLORY = {"subjects": [{"principal": "corp/mallory"}, {"principal": "partners/globex"}]}


def files(ports: Ports, *, hole: bool = False) -> Folder:
    """hole: everybody may call `rules`, so that every attack on it must be seen to reach."""
    documents = [
        docs.grant(NS, NS, [host(name) for name in HOSTS], addresses=[("10.40.0.0/16", [ports.server])]),
        *_rules(ports, hole=hole),
        *_simple("public", "paths", PUBLIC, ports, "/public", [{"subjects": [{"anonymous": True}]}]),
        *_simple("admin", "paths", ADMIN, ports, "/admin", [{"subjects": [{"principal": "partners/acme"}]}]),
        *_simple("infer", "infer", INFER, ports, "/", _PARTNERS, protocol="kserve-v2"),
        *_simple("chat", "chat", CHAT, ports, "/", _PARTNERS, protocol="openai"),
        *_simple("secret", "chat", SECRET, ports, "/", [{"subjects": [{"principal": "corp/ceo"}]}], protocol="openai"),
        *_simple("low", "shared", SHARED, ports, "/", _PARTNERS, protocol="openai"),
        *_simple("high", "shared", SHARED, ports, "/", [{"subjects": [{"principal": "corp/ceo"}]}], protocol="openai"),
    ]  # fmt: skip
    return docs.platform(ports) | {
        "gateway.yaml": cells.gateway(ports),
        "scene.yaml": docs.text(*documents),
    }


def _endpoint(address: str, ports: Ports) -> list[Document]:
    return [{"address": address, "port": ports.server}]


def _simple(
    name: str,
    at: str,
    server: str,
    ports: Ports,
    path: str,
    allow: list[Document],
    protocol: str = "json",
) -> list[Document]:
    deny = [] if name == "public" else [_MALLORY]
    return [
        docs.model(name, NS, protocol),
        docs.version(name, NS, endpoints=_endpoint(server, ports)),
        docs.policy(name, NS, name, allow=allow, deny=deny),
        docs.ingress(name, NS, host(at), docs.to_model(name), path),
    ]


def _rules(ports: Ports, *, hole: bool) -> list[Document]:
    subject = {"name": "subject", "location": "request-header", "path": SUBJECT, "role": "subject"}
    deny = [_MALLORY, {"purposes": ["marketing"]}, {"regions": ["us"]}]
    allow = [*_PARTNERS, {"subjects": [{"anonymous": True}]}] if hole else _PARTNERS
    rollout = {
        "model": "rules",
        "match": [{"headers": {CANARY: "yes"}, "version": "2"}],
        "split": [{"version": "1", "weight": 1}, {"version": "2", "weight": 1}],
        "stickyBy": {"attribute": "subject"},
    }
    return [
        docs.model("rules", NS, fields=[subject]),
        docs.version("rules", NS, "1", endpoints=_endpoint(RULES, ports)),
        docs.version("rules", NS, "2", endpoints=_endpoint(RULES_2, ports)),
        docs.policy("rules", NS, "rules", allow=allow, deny=[] if hole else deny),
        docs.document("Rollout", "rules", NS, rollout),
        docs.ingress("rules", NS, host("rules"), docs.to_model("rules")),
    ]
