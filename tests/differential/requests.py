"""Generated requests: most aim at what a folder serves, some a little beside it, some are malformed.

A request is what goes over the wire; hosts, paths and headers are written in the odd ways that
clients and attackers write them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from gatereeve.decide.request import ClientCertificate, Request, Scheme
from tests.differential import cast
from tests.differential.documents import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Where a route of the folder leads: its host, path and other matches, the model behind it."""

    host: str
    path: str
    exact: bool
    model: str | None
    protocol: str | None = None
    method: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""


def aims(documents: Sequence[Document]) -> list[Aim]:
    """The places that the folder's routes serve; those of models twice, to be called more often."""
    protocols = {
        d["metadata"]["name"]: d["spec"]["protocol"] for d in documents if d["kind"] == "Model"
    }
    found = []
    for one in documents:
        for aim in _places(one):
            found += [replace(aim, protocol=protocols.get(aim.model or ""))] * (
                3 if aim.model else 1
            )
    return found


def _places(one: Document) -> Iterator[Aim]:
    if one["kind"] == "Ingress":
        for given in one["spec"]["rules"]:
            for path in given["http"]["paths"]:
                model = path["backend"].get("resource", {}).get("name")
                exact = path["pathType"] == "Exact"
                yield Aim(
                    host=given.get("host", "c.test"), path=path["path"], exact=exact, model=model
                )
    if one["kind"] == "HTTPRoute":
        for given in one["spec"]["rules"]:
            models = [b["name"] for b in given.get("backendRefs", ()) if b.get("kind") == "Model"]
            for match in given["matches"]:
                pattern = match["path"]["type"] == "RegularExpression"
                yield Aim(
                    host=one["spec"]["hostnames"][0],
                    path="/plain" if pattern else match["path"]["value"],
                    exact=match["path"]["type"] == "Exact",
                    model=models[0] if models else None,
                    method=match.get("method"),
                    headers=tuple((h["name"], "yes") for h in match.get("headers", ())),
                    query="?x=1" if "queryParams" in match else "",
                )


_OPERATIONS = {
    "kserve-v2": (*["/v2/models/M/infer"] * 6, "/v2/models/M/versions/1/infer",
                  "/v2/models/M/versions/2/infer", "/v2/models/M/versions/9/infer",
                  "/v2/models/M/ready", "/v2/models/M", "/v2/health/live", "/v2", "/v2/repository/index",
                  "/v2/models/M/generate_stream", "/v2/models/other/infer"),
    "openai": (*["/v1/chat/completions"] * 4, "/v1/embeddings", "/v1/completions", "/v1/embeddings",
               "/v1/responses", "/v1/models/M", "/v1/models", "/v1/files"),
    "kserve-v1": (*["/v1/models/M:predict"] * 3, "/v1/models/M:predict", "/v1/models/M:explain", "/v1/models/M", "/v1/models"),
    "json": ("", "/", "/score", "/score/deep"),
    None: ("", "/", "/x", "/x/y", "x"),
}  # fmt: skip

_STRANGE = (
    "/", "/anything/else", "/plain", "/plainx", "/lending", "/lendingx",
    "/v2/models/m0/infer?x=1", "/V2/models/m0/infer", "/v2//models/m0/infer",
    "/x/../v2/models/m0/infer", "/v2/models/m0/infer;x=1", "/v2/models/m0%2finfer",
    "/v2/models/m0/%69nfer", "/v2/models/m0/infer/", "/./v2/models/m0/infer", "/v2/models/m0/infer%00",
    "/v2\\models\\m0\\infer", "/v2/models/m0/infer#x", "/lending/../plain", "/lending/..;/plain",
    "/plain/%2e%2e/v1/chat/completions", "/v1/chat/completions?model=m1", "/v1/chat/completions/",
    "/plain/" + "a" * 3000, "/" + "a/" * 900, "/v2/models/m0/infer?" + "q=" * 2000, "/%zz", "/plain%20x",
    "/a?b?c", "/plain?x=1&x=2", "/plain?X=1", "/plain?x=%31", "http://a.example/plain", "http://user@a.example/plain", "http://a@b@a.example/", "*",
)  # fmt: skip

