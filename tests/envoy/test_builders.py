"""What the builders make, asked of the real Envoy: features of rows, refusals, limits, fallback.

IR by hand, on plain HTTP (a host that asks for no TLS), so that each test shows one thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from gatereeve.core import refusals
from gatereeve.ir import access, clusters, identity, routes
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration
from gatereeve.proxy.activation import expected_of, wait_active
from tests.support import gate as gates
from tests.support import ir_builders as ir
from tests.support.ports import free_port

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

KEYS = ir.api_keys(alice=("beta",), bob=(), carol=())
REGIONS = identity.CidrSource(
    entries=(("127.0.0.0/8", "de"), ("127.0.2.0/24", "fr"), ("127.0.3.0/24", "us"))
)


@dataclass(slots=True, kw_only=True)
class Bench:
    """A running gate with servers behind it; `serve` gives it rows."""

    gate: gates.Gate
    first: gates.Server
    second: gates.Server
    slow: int
    rude: int

    async def serve(
        self,
        *hosts: routes.VirtualHost,
        rules: access.Access | None = None,
        more: tuple[clusters.Cluster, ...] = (),
        body: int = 4096,
    ) -> None:
        ports = {"first": self.first.port, "second": self.second.port, "slow": self.slow,
                 "rude": self.rude, "dead": free_port()}  # fmt: skip
        made = ir.gate(
            access=(rules or ir.access(allow=(ir.rule(),)),),
            identity=identity.Identity(api_keys=KEYS),
            attributes=identity.Attributes(region=(REGIONS,)),
            listeners=(
                replace(ir.listener(*hosts, name="http", protocol="http"), port=self.gate.http),
            ),
            clusters=(*(_cluster(name, port) for name, port in ports.items()), *more),
            max_body_bytes=body,
        )
        made = replace(made, name=self.gate.name)
        await self.publish(made)

    async def publish(self, made: Gate) -> None:
        snapshot = configuration.Builder().build(made)
        self.gate.controller.set_snapshot(self.gate.name, snapshot)
        await wait_active(self.gate.admin, expected_of(snapshot), timeout_s=20)

    async def ask(
        self,
        target: str = "/m",
        *headers: str,
        host: str = ir.HOST,
        method: str = "GET",
        body: bytes = b"",
        source: str = "127.0.0.1",
    ) -> gates.Answer:
        """key: one of KEYS by id. source: the address it comes from."""
        lines = [f"{method} {target} HTTP/1.1", f"host: {host}", *headers]
        if body:
            lines.append(f"content-length: {len(body)}")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.gate.http, local_addr=(source, 0)
        )
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            async with asyncio.timeout(gates.DEADLINE_S):
                return await gates.read_answer(reader)
        finally:
            writer.transport.abort()


def key(who: str) -> str:
    return f"x-api-key: key-{who}"


def _cluster(name: str, *ports: int) -> clusters.Cluster:
    """One server per version, in fallback order."""
    made = ir.cluster(name, *(f"v{number}" for number in range(1, len(ports) + 1)))
    groups = tuple(
        replace(group, endpoints=(clusters.Endpoint(address="127.0.0.1", port=port),))
        for group, port in zip(made.endpoints.groups, ports, strict=True)
    )
    bounds = {"max_connections": 100, "max_pending": 100, "max_requests": 100}
    return replace(made, endpoints=replace(made.endpoints, groups=groups), **bounds)  # type: ignore[arg-type]


def to(cluster: str, **more: object) -> routes.Forward:
    share = routes.Share(cluster=cluster, version="v1", weight=1)
    return routes.Forward(shares=(share,), **more)  # type: ignore[arg-type]  # fields by name


def web(path: str, action: routes.Action, kind: str = "prefix", **match: object) -> routes.Route:
    at = routes.PathMatch(kind=kind, value=path)  # type: ignore[arg-type]
    made = ir.ordinary(f"{path} {len(match)}", action=action)
    return replace(made, match=routes.Match(path=at, **match))  # type: ignore[arg-type]


def model(path: str = "/m", action: routes.Action | None = None, **match: object) -> routes.Route:
    at = routes.PathMatch(kind="exact", value=path)
    return ir.route(
        f"model {path} {match}",
        match=routes.Match(path=at, **match),  # type: ignore[arg-type]
        action=action or to("first"),
    )


def host(*rows: routes.Route, name: str = ir.HOST, **more: object) -> routes.VirtualHost:
    return ir.host(*rows, name=name, tls="any", **more)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def _misbehaving(answer: bytes | None) -> AsyncIterator[int]:
    """A server that never answers (None), or sends these bytes and closes."""
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with contextlib.suppress(
            asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError
        ):
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
        writer.close()
        writers.discard(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in tuple(writers):
            writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench() -> AsyncIterator[Bench]:
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        yield Bench(
            first=await enter(gates.serving("first")),
            second=await enter(gates.serving("second")),
            slow=await enter(_misbehaving(None)),
            rude=await enter(_misbehaving(b"")),
            gate=await enter(gates.running_gate("builders")),
        )


async def test_what_a_row_asks_for_and_what_it_changes(bench: Bench) -> None:
    """Method, header and query matches; host, path and header edits; values are literal."""
    edits = routes.HeaderEdit(set=(("x-set", "100%"),), add=(("x-added", "b"),), remove=("x-gone",))
    answers = routes.HeaderEdit(set=(("x-answer", "%REQ(:path)%"),), remove=("x-served-by",))
    await bench.serve(
        host(
            web("/a", to("second"), methods=("POST", "PUT")),
            web("/a", to("second"), headers=(routes.ValueMatch(name="x-v", kind="exact", value="2"),)),
            web("/a", to("second"), query=(routes.ValueMatch(name="v", kind="regex", value="[0-9]+"),)),
            web("/a", to("first")),
            web("/edit", to("first", request_headers=edits, response_headers=answers,
                            rewrite_host="inner.test",
                            rewrite=routes.PathRewrite(kind="prefix", value="/"))),
            web("/deep", to("first", rewrite=routes.PathRewrite(kind="prefix", value="/x/y"))),
            web("/full", to("first", rewrite=routes.PathRewrite(kind="full", value="/z"))),
            web("/re/[a-c]+", to("first"), kind="regex"),
        )
    )  # fmt: skip
    assert (await bench.ask("/a")).server == "first"
    assert (await bench.ask("/a", method="PUT")).server == "second"
    assert (await bench.ask("/a", "x-v: 2")).server == "second"
    assert (await bench.ask("/a?v=17")).server == "second"
    assert (await bench.ask("/a?v=x")).server == "first"
    assert (await bench.ask("/ab")).code == "unknown-path"
    assert (await bench.ask("/re/abc")).server == "first"
    assert (await bench.ask("/re/abd")).code == "unknown-path"
    bench.first.take()
    edited = await bench.ask("/edit/here?q=1", "x-set: a", "x-added: a", "x-gone: a")
    assert edited.header("x-answer") == "%REQ(:path)%"
    assert edited.server is None
    await bench.ask("/edit")
    await bench.ask("/deep/here")
    await bench.ask("/deep")
    await bench.ask("/full/of?q=1")
    seen = bench.first.take()
    assert [one.target for one in seen] == ["/here?q=1", "/", "/x/y/here", "/x/y", "/z?q=1"]
    assert seen[0].values("host") == ["inner.test"]
    assert seen[0].values("x-set") == ["100%"]
    assert seen[0].values("x-added") == ["a", "b"]
    assert seen[0].values("x-gone") == []
    assert b"x-gatereeve" not in seen[0].head.lower()


async def test_redirects(bench: Bench) -> None:
    def redirect(**parts: object) -> routes.Redirect:
        return routes.Redirect(status=302, **parts)  # type: ignore[arg-type]  # fields by name

    prefix = routes.PathRewrite(kind="prefix", value="/new")
    await bench.serve(
        host(
            web("/scheme", redirect(scheme="https")),
            web("/host", redirect(host="other.test", port=8443)),
            web("/path", redirect(path=prefix)),
        )
    )
    port = bench.gate.http
    assert (await bench.ask("/scheme/a?b")).header("location") == f"https://{ir.HOST}/scheme/a?b"
    assert (await bench.ask("/host")).header("location") == "http://other.test:8443/host"
    moved = await bench.ask("/path/a?b")
    assert (moved.status, moved.header("location")) == (302, f"http://{ir.HOST}:{port}/new/a?b")


async def test_shares_mirrors_and_shares_without_a_backend(bench: Bench) -> None:
    nowhere = routes.Share(cluster="", version="", weight=1)
    mirror = routes.Mirror(cluster="second", per_million=1_000_000)
    await bench.serve(
        host(
            web("/nowhere", routes.Forward(shares=(nowhere,))),
            web("/some", routes.Forward(shares=(nowhere, *to("first").shares))),
            web("/mirror", to("first", mirrors=(mirror,))),
        )
    )
    refused = await bench.ask("/nowhere")
    assert (refused.status, refused.code) == (500, "no-backend")
    drawn = {(await bench.ask("/some")).status for _ in range(40)}
    assert drawn == {200, 500}
    bench.second.take()
    assert (await bench.ask("/mirror")).server == "first"
    async with asyncio.timeout(gates.DEADLINE_S):
        while not (copied := bench.second.take()):  # noqa: ASYNC110 - the copy travels by itself
            await asyncio.sleep(0)
    assert copied[0].values("host") == [ir.HOST]


@pytest.mark.parametrize(
    ("cluster", "status", "code"),
    [
        ("dead", 503, "upstream-unavailable"),
        ("absent", 503, "upstream-unavailable"),
        ("slow", 504, "upstream-timeout"),
        ("rude", 502, "bad-gateway"),
    ],
)
async def test_servers_that_fail(bench: Bench, cluster: str, status: int, code: str) -> None:
    await bench.serve(host(model(action=to(cluster, timeout_s=0.3))))
    answer = await bench.ask("/m", key("bob"))
    assert (answer.status, answer.code) == (status, code)
    problem = json.loads(answer.body)
    refusal = refusals.lookup(code)
    assert problem == {
        "type": refusals.TYPE_BASE + code,
        "title": refusal.title,
        "status": status,
        "code": code,
        "record_id": answer.header("x-request-id"),
    }


async def test_a_dead_version_gives_way_to_the_next_and_is_told_apart(bench: Bench) -> None:
    chain = _cluster("model/x/y/2>1", free_port(), bench.second.port)
    await bench.serve(host(model(action=to(chain.name))), more=(chain,))
    answers = [await bench.ask("/m", key("bob")) for _ in range(20)]
    assert {answer.server for answer in answers} == {"second"}


@pytest.mark.parametrize("code", [code for code, r in refusals.REFUSALS.items() if r.status != 401])
async def test_a_row_refuses_with_any_code(bench: Bench, code: str) -> None:
    await bench.serve(host(web("/refuse", routes.Refuse(code=code))))
    answer = await bench.ask("/refuse")
    refusal = refusals.lookup(code)
    assert answer.status == refusal.status
    openai = code == "unknown-model"  # rows of OpenAI models only
    assert answer.header("content-type") == f"application/{'' if openai else 'problem+'}json"
    assert answer.code == code


async def test_identity_deny_and_allow_come_before_a_governed_refusal(bench: Bench) -> None:
    rules = ir.access(
        deny=(ir.rule("d", subjects=(access.IsPrincipal(provider="partners", id="carol"),)),),
        allow=(ir.rule(subjects=(access.InGroup(provider="partners", group="beta"),)),),
    )
    refusing = model("/m", routes.Refuse(code="no-eligible-version"))
    await bench.serve(host(refusing), rules=rules)
    assert (await bench.ask("/m")).code == "credential-required"
    assert (await bench.ask("/m", "x-api-key: wrong")).code == "invalid-credential"
    assert (await bench.ask("/m", key("carol"))).code == "denied-by-rule"
    assert (await bench.ask("/m", key("bob"))).code == "no-allow-rule"
    assert (await bench.ask("/m", key("alice"))).code == "no-eligible-version"
    assert (await bench.ask("/m", key("alice"), key("alice"))).code == "invalid-credential"


async def test_a_rule_without_subjects_is_for_everybody_who_is_somebody(bench: Bench) -> None:
    """Anonymous callers are admitted by a rule that says so, and by no other."""
    rules = ir.access(
        allow=(
            ir.rule("health", subjects=(access.IsAnonymous(),), operations=("health",)),
            ir.rule("all"),
        )
    )
    health = replace(model("/health"), governance=ir.governance(operation="health"))
    await bench.serve(host(model("/m"), health), rules=rules)
    assert (await bench.ask("/health")).server == "first"
    assert (await bench.ask("/m")).code == "no-allow-rule"
    assert (await bench.ask("/m", key("bob"))).server == "first"


async def test_limits_are_per_principal_and_shared_by_the_rows_of_a_model(bench: Bench) -> None:
    limit = access.RequestLimit(count=2, seconds=3600)
    rules = ir.access(
        allow=(
            ir.rule("a", subjects=(access.FromProvider(provider="partners"),), limit=limit),
            ir.rule("b", subjects=(access.IsAnonymous(),), limit=limit),
        )
    )
    await bench.serve(host(model("/m"), model("/n")), rules=rules)
    statuses = [(await bench.ask(path, key("bob"))).status for path in ("/m", "/n", "/m", "/n")]
    assert statuses == [200, 200, 429, 429]
    limited = await bench.ask("/m", key("bob"))
    assert (limited.code, limited.header("retry-after")) == ("rate-limited", "1800")
    assert (await bench.ask("/m", key("carol"))).status == 200
    from_here = [(await bench.ask("/m")).status for _ in range(3)]
    assert from_here == [200, 200, 429]
    assert (await bench.ask("/m", source="127.0.0.9")).status == 200
    assert (await bench.ask("/m", key("alice"))).status == 200


async def test_groups_of_api_keys_choose_rows(bench: Bench) -> None:
    """The wheel's gap: without `clear_route_cache` the row would be settled before the key is read."""
    beta = access.InGroup(provider="partners", group="beta")
    await bench.serve(host(model(action=to("second"), groups=(beta,)), model()))
    assert (await bench.ask("/m", key("alice"))).server == "second"
    assert (await bench.ask("/m", key("bob"))).server == "first"


