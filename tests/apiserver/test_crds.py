"""Our kinds in a real API server: they install, keep their documents, and refuse what has no shape."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cluster.api import Api, documents_in
from tests.cluster.manifests import ROOT, gatereeve_crds

pytestmark = pytest.mark.usefixtures("crds")
LENDING = sorted((ROOT / "examples" / "lending").rglob("*.yaml"))


@pytest.mark.parametrize("file", gatereeve_crds(), ids=lambda file: file.stem)
def test_every_kind_is_established_and_listed(root: Api, file: Path) -> None:
    name = yaml.safe_load(file.read_text())["metadata"]["name"]
    crd = root.request(
        "GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    ).ok()

    told = {entry["type"]: entry for entry in crd["status"]["conditions"]}
    assert told["Established"]["status"] == "True"
    # Says so when a schema is not structural; then the API server prunes and defaults nothing.
    assert "NonStructuralSchema" not in told


def test_the_example_documents_are_accepted_and_kept_whole(admin: Api) -> None:
    kept = 0
    for file in LENDING:
        for document in documents_in(file.read_text()):
            if not document.get("apiVersion", "").startswith("gatereeve.dev/"):
                continue
            named = {"name": document["metadata"]["name"]}
            answer = admin.apply({**document, "metadata": named})
            assert answer.accepted, (file.name, answer.message)
            assert answer.warnings == ()
            assert contains(answer.body["spec"], document["spec"]), file.name
            kept += 1
    assert kept > 5


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("{}", "Required value"),
        ("{owner: ann, purpose: p, riskClass: enormous}", "riskClass"),
        ("{owner: [ann], purpose: p, riskClass: high}", "spec.owner"),
        ("7", "spec"),
    ],
    ids=["nothing said", "no such class", "a list for a name", "a number for a spec"],
)
def test_a_document_without_shape_is_refused_where_it_is_wrong(
    admin: Api, spec: str, complaint: str
) -> None:
    answer = admin.create(
        "{apiVersion: gatereeve.dev/v1alpha1, kind: Model,"
        f" metadata: {{name: credit}}, spec: {spec}}}"
    )

    assert answer.status == 422
    assert answer.reason == "Invalid"
    assert complaint in answer.message


def contains(kept: object, given: object) -> bool:
    """Nothing that was given is lost; the API server may add defaults."""
    if isinstance(given, dict):
        return isinstance(kept, dict) and all(contains(kept.get(k), v) for k, v in given.items())
    if isinstance(given, list):
        return (
            isinstance(kept, list) and len(kept) == len(given) and all(map(contains, kept, given))
        )
    return kept == given
