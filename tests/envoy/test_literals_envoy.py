"""What a document says is a literal: no command, reference or pattern of Envoy's stands in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from gatereeve.decide.actions import rewrite_path
from gatereeve.ir.routes import PathMatch, PathRewrite
from tests.support import gate as gates

pytestmark = pytest.mark.envoy

VALUES = (
    "100% of it", "%", "%%", "%%%", "%REQ(X-SECRET)%", "%REQ(:PATH)%", "%START_TIME%", "%ENVIRONMENT(HOME)%", "%HOSTNAME%",
    "%DOWNSTREAM_REMOTE_ADDRESS%", "%DYNAMIC_METADATA(a:b)%", "%RESP(x-served-by)%", "%NO_SUCH_COMMAND%", "%REQ(", "a%20b", "%25",
    r"\1", r"\0", r"\\1", "$1", "${HOME}", "{{x}}", "{header}", "'\"", "<a>&b;", ":status", "a, b", "=?utf-8?q?x?=", "",
)  # fmt: skip
REWRITES = (
    # matched prefix, replacement, request
    ("/a", "/b", "/a/x"),
    ("/a", "/", "/a/x"),
    ("/a", "/", "/a"),
    ("/a", "/b", "/a?q=%20&r=1"),
    ("/a.c", "/b", "/a.c/x"),
    ("/a(b)*", "/b", "/a(b)*/x"),
    ("/a+", "/$1", "/a+/x"),
    ("/$&", "/$&", "/$&/x"),
    ("/a", "/%20", "/a/x"),
    ("/a", "/(b)", "/a/%20x"),
    ("/a", "/~!$&'()*+,=:@", "/a/x"),
    ("/", "/b", "/x"),
)
HEAD = (
    """
