"""A configuration that Envoy rejects although we built it: the last good stays, and it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gatereeve.core import records
from tests.envoy import upping
from tests.envoy.upping import Answer, Up

pytestmark = pytest.mark.envoy


@pytest.fixture
def up() -> Iterator[Up]:
    with upping.backend() as server, upping.a_folder() as found:
        found.documents(server)
        yield found


def test_the_last_good_stays_and_the_document_is_named(up: Up) -> None:
    good = up.begin("tests.envoy.defective_up")
    version = (up.folder / "version1.yaml").read_text()
    (up.folder / "version1.yaml").write_text(f"{version}  bounds: {{connections: 13}}\n")

    gate = up.wait(lambda gate: "rejected" in str(gate["problem"]), "the rejection")
    assert not gate["current"]
    assert gate["active"] == good["active"]
    assert gate["wanted"] != good["wanted"]
    problem = up.problems()["gate-rejected"]
    assert problem["place"].startswith("version1.yaml:")
    assert "model/shop/offers/1" in problem["message"]
    assert up.ask() == Answer(status=200, code=None)
    told = up.run("status", "--state", str(up.state))
    assert told.returncode == 1
    assert "gate-rejected" in told.stdout
    assert "gate-rejected" in up.output()

    # Another team's change still arrives, and what is rejected is still told.
    up.edit("policy", "anonymous: true", "group: corp/staff")
    up.until_answer(401)
    assert "gate-rejected" in up.problems()

    (up.folder / "version1.yaml").write_text(version)
    up.wait(lambda gate: gate["current"], "the mended document")
    assert "gate-rejected" not in up.problems()
    assert up.end() == 0
    assert up.left_behind() == []
    rejected = [
        record
        for record in up.records()
        if isinstance(record, records.ChangeRecord) and record.event == "rejected"
    ]
    assert [record.documents for record in rejected] == [("ModelVersion shop/offers-1",)]
