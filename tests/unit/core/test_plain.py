"""Which header values have one meaning (RFC 9110 sections 5.3 and 5.5)."""

from __future__ import annotations

import pytest

from gatereeve.core import plain

PLAIN = ("marketing", "credit scoring", "a", "2026-12-01T00:00:00Z", '"v1"', "a;b=c", "x" * 8191)
ODD = ("", " ", "a,b", ",", " a", "a ", "a\tb", "\xe9", "a\x80", "a\x7f", "a\x00b", "a\nb", "x" * 8192)  # fmt: skip


@pytest.mark.parametrize("value", PLAIN)
def test_one_visible_value_is_plain(value: str) -> None:
    assert plain.is_plain_value((value,))


@pytest.mark.parametrize("value", ODD)
def test_anything_else_is_not(value: str) -> None:
    assert not plain.is_plain_value((value,))


@pytest.mark.parametrize("values", [("a", "b"), ("a", "a"), ("a", ""), ("", "a"), ("", "")])
def test_a_repeated_header_is_not(values: tuple[str, ...]) -> None:
    assert not plain.is_plain_value(values)


def test_a_header_that_is_not_there_is_no_problem() -> None:
    assert plain.is_plain_value(())
