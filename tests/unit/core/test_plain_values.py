"""Which header values have one meaning (RFC 9110 sections 5.3 and 5.5)."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest

from gatereeve.core import plain_values

PLAIN = ("marketing", "credit scoring", "a", "2026-12-01T00:00:00Z", '"v1"', "a;b=c", "x" * 8191)
ODD = ("", " ", "a,b", ",", " a", "a ", "a\tb", "\xe9", "a\x80", "a\x7f", "a\x00b", "a\nb", "x" * 8192)  # fmt: skip


@pytest.mark.parametrize("value", PLAIN)
def test_one_visible_value_is_plain(value: str) -> None:
    assert plain_values.is_plain_value((value,))


@pytest.mark.parametrize("value", ODD)
def test_anything_else_is_not(value: str) -> None:
    assert not plain_values.is_plain_value((value,))


@pytest.mark.parametrize("values", [("a", "b"), ("a", "a"), ("a", ""), ("", "a"), ("", "")])
def test_a_repeated_header_is_not(values: tuple[str, ...]) -> None:
    assert not plain_values.is_plain_value(values)


def test_a_header_that_is_not_there_is_no_problem() -> None:
    assert plain_values.is_plain_value(())


GOVERNED = (
    "/",
    "/a",
    "/a/",
    "/v1/models/m0:predict",
    "/.well-known/x",
    "/a..b/c.d",
    "/a...b",
    "/~u/@x/a=b,c+d(e)!*'$&",
)
ORDINARY = (*GOVERNED, "/a%20b", "/a;x=1", "/%5B1%5d", "/caf%C3%A9", "/%e6%97%a5%E6%9C%AC", "/%F0%9F%98%80", "/a^b|c")  # fmt: skip
ODD_PATHS = (
    "//", "/a//b", "/...", "/../a", "/a/..;/b", "/a/.;x", "/a/..%3b/b", "/a/..%3B", "/a/..%09/b", "/a/..%20/b", "/%252e%252e/a",
    "/%25", "/a%", "/a%zz", "/%u002e%u002e/", "/%c0%ae%c0%ae/", "/..%c0%af", "/%e0%80%ae", "/%f0%80%80%ae", "/%ed%a0%80", "/%ff",
    "/%80", "/%c3", "/%c3%28", "/a\\b", "/a%5cb", "/a%2fb", "/a%00", "/a%0a", "/a%0d%0a", "/a%1f", "/a%7f", "/%c2%85", "/%f5%80%80%80",
    "/%ef%bc%8e%EF%BC%8E/", "/a%ef%bc%8fb", "/a%e2%81%84b", "/a%e2%88%95b", "/a%EF%BC%BCb", "/%ef%bc%85", "/a%cd%be", "/\xe9", "/a b", "/a\tb",
)  # fmt: skip


@pytest.mark.parametrize("path", GOVERNED)
def test_a_governed_path_has_nothing_to_decode(path: str) -> None:
    assert plain_values.is_governed_path(path)


@pytest.mark.parametrize("path", ORDINARY)
def test_an_ordinary_path_may_hold_escapes_that_stay_what_they_are(path: str) -> None:
    assert plain_values.is_ordinary_path(path)
    assert plain_values.is_governed_path(path) == (path in GOVERNED)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_a_path_of_two_meanings_is_neither(path: str) -> None:
    assert not plain_values.is_ordinary_path(path)
    assert not plain_values.is_governed_path(path)


def test_no_character_becomes_a_slash_or_dots_by_normalisation() -> None:
    """Unicode NFKC over all characters: what turns into syntax of paths is a look-alike."""
    for code in range(0x80, 0x110000):
        if 0xD800 <= code < 0xE000:
            continue
        turned = set(unicodedata.normalize("NFKC", chr(code)))
        if turned & set("/\\%") or turned <= set("./\\%;"):
            assert not plain_values.is_ordinary_path("/a" + quote(chr(code))), hex(code)


@pytest.mark.parametrize("query", ["", "?", "?m=1", "?m", "?a&m=1&b", "?am=1&am=2", "?a=m", "?m=1&a=%3b;"])  # fmt: skip
def test_a_query_parameter_of_one_meaning(query: str) -> None:
    assert plain_values.is_plain_query("m", f"/m=1&m=2{query}")


@pytest.mark.parametrize("query", ["?m=1&m=1", "?m&m", "?m=1&M=2", "?M=1", "?%6d=1", "?%6D=1", "?%4d=1", "?m=%31", "?m=1+2", "?m=1;m=2", "?a;m=1", "?m=1&a;%6D"])  # fmt: skip
def test_a_query_parameter_of_two_meanings(query: str) -> None:
    assert not plain_values.is_plain_query("m", f"/a{query}")


@pytest.mark.parametrize(
    "text", ["a", "a b", "alice@corp.test", "\u00e9", "\u65e5\u672c", "a,b", "\u00a0a"]
)
def test_a_claim_that_is_the_same_text_as_a_header(text: str) -> None:
    assert plain_values.is_plain_claim(text)


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a\t", "\na", "a\x00b", "a\x7f", "a\r\nb"])
def test_a_claim_that_is_another_text_as_a_header(text: str) -> None:
    assert not plain_values.is_plain_claim(text)
