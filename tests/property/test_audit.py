"""The audit takes any object, bent in any way: no exception, printable findings, garbage ignored."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import cast

import yaml as pyyaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatereeve.api import plain_objects
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit import audit
from gatereeve.cluster_audit.inventory import make_inventory
from gatereeve.core.findings import Finding, order
from tests.property.test_bad_objects import JUNK

CASES = Path(__file__).parents[1] / "golden" / "audit"
BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


@cache
def documents() -> tuple[object, ...]:
    """Every object of the golden cases."""
    texts = (path.read_text() for path in sorted(CASES.glob("*/in.yaml")))
    return tuple(doc for text in texts for doc in pyyaml.safe_load_all(text) if doc)


def found(values: list[object]) -> tuple[Finding, ...]:
    bent = cast("list[Plain]", values)
    return audit.audit(
        make_inventory(doc for value in bent for doc in plain_objects.objects(value))
    )


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [at, *(p for key, item in inner for p in places(item, (*at, key)))]


def bent(value: object, at: tuple[str | int, ...], junk: object, *, drop: bool) -> object:
    value = copy.deepcopy(value)
    if not at:
        return junk
    holder = value
    for step in at[:-1]:
        holder = holder[step]  # type: ignore[index]  # a path of this very value
    if drop:
        del holder[at[-1]]  # type: ignore[attr-defined]
    else:
        holder[at[-1]] = junk  # type: ignore[index]
    return value


@BOUNDED
@given(data=st.data())
def test_bent_objects_crash_nothing(data: st.DataObject) -> None:
    values = list(documents())
    for _ in range(data.draw(st.integers(1, 8))):
        number = data.draw(st.integers(0, len(values) - 1))
        at = data.draw(st.sampled_from(places(values[number])))
        values[number] = bent(values[number], at, data.draw(JUNK), drop=data.draw(st.booleans()))
    findings = found(values)
    assert findings == order(findings)
    assert all(f.message.isprintable() and f.hint.isprintable() for f in findings)


@BOUNDED
@given(junk=st.lists(JUNK, max_size=5), kind=st.text(max_size=12), name=st.text(max_size=12))
def test_garbage_beside_good_objects_changes_nothing(
    junk: list[object], kind: str, name: str
) -> None:
    good = list(documents())
    foreign = {"apiVersion": "garbage.example/v1", "kind": f"X{kind}", "metadata": {"name": name}}
    foreign["spec"] = junk  # type: ignore[assignment]
    assert found([*junk, *good, foreign, {"items": junk}]) == found(good)
