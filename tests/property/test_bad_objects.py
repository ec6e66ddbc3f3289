"""Any document of one team, bent in any way: no exception, bounded time, no other team touched.

Valid documents are taken apart and put together wrong: fields dropped, replaced, doubled, moved,
blown up. A document whose namespace cannot be made out closes the other team's routes as well
(docs/explanation/what-cannot-be-read.md); it changes them in no other way.
"""

from __future__ import annotations

import copy
import json
import time
from functools import cache

import yaml as pyyaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatereeve.compile import compiler
from gatereeve.compile.governance.unreadable import ANYWHERE
from tests.support import teams
from tests.support.worlds import world_of

BOUNDED = settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
BOUND_S = 3.0

Path = tuple[str | int, ...]

ODD = (
    "", " ", "null", "~", "*", "/", "//", "..", "../..", "%2f", "\x00", "\x7f", "\n", "\r\n", "a\nb", "\u2028", "\ufeff", "\u202e", "\ud800",
    "\U0001f600", "\u0130", "\u00e9", "\u0430", "{{ x }}", "${x}", "%REQ(x)%", "\\1", "'", '"', "<x>", ";", "#", "&a", "*a", "!!python/object:x",
    "credit", "web", "kubernetes.io/tls", "a" * 300, "a" * 20_000, "9" * 400, "1e999", "-1", "0x10", "NaN", "2026-01-01T00:00:00Z",
)  # fmt: skip
SCALARS = (
    st.sampled_from(ODD)
    | st.text(max_size=12)
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, -1, 80, 65536, 2**31, 2**53 + 1, 1.5, 1e308, True, False, None])
)


def deep(levels: int) -> object:
    made: object = "x"
    for number in range(levels):
        made = [made] if number % 2 else {"a": made}
    return made


JUNK = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=4),
    st.dictionaries(st.sampled_from(["name", "kind", "spec", "a", "", "models"]), SCALARS, max_size=3),
    st.sampled_from([deep(30), deep(400), ["x"] * 5000, {str(n): n for n in range(3000)}]),
)  # fmt: skip


class Doubled(dict[str, object]):
    """A mapping that is written with some keys twice. doubled: those keys and their second values."""

    doubled: tuple[tuple[str, object], ...] = ()


