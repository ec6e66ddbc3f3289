"""Where a request ends and what a header is: bytes that two parsers could read in two ways.

Most of them carry a second request that a confused server would take for one of its own. The
website behind `/public` may see the outer request, once and whole; a model sees nothing at all.
"""

from __future__ import annotations

import pytest

from tests.envoy.protected import API_KEY, INFER, Scene, bearer, post
from tests.support.gate import client_tls as tls

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

HIDDEN = f"POST {INFER} HTTP/1.1\r\nHost: models.test\r\nX-Hidden: 1\r\nContent-Length: 0\r\n\r\n"
CHUNKED = "Transfer-Encoding: chunked"


def public(*headers: str, body: str = "", version: str = "HTTP/1.1", end: str = "\r\n") -> bytes:
    lines = [f"POST /public {version}", "Host: models.test", *headers, "", ""]
    return (end.join(lines) + body).encode("latin-1")


# Framing that nobody may guess at: the gate says 400 (or nothing) and closes.
REFUSED = (
    # both lengths
    public("Content-Length: 4", CHUNKED, body="0\r\n\r\n" + HIDDEN),
    public(CHUNKED, "Content-Length: 4", body="0\r\n\r\n" + HIDDEN),
    public("Content-Length: 0", CHUNKED, body="5c\r\n" + HIDDEN + "\r\n0\r\n\r\n"),
    public("Content-Length: 6", "transfer-encoding:chunked", body="0\r\n\r\nG" + HIDDEN),
    # several lengths, and lengths that are no number
    public("Content-Length: 0", "Content-Length: 90", body=HIDDEN),
    public("Content-Length: 90", "Content-Length: 0", body=HIDDEN),
    public("Content-Length: 0, 90", body=HIDDEN),
    *(
        public(f"Content-Length: {length}", body=HIDDEN)
        for length in ("-1", "+0", "0x0", "0.0", "1e1", "0 0", "", "zero", "18446744073709551616", "99999999999999999999999")
    ),
    public("Content-Length : 0", body=HIDDEN),
    public("Content-Length\t: 0", body=HIDDEN),
    public("Content-Length\x00: 0", body=HIDDEN),
    # encodings other than chunked and nothing else
    *(
        public(f"Transfer-Encoding: {coding}", body="0\r\n\r\n" + HIDDEN)
        for coding in ("xchunked", "chunked, identity", "identity, chunked", "identity", "gzip, chunked", "chunked, chunked",
                       "chunked;x=y", "chunkedx", '"chunked"', "\x0bchunked", "chunk\x00ed", "chunk ed")
    ),
    public("Transfer-Encoding : chunked", body="0\r\n\r\n" + HIDDEN),
    public("Transfer-Encoding\x0b: chunked", body="0\r\n\r\n" + HIDDEN),
    public("Transfer_Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n" + HIDDEN),
    public(CHUNKED, "Transfer-Encoding: identity", body="0\r\n\r\n" + HIDDEN),
    public("Transfer-Encoding: identity", CHUNKED, body="0\r\n\r\n" + HIDDEN),
    public("Content-Length: 4", "Transfer-Encoding:\r\n chunked", body="0\r\n\r\n" + HIDDEN),
    public("X: a\nTransfer-Encoding: chunked", "Content-Length: 4", body="0\r\n\r\n" + HIDDEN),
    # chunks
    *(
        public(CHUNKED, body=f"{size}\r\n{HIDDEN}")
        for size in ("-1", "0x0", "+0", "", " ", "g", "fffffffffffffffff", "10000000000000000", "0\x00", "0 0", ";", ";a")
    ),
    public(CHUNKED, body="1\nx\n0\n\n" + HIDDEN),
    public(CHUNKED, body="1\rx\r0\r\r" + HIDDEN),
    public(CHUNKED, body="1\r\nab\r\n0\r\n\r\n" + HIDDEN),
    public(CHUNKED, body="1\r\na\n0\r\n\r\n" + HIDDEN),
    public(CHUNKED, body="1\r\na\r0\r\n\r\n" + HIDDEN),
    public(CHUNKED, body="1\r\na0\r\n\r\n" + HIDDEN),
    public(CHUNKED, body="0;\nx\r\n\r\n" + HIDDEN),
    public(CHUNKED, body="1;a\nb\r\nx\r\n0\r\n\r\n" + HIDDEN),
    # lines
    public(" X: leading", body=HIDDEN),
    public("no colon here", body=HIDDEN),
    public(": no name", body=HIDDEN),
    public("X Y: z", body=HIDDEN),
    public("X(): z", body=HIDDEN),
    public("X\x7f: z", body=HIDDEN),
    public("X\xe9: z", body=HIDDEN),
    public("X: a\x00b", body=HIDDEN),
    public("X: a\x01b", body=HIDDEN),
    public("X: a\x7fb", body=HIDDEN),
    public("X_Y: z", body=HIDDEN),
    public(end="\r", body=HIDDEN),
    public(*(f"X-{n}: y" for n in range(120)), body=HIDDEN),
    public("X: " + "y" * 70_000, body=HIDDEN),
)  # fmt: skip


@pytest.mark.parametrize("data", REFUSED, ids=range(len(REFUSED)))
async def test_framing_that_is_not_guessed_at(scene: Scene, data: bytes) -> None:
    answers = await scene.ask_until_closed(data)
    reached = scene.reached()
    assert set(reached) <= {"web"}
    assert len(answers) <= 1
    assert all(400 <= answer.status < 500 or answer.server == "web" for answer in answers)
    for seen in reached.get("web", ()):  # begun before the fault in its body came to light
        assert not seen.values("x-hidden")
        assert seen.target == "/public"