async def test_regions_choose_rows_and_the_longest_prefix_decides(bench: Bench) -> None:
    rows = (
        model(action=to("second"), regions=("fr", "it")),
        model(action=routes.Refuse(code="no-eligible-version"), regions=("us",)),
        model(),
    )
    denied = ir.access(allow=(ir.rule(regions=("de", "fr", "us")),))
    await bench.serve(host(*rows), rules=denied)
    assert (await bench.ask("/m", key("bob"), source="127.0.0.1")).server == "first"
    assert (await bench.ask("/m", key("bob"), source="127.0.2.1")).server == "second"
    refused = await bench.ask("/m", key("bob"), source="127.0.3.1")
    assert refused.code == "no-eligible-version"


async def test_hosts_exact_then_longest_wildcard_then_any(bench: Bench) -> None:
    """An exact host ends where it ends: what it lacks is not looked for on a wildcard."""
    await bench.serve(
        host(web("/only", to("first")), name="a.w.test"),
        host(web("/", to("second")), name="*.w.test", single_label=True),
        host(web("/", to("first")), name="*.deep.w.test"),
    )
    assert (await bench.ask("/only", host="a.w.test")).server == "first"
    assert (await bench.ask("/else", host="a.w.test")).code == "unknown-path"
    assert (await bench.ask("/else", host="b.w.test:80")).server == "second"
    assert (await bench.ask("/else", host="b.w.test.")).server == "second"
    assert (await bench.ask("/else", host="c.b.w.test")).code == "unknown-host"
    assert (await bench.ask("/else", host="x.y.deep.w.test")).server == "first"
    assert (await bench.ask("/else", host="w.test")).code == "unknown-host"
    for name in ("A.w.test", "B.W.TEST"):
        answer = await bench.ask("/only", host=name)
        assert (answer.status, answer.code) == (400, "malformed-request")