def written(value: object) -> str:
    """JSON, which is YAML; keys that are doubled stand twice."""
    if isinstance(value, dict):
        pairs = list(value.items())
        if isinstance(value, Doubled):
            pairs += value.doubled
        return "{" + ", ".join(f"{json.dumps(k)}: {written(v)}" for k, v in pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return json.dumps(value, default=str)


@cache
def documents() -> tuple[object, ...]:
    """Those of team `evil`; the first of each kind is bent most often, by the order of hypothesis."""
    return tuple(pyyaml.safe_load(text) for text in teams.of_team(teams.EVIL))


@cache
def without() -> str:
    return teams.slice_of(teams.compiled(*teams.BASE))


@cache
def all_forwards() -> frozenset[str]:
    return teams.forwards_of(teams.compiled(*teams.BASE))


def closes_others(made: compiler.Compiled) -> bool:
    """Whether a document closes what it may speak of, and that is more than its own namespace."""
    outcome = made.outcome
    unreadable = outcome.unreadable
    of_models = (unreadable.models, unreadable.versions, unreadable.more)
    closed = {namespace for found in of_models for namespace, _ in found}
    return not closed.union(outcome.services.hiding[""]).isdisjoint((ANYWHERE, teams.FINE))


def places(value: object, at: Path = ()) -> list[Path]:
    """Every place in a document, but for those that say whose it is."""
    if at in (("metadata",), ("metadata", "namespace"), ("apiVersion",), ("kind",)):
        inner = at == ("metadata",)
        return places_below(value, at) if inner else []
    return [*([at] if at else []), *places_below(value, at)]


def places_below(value: object, at: Path) -> list[Path]:
    if isinstance(value, dict):
        return [p for key, item in value.items() for p in places(item, (*at, key))]
    if isinstance(value, list):
        return [p for number, item in enumerate(value) for p in places(item, (*at, number))]
    return []


def parent_of(document: object, at: Path) -> object:
    here = document
    for step in at[:-1]:
        here = here[step]  # type: ignore[index]  # a place that `places` found
    return here


@st.composite
def bent(draw: st.DrawFn, document: object) -> str:
    """The document after one to three blows, as text."""
    made = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        found = places(made)
        if not found:
            break
        at = draw(st.sampled_from(found))
        holder, key = parent_of(made, at), at[-1]
        blow = draw(st.sampled_from(("drop", "replace", "double", "add", "swap", "wrap")))
        if blow == "double" and isinstance(holder, dict):
            made = doubled(made, at, copy.deepcopy(draw(JUNK)))
        else:
            strike(draw, blow, made, holder, key)
    return written(made)


def strike(draw: st.DrawFn, blow: str, document: object, holder: object, key: str | int) -> None:
    assert isinstance(holder, dict | list)
    if blow == "drop":
        del holder[key]  # type: ignore[arg-type]  # of the holder
    elif blow == "wrap":
        holder[key] = [holder[key]]  # type: ignore[index]
    elif blow == "swap":
        other = draw(st.sampled_from(places(document)))
        holder[key] = copy.deepcopy(parent_of(document, (*other, 0)))  # type: ignore[index]
    elif blow == "add" and isinstance(holder, dict):
        holder[
            draw(st.sampled_from(("names", "Spec", "allow", "", "a.b", "x" * 300, "\u00e9")))
        ] = copy.deepcopy(draw(JUNK))
    else:
        holder[key] = copy.deepcopy(draw(JUNK))  # type: ignore[index]


def doubled(document: object, at: Path, value: object) -> object:
    """The document with the key at `at` written twice."""
    if not isinstance(document, dict | list):
        return document
    if len(at) == 1 and isinstance(document, dict):
        made = Doubled(document)
        made.doubled = ((str(at[0]), value),)
        return made
    document[at[0]] = doubled(document[at[0]], at[1:], value)  # type: ignore[index]
    return document


def held(*texts: str, compiling: compiler.Compiler | None = None) -> None:
    began = time.process_time()
    world = world_of(*teams.SHARED, *teams.of_team(teams.FINE), *texts)
    made = (compiling or compiler.Compiler()).compile(world)
    assert time.process_time() - began < BOUND_S
    if closes_others(made):
        assert teams.forwards_of(made) <= all_forwards()
    else:
        assert teams.slice_of(made) == without()
    assert teams.ways_past_policy(made) == []
    for finding in made.findings:
        assert finding.message
        assert "\n" not in finding.message


@BOUNDED
@given(st.data())
def test_a_bent_document_touches_nobody_else(data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(documents()) - 1))
    texts = [written(document) for document in documents()]
    texts[number] = data.draw(bent(documents()[number]))
    held(*texts)


@BOUNDED
@given(st.data())
def test_many_bent_documents_touch_nobody_else(data: st.DataObject) -> None:
    held(*(data.draw(bent(document)) for document in documents() if data.draw(st.booleans())))


@settings(BOUNDED, max_examples=40)
@given(st.data())
def test_a_bent_document_leaves_nothing_behind_in_the_tables(data: st.DataObject) -> None:
    """Good, bad and good again, with one compiler: the last is the first."""
    compiling = compiler.Compiler()
    whole = world_of(*teams.BASE)
    first = compiling.compile(whole)
    number = data.draw(st.integers(0, len(documents()) - 1))
    texts = [written(document) for document in documents()]
    texts[number] = data.draw(bent(documents()[number]))
    held(*texts, compiling=compiling)
    assert compiling.compile(whole) == first


@BOUNDED
@given(st.data())
def test_a_text_cut_anywhere_touches_nobody_else(data: st.DataObject) -> None:
    """Cut after its namespace, so that it is still known whose it is."""
    text = data.draw(st.sampled_from(teams.of_team(teams.EVIL)))
    start = text.find("\n", text.find("metadata:")) + 1
    at = data.draw(st.integers(start, len(text)))
    smear = data.draw(
        st.sampled_from(["", ": :", "\n- ", "'", "[", "}", "\t", "\x00", "\n  x: &a [*a]", "---"])
    )
    skip = data.draw(st.sampled_from([0, 1, 5, len(text)]))
    others = [t for t in teams.of_team(teams.EVIL) if t != text]
    held(*others, text[:at] + smear + text[at + skip :])
