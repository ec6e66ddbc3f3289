"""A broken document changes nothing at the gate and is found (P2), over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features import documents as docs
from tests.features.folder_gate import policies, serving_folder

pytestmark = pytest.mark.features

BREAKS = {
    "not YAML": ("policy", "  allow:", "  allow: ["),
    "a field that does not exist": ("policy", "  allow:", "  alow:"),
    "a value that is impossible": ("model", "riskClass: minimal", "riskClass: tiny"),
    "a wrong type": ("version1", "region: de", "region: [de]"),
    "no object any more": ("route", "kind: Ingress", "- kind: Ingress"),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_nothing_changes_and_it_is_found(tmp_path: Path, what: str) -> None:
    name, old, new = BREAKS[what]
    async with serving_folder(tmp_path, **docs.base()) as gate:
        hash_before, noted = gate.hash, len(gate.changes)
        change = await gate.edit(name, old, new)
        assert not change.types
        assert gate.hash == hash_before
        assert len(gate.changes) == noted
        assert gate.findings(errors_only=True)
        assert any(f.where and f.where.file == f"{name}.yaml" for f in gate.all_findings())

        change = await gate.write(**docs.base())
        assert not change.types
        assert not gate.findings(errors_only=True)


async def test_everybody_else_goes_on(tmp_path: Path) -> None:
    """While one document is broken, another team's change arrives."""
    async with serving_folder(tmp_path, **docs.base()) as gate:
        await gate.edit("policy", "  allow:", "  allow: [")
        change = await gate.write(slices=docs.slices("10.1.0.9"))
        assert change.types == {"EDS"}
        assert "shop/offers/staff" in policies(gate.row(docs.HOST, ":default"))


async def test_a_new_document_that_is_broken_closes_what_it_may_speak_of(tmp_path: Path) -> None:
    """It may hold a deny rule nobody can read: until it can be read, its models are refused."""
    async with serving_folder(tmp_path, **docs.base()) as gate:
        broken = docs.POLICY.replace("name: offers", "name: second").replace("  allow:", "  alow:")
        await gate.write(second=broken)
        assert "policy-broken" in gate.findings()
        assert all("route" not in row for row in gate.rows(docs.HOST).values())
        assert any("route" in row for row in gate.rows("web.example").values())
        await gate.remove("second")
        assert any("route" in row for row in gate.rows(docs.HOST).values())