_ODD_TAILS = (
    "/%252e%252e/plain", "/..%3b/plain", "/..%09/plain", "/..%c0%afplain", "/%u002e%u002e/plain", "/..;/plain",
    "/;x=1", ";x=1", "/.;/x", "//../x", "//", "/a//b", "/%ef%bc%8e%ef%bc%8e/x", "/a%ef%bc%8fb", "/%e2%88%95", "/%c3%a9",
    "/a%20b", "/%5b1%5D", "/%zz", "/%", "/%00", "/%0d%0a", "/%7f", "/%c2%85", "/%f0%9f%98%80", "/%ed%a0%80", "/...", "/..%20/x",
    "/.well-known", "/a|b", '/"', "/a^b", "/a[1]", "/%25", "/a%5cb", "/\\..\\x", "/%2e%2e/x", "/a:b@c", "/x%3F", "/%cd%be", "/..%e2%80%8b/x", "/%c2%ad./x", "/a%e2%80%8cb", "/.%EF%BB%BF.",
)  # fmt: skip

_BODIES: tuple[Any, ...] = (
    {"model": "m0"}, {"model": "m0"}, {"model": "m0", "stream": True}, {"model": "m1", "stream": False},
    {"model": "m1"}, {"model": "m1", "stream": True}, {"model": "other"}, {"model": 3}, {"stream": True},
    [], {"model": "m0", "stream": "true"}, {"model": "m0", "stream": None}, {"model": "m0", "stream": 1},
    {"inputs": []}, {"Model": "m1", "model": "m0"}, {"model": "m0", "n": 2**63},
    b"", b"{", b'{"model":"m1","model":"m0"}', b'{"model":"m0"} trailing', b'\xef\xbb\xbf{"model":"m0"}',
    b'{"mod\\u0065l":"m0"}', b'{"model":"m\xff0"}', b'{"model":"m0","x":NaN}', b'{"model":"m0"}\x00{',
    b'{"model":"m0","stream":tru}', b'{"model":"m0","x":' + b"[" * 1100 + b"]" * 1100 + b"}",
)  # fmt: skip

_CONTENT_TYPES = (
    *["application/json"] * 8, "application/json; charset=utf-8", "application/json;charset=UTF-8",
    "application/json; charset=latin1", "Application/JSON", "text/plain", "application/json, text/plain",
    "application/json;", None,
)  # fmt: skip

