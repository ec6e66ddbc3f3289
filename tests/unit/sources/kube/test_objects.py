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
    assert entry.doc is not None
    assert (entry.doc.ref, entry.doc.spec, entry.doc.digest, entry.doc.meta) == (
        doc.ref, doc.spec, doc.digest, doc.meta,
    )  # fmt: skip
    assert entry.doc.meta.uid == "u1"
    assert entry.doc.meta.generation == 1
    assert entry.doc.meta.created is not None
    assert entry.doc.where("spec") is None


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
    assert after.doc is not None
    value["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{1}"
    value["metadata"]["resourceVersion"] = "3"
    assert read(value, after) is after
    del value["metadata"]["annotations"]
    assert read(value, before) is before


def test_a_list_leaves_out_what_built_in_kinds_are() -> None:
    entry = read(
        {"metadata": {"name": "a", "namespace": "web", "uid": "u"}, "spec": {}}, kind=INGRESS
    )
    assert entry.doc is not None
    assert str(entry.doc.ref) == "Ingress web/a"


def test_what_became_invalid_stays_as_it_was() -> None:
    good = read(obj(documents.MODEL))
    bad = read(obj(documents.MODEL.replace("high", "huge")), good)
    assert bad.doc is good.doc
    assert codes(bad) == ["invalid-field", "last-good-kept"]
    assert all(f.where is None for f in bad.findings)
    worse = read(obj(documents.MODEL.replace("high", "enormous")), bad)
    assert worse.doc is good.doc
    mended = read(obj(documents.MODEL), worse)
    assert mended.doc is not good.doc
    assert codes(mended) == []


def test_what_was_never_good_is_broken() -> None:
    entry = read(obj(documents.MODEL.replace("high", "huge")))
    assert entry.doc is None
    assert entry.broken is not None
    assert str(entry.broken.ref) == "Model lending/credit"
    assert entry.broken.models == ("credit",)


def test_another_object_of_the_same_name_has_no_past() -> None:
    good = read(obj(documents.MODEL))
    bad = read(obj(documents.MODEL.replace("high", "huge"), uid="u2"), good)
    assert bad.doc is None
    assert bad.broken is not None


def test_an_unreadable_approval_may_be_a_rejection() -> None:
    kind = registry.BY_KIND["gatereeve.dev", "Approval"]
    text = documents.APPROVAL.replace("decision: approve", "decision: maybe")
    entry = read(obj(text.replace("2027-01-31T12:00:00Z", '"2027-01-31T12:00:00Z"')), kind=kind)
    assert entry.broken is not None
    assert entry.broken.rejects == ("credit-v1",)


def test_endless_depth_is_bounded() -> None:
    value = obj(documents.MODEL)
    deep: dict[str, Any] = {}
    value["spec"]["x"] = deep
    for _ in range(100):
        deep["x"] = {}
        deep = deep["x"]
    entry = read(value)
    assert codes(entry) == ["document-too-large"]
    assert entry.broken is not None
    assert entry.broken.models is None
    good = read(obj(documents.MODEL))
    assert read(value, good).doc is good.doc


def test_deep_managed_fields_are_cut_out_unread() -> None:
    deep = '{"f:a":' * 5000 + "{}" + "}" * 5000
    text = json.dumps(obj(documents.MODEL, managedFields="HERE")).replace(
        '"HERE"', f'[{{"f":{deep}}}]'
    )
    entry = objects.read(MODEL, api_json.item(msgspec.Raw(text.encode())), None)
    assert entry.doc is not None


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
