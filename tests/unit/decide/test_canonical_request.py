"""Canonical form. Paths, hosts and headers as Envoy 1.40 was seen to treat them."""

from __future__ import annotations

import pytest

from gatereeve.decide.canonical_request import (
    CanonicalRequest,
    RefusedRequest,
    canonical_host,
    canonical_path,
    canonicalize,
    normalize_address,
)
from gatereeve.decide.request import Request


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("/a/../b", "/b"),
        ("/a/b/..", "/a/"),
        ("/..", "/"),
        ("/%2e%2e/x", "/x"),
        ("/a/.%2e", "/"),
        ("/a//b", "/a/b"),
        ("/a/../..//b", "/b"),
        ("///", "//"),
        ("/%6d%41%7e", "/mA~"),
        ("/%zz%", "/%zz%"),
        ("/%b%41x", "/%25bAx"),
        ("/a\\..\\b", "/b"),
        ("/a;x=1/b", "/a;x=1/b"),
        ("/a/..;x/b", "/b"),
        ("/a/%2e%2e;/b", "/a/..;/b"),
        ("/a/...", "/a/..."),
        ('/a"b', "/a%22b"),
        ("/a%20b%c3%a9%3b", "/a%20b%c3%a9%3b"),
        ("/a%2fb", None),
        ("/a%5Cb", None),
        ("/a%00", None),
        ("/a#b", None),
        ("a", None),
        ("*", None),
    ],
)
def test_paths(sent: str, canonical: str | None) -> None:
    assert canonical_path(sent) == canonical


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("Models.TEST", None),
        ("models.test:8443", "models.test"),
        ("models.test.", "models.test"),
        ("models.test.:80", "models.test"),
        ("[::1]:80", "[::1]"),
        ("a.test:", None),
        ("a.test:x", None),
        ("a.test,b.test", None),
        ("user@a.test", None),
        ("", None),
    ],
)
def test_hosts(sent: str, canonical: str | None) -> None:
    assert canonical_host(sent) == canonical


