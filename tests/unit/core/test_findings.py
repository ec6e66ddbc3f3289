"""A finding is one printable line, whatever a user wrote."""

from __future__ import annotations

import pytest

from gatereeve.core.findings import MAX_TEXT, Finding, FindingCode

CODE = FindingCode("invalid-field")


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain – with signs …", "plain – with signs …"),
        ("a\nb", "a\\nb"),
        ("a\r\n\x1b[31mred", "a\\r\\n\\x1b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x00\ud800\u2028", "\\x00\\ud800\\u2028"),
        ("\\n", "\\n"),
    ],
)
def test_what_a_terminal_would_act_on_is_escaped(given: str, shown: str) -> None:
    made = Finding(code=CODE, message=given, hint=given)
    assert (made.message, made.hint) == (shown, shown)
    assert made == Finding(code=CODE, message=shown, hint=shown)


@pytest.mark.parametrize("text", ["a" * 1_000_000, "\n" * 1_000_000])
def test_long_texts_are_cut(text: str) -> None:
    made = Finding(code=CODE, message=text, hint="")
    assert len(made.message) <= 2 * MAX_TEXT
    assert made.message.isprintable()