# Framing with one meaning, however odd: what follows it is a request of its own, with its own policy.
CLEAR = (
    public("Content-Length: 0"),
    public("Content-Length: 00"),
    public("Content-Length:\t0\t"),
    public(CHUNKED, body="0\r\n\r\n"),
    public("Transfer-Encoding: CHUNKED", body="0\r\n\r\n"),
    public(CHUNKED, body="2\r\nab\r\n00000\r\n\r\n"),
    public(CHUNKED, body="2;a=b\r\nab\r\n0;c\r\n\r\n"),
    public(CHUNKED, body="0\r\nAuthorization: Bearer x\r\nX-Api-Key: " + API_KEY + "\r\n\r\n"),
    public(CHUNKED, "Trailer: Host", body="0\r\nHost: other.test\r\nContent-Length: 9\r\n\r\n"),
    public("Expect: 100-continue", "Content-Length: 2", body="ab"),
    public("Connection: keep-alive, Host, X-Api-Key", "Content-Length: 0"),
    b"\r\n\r\n" + public("Content-Length: 0"),
    public("Content-Length: 0", end="\n"),
    public("X: a\r\n folded", "Content-Length: 0"),
    public("X: a\r\n\tContent-Length: 90", "Content-Length: 0"),
    public("X: a\rTransfer-Encoding: chunked", "Content-Length: 0"),
    public("X: \xe9\xff", "Content-Length: 0"),
)


@pytest.mark.parametrize("data", CLEAR, ids=range(len(CLEAR)))
async def test_what_follows_a_request_is_another_request(scene: Scene, data: bytes) -> None:
    answers = await scene.ask_until_closed(
        data + HIDDEN.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode()
    )
    reached = scene.reached()
    assert set(reached) <= {"web"}
    assert len(reached.get("web", ())) == len([a for a in answers if a.server == "web"])
    assert all(not seen.values("x-hidden") for seen in reached.get("web", ()))
    assert all(answer.server == "web" or answer.status in {400, 401} for answer in answers)


async def test_requests_in_a_row_have_each_their_own_caller(scene: Scene) -> None:
    """No identity, decision or limit is carried over on one connection."""
    mine, nobody = post(INFER, f"Authorization: {bearer()}"), post(INFER)
    denied = post(INFER, f"Authorization: {bearer('mallory')}", "Connection: close")
    async with scene.gate.connect(tls(), sni="models.test") as connection:
        await connection.send(mine + mine + post("/public") + mine)
        assert [(await connection.answer()).server for _ in range(4)] == [
            "credit",
            "credit",
            "web",
            "credit",
        ]
        await connection.send(nobody)
        assert (await connection.answer()).status == 401
    assert len(scene.reached()["credit"]) == 3
    async with scene.gate.connect(tls(), sni="models.test") as connection:
        await connection.send(mine + denied)
        assert [answer.status for answer in await connection.answers()] == [200, 403]
    assert len(scene.reached()["credit"]) == 1


async def test_a_request_that_never_ends_reaches_no_model_unless_it_may(scene: Scene) -> None:
    for body in (b"", b"{", b'{"inputs'):
        head = post(INFER, body=b" " * 100)[:-100]
        async with scene.gate.connect(tls(), sni="models.test") as connection:
            await connection.send(head + body)
            assert (await connection.answer()).status == 401
    assert not scene.reached()


TWICE = (
    ("Authorization: {good}", "Authorization: Bearer x"),
    ("Authorization: Bearer x", "Authorization: {good}"),
    ("Authorization: {good}", "Authorization: {denied}"),
    ("Authorization: {denied}", "Authorization: {good}"),
    ("Authorization: {good}", "Authorization: {good}"),
    ("Authorization: {good}, {denied}",),
    ("Authorization: {denied}, {good}",),
    ("X-Api-Key: {key}", "X-Api-Key: {key}"),
    ("X-Api-Key: {key}", "X-Api-Key: wrong"),
    ("X-Api-Key: wrong", "X-Api-Key: {key}"),
    ("X-Api-Key: {key}, wrong",),
    ("X-Api-Key: {key}", "X-Api-Key:"),
    ("Authorization: Bearer x", "X-Api-Key: {key}"),
    ("Authorization: {good}", "X-Api-Key: wrong"),
    ("Authorization: {denied}", "X-Api-Key: {key}"),
    ("authorization: bearer x", "X-Api-Key: {key}"),
    ("Authorization: BEARER {token}x", "X-Api-Key: {key}"),
    ("X_Api_Key: {key}",),
    ("X-Api-Key : {key}",),
    ("X-Api-Key: {key}\x00",),
    ("X-Api-Key: \xe9{key}",),
    ("Authorization: {good}\xff",),
    ("Authorization: {good}\x00",),
)


@pytest.mark.parametrize("headers", TWICE, ids=range(len(TWICE)))
async def test_a_credential_that_is_not_one_credential(
    scene: Scene, headers: tuple[str, ...]
) -> None:
    """Presented and not valid is refused, whatever else is presented (design 5.2)."""
    good, denied = bearer(), bearer("mallory")
    words = {"good": good, "denied": denied, "key": API_KEY, "token": good.removeprefix("Bearer ")}
    answer = await scene.ask(post(INFER, *(h.format(**words) for h in headers)))
    assert 400 <= answer.status < 500, answer
    assert not scene.reached()