_EXTRA = (
    ("x-region", "us"), ("x-region", "DE"), ("x-region", ""), ("X-Region", "xx"), ("x-purpose", "lending"),
    ("x-purpose", "Marketing"), ("x-canary", "yes"), ("x-canary", "no"), ("X-Canary", "yes"),
    ("x-model-version", "1"), ("x-model-version", "2"), ("x-model-version", "7"), ("x-model-version", ""),
    ("x-forwarded-for", "127.0.2.9"), ("x-forwarded-for", "198.51.100.7, 127.0.2.9"),
    ("x-forwarded-for", "198.51.100.9"), ("x-forwarded-for", "junk"), ("x-forwarded-for", "2001:DB8::1"),
    ("x-forwarded-proto", "https"), ("x-forwarded-proto", "http"), ("x-forwarded-host", "b.example"),
    ("x-gatereeve-sni", "b.example"), ("x-gatereeve-scope", "https|b.example"),
    ("x-gatereeve-code", "x"), ("x-gatereeve-principal", "root"), ("X-Gatereeve-Groups", "admin"), ("x_gatereeve_principal", "root"), ("x-envoy-original-path", "/plain"), ("x-envoy-force-trace", "1"),
    ("x-original-url", "/plain"), ("x-rewrite-url", "/plain"), ("x_region", "us"),
    ("x-forwarded-client-cert", f"URI={cast.SPIFFE}"), ("x-request-id", "mine"),
    ("content-encoding", "gzip"), ("content-encoding", "gzip"), ("content-encoding", "Identity"), ("content-encoding", ""), ("accept-encoding", "gzip"),
    ("connection", "x-purpose"), ("Connection", "X-Region, close"), ("connection", "x-canary, x-model-version"),
    ("connection", "authorization"), ("connection", "x-api-key"), ("connection", "x-subject-id,,te"), ("connection", "host"),
    ("connection", "content-type"), ("connection", "content-encoding"), ("connection", ":path"), ("connection", "x-forwarded-for"), ("connection", "a,b,c,d,e,f,g,h,i,j"),
    ("upgrade", "websocket"), ("expect", "100-continue-not"), ("te", "trailers"), ("user-agent", "t/1"),
    ("x-purpose", "lending, marketing"), ("x-purpose", "mark\xe9ting"), ("x-purpose", "a\tb"),
    ("x-purpose", "l" * 9000), ("x-purpose", "credit scoring"), ("x-region", "us, de"), ("x-region", "d\xffe"),
    ("x-canary", "yes,no"), ("x-canary", "y\xe9s"), ("x-canary", '"yes"'), ("x-model-version", "1, 2"),
    ("x-model-version", "\xa01"), ("x-subject-id", "s1,s2"), ("x-subject-id", "s\x80"), ("x-subject-id", ""),
    ("Forwarded", "for=127.0.0.1"), ("x-real-ip", "127.0.0.1"), ("X-User", "root"), ("x-user-id", "1"),
    ("x-tenant", "t"), ("x-http-method-override", "DELETE"), ("x-auth-request-email", "a@b"), ("remote-user", "root"),
    ("x-forwarded-user", "root"), ("x-forwarded-forx", "1"), ("x-amzn-oidc-identity", "1"), ("x-username", "r"),
    ("x-subject-id", "s1"), ("x-big", "b" * 5000), ("x-odd", "\xe9\xff"), ("x-tab", "a\tb"),
)  # fmt: skip


