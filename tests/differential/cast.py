"""Who plays in the differential test: names, keys, tokens, certificates and ports.

Keys are made once per process; which of them a request shows is drawn by name, so a seed gives the
same cases with other keys.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache

from gatereeve.decide.request import ClientCertificate
from tests.support import keys

NAMESPACE = "team"
HOSTS = ("a.example", "b.example", "*.w.example", "*.example")
CALLED = (
    "a.example",
    "b.example",
    "x.w.example",
    "x.y.w.example",
    "w.example",
    "c.example",
    "c.test",
)
REGIONS = ("de", "fr", "us")
PURPOSES = ("lending", "marketing")
GROUPS = (
    "corp/beta",
    "corp/staff",
    "corp/Domain Users",
    "lab/beta",
    "lab/night",
    "partners/gold",
    "mesh/batch",
)
PROTOCOLS = ("kserve-v2", "openai", "json", "kserve-v1")
OPERATIONS = ("infer", "stream", "embeddings", "metadata", "health")
API_KEYS = {"acme": "acme-0123456789abcdef", "globex": "globex-0123456789abcde"}
WRONG_KEY = "wrong-key-0123456789"
SPIFFE = "spiffe://mesh/batch"
DNS_NAME = "Nightly.Mesh.example"
CERTIFICATES = (
    ClientCertificate(uris=(SPIFFE,)),
    ClientCertificate(uris=("spiffe://mesh/unknown",)),
    ClientCertificate(uris=("spiffe://Mesh/batch",)),
    ClientCertificate(dns=("nightly.mesh.example",)),
    ClientCertificate(dns=("NIGHTLY.Mesh.Example",)),
    ClientCertificate(dns=("*.mesh.example",)),
    ClientCertificate(dns=("nightly.mesh.example", "other.example")),
    ClientCertificate(uris=("spiffe://mesh/unknown",), dns=("nightly.mesh.example",)),
)
"""What clients show. A URI is compared as it is written, a DNS name without case."""
ISSUERS = {"corp": "https://corp.example", "lab": "https://lab.example/realms/night"}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the gate listens and where the servers behind it are."""

    https: int
    http: int
    servers: tuple[int, ...]


@cache
def authority() -> keys.Authority:
    return keys.Authority("client CA")


@cache
def server_authority() -> keys.Authority:
    return keys.Authority("server CA")


@cache
def server_pair() -> keys.Pair:
    return server_authority().issue(
        dns=("a.example", "b.example", "*.w.example", "*.example", "c.test")
    )


def _corp(user: str, **more: object) -> dict[str, object]:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ISSUERS["corp"], "aud": "gate", "sub": user, "iat": now, "exp": now + 7200,
        "groups": ["beta", "staff", "Domain Users"] if user == "alice" else "staff",
    }  # fmt: skip
    return {k: v for k, v in (claims | more).items() if v is not None}


def _lab(user: str | None, **more: object) -> dict[str, object]:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": ISSUERS["lab"], "aud": ["x", "https://gate.example/"], "exp": now + 7200,
        "realm": {"name": user, "roles": ["night", "beta"]} if user is not None else {},
    }  # fmt: skip
    return {k: v for k, v in (claims | more).items() if v is not None}


@cache
def good_tokens() -> dict[str, str]:
    return {
        "alice-de": keys.token("corp", _corp("alice", country="de")),
        "alice-us": keys.token("corp", _corp("alice", country="US", purpose="lending")),
        "bob-fr": keys.token("corp", _corp("bob", country="fr", purpose="Marketing")),
        "bob": keys.token("corp", _corp("bob")),
        "carol-no-groups": keys.token("corp", _corp("carol", groups=None)),
        "dan-odd-groups": keys.token("corp", _corp("dan", groups=["", "beta", 3], purpose="")),
        "dan-number": keys.token("corp", _corp("dan", country=7)),
        "dan-list": keys.token("corp", _corp("dan", purpose=["lending"])),
        "dan-true": keys.token("corp", _corp("dan", purpose=True)),
        "night": keys.token("lab", _lab("night")),
        "alice-of-lab": keys.token("lab", _lab("alice", where={"country": "FR"})),
    }  # fmt: skip


@cache
def bad_tokens() -> dict[str, str]:
    now = int(time.time())
    return {
        "expired": keys.token("corp", _corp("alice", exp=now - 3600)),
        "no-expiry": keys.token("corp", _corp("alice", exp=None)),
        "other-audience": keys.token("corp", _corp("alice", aud="other")),
        "no-audience": keys.token("corp", _corp("alice", aud=None)),
        "other-issuer": keys.token("corp", _corp("alice", iss="https://other.example")),
        "lab-issuer-corp-key": keys.token("corp", _lab("night")),
        "not-yet": keys.token("corp", _corp("alice", nbf=now + 3600)),
        "stranger": keys.token("stranger", _corp("alice"), kid="corp"),
        "unsigned": keys.token("corp", _corp("alice"), alg="none"),
        "critical": keys.token("corp", _corp("alice"), more={"crit": ["exp"]}),
        "nothing-critical": keys.token("lab", _lab("night"), more={"crit": None}),
        "unencoded": keys.token("corp", _corp("bob"), more={"b64": False, "crit": ["b64"]}),
        "name-with-space": keys.token("corp", _corp(" alice")),
        "name-with-nul": keys.token("corp", _corp("al\x00ice")),
        "purpose-with-space": keys.token("corp", _corp("alice", purpose="marketing ")),
        "region-with-line": keys.token("corp", _corp("alice", country="\nde")),
        "group-with-space": keys.token("corp", _corp("bob", groups=" staff")),
        "no-name": keys.token("corp", _corp("alice", sub=None)),
        "empty-name": keys.token("corp", _corp("")),
        "lab-no-name": keys.token("lab", _lab(None)),
        "three-dots": "not.a.token",
        "garbage": "garbage",
        "empty": "",
    }


def nickname(value: str) -> str:
    """A header value with any token in it by its name, for printing."""
    for name, token in {**good_tokens(), **bad_tokens()}.items():
        if len(token) > 20:
            value = value.replace(token, f"<{name}>")
    return value
