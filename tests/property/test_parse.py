"""Laws of reading: total on any text, nothing silent, and independent of what was read before."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import yaml as pyyaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gatereeve.api import parse, registry, tables
from gatereeve.api.parsed import Parsed, Part, keep_last_good
from gatereeve.api.world import World
from gatereeve.core import findings
from gatereeve.sources.store import DocumentStore, assemble
from tests.unit.api import documents

AT = datetime(2026, 11, 1, tzinfo=UTC)
BOUNDED = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

YAMLISH = st.text(
    st.sampled_from("abkindNo019:-?[]{},&*!|>'\"%@`#~<=\n\n  \t\\._\x85\u2028\u00e9\x00\ud800"),
    max_size=200,
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["v1", "List", "Secret", "gatereeve.dev/v1alpha1", "Model", "..", "a" * 300])
)
KEYS = st.sampled_from(
    ["apiVersion", "kind", "metadata", "spec", "items", "name", "namespace", "labels", "data", "<<"]
) | st.text(max_size=4)
STRUCTURES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


def well_formed(parsed: Parsed, text: str) -> None:
    """Every finding is registered and has a place; every document or failure is accounted for."""
    lines = len(text.splitlines()) + 1
    for finding in parsed.findings:
        assert finding.code in findings.registry()
        assert finding.message
        assert finding.hint
        assert finding.where is not None
        assert 0 <= finding.where.line <= lines
        assert "\n" not in finding.message
    for doc in parsed.docs:
        kind = registry.BY_KIND[doc.ref.group, doc.ref.kind]
        assert isinstance(doc.spec, kind.spec)
        assert bool(doc.ref.namespace) == kind.namespaced
        assert doc.digest.startswith("sha256:")
    if any(True for _ in parsed.broken):
        assert any(f.severity == findings.Severity.ERROR for f in parsed.findings)
    world = assemble([parsed], at=AT)
    assert world.at == AT


@BOUNDED
@given(st.text(max_size=300) | YAMLISH)
@example("---\n--- x\n...\n--- |\n a\n")
@example("\ufeff---\r\na: b\r")
@example("a: &a {<<: *a}")
@example("%YAML 1.1\n--- !!set {a, b}")
def test_any_text_gives_a_result(text: str) -> None:
    well_formed(parse.parse_text(text, "f.yaml"), text)
    parse.parse_text(text, "f.json")


@BOUNDED
@given(STRUCTURES)
def test_any_structure_gives_a_result(structure: object) -> None:
    text = json.dumps(structure)
    well_formed(parse.parse_text(text, "f.json"), text)
    text = pyyaml.safe_dump(structure)
    well_formed(parse.parse_text(text, "f.yaml"), text)


@BOUNDED
@given(st.data())
def test_bent_documents_are_never_silently_something_else(data: st.DataObject) -> None:
    document = pyyaml.safe_load(data.draw(st.sampled_from(documents.ALL)))
    holder, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(holder[key], dict | list) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        keys = sorted(holder) if isinstance(holder, dict) else range(len(holder))
        key = data.draw(st.sampled_from(list(keys)))
    if data.draw(st.booleans()):
        holder[key] = data.draw(STRUCTURES)
    else:
        del holder[key]
    text = json.dumps(document, default=str)
    parsed = parse.parse_text(text, "f.json")
    well_formed(parsed, text)
    usable, broken = list(parsed.docs), list(parsed.broken)
    assert len(usable) + len(broken) <= 1
    assert usable or any(True for _ in parsed.findings) or not document


@BOUNDED
@given(st.sampled_from(documents.ALL), st.data())
def test_cut_and_smeared_text_gives_a_result(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    smear = data.draw(st.sampled_from(["", ": ", "\n", "- ", "'", "[", "}", "\t", "---\n", "\x00"]))
    skip = data.draw(st.integers(0, 5))
    bent = text[:at] + smear + text[at + skip :]
    well_formed(parse.parse_text(bent, "f.yaml"), bent)


@BOUNDED
@given(st.lists(st.sampled_from([*documents.ALL, "a: [\n", "[]\n", "# only\n", "\n"]), max_size=6),
       st.lists(st.sampled_from([*documents.ALL, "a: [\n", "x\n"]), max_size=6))  # fmt: skip
def test_reading_again_is_reading_afresh(before: list[str], after: list[str]) -> None:
    old = parse.parse_text("---\n".join(before), "f.yaml")
    text = "---\n".join(after)
    fresh = parse.parse_text(text, "f.yaml")
    again = parse.parse_text(text, "f.yaml", old)
    assert list(again.findings) == list(fresh.findings)
    assert list(again.broken) == list(fresh.broken)
    assert [(d.ref, d.digest, dict(d.lines)) for d in again.docs] == [
        (d.ref, d.digest, dict(d.lines)) for d in fresh.docs
    ]


@BOUNDED
@given(st.permutations(documents.ALL), st.integers(0, len(documents.ALL)))
def test_files_and_order_make_no_difference(texts: list[str], cut: int) -> None:
    def world(*files: str) -> list[tuple[object, str]]:
        parsed = [parse.parse_text(text, f"{i}.yaml") for i, text in enumerate(files) if text]
        made = assemble(parsed, at=AT)
        assert made.findings == ()
        return [
            (doc.ref, doc.digest)
            for kind in registry.KINDS
            for doc in getattr(made, kind.world).values()
        ]

    together = world("---\n".join(documents.ALL))
    assert world("---\n".join(texts[:cut]), "---\n".join(texts[cut:])) == together


@BOUNDED
@given(st.sampled_from(documents.ALL), YAMLISH)
def test_a_ruined_file_loses_nothing_that_it_had(text: str, rubbish: str) -> None:
    good = parse.parse_text(text, "f.yaml")
    (doc,) = good.docs
    bad = parse.parse_text(rubbish, "f.yaml", good)
    kept = keep_last_good(bad, good)
    if any(part.unreadable for part in bad.parts):
        assert [k.ref for k in kept.kept] == [doc.ref]


VARIANTS = (
    *documents.ALL, documents.POLICY.replace("[ru]", "[by]"), documents.POLICY.replace("models", "modles"),
    documents.MODEL.replace("name: credit", "name: alpha"), "a: [", "[]", "apiVersion: v1\nkind: Pod",
)  # fmt: skip


def afresh(before: World | None, files: Mapping[str, Parsed]) -> World:
    """The World of these files from a store that knows of the past only what was in force."""
    store = DocumentStore()
    if before is not None:
        docs = tuple(
            doc for kind in registry.EVERY for doc in tables.table_of(before, kind).values()
        )
        store.put({"": Part(key=b"", before=0, docs=docs)})
    store.put({"": None, **files})
    return store.world(at=AT)


@BOUNDED
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abcd"), st.lists(st.sampled_from(VARIANTS), max_size=3), max_size=4
        ),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_a_world_after_changes_is_the_world_made_afresh(
    steps: list[dict[str, list[str]]], data: st.DataObject
) -> None:
    store = DocumentStore()
    before: World | None = None
    known: dict[str, Parsed] = {}
    for step in steps:
        new: dict[str, Parsed] = {}
        for name, texts in sorted(step.items()):
            old = known.get(name)
            parsed = parse.parse_text("\n---\n".join(texts), name, old)
            new[name] = keep_last_good(parsed, old)
            if old is not None and old.parts == new[name].parts:
                new[name] = old
        store.put({name: new.get(name) for name in data.draw(st.permutations("abcd"))})
        known = new
        last, fresh = store.world(at=AT), afresh(before, known)
        for item in dataclasses.fields(World):
            one, other = getattr(last, item.name), getattr(fresh, item.name)
            assert one == other, item.name
            if isinstance(one, dict):
                assert list(one) == list(other), item.name
        before = fresh
