"""Every text of `findings.toml` is used, and every use gives exactly the values that it shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

from gatereeve.core import findings
from gatereeve.core.report import describe

SOURCE = Path(findings.__file__).parent.parent
MAKERS = {"describe", "finding", "report", "fail", "add", "_problem", "_refused", "_unresolved"}
"""Functions that take the name of a text and its values."""
ARGUMENTS = {"governed"}
"""Arguments that they take beside the values."""
_SHORT = 3
"""Characters of a name with gaps, up to which it says nothing."""


def placeholders(name: str) -> set[str]:
    _, text = findings.texts()[name]
    parts = (*Formatter().parse(text.message), *Formatter().parse(text.hint))
    return {field for _, field, _, _ in parts if field is not None}


@cache
def nodes() -> tuple[tuple[str, ast.AST], ...]:
    """Every node of the source, with its place."""
    return tuple(
        (f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}", node)
        for path in sorted(SOURCE.glob("**/*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
    )


def names_in(argument: ast.expr) -> list[str]:
    """The texts that an argument names: one, or one of two."""
    if isinstance(argument, ast.IfExp):
        return [*names_in(argument.body), *names_in(argument.orelse)]
    is_name = isinstance(argument, ast.Constant) and argument.value in findings.texts()
    return [str(argument.value)] if is_name and isinstance(argument, ast.Constant) else []


def uses() -> Iterator[tuple[str, list[str], set[str]]]:
    """(place, names of texts, values given) of each call that names a text and its values."""
    for place, node in nodes():
        if not isinstance(node, ast.Call) or any(k.arg is None for k in node.keywords):
            continue
        maker = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        names = [name for argument in node.args[:3] for name in names_in(argument)]
        if names and maker in MAKERS:
            yield place, names, {str(k.arg) for k in node.keywords} - ARGUMENTS


def test_every_code_has_a_text_and_says_why_it_matters() -> None:
    for code in findings.registry().values():
        assert code.texts, code.code
        assert code.about.endswith("."), code.code
        for name, text in code.texts.items():
            assert text.message, name
            assert text.hint, name
            assert not text.message.endswith("."), name


def test_every_use_gives_the_values_of_its_text() -> None:
    for place, names, values in uses():
        assert values == set().union(*map(placeholders, names)), (place, names)


def test_every_text_is_used() -> None:
    words, patterns = set(), []
    for _, node in nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [v.value if isinstance(v, ast.Constant) else None for v in node.values]
            if sum(len(str(part)) for part in parts if part) > _SHORT:
                patterns.append("".join(".*" if p is None else re.escape(str(p)) for p in parts))
    for name in findings.texts():
        assert name in words or any(re.fullmatch(p, name) for p in patterns), name


def test_a_finding_lists_several_values() -> None:
    finding = describe("version-unapproved", version="1", roles=("a", "b"), digest="d", role="a")
    assert finding.message == "version 1 lacks the approval of: a, b"


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        describe("version-unapproved", version="1")