OPENAI = replace(ir.governance(), protocol="openai")


ODD_QUERIES = (
    "x-y=1&x-y=1", "x-y=2&x-y=1", "x-y&x-y", "x-y=1&X-Y=2", "%78-y=1", "x%2Dy=1", "x-y=%31", "x-y=1+", "x-y=1;x-y=2", "a;x-y=1", "X-y=1",
)  # fmt: skip
PLAIN_QUERIES = (
    "",
    "x-y=1",
    "x-y",
    "x-y=",
    "ax-y=1&ax-y=1",
    "a=x-y=1",
    "x-y=1?x-y=2",
    "&x-y=1&",
    "x-y=1&a=%252e;",
)


async def test_a_query_parameter_that_chooses_a_row_stands_once_and_plainly(bench: Bench) -> None:
    asked = (routes.ValueMatch(name="x-y", kind="exact", value="1"),)
    website = web("/open", to("second"))
    rows = (website, model("/a", to("first"), query=asked), model("/a", to("second")))
    await bench.serve(host(*rows, name="query.test"))
    for query in ODD_QUERIES:
        answer = await bench.ask(f"/a?{query}", key("bob"), host="query.test")
        assert (answer.status, answer.code) == (400, "ambiguous-path"), query
        assert (await bench.ask(f"/open?{query}", host="query.test")).server == "second"
    for query in PLAIN_QUERIES:
        answer = await bench.ask(f"/a?{query}", key("bob"), host="query.test")
        assert answer.server == ("first" if "x-y=1" in query.split("&") else "second"), query


