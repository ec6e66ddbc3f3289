"""OpenAI bodies: every case was sent through Envoy 1.40's json_to_metadata."""

from __future__ import annotations

import pytest

from gatereeve.decide.bodies import Body, read_body
from gatereeve.decide.canonical_request import CanonicalRequest, canonicalize
from gatereeve.decide.request import Request

JSON = ("content-type", "application/json")


def read(body: bytes | str, *headers: tuple[str, str]) -> Body:
    data = body if isinstance(body, bytes) else body.encode()
    entry = canonicalize(
        Request(host="a.test", headers=headers or (JSON,), body=data), trusted_hops=0
    )
    assert isinstance(entry, CanonicalRequest)
    return read_body(entry)


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        ('{"model":"a"}', "a", False),
        ('{"model":"a","stream":true}', "a", True),
        ('{"model":"a","stream":null}', "a", False),
        ('{"model":"a","stream":[]}', "a", False),
        ('{"model":"a","stream":1}', "a", None),
        ('{"model":"a","stream":"true"}', "a", None),
        ('{"model":"a","model":"b"}', "b", False),
        ('{"mod\\u0065l":"\\u0061"}', "a", False),
        ('\ufeff{"model":"a"}', "a", False),
        ('{"model":"a"}\x00trailing', "a", False),
        ('{"model":"a","x":18446744073709551616}', "a", False),
        ('{"model":"é"}', "é", False),
        ('{"model":5}', None, False),
        ('{"model":null}', None, False),
        ('{"Model":"a"}', None, False),
    ],
)
def test_readable(body: str, model: str | None, *, stream: bool | None) -> None:
    assert read(body) == Body(model=model, stream=stream)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "  ",
        "[]",
        '"model"',
        '{"model":"a"}x',
        '{"model":"a",}',
        '{"model":"a","x":NaN}',
        '{"model":"a","x":1e999}',
        '{"model":"a","x":9223372036854775808}',
        '{"model":"a","x":[18446744073709551615]}',
        '{"model":"a","x":01}',
        '{"model":"a","x":"\t"}',
        '{"model":"\\ud800"}',
        b'{"model":"\xff"}',
        "{'model':'a'}",
        '{"x":' + "[" * 2000 + "]" * 2000 + ',"model":"a"}',
        '{"x":' + '{"a":' * 2000 + "1" + "}" * 2000 + ',"model":"a"}',
    ],
)
def test_unreadable(body: str | bytes) -> None:
    assert read(body) == Body()


@pytest.mark.parametrize(
    ("content_type", "readable"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/json;charset=UTF-8", True),
        ("Application/JSON", False),
        ("application/json; charset=utf-16", False),
        ("application/json;", False),
        ("text/json", False),
        ("application/json,application/json", False),
    ],
)
def test_content_types(content_type: str, *, readable: bool) -> None:
    assert (read('{"model":"a"}', ("content-type", content_type)).model == "a") is readable


def test_encoded_bodies_are_not_read() -> None:
    assert read('{"model":"a"}', JSON, ("content-encoding", "gzip")) == Body()
    assert read('{"model":"a"}', JSON, ("content-encoding", "identity")).model == "a"
    assert read('{"model":"a"}', ("accept", "*/*")) == Body()
