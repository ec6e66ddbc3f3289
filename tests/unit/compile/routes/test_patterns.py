"""Patterns are measured: what RE2 would not compile, or only at length, is refused with the reason."""

from __future__ import annotations

import re

import pytest

from gatereeve.compile.routes import patterns

ACCEPTED = (
    ("/v[0-9]+/[a-z0-9-]{1,63}", "/v[0-9]+/[a-z0-9-]{1,63}"),
    ("^/x$", "/x"),
    (r"/x\$", r"/x\$"),
    ("/x/(a{100}){10}", "/x/(a{100}){10}"),
    ("(a*)*(|b)(?:c|d){0}", "(a*)*(|b)(?:c|d){0}"),
    ("[a-]|[.+*?(){}|$]", "[a-]|[.+*?(){}|$]"),
)
REFUSED = (
    ("/x/(a{100}){11}", "multiply to 1100"),
    ("((a{11}){10}){10,}", "multiply to 1100"),
    ("(" + "a" * 60 + "){99}", "too large"),
    ("([acegikmoqsuwy]{90}){9}", "too large"),
    ("a" * 257, "257 characters"),
    ("a{101}", "no repetition"),
    ("a{3,2}", "no repetition"),
    ("(" * 8 + "a" + ")" * 8, "deep"),
    ("", "empty"),
    ("^$", "empty"),
    ("/a(?=b)", "character 4"),
    ("/a**", "character 4"),
    ("/a+?", "character 4"),
    ("[b-a]", "character 4"),
    ("é", "character 1"),
)


@pytest.mark.parametrize(("text", "kept"), ACCEPTED)
def test_accepted(text: str, kept: str) -> None:
    assert patterns.bounded_pattern(text) == kept
    re.compile(kept)
    assert patterns.program_size(kept) <= patterns.MAX_PROGRAM


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(patterns.PatternError, match=re.escape(why)):
        patterns.bounded_pattern(text)
