"""A configuration that Envoy rejects although we built it: its document is taken out and named."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gatereeve.core import records
from tests.envoy import upping
from tests.envoy.upping import Answer, Up
from tests.features import documents as docs

pytestmark = pytest.mark.envoy

PROGRAM = "tests.envoy.defective_up"
REJECTED = Answer(status=503, code="configuration-rejected")
WILD = docs.ROUTE.replace("offers.example", '"*.example"')


@pytest.fixture
def up() -> Iterator[Up]:
    with upping.backend() as server, upping.a_folder() as found:
        found.documents(server)
        yield found


def bad_route(name: str, path: str = "/defect") -> str:
    """Another route, of the other namespace, in the route configuration of all wildcard hosts."""
    return (
        docs.WEB.partition("---")[2]
        .replace("name: web, namespace: shop}\nspec", f"name: {name}, namespace: evil}}\nspec")
        .replace("web.example", f'"*.{name}.evil.example"')
        .replace("path: /", f"path: {path}")
    )


def test_the_document_is_taken_out_and_named(up: Up) -> None:
    good = up.begin(PROGRAM)
    version = (up.folder / "version1.yaml").read_text()
    (up.folder / "version1.yaml").write_text(f"{version}  bounds: {{connections: 13}}\n")

    gate = up.wait(lambda gate: "rejected" in str(gate["problem"]) and gate["current"], "it")
    assert gate["active"] not in (None, good["active"])
    problem = up.problems()["gate-rejected"]
    assert problem["place"].startswith("version1.yaml:")
    assert "model/shop/offers/1" in problem["message"]
    assert up.ask() == REJECTED
    told = up.run("status", "--state", str(up.state))
    assert "gate-rejected" in told.stdout
    assert "gate-rejected" in up.output()

    (up.folder / "version1.yaml").write_text(version)
    up.until_answer(200)
    up.wait(lambda gate: gate["current"] and not gate["problem"], "the mended document")
    assert "gate-rejected" not in up.problems()
    assert up.end() == 0
    assert up.left_behind() == []
    rejected = [
        record
        for record in up.records()
        if isinstance(record, records.ChangeRecord) and record.event == "rejected"
    ]
    assert [record.documents for record in rejected] == [("ModelVersion shop/offers-1",)]


def evil(up: Up, **routes: str) -> None:
    """Documents of another namespace."""
    grant = docs.GRANT.replace("name: shop", "name: evil", 1).replace("name: shop", "name: evil")
    (up.folder / "grant-evil.yaml").write_text(grant)
    for name, text in routes.items():
        (up.folder / f"{name}.yaml").write_text(text)


def blamed(up: Up) -> list[str]:
    found = up.status() or {"problems": []}
    return sorted(p["place"].partition(":")[0] for p in found["problems"] if p["code"] == "gate-rejected")  # fmt: skip


def test_a_revocation_passes_another_owners_rejected_route(up: Up) -> None:
    (up.folder / "route.yaml").write_text(WILD)
    up.begin(PROGRAM)
    assert up.ask() == Answer(status=200, code=None)
    evil(up, evil1=bad_route("evil1"))
    up.wait(lambda gate: "rejected" in str(gate["problem"]) and gate["current"], "the rejection")
    assert blamed(up) == ["evil1.yaml"]
    assert up.ask() == Answer(status=200, code=None)
    # A revocation, while the culprit stands and changes.
    up.edit("policy", "anonymous: true", "group: corp/staff")
    (up.folder / "evil1.yaml").write_text(bad_route("evil1", "/defect2"))
    began = time.monotonic()
    up.until_answer(401)
    assert time.monotonic() - began < 10
    up.wait(lambda gate: "rejected" in str(gate["problem"]) and gate["current"], "it, again")
    assert blamed(up) == ["evil1.yaml"]
    # One that is mended is served; its neighbour that is bad is not.
    evil(up, evil1=bad_route("evil1", "/fine"), evil2=bad_route("evil2"))
    up.wait(lambda gate: "rejected" in str(gate["problem"]) and gate["current"], "evil2")
    upping.until(lambda: blamed(up) == ["evil2.yaml"], "evil2 only")
    assert up.ask().status == 401
    assert up.end() == 0


def test_a_gate_that_starts_anew_serves_everybody_else(up: Up) -> None:
    (up.folder / "route.yaml").write_text(WILD)
    evil(up, evil1=bad_route("evil1"), evil2=bad_route("evil2"), evil3=bad_route("evil3", "/fine"))
    up.start(PROGRAM)
    up.wait(lambda gate: "rejected" in str(gate["problem"]) and gate["current"], "the rejection")
    upping.until(lambda: blamed(up) == ["evil1.yaml", "evil2.yaml"], "both")
    up.wait(lambda gate: gate["current"], "the rest")
    assert up.ask() == Answer(status=200, code=None)
    assert up.end() == 0
