"""Requests as documents."""

from __future__ import annotations

import pytest

from gatereeve.core.errors import RequestError
from gatereeve.decide.principals import AssumedIdentity
from gatereeve.decide.request import ClientCertificate, Request, parse_request


def test_everything() -> None:
    request = parse_request(
        {
            "url": "https://Models.test:8443/v2?x=1",
            "headers": {"X-V": ["a", "b"], "x-n": 5},
            "body": {"model": "gpt-x"},
            "peer": "192.0.2.1",
            "certificate": {"uris": ["spiffe://corp/a"], "dns": "a.test"},
            "listener": "https",
            "as": {"principal": "corp/alice/x", "groups": ["g"], "claims": {"region": "de"}},
        }
    )
    assert request == Request(
        scheme="https",
        host="Models.test:8443",
        method="POST",
        path="/v2?x=1",
        headers=(
            ("X-V", "a"),
            ("X-V", "b"),
            ("x-n", "5"),
            ("content-type", "application/json"),
        ),
        body=b'{"model":"gpt-x"}',
        peer="192.0.2.1",
        sni="models.test",
        certificate=ClientCertificate(uris=("spiffe://corp/a",), dns=("a.test",)),
        listener="https",
        assume=AssumedIdentity(
            provider="corp", id="alice/x", groups=("g",), claims={"region": "de"}
        ),
    )


@pytest.mark.parametrize(
    "data",
    [
        {"host": "a.test", "body": "\ud800"},
        {"host": "a.test", "body": {"a": [{"\udfff": 1}]}},
        {"host": "a.test", "body": {"a": ["x\ud800y"]}},
        {"host": "a.test", "headers": {"a": "\ud83d"}},
        {"host": "a\ud800.test"},
        {"host": "a.test", "path": "/\udc00"},
        {"host": "a.test", "peer": "\ud800"},
        {"host": "a.test", "\ud800": 1},
        {"host": "a.test", "as": {"principal": "corp/\ud800"}},
    ],
)
def test_half_a_character_is_no_text(data: object) -> None:
    with pytest.raises(RequestError, match="lone surrogate") as told:
        parse_request(data)
    str(told.value).encode()


def test_a_body_that_holds_itself_ends() -> None:
    body: dict[str, object] = {}
    body["a"] = [body]
    with pytest.raises(RequestError):
        parse_request({"host": "a.test", "body": body})


def test_defaults() -> None:
    assert parse_request({"host": "a.test"}) == Request(host="a.test", sni="a.test")
    assert parse_request({"url": "http://a.test"}) == Request(host="a.test", scheme="http")
    assert parse_request({"host": "a.test", "sni": None}).sni is None
    assert parse_request({"host": "a.test", "body": "{}"}).headers == ()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "GET /",
        {},
        {5: "a"},
        {"host": "a.test", "hots": 1},
        {"host": 5},
        {"url": "a.test/x"},
        {"url": "https://a.test", "host": "b.test"},
        {"host": "a.test", "scheme": "ftp"},
        {"host": "a.test", "headers": ["a"]},
        {"host": "a.test", "headers": {"a": {"b": 1}}},
        {"host": "a.test", "headers": {"a": True}},
        {"host": "a.test", "body": {"a": {1, 2}}},
        {"host": "a.test", "certificate": "x"},
        {"host": "a.test", "certificate": {"uris": [5]}},
        {"host": "a.test", "as": {"principal": "alice"}},
        {"host": "a.test", "as": {"principal": "corp/alice", "claims": 5}},
    ],
)
def test_nonsense_is_told_with_a_hint(data: object) -> None:
    with pytest.raises(RequestError) as caught:
        parse_request(data)
    assert caught.value.hint
