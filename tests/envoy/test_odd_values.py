"""Values that two parsers may read differently, towards a model whose route takes every path.

`other.test` is open to everybody, so nothing but the form of a request refuses it. The website behind
`/public` is an ordinary Service of a Gate with the default settings.
"""

from __future__ import annotations

import pytest

from tests.envoy import http2
from tests.envoy.http2 import CLOSED
from tests.envoy.protected import Scene, post
from tests.support import gate as gates

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

OTHER = "other.test"

AGAIN = (
    "/%252e%252e/admin", "/%25%32%65%25%32%65/admin", "/..%3b/admin", "/..%3B%2e/admin", "/..%09/admin", "/..%20/admin", "/..%0a/admin",
    "/..%c0%afadmin", "/..%e0%80%afadmin", "/..%f0%80%80%afadmin", "/%c0%ae%c0%ae/admin", "/%u002e%u002e/admin", "/%uff0e%uff0e/admin",
    "/%ef%bc%8e%ef%bc%8e/admin", "/..%ef%bc%8fadmin", "/..%e2%81%84admin", "/..%e2%88%95admin", "/..%ef%bc%bcadmin", "/%ed%a0%80",
    "/..%e2%80%8b/admin", "/%ef%bb%bf./admin", "/.%c2%ad./admin", "/%ff", "/%80", "/%c3", "/%", "/%4", "/%zz", "/%7f", "/%1b", "/%c2%85", "/%25", "/%2525",
)  # fmt: skip
"""Refused on every route: decoded once more they are another path, or none."""

GOVERNED_ONLY = (
    "/a%20b",
    "/caf%c3%a9",
    "/a;b=c",
    "/;/a",
    "/a%3fb",
    "/a%23b",
    "/a%5b",
    "/%e6%97%a5",
    "/a%26b",
    "/a%3bb",
)
"""Refused on routes to models: a plain server reads them as the gate does, others may not."""

PLAIN = (
    "/",
    "/x",
    "/x/",
    "/v1/models/m:predict",
    "/a..b/.c/d~e",
    "/a,b=c&d+e@f!$'()*",
    "/x?y=%252e%252e;z=%ff",
)


@pytest.mark.parametrize("path", [*AGAIN, *GOVERNED_ONLY])
async def test_a_model_is_not_asked_for_a_path_of_two_meanings(scene: Scene, path: str) -> None:
    for prefix in ("", "/x"):
        answer = await scene.ask(post(prefix + path, host=OTHER), sni=OTHER)
        assert (answer.status, answer.code) == (400, "ambiguous-path")
    async with scene.gate.connect(gates.client_tls(("h2",)), sni=OTHER) as connection:
        talk = http2.Http2(connection)
        await talk.start()
        assert await talk.status(await talk.send(http2.request(path, host=OTHER))) in (400, CLOSED)
    assert not scene.reached()


@pytest.mark.parametrize("path", PLAIN)
async def test_a_plain_path_is_served_as_it_is(scene: Scene, path: str) -> None:
    answer = await scene.ask(post(path, host=OTHER), sni=OTHER)
    assert (answer.status, answer.server) == (200, "other")
    assert [seen.target for seen in scene.reached()["other"]] == [path]


async def test_an_ordinary_route_refuses_what_changes_when_decoded_again(scene: Scene) -> None:
    for path in AGAIN:
        answer = await scene.ask(post("/public" + path))
        assert (answer.status, answer.code) == (400, "ambiguous-path"), path
    assert not scene.reached()
    for path in GOVERNED_ONLY:
        answer = await scene.ask(post("/public/x" + path))
        assert (answer.status, answer.server) == (200, "web"), path
    assert len(scene.reached()["web"]) == len(GOVERNED_ONLY)


VALUES = ("", "1,1", "1, 1", "1\t1", "\xa01", "1\xff", "1\xc2\xad", "1" * 9000, ",")


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
async def test_an_odd_value_of_a_header_that_a_rule_reads(scene: Scene, value: str) -> None:
    for headers in (
        (f"X-Model-Version: {value}",),
        ("X-Model-Version: 1", f"x-model-version: {value}"),
    ):
        answer = await scene.ask(post("/x", *headers, host=OTHER), sni=OTHER)
        assert (answer.status, answer.code) == (400, "ambiguous-header")
        assert not scene.reached()
        assert (await scene.ask(post("/public", *headers))).server == "web"
        assert set(scene.reached()) == {"web"}
    answer = await scene.ask(post("/x", f"X-Unread: {value}", host=OTHER), sni=OTHER)
    assert answer.server == "other"
    assert scene.reached()


BELIEVED = (
    "Forwarded: for=127.0.0.1", "X-Real-IP: 127.0.0.1", "X-Forwarded-Host: root", "X-Forwarded-Port: 1", "X-Forwarded-User: root",
    "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X-User: root", "X-Tenant: root",
    "X-Remote-User: root", "Remote-User: root", "X-Auth-Request-Email: root", "X-Amzn-Oidc-Identity: root",
    "X-Gatereeve-Principal: root", "X-Original-Method: DELETE", "True-Client-IP: 127.0.0.1",
)  # fmt: skip


async def test_a_model_does_not_see_headers_that_servers_believe(scene: Scene) -> None:
    twice = [*BELIEVED, *(line.replace(": ", ":  again-") for line in BELIEVED)]
    answer = await scene.ask(post("/x", "X-Mine: kept", *twice, host=OTHER), sni=OTHER)
    assert answer.server == "other"
    (seen,) = scene.reached()["other"]
    names = {line.partition(":")[0].lower() for line in BELIEVED}
    assert not {name for name in names if seen.values(name)}
    assert seen.values("x-mine") == ["kept"]
    answer = await scene.ask(post("/public", "X-User: web-user"))
    assert scene.reached()["web"][0].values("x-user") == ["web-user"]
    for line in ("X_User: root", "X_Gatereeve_Principal: root"):
        answer = await scene.ask(post("/x", line, host=OTHER), sni=OTHER)
        assert answer.status == 400 or not [
            s for s in scene.reached()["other"] if b"root" in s.head
        ]