apiVersion: gatereeve.dev/v1alpha1
kind: Gate
metadata: {name: g}
spec: {region: de, http: {host: 127.0.0.1, port: PORT}}
---
apiVersion: gatereeve.dev/v1alpha1
kind: HostGrant
metadata: {name: all}
spec: {namespaceSelector: {all: true}, hosts: ["*"], backends: {selector: {all: true}}, addresses: [{cidr: 127.0.0.0/8}, {cidr: 10.0.0.0/8}, {cidr: 192.0.2.0/24}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: main, namespace: team}
spec:
  gatewayClassName: gatereeve
  listeners: [{name: http, port: PORT, protocol: HTTP}]
---
"""
    + gates.WEB
)


def route(number: int, prefix: str, *filters: object, forward: bool = True) -> str:
    """One route on a host of its own."""
    rule: dict[str, object] = {
        "matches": [{"path": {"type": "PathPrefix", "value": prefix}}],
        "filters": list(filters),
    }
    if forward:
        rule["backendRefs"] = [{"name": "web", "port": 80}]
    spec = {"parentRefs": [{"name": "main"}], "hostnames": [f"h{number}.test"], "rules": [rule]}
    made = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"r{number}", "namespace": "team"},
        "spec": spec,
    }
    return json.dumps(made)


@pytest.fixture
async def web() -> AsyncIterator[tuple[gates.Gate, gates.Server]]:
    async with gates.serving("web") as server, gates.running_gate("g") as gate:
        yield gate, server
        assert "Unknown" not in gate.log.read_text()


async def publish(web: tuple[gates.Gate, gates.Server], *routes: str) -> None:
    gate, server = web
    head = HEAD.replace("PORT", str(gate.http)).replace("SERVER", str(server.port))
    made = await gate.publish(head, *routes)
    assert not [f for f in made.findings if f.severity == 3], made.findings


async def ask(gate: gates.Gate, number: int, target: str, *headers: str) -> gates.Answer:
    lines = [f"GET {target} HTTP/1.1", f"Host: h{number}.test", *headers, "", ""]
    async with gate.connect() as connection:
        await connection.send("\r\n".join(lines).encode())
        return await connection.answer()


async def test_header_values(web: tuple[gates.Gate, gates.Server]) -> None:
    gate, server = web
    edits = [
        {"set": [{"name": "x-set", "value": value}], "add": [{"name": "x-add", "value": value}]}
        for value in VALUES
    ]
    await publish(
        web,
        *(
            route(
                number,
                "/",
                {"type": "RequestHeaderModifier", "requestHeaderModifier": edit},
                {"type": "ResponseHeaderModifier", "responseHeaderModifier": edit},
            )
            for number, edit in enumerate(edits)
        ),
    )
    for number, value in enumerate(VALUES):
        answer = await ask(gate, number, "/", "X-Secret: s", "X-Set: theirs", "X-Add: theirs")
        (seen,) = server.take()
        assert seen.values("x-set") == [value]
        assert ", ".join(seen.values("x-add")).removeprefix("theirs, ") == value
        assert (answer.header("x-set"), answer.header("x-add")) == (value, value)


async def test_prefixes_are_no_patterns_and_replacements_no_references(
    web: tuple[gates.Gate, gates.Server],
) -> None:
    gate, server = web
    await publish(
        web,
        *(
            route(
                number,
                prefix,
                {
                    "type": "URLRewrite",
                    "urlRewrite": {
                        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": target}
                    },
                },
            )
            for number, (prefix, target, _) in enumerate(REWRITES)
        ),
    )
    for number, (prefix, target, request) in enumerate(REWRITES):
        await ask(gate, number, request)
        (seen,) = server.take()
        path, mark, query = request.partition("?")
        rewrite = PathRewrite(kind="prefix", value=target.rstrip("/") or "/")
        wanted = rewrite_path(rewrite, PathMatch(kind="prefix", value=prefix), path)
        assert seen.target == wanted + mark + query


@pytest.mark.parametrize("kind", ["URLRewrite", "RequestRedirect"])
async def test_whole_paths(web: tuple[gates.Gate, gates.Server], kind: str) -> None:
    gate, server = web
    paths = ("/x", "/%20", "/a%22b", "/$1", "/(a)*+", "/~!$&'()*+,=:@", "/a/b/")
    field = {"URLRewrite": "urlRewrite", "RequestRedirect": "requestRedirect"}[kind]
    await publish(
        web,
        *(
            route(
                number,
                "/",
                {
                    "type": kind,
                    field: {"path": {"type": "ReplaceFullPath", "replaceFullPath": path}},
                },
                forward=kind == "URLRewrite",
            )
            for number, path in enumerate(paths)
        ),
    )
    for number, path in enumerate(paths):
        answer = await ask(gate, number, "/from?q=1")
        if kind == "URLRewrite":
            assert [seen.target for seen in server.take()] == [path + "?q=1"]
        else:
            location = answer.header("location") or ""
            assert location == f"http://h{number}.test:{gate.http}{path}?q=1"
            assert not server.take()


async def test_prefixes_in_redirects(web: tuple[gates.Gate, gates.Server]) -> None:
    gate, server = web
    await publish(
        web,
        *(
            route(
                number,
                prefix,
                {
                    "type": "RequestRedirect",
                    "requestRedirect": {
                        "hostname": "new.test",
                        "port": 444,
                        "scheme": "https",
                        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": target},
                    },
                },
                forward=False,
            )
            for number, (prefix, target, _) in enumerate(REWRITES)
        ),
    )
    for number, (prefix, target, request) in enumerate(REWRITES):
        answer = await ask(gate, number, request)
        path, mark, query = request.partition("?")
        rewrite = PathRewrite(kind="prefix", value=target.rstrip("/") or "/")
        wanted = rewrite_path(rewrite, PathMatch(kind="prefix", value=prefix), path)
        assert answer.header("location") == f"https://new.test:444{wanted}{mark}{query}"
    assert not server.take()
