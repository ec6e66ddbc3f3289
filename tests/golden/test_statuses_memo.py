"""A memo changes the time of statuses, never what they say: every golden case, whole and without each
of its documents in turn, read after one another with one memo and each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gatereeve import statuses
from gatereeve.api import parse
from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core.memo import Memo
from gatereeve.statuses import RuntimeFacts
from tests.golden.test_golden import AT, CASES
from tests.support.golden import text_of
from tests.support.statuses import settled


def worlds(text: str) -> Iterator[World]:
    """The documents keep their identity from World to World."""
    parts = [parse.parse_text(one, f"{n}.yaml") for n, one in enumerate(text.split("\n---\n"))]
    whole = parse.assemble(parts, at=AT)
    yield whole
    for left_out in range(len(parts)):
        yield parse.assemble(parts[:left_out] + parts[left_out + 1 :], at=AT)
        yield whole
    yield replace(whole, at=AT + timedelta(days=3650))


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_what_was_read_before_makes_no_difference(case: Path) -> None:
    text = text_of(case)
    memo, compiling = Memo(), compiler.Compiler()
    for world in worlds(text):
        made = compiling.compile(world)
        for facts in (settled(made), RuntimeFacts(), settled(made)):
            assert statuses.derive(world, made, facts, memo) == statuses.derive(world, made, facts)


def test_what_is_told_as_before_is_the_same_object() -> None:
    world, memo, compiling = (
        next(worlds(text_of(CASES[0]))),
        Memo(),
        compiler.Compiler(),
    )
    made = compiling.compile(world)
    first = statuses.derive(world, made, settled(made), memo)
    again = statuses.derive(world, made, settled(made), memo)
    own = {"Model", "ModelVersion", "AccessPolicy", "Approval", "Rollout", "HTTPRoute", "Ingress"}
    pairs = [(a, b) for a, b in zip(first, again, strict=True) if a.ref.kind in own]
    assert pairs
    assert all(a is b for a, b in pairs)
