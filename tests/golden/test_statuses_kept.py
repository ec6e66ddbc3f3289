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
from gatereeve.core.conditions import ObjectStatus
from gatereeve.sources.store import assemble
from gatereeve.statuses import RuntimeFacts, StatusTables
from tests.golden.test_golden import AT, CASES
from tests.support.golden import text_of
from tests.support.statuses import settled


def worlds(text: str) -> Iterator[World]:
    """The documents keep their identity from World to World."""
    parts = [parse.parse_text(one, f"{n}.yaml") for n, one in enumerate(text.split("\n---\n"))]
    whole = assemble(parts, at=AT)
    yield whole
    for left_out in range(len(parts)):
        yield assemble(parts[:left_out] + parts[left_out + 1 :], at=AT)
        yield whole
    yield replace(whole, at=AT + timedelta(days=3650))


def derive(
    tables: StatusTables, world: World, compiled: compiler.Compiled, facts: RuntimeFacts
) -> tuple[ObjectStatus, ...]:
    derived = (status for part in tables.update(world, compiled, facts) for status in part)
    return tuple(sorted(derived, key=lambda status: status.ref))


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.parent.name}/{c.name}")
def test_what_was_read_before_makes_no_difference(case: Path) -> None:
    text = text_of(case)
    tables, compiling = StatusTables(), compiler.Compiler()
    for world in worlds(text):
        made = compiling.compile(world)
        for facts in (settled(made), RuntimeFacts(), settled(made)):
            expected = statuses.derive(world, made, facts)
            assert derive(tables, world, made, facts) == expected


def test_a_status_that_says_the_same_is_the_same_object() -> None:
    world = next(worlds(text_of(CASES[0])))
    tables, made = StatusTables(), compiler.compile(world)
    first = derive(tables, world, made, settled(made))
    again = derive(tables, world, made, settled(made))
    assert first
    assert all(a is b for a, b in zip(first, again, strict=True))
