"""HTTP/2 that would become another request on its way to an HTTP/1.1 server, or another caller's."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.envoy import http2
from tests.envoy.http2 import CLOSED, Field, request
from tests.envoy.protected import API_KEY, INFER, SPIFFE, Scene, bearer
from tests.support import gate as gates

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

REFUSED = frozenset({CLOSED, 400, 401, 403, 404, 421})
KEY: Field = ("x-api-key", API_KEY)


@contextlib.asynccontextmanager
async def talking(scene: Scene, sni: str = "models.test") -> AsyncIterator[http2.Http2]:
    async with scene.gate.connect(gates.client_tls(("h2",)), sni=sni) as connection:
        made = http2.Http2(connection)
        await made.start()
        yield made


async def asked(scene: Scene, fields: list[Field], body: bytes | None = None) -> int:
    async with talking(scene) as talk:
        return await talk.status(await talk.send(fields, body))


async def test_the_right_request_is_served(scene: Scene) -> None:
    assert await asked(scene, request(INFER, KEY), b"{}") == 200
    (seen,) = scene.reached()["credit"]
    assert (seen.target, seen.body) == (INFER, b"{}")
    assert await asked(scene, request(INFER), b"{}") == 401
    assert await asked(scene, request(INFER, ("authorization", bearer("mallory")))) == 403
    assert await asked(scene, request("/public")) == 200
    assert set(scene.reached()) == {"web"}


LINE = f"\r\nx-api-key: {API_KEY}\r\n"
HIDDEN = f"\r\n\r\nPOST {INFER} HTTP/1.1\r\nhost: models.test\r\nx-hidden: 1\r\n\r\n"
PUBLIC: tuple[list[Field], ...] = (
    # a field that would be two, or a request of its own, in HTTP/1.1
    *(request("/public", ("x", f"a{text}b")) for text in (LINE, HIDDEN, "\n", "\r", "\0", "\n x: y")),
    *(request("/public", (f"x{text}y", "z")) for text in (LINE, ": ", ":", "\n", "\r\n", "\0", " ", "\x7f", "\xe9")),
    *(request(f"/public{text}") for text in (" HTTP/1.1" + HIDDEN, " ", "\r\n", "\n", "\0", "#x", "\t", "\x7f")),
    *(request("/public", method=f"GET{text}") for text in (f" {INFER} HTTP/1.1{HIDDEN}", " ", "\r\n", "\0", "\t/")),
    *(request("/public", host=f"models.test{text}") for text in (HIDDEN, "\r\nx: y", " ", "\0", "/", "@other.test", "#", "?")),
    # lengths and codings that HTTP/2 does not have
    request("/public", ("transfer-encoding", "chunked")),
    request("/public", ("transfer-encoding", "identity")),
    request("/public", ("connection", "close")),
    request("/public", ("connection", "x-forwarded-for")),
    request("/public", ("keep-alive", "1")),
    request("/public", ("proxy-connection", "close")),
    request("/public", ("upgrade", "h2c")),
    request("/public", ("te", "chunked")),
    request("/public", ("content-length", "0"), ("content-length", "90")),
    request("/public", ("content-length", "-1")),
    request("/public", ("content-length", "1a")),
    request("/public", ("Content-Length", "0")),
    request("/public", ("X-Upper", "a")),
    request("/public", ("", "a")),
    request("/public", ("x_y", "a")),
    # pseudo fields
    request("/public", (":path", INFER)),
    request("/public", (":method", "GET")),
    request("/public", (":authority", "other.test")),
    request("/public", (":scheme", "http")),
    request("/public", (":status", "200")),
    request("/public", (":unknown", "x")),
    request("/public", (":protocol", "websocket")),
    request("/public", ("a", "b"), (":path", INFER)),
    request("/public", drop=(":path",)),
    request("/public", drop=(":method",)),
    request("/public", drop=(":scheme",)),
    request("/public", drop=(":authority",)),
    request(""),
    request("*"),
    request("public"),
    request(f"https://models.test{INFER}"),
    request("/public", ("host", "other.test")),
    request("/public", ("host", "models.test"), ("host", "other.test")),
    request("/public", *((f"x-{n}", "y") for n in range(150))),
    request("/public", ("x", "y" * 70_000)),
)  # fmt: skip


@pytest.mark.parametrize("fields", PUBLIC, ids=range(len(PUBLIC)))
async def test_a_request_stays_one_request(scene: Scene, fields: list[Field]) -> None:
    status = await asked(scene, fields, b"")
    reached = scene.reached()
    assert set(reached) <= {"web"}
    assert (status == 200) == bool(reached)
    assert status in REFUSED | {200, 431}
    for seen in reached.get("web", ()):
        assert len(reached["web"]) == 1
        assert seen.target == "/public"
        assert not seen.values("x-hidden")
        assert not seen.values("x-api-key")
        assert not seen.body
        assert len(seen.values("host")) == 1
        assert seen.values("transfer-encoding") in ([], ["chunked"])


@pytest.mark.parametrize(
    ("said", "body"), [("0", b"GET / HTTP/1.1\r\n\r\n"), ("5", b"x" * 100), ("100", b"x"), ("1", b"")]
)  # fmt: skip
async def test_a_length_that_is_not_the_bodys(scene: Scene, said: str, body: bytes) -> None:
    status = await asked(scene, request("/public", ("content-length", said)), body)
    assert status in REFUSED
    for path in (INFER, "/v2/models/credit/ready"):
        assert await asked(scene, request(path, ("content-length", said)), body) in REFUSED
    assert await asked(scene, request("/public")) == 200  # what is torn has arrived by then
    assert set(scene.reached()) == {"web"}


PATHS = (
    "//v2/models/credit/infer", "/public/../v2/models/credit/infer", "/public/%2e%2e/v2/models/credit/infer",
    "/public/..%2fv2/models/credit/infer", "/v2/models/credit/infer;x", "/v2/models/%63redit/infer",
    "\\v2\\models\\credit\\infer", "/V2/models/credit/infer", "/v2/models/credit/infer#x", "/v2/models/credit/infer\xff",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
async def test_paths(scene: Scene, path: str) -> None:
    assert await asked(scene, request(path)) in REFUSED
    assert await asked(scene, request(path, ("authorization", bearer("mallory")))) in REFUSED
    assert not scene.reached()
    assert await asked(scene, request(path, KEY)) in REFUSED | {200}
    assert {seen.target for seen in scene.reached().get("credit", ())} <= {INFER}


CONTROL: tuple[Field, ...] = (
    ("x-forwarded-for", "10.1.0.1"),
    ("x-envoy-original-path", "/public"),
    ("x-original-url", "/public"),
    ("x-gatereeve-principal", "corp/alice"),
    ("x-gatereeve-scope", "https|plain.test"),
    ("x-forwarded-client-cert", f"URI={SPIFFE}"),
    ("authorization", "Bearer x"),
    ("cookie", "access_token=x"),
)


@pytest.mark.parametrize("header", CONTROL, ids=range(len(CONTROL)))
async def test_control_headers(scene: Scene, header: Field) -> None:
    assert await asked(scene, request(INFER, header)) in {400, 401}
    assert await asked(scene, request("/x", header, host="vault.test")) in REFUSED
    assert not scene.reached()


VERSION = "x-model-version"


@pytest.mark.parametrize(
    "fields",
    [
        ((VERSION, " 1"),), ((VERSION, "1 "),), ((VERSION, "1,1"),), ((VERSION, "1"), (VERSION, "1")),
        ((VERSION, ""),), ((VERSION, "1\t"),), ((VERSION, "\xa01"),), ((VERSION, b"\xc2\xa01"),),
        ((VERSION, "1" * 9000),), ((VERSION, "1"), (VERSION, "")),
    ],
)  # fmt: skip
async def test_a_header_that_a_rule_reads_has_one_value(
    scene: Scene, fields: tuple[Field, ...]
) -> None:
    """HTTP/2 takes no spaces off a value; a server behind HTTP/1.1 would."""
    async with talking(scene, sni="other.test") as talk:
        plain = await talk.send(request("/x", (VERSION, "1"), host="other.test"))
        assert await talk.status(plain) == 200
        assert set(scene.reached()) == {"other"}
        odd = await talk.send(request("/x", *fields, host="other.test"))
        assert await talk.status(odd) in (400, CLOSED)
        assert not scene.reached()


async def test_every_stream_has_its_own_caller(scene: Scene) -> None:
    async with talking(scene) as talk:
        streams = [
            (await talk.send(request(INFER, *who), b"{}"), expected)
            for _ in range(10)
            for who, expected in (
                ((KEY,), 200),
                ((), 401),
                ((("authorization", bearer("mallory")),), 403),
                ((("authorization", bearer()),), 200),
                ((("x-api-key", "wrong"),), 401),
            )
        ]
        for stream, expected in streams:
            assert await talk.status(stream) == expected
    assert len(scene.reached()["credit"]) == 20


async def test_a_connection_for_one_tenant_is_not_one_for_another(scene: Scene) -> None:
    """A browser may reuse a connection for every name in its certificate (RFC 9113, 9.1.1)."""
    async with talking(scene, "other.test") as talk:
        assert await talk.status(await talk.send(request("/x", host="other.test"))) == 200
        scene.reached()
        for host in ("models.test", "vault.test", "chat.test", "MODELS.test", "models.test:443"):
            for who in ((), (KEY,), (("x-gatereeve-sni", host),)):
                assert await talk.status(await talk.send(request(INFER, *who, host=host))) == (
                    421 if host.islower() else 400
                )
    assert not scene.reached()


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
async def test_methods_that_lead_elsewhere(scene: Scene, method: str) -> None:
    for drop in ((), (":path", ":scheme")):
        for host in ("models.test", "models.test:443", "127.0.0.1:22"):
            fields = request(INFER, KEY, host=host, method=method, drop=drop)
            assert await asked(scene, fields) in REFUSED
    protocol: Field = (":protocol", "websocket")
    extended = [*request(INFER, method=method), protocol, KEY]
    assert await asked(scene, extended) in REFUSED
    assert not scene.reached()


async def test_headers_in_pieces_are_one_block_or_nothing(scene: Scene) -> None:
    fields = http2.block(request(INFER))
    pieces = (
        http2.frame(http2.HEADERS, http2.END_STREAM, 1, fields[:20])
        + http2.frame(http2.CONTINUATION, http2.END_HEADERS, 1, fields[20:]),
        http2.frame(http2.HEADERS, http2.END_STREAM, 1, fields)
        + http2.frame(http2.HEADERS, 5, 3, fields),
        http2.frame(http2.CONTINUATION, 5, 1, fields),
        http2.frame(http2.HEADERS, 5, 2, fields),
        http2.frame(http2.DATA, 1, 1, b"x"),
        http2.frame(http2.HEADERS, 5, 0, fields),
        http2.frame(http2.HEADERS, 5, 1, b"\xff" * 20),
        http2.frame(http2.HEADERS, 4, 1, fields) + http2.frame(http2.HEADERS, 5, 1, http2.block([KEY])),
    )  # fmt: skip
    for data in pieces:
        async with talking(scene) as talk:
            assert await talk.status(await talk.send_raw(data)) in REFUSED
        assert not scene.reached()


async def test_a_flood_of_resets_ends_its_own_connection_only(scene: Scene) -> None:
    async with talking(scene) as talk:
        for _ in range(300):
            stream = await talk.send(request(INFER), b"{}")
            await talk.connection.send(http2.frame(http2.RST_STREAM, 0, stream, b"\0\0\0\x08"))
        assert await asked(scene, request(INFER, KEY), b"{}") == 200
    assert set(scene.reached()) == {"credit"}


ONE_TOKEN = bearer()


@pytest.mark.parametrize(
    "more",
    [
        [ONE_TOKEN], [f"Basic eDp5, {ONE_TOKEN}"], [f"x{ONE_TOKEN}"], [f" {ONE_TOKEN}"], [f"{ONE_TOKEN} "], [f"{ONE_TOKEN}\t"], ["Basic eDp5"],
        [ONE_TOKEN.replace("Bearer ", "Bearer .")], [ONE_TOKEN + "."], [ONE_TOKEN.replace(" ", "  ")], [ONE_TOKEN, ONE_TOKEN], [""],
    ],
    ids=range(12),
)  # fmt: skip
async def test_authorization_is_one_token(scene: Scene, more: list[str]) -> None:
    """Over HTTP/2 as over HTTP/1.1; headers that stand several times are one value with commas."""
    fields: list[Field] = [("authorization", value) for value in more]
    status = await asked(scene, request(INFER, *fields), b"{}")
    if [value.strip() for value in more] == [ONE_TOKEN]:  # spaces around a value may be taken off
        assert status in {200, 400, 401, CLOSED}
    else:
        assert status in {400, 401, CLOSED}
        assert not scene.reached()
    scene.reached()
