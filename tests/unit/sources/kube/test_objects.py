"""One object is read as a document of a file would be; what is not read changes nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import yaml

from gatereeve.api import parse, registry
from gatereeve.sources.kube import api_json, objects
from tests.unit.api import documents

MODEL = registry.BY_KIND["gatereeve.dev", "Model"]
INGRESS = registry.BY_KIND["networking.k8s.io", "Ingress"]


def obj(text: str, **metadata: Any) -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(text)
    value["metadata"] |= {"uid": "u1", "resourceVersion": "1", "generation": 1} | metadata
    return value


def read(
    value: dict[str, Any], before: objects.StoredObject | None = None, kind: registry.Kind = MODEL
) -> objects.StoredObject:
    return objects.read(kind, api_json.item(msgspec.Raw(json.dumps(value).encode())), before)


def codes(entry: objects.StoredObject) -> list[str]:
    return [str(f.code) for f in entry.findings]


def test_a_document_is_what_a_file_would_give() -> None:
    value = obj(documents.MODEL, creationTimestamp="2026-01-02T03:04:05Z", labels={"a": "b"})
    entry = read(value)
    (doc,) = parse.parse_text(yaml.safe_dump(value), "m.yaml").docs
    (made,) = entry.docs
    assert (made.ref, made.spec, made.digest, made.meta) == (
        doc.ref, doc.spec, doc.digest, doc.meta,
    )  # fmt: skip
    assert made.meta.uid == "u1"
    assert made.meta.generation == 1
    assert made.meta.created is not None
    assert made.where("spec") is None


def test_status_and_other_peoples_metadata_change_nothing() -> None:
    value = obj(documents.MODEL)
    before = read(value)
    value["status"] = {"conditions": [{"type": "Accepted"}]}
    value["metadata"] |= {
        "resourceVersion": "2", "managedFields": [{"manager": "x"}], "finalizers": ["a/b"],
        "ownerReferences": [], "selfLink": "/x", "somethingNew": {"of": 2030},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
    }  # fmt: skip
    after = read(value, before)
    assert after.docs
    value["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{1}"
    value["metadata"]["resourceVersion"] = "3"
    assert read(value, after) is after
    del value["metadata"]["annotations"]
    assert read(value, before) is before


def test_a_list_leaves_out_what_built_in_kinds_are() -> None:
    entry = read(
        {"metadata": {"name": "a", "namespace": "web", "uid": "u"}, "spec": {}}, kind=INGRESS
    )
    (made,) = entry.docs
    assert str(made.ref) == "Ingress web/a"


def test_what_is_unusable_says_of_which_object() -> None:
    entry = read(obj(documents.MODEL.replace("high", "huge")))
    assert entry.docs == ()
    (broken,) = entry.broken
    assert (str(broken.ref), broken.models, broken.uid) == (
        "Model lending/credit",
        ("credit",),
        "u1",
    )
    assert codes(entry) == ["invalid-field"]
    assert all(f.where is None for f in entry.findings)


def test_an_unreadable_approval_may_be_a_rejection() -> None:
    kind = registry.BY_KIND["gatereeve.dev", "Approval"]
    text = documents.APPROVAL.replace("decision: approve", "decision: maybe")
    entry = read(obj(text.replace("2027-01-31T12:00:00Z", '"2027-01-31T12:00:00Z"')), kind=kind)
    (broken,) = entry.broken
    assert broken.rejects == ("credit-v1",)


def test_endless_depth_is_bounded() -> None:
    value = obj(documents.MODEL)
    deep: dict[str, Any] = {}
    value["spec"]["x"] = deep
    for _ in range(100):
        deep["x"] = {}
        deep = deep["x"]
    entry = read(value)
    assert codes(entry) == ["document-too-large"]
    (broken,) = entry.broken
    assert broken.models is None


def test_deep_managed_fields_are_cut_out_unread() -> None:
    deep = '{"f:a":' * 5000 + "{}" + "}" * 5000
    text = json.dumps(obj(documents.MODEL, managedFields="HERE")).replace(
        '"HERE"', f'[{{"f":{deep}}}]'
    )
    entry = objects.read(MODEL, api_json.item(msgspec.Raw(text.encode())), None)
    assert entry.docs


def test_cutting_managed_fields_out_understands_strings() -> None:
    value = {
        "a": '"managedFields":[', "managedFields": [{"b": "]}\\", "c": [1, [2]]}],
        "d": {"managedFields": [], "e": "managedFields"},
    }  # fmt: skip
    cut = json.loads(api_json.without_managed_fields(json.dumps(value).encode()))
    assert cut == value | {
        "managedFields": None,
        "d": {"managedFields": None, "e": "managedFields"},
    }
