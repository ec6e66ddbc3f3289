"""Dumps of a cluster: Lists, typed lists, empty lists, JSON, and whatever else stands in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gatereeve.core.errors import SourceError
from gatereeve.sources.folder import dumps

INGRESS = {"metadata": {"name": "i", "namespace": "a", "annotations": {"x.example/y": "z"}}}
WHOLE = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", **INGRESS}


def names(dump: dumps.Dump) -> list[str]:
    return [str(doc.ref) for doc in dump.docs]


@pytest.mark.parametrize("suffix", ["json", "yaml"])
@pytest.mark.parametrize(
    "value",
    [
        WHOLE,
        {"apiVersion": "v1", "kind": "List", "items": [WHOLE]},
        {"apiVersion": "networking.k8s.io/v1", "kind": "IngressList", "items": [INGRESS]},
        {"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "List", "items": [WHOLE]}]},
    ],
)  # fmt: skip
def test_an_object_alone_and_in_lists(suffix: str, value: object) -> None:
    dump = dumps.parse_dump(json.dumps(value), f"a.{suffix}")
    assert names(dump) == ["Ingress a/i"]
    assert dump.docs[0].ref.group == "networking.k8s.io"
    assert dump.docs[0].meta.annotations == {"x.example/y": "z"}
    assert not dump.findings


def test_items_of_a_list_know_their_lines() -> None:
    text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: p\n"
    (doc,) = dumps.parse_dump(text, "a.yaml").docs
    where = doc.where("metadata.name")
    assert where is not None
    assert where.line == 7


@pytest.mark.parametrize(
    ("path", "text", "empty"),
    [
        ("pods.yaml", "apiVersion: v1\nkind: List\nitems: []\n", {"pods"}),
        ("ingresses.networking.k8s.io.json", '{"apiVersion":"v1","kind":"List","items":[]}', {"ingresses.networking.k8s.io"}),
        ("x.json", '{"apiVersion":"v1","kind":"PodList","items":[]}', {"Pod"}),
        ("x.yaml", "", set()),
        ("x.json", "", set()),
        ("x.yaml", "# nothing\n", set()),
        ("x.json", '{"apiVersion":"v1","kind":"PodList"}', set()),
    ],
)  # fmt: skip
def test_an_empty_list_was_looked_at(path: str, text: str, empty: set[str]) -> None:
    assert dumps.parse_dump(text, path).empty == empty


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": 1} x', "\x00"])
def test_what_is_no_json_is_a_finding(text: str) -> None:
    dump = dumps.parse_dump(text, "a.json")
    assert [f.code for f in dump.findings] == ["yaml-syntax"]


def test_a_broken_document_leaves_the_others() -> None:
    dump = dumps.parse_dump(f"{json.dumps(WHOLE)}\n---\n{{ a: [\n", "a.yaml")
    assert names(dump) == ["Ingress a/i"]
    assert [f.code for f in dump.findings] == ["yaml-syntax"]


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(json.dumps({**WHOLE, "metadata": {"name": "b"}}))
    (tmp_path / "a.json").write_text(json.dumps({**WHOLE, "metadata": {"name": "a"}}))
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "notes.txt").write_text("nothing")
    dump = dumps.read_dump(tmp_path)
    assert names(dump) == ["Ingress a", "Ingress b"]
    assert [f.code for f in dump.findings] == ["unreadable-file"]


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        dumps.read_dump(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["a\x1b[31m", "a\nb", "x" * 300, ""])
def test_a_name_that_a_terminal_would_act_on_is_no_name(name: str) -> None:
    value = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}}
    assert dumps.parse_dump(json.dumps(value), "a.json").docs == ()