async def test_an_encoded_body_falls_to_the_next_row_that_reads_none(bench: Bench) -> None:
    """A row that asks for a header stands between those of two versions, which ask for the body."""

    def named(name: str) -> tuple[routes.ValueMatch, ...]:
        return (routes.ValueMatch(name=name, kind="exact", value="1"),)

    first = model("/v1/chat", to("first"), headers=named("x-model-version"), body_model=("a",))
    rows = (replace(first, governance=OPENAI), model("/v1/chat", to("second"), headers=named("x-other")),
            replace(model("/v1/chat", to("first"), body_model=("a",)), governance=OPENAI),
            ir.refusing("unknown-model", "/v1/chat"))  # fmt: skip
    await bench.serve(host(*rows, name="chat.test", inspects_body=True))
    asked = (key("bob"), "content-type: application/json", "content-encoding: gzip")
    for method in ("GET", "POST"):
        for headers, server in (
            (("x-other: 1",), "second"),
            (("x-other: 1", "x-model-version: 1"), "second"),
            (("x-model-version: 1",), None),
            ((), None),
        ):
            answer = await bench.ask(
                "/v1/chat", *asked, *headers, method=method, body=b'{"model":"a"}', host="chat.test"
            )
            assert answer.server == server
            assert answer.code == (None if server else "unknown-model")