@pytest.mark.parametrize(
    ("sent", "normal"),
    [
        ("2001:DB8::0001", "2001:db8::1"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::1.2.3.4", "::1.2.3.4"),
        ("::1", "::1"),
        ("01.2.3.4", None),
        ("1.2.3.4:80", None),
        ("fe80::1%eth0", None),
        ("", None),
    ],
)
def test_addresses(sent: str, normal: str | None) -> None:
    assert normalize_address(sent) == normal


def entered(*headers: tuple[str, str], hops: int = 0, **changes: str) -> CanonicalRequest:
    request = Request(**({"host": "a.test", "headers": headers} | changes))  # type: ignore[arg-type]
    entry = canonicalize(request, trusted_hops=hops)
    assert isinstance(entry, CanonicalRequest), entry
    return entry


def code(*headers: tuple[str, str], **changes: str) -> str:
    request = Request(**({"host": "a.test", "headers": headers} | changes))  # type: ignore[arg-type]
    refused = canonicalize(request, trusted_hops=0)
    assert isinstance(refused, RefusedRequest), refused
    return refused.code


@pytest.mark.parametrize(
    "headers",
    [
        [("x_user", "a")],
        [("x user", "a")],
        [("", "a")],
        [("x@v", "a")],
        [("x-v", "a\x00")],
        [("x-v", "a\nb")],
        [("x-v", "a\x7f")],
        [("Host", "b.test")],
        [(":authority", "b.test")],
    ],
)
def test_malformed_headers(headers: list[tuple[str, str]]) -> None:
    assert code(*headers) == "malformed-request"


@pytest.mark.parametrize("path", ["/a b", "/é", "/a\x01", "", "?x", "/a?b#c", "ftp://a.test/"])
def test_malformed_targets(path: str) -> None:
    assert code(path=path) == "malformed-request"


@pytest.mark.parametrize("method", ["get", "FOO", "M-SEARCH", ""])
def test_unknown_methods(method: str) -> None:
    assert code(method=method) == "malformed-request"


def test_upgrades() -> None:
    connection = ("Connection", "keep-alive, Upgrade")
    assert code(connection, ("Upgrade", "websocket")) == "upgrade-refused"
    assert code(method="CONNECT", path="a.test:443") == "upgrade-refused"
    assert code(method="CONNECT", path="/") == "malformed-request"
    assert entered(connection, ("Upgrade", "h2c")).path == "/"
    named = ("Connection", "x-forwarded-for")
    assert code(connection, named, ("Upgrade", "websocket")) == "upgrade-refused"
    assert entered(("Upgrade", "websocket")).path == "/"


def test_what_connection_names_is_as_if_it_was_not_sent() -> None:
    sent = ("X-Purpose", "marketing")
    kept = entered(sent, ("Connection", "keep-alive, close"))
    assert kept.values("x-purpose") == ("marketing",)
    for named in ("x-purpose", "close, X-PURPOSE", " ,\tx-purpose ,"):
        assert entered(sent, ("Connection", named)).values("x-purpose") == ()
    twice = entered(("Connection", "close"), sent, ("connection", "x-purpose"))
    assert twice.values("x-purpose") == ()
    for named in ("host", ":path", "x-forwarded-for", ",".join("abcdefghij")):
        assert code(sent, ("Connection", named)) == "malformed-request"
    assert entered(("Connection", "host"), path="http://b.test/").host == "b.test"


def test_header_bounds() -> None:
    assert code(*((f"a{i}", "1") for i in range(100))) == "headers-too-large"
    assert (
        len(entered(*((f"a{i}", "1") for i in range(99))).headers) == 99 + 1
    )  # the client's address
    assert code(("a", "x" * 62_000)) == "headers-too-large"


def test_absolute_form_brings_its_own_authority() -> None:
    entry = entered(path="https://b.test:99/x/../y?z", host="a.test")
    assert (entry.host, entry.path, entry.query) == ("b.test", "/y", "z")
    assert entered(path="https://b.test").path == "/"
    assert entered(path="HTTP://b.test/").host == "b.test"
    assert entered(path="https://c.test:1@b.test/").host == "b.test"
    for twice in ("https://a@b@c.test/", "https://b.test\\@c.test/", "https://user@/"):
        assert code(path=twice) == "malformed-request"
    assert code(path="https://b.test/", scheme="http") == "upgrade-refused"


def test_headers_that_only_the_gate_may_set() -> None:
    names = ("X-Gatereeve-Sni", "x-envoy-original-path", "X-Original-URL", "x-rewrite-url")
    assert entered(*((name, "a") for name in names), ("x-v", "a")).headers == (
        ("x-v", "a"),
        ("x-forwarded-for", "127.0.0.1"),
    )


def test_values_stand_alone_but_for_headers_that_the_gate_joins() -> None:
    entry = entered(("X-V", " a "), ("x-v", "b"), ("Authorization", "c"), ("authorization", "d"))
    assert entry.values("x-v") == ("a", "b")
    assert entry.joined("x-v") == "a,b"
    assert entry.values("authorization") == ("c,d",)
    assert entry.joined("x-other") is None


@pytest.mark.parametrize(
    ("forwarded", "hops", "client"),
    [
        (["1.2.3.4"], 0, "127.0.0.1"),
        (["5.6.7.8, 1.2.3.4"], 1, "1.2.3.4"),
        (["5.6.7.8, 1.2.3.4"], 2, "5.6.7.8"),
        (["5.6.7.8"], 2, "127.0.0.1"),
        (["5.6.7.8", "1.2.3.4"], 1, "1.2.3.4"),
        (["1.2.3.4:80"], 1, "127.0.0.1"),
        (["1.2.3.4, "], 1, "127.0.0.1"),
        (["2001:DB8::0001"], 1, "2001:db8::1"),
    ],
)
def test_client_address(forwarded: list[str], hops: int, client: str) -> None:
    entry = entered(*(("X-Forwarded-For", value) for value in forwarded), hops=hops)
    assert (entry.client, entry.peer) == (client, "127.0.0.1")
