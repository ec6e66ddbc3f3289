"""The guarded GET: where it may go, what it accepts, and that it cannot be led astray."""

from __future__ import annotations

import ipaddress

import pytest

from gatereeve.sources import fetch
from tests.support.keys import Authority
from tests.unit.sources.key_server import HOST, JWKS, KeyServer, response, serving


class Names:
    """A resolver that says what it is told, and counts."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        if not self._answers:
            raise OSError("no such name")
        return self._answers


def target(server: KeyServer, *, uri: str | None = None) -> fetch.FetchTarget:
    return fetch.FetchTarget(
        uri=uri or server.uri, allow_private=True, ca=server.authority.certificate.encode()
    )


async def test_the_body_comes_from_the_judged_address_under_its_own_name() -> None:
    async with serving() as server:
        names = Names("127.0.0.1")
        assert await fetch.fetch(target(server), names) == JWKS.encode()
        assert names.asked == [(HOST, server.port)]
        assert server.requests[0].startswith("GET /jwks HTTP/1.1\r\n")
        assert f"host: {HOST}:{server.port}\r\n" in server.requests[0].lower()


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with serving() as server:
        assert await fetch.fetch(target(server), Names("::1", "127.0.0.1")) == JWKS.encode()


async def test_plain_http_needs_allow_private() -> None:
    async with serving(tls=False) as server:
        uri = server.uri.replace("https", "http")
        assert await fetch.fetch(target(server, uri=uri), Names("127.0.0.1")) == JWKS.encode()
        with pytest.raises(fetch.FetchRefusedError, match="not https"):
            await fetch.fetch(fetch.FetchTarget(uri=uri), Names("127.0.0.1"))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "uri", ["ftp://a/b", "file:///etc/passwd", "https://", "https://u:p@a/", "https://[::1", "x"]
)
async def test_other_uris_are_refused_before_anything_is_resolved(uri: str) -> None:
    names = Names("93.184.216.34")
    with pytest.raises(fetch.FetchRefusedError):
        await fetch.fetch(fetch.FetchTarget(uri=uri), names)
    assert names.asked == []


PRIVATE = (
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1",
    "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:0a00:0001::",
)  # fmt: skip
NEVER = (
    "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::", "100.100.100.200",
    "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1%lo",
)  # fmt: skip


@pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
async def test_addresses_that_are_not_everybodys_are_refused(address: str) -> None:
    with pytest.raises(fetch.FetchRefusedError):
        await fetch.fetch(fetch.FetchTarget(uri=f"https://{HOST}/"), Names(address))


@pytest.mark.parametrize("address", NEVER)
async def test_some_addresses_are_never_allowed(address: str) -> None:
    with pytest.raises(fetch.FetchRefusedError):
        await fetch.fetch(
            fetch.FetchTarget(uri=f"https://{HOST}/", allow_private=True), Names(address)
        )


@pytest.mark.parametrize("text", ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]"])
async def test_addresses_written_as_names_are_judged_like_all_others(text: str) -> None:
    with pytest.raises((fetch.FetchRefusedError, fetch.UnavailableError)):
        await fetch.fetch(fetch.FetchTarget(uri=f"https://{text}/"))


@pytest.mark.parametrize("text", ["93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_are_public(text: str) -> None:
    assert fetch.is_public(ipaddress.ip_address(text))


async def test_a_name_without_address_is_unavailable() -> None:
    with pytest.raises(fetch.UnavailableError, match="no address"):
        await fetch.fetch(fetch.FetchTarget(uri=f"https://{HOST}/"), Names())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            response(status="302 Found", headers=("location: https://elsewhere.example/",)),
            "redirect",
        ),
        (response(status="404 Not Found"), "404"),
        (response(status="503 Busy"), "503"),
        (response("x" * (fetch.MAX_BYTES + 1)), "larger than 256 KiB"),
        (response("x", headers=("content-encoding: gzip",)), "compressed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "RemoteProtocolError"),
        (b"rubbish\r\n\r\n", "RemoteProtocolError"),
    ],
    ids=["redirect", "404", "503", "large", "gzip", "cut", "rubbish"],
)
async def test_other_answers_are_unavailable(answer: bytes, why: str) -> None:
    async with serving() as server:
        server.answer = answer
        with pytest.raises(fetch.UnavailableError, match=why):
            await fetch.fetch(target(server), Names("127.0.0.1"))


async def test_an_answer_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", 0.05)
    async with serving() as server:
        server.answer = b""
        with pytest.raises(fetch.UnavailableError):
            await fetch.fetch(target(server), Names("127.0.0.1"))


async def test_the_certificate_must_be_for_the_name() -> None:
    async with serving(dns="other.example.com") as server:
        with pytest.raises(fetch.UnavailableError, match="no connection"):
            await fetch.fetch(target(server), Names("127.0.0.1"))


async def test_only_the_named_authority_counts() -> None:
    async with serving() as server:
        stranger = Authority("stranger").certificate.encode()
        for ca in (stranger, None):
            with pytest.raises(fetch.UnavailableError, match="no connection"):
                await fetch.fetch(
                    fetch.FetchTarget(uri=server.uri, allow_private=True, ca=ca), Names("127.0.0.1")
                )
        with pytest.raises(fetch.UnavailableError, match="cannot be read"):
            await fetch.fetch(
                fetch.FetchTarget(uri=server.uri, allow_private=True, ca=b"x"), Names("127.0.0.1")
            )


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    async with serving() as server:
        assert await fetch.fetch(target(server), Names("127.0.0.1")) == JWKS.encode()