@pytest.mark.parametrize("name", ["chat.test", "*.chat.test"])
async def test_the_body_names_the_model(bench: Bench, name: str) -> None:
    """On exact hosts and on wildcards; the refusal comes in the caller's shape."""

    def row(served: str, cluster: str, *, stream: bool) -> routes.Route:
        made = model("/v1/chat", to(cluster), body_model=(served,), body_stream=stream)
        return replace(made, governance=OPENAI)

    unknown = ir.refusing("unknown-model", "/v1/chat")
    rows = (row("a", "first", stream=False), row("a", "second", stream=True), unknown,
            replace(model("/v1/info"), governance=OPENAI))  # fmt: skip
    await bench.serve(host(*rows, name=name, inspects_body=True))

    async def ask(body: str, *headers: str) -> gates.Answer:
        asked = (key("bob"), "content-type: application/json", *headers)
        return await bench.ask(
            "/v1/chat", *asked, method="POST", body=body.encode(), host=name.replace("*", "x")
        )

    assert (await ask('{"model":"a"}')).server == "first"
    assert (await ask('{"model":"a","stream":null}')).server == "first"
    assert (await ask('{"model":"a","stream":true}')).server == "second"
    for odd in ('{"model":"b"}', '{"model":["a"]}', '{"model":"a","stream":1}', "{", ""):
        assert (await ask(odd)).code == "unknown-model", odd
    assert (await ask('{"model":"a"}', "content-encoding: gzip")).code == "unknown-model"
    assert (await ask('{"model":"a"}', "content-encoding: identity")).server == "first"
    large = await ask('{"model":"a","p":"' + "x" * 5000 + '"}')
    assert (large.status, large.code) == (413, "payload-too-large")
    refused = await ask('{"model":"b"}')
    error = json.loads(refused.body)["error"]
    assert error["type"] == refusals.lookup("unknown-model").openai_type
    assert error["code"] == "unknown-model"
    info = await bench.ask(
        "/v1/info", key("bob"), "content-type: application/json", method="POST",
        body=b"x" * 9000, host=name.replace("*", "x"),
    )  # fmt: skip
    assert info.server == "first"


async def test_what_is_refused_before_any_row(bench: Bench) -> None:
    await bench.serve(host(model("/m"), web("/", to("first"))))
    many = [f"x-{number}: 1" for number in range(101)]
    for answer, status, code in (
        (await bench.ask("/m", method="TRACE"), 400, "malformed-request"),
        (await bench.ask("/", method="TRACE"), 400, "malformed-request"),
        (
            await bench.ask("/m", "connection: upgrade", "upgrade: websocket"),
            403,
            "upgrade-refused",
        ),
        (await bench.ask("/m%2f"), 400, "malformed-request"),
        (await bench.ask("/m", "x_under: 1"), 400, "malformed-request"),
        (await bench.ask("/m", "x-long: " + "x" * 70_000), 431, "headers-too-large"),
        (await bench.ask("/m", *many), 431, "headers-too-large"),
        (await bench.ask(f"{ir.HOST}:80", method="CONNECT"), 403, "upgrade-refused"),
        (await bench.ask("/m", host="nobody.test"), 404, "unknown-host"),
    ):
        assert (answer.status, answer.code) == (status, code), answer
        assert answer.header("content-type") == "application/problem+json"