def request(random: Random, places: Sequence[Aim]) -> Request:
    """One request; nine of ten aim at a place of the folder with something that looks right."""
    scheme: Scheme = "http" if random.random() < 0.1 else "https"
    aim = random.choice(places) if places and random.random() < 0.9 else None
    host = _host(random, aim)
    method = random.choice(["POST"] * 8 + ["GET", "GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
    path = _path(random, aim)
    headers = random.sample(_EXTRA, random.choice([0, 0, 0, 1, 1, 2, 3]))
    if aim is not None and random.random() < 0.8:
        method, path = aim.method or method, path + aim.query
        headers += aim.headers
    credentials, certificate = _credentials(random, scheme)
    headers += credentials
    if random.random() < 0.4:
        headers.append(("x-subject-id", f"s{random.randint(0, 40)}"))
    if random.random() < 0.06 and headers:
        headers.append(random.choice(headers))
    if random.random() < 0.1 and headers:
        headers += _again(random, random.choice(headers)[0].lower())
    if any(name == "upgrade" for name, _ in headers):
        headers.append(("connection", random.choice(["upgrade", "keep-alive, Upgrade", "close"])))
    content_type = random.choice(_CONTENT_TYPES)
    if content_type is not None:
        headers.append(("content-type", content_type))
    random.shuffle(headers)
    return Request(
        scheme=scheme,
        host=_spelling(random, host),
        method=method,
        path=path,
        headers=tuple(headers),
        body=b"" if method in ("GET", "HEAD") else _body(random, aim),
        peer=random.choice(["127.0.0.1", "127.0.0.1", "127.0.1.1", "127.0.2.1"]),
        sni=_server_name(random, host) if scheme == "https" else None,
        certificate=certificate,
    )


def _again(random: Random, name: str) -> list[tuple[str, str]]:
    """A header that is there already, with a value of its own."""
    known = [pair for pair in _EXTRA if pair[0].lower() == name]
    return [random.choice(known)] if known else []


def _body(random: Random, aim: Aim | None) -> bytes:
    model = aim.model if aim is not None and aim.model else "m0"
    if random.random() < 0.3:
        chosen = random.choice(_BODIES)
        return chosen if isinstance(chosen, bytes) else json.dumps(chosen).encode()
    return json.dumps(
        {"model": model} | ({"stream": True} if random.random() < 0.2 else {})
    ).encode()


def _host(random: Random, aim: Aim | None) -> str:
    if aim is None:
        return random.choice(cast.CALLED)
    if aim.host.startswith("*."):
        return random.choice(("x", "x", "x", "x", "x", "x", "x.y")) + aim.host[1:]
    return aim.host


def _spelling(random: Random, host: str) -> str:
    if random.random() > 0.05:
        return host
    port = random.choice([":443", ":8443", ":1", ":"])
    return random.choice([host.upper(), host.title(), host + port, host + ".", host + "." + port,
                          "a b", host + "/x", "user@" + host, "[::1]", host + ".."])  # fmt: skip


def _server_name(random: Random, host: str) -> str | None:
    if random.random() > 0.04:
        return host
    return random.choice([None, "a.example", "x.w.example", "z.w.example", "c.test", host.upper()])


def _path(random: Random, aim: Aim | None) -> str:
    if aim is None or random.random() < 0.07:
        return random.choice(_STRANGE)
    if aim.exact and random.random() < 0.8:
        return aim.path
    operation = random.choice(_OPERATIONS[aim.protocol]).replace("M", aim.model or "")
    base = aim.path.rstrip("/")
    under = operation == base or operation.startswith(base + "/")
    path = operation if under and random.random() < 0.9 else base + operation
    if random.random() < 0.1:
        path += random.choice(
            [
                "?x=1",
                "?x=2",
                "?y=1&x=1",
                "?",
                "/",
                "?x",
                "?x=1&x=2",
                "?x=1&x=1",
                "?%78=1",
                "?x=1;x=2",
                "?X=1",
                "?x=%31",
                "?x=1&y=;",
                "?x=1+",
                "?x=1&%58=2",
                "?y=x&x=1&xx=1",
                "?;x=1",
            ]
        )
    if random.random() < 0.08:
        path = path.partition("?")[0] + random.choice(_ODD_TAILS)
    return path if path.startswith("/") else "/" + path


def _credentials(
    random: Random, scheme: str
) -> tuple[list[tuple[str, str]], ClientCertificate | None]:
    """None, one, or several; a fifth of the tokens and keys are bad."""
    headers: list[tuple[str, str]] = []
    certificate = None
    who = random.randint(0, 11)
    if who <= 5:
        known = cast.good_tokens() if random.random() < 0.8 else cast.bad_tokens()
        headers.append(("authorization", "Bearer " + random.choice(list(known.values()))))
        if random.random() < 0.08:
            good = random.choice(list(cast.good_tokens().values()))
            headers[-1] = ("Authorization", random.choice(
                ["Basic eDp5", "bearer " + good, "Bearer", "", "Bearer  " + good, "BEARER " + good,
                 f"Bearer {good} x", f"Basic eDp5, Bearer {good}", f"Bearer .{good}", f"Bearer {good}.", f"Bearer {good}=",
                 f"xBearer {good}", f"Bearer {good.replace('.', '..')}", f"Bearer {good},Bearer {good}", good, f"bEARER {good}",
                 f"Bearer\t{good}", f"Token {good}", f"Bearer {good}\xe9"]))  # fmt: skip
        if random.random() < 0.03:
            other = random.choice(
                (headers[-1], ("authorization", ""), ("authorization", "Basic eDp5"))
            )
            headers.insert(random.randint(0, len(headers)), other)
    if who in (4, 6, 7, 8):
        value = random.choice((*[*cast.API_KEYS.values()] * 4, cast.WRONG_KEY, ""))
        headers.append(("x-api-key", value))
    if who in (5, 8, 9) and scheme == "https":
        certificate = random.choice((*[cast.CERTIFICATES[0]] * 4, *cast.CERTIFICATES))
    return headers, certificate
