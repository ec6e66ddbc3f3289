"""Deny rules and limits come, change and go, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.features import documents as docs
from tests.features.folder_gate import buckets, policies, serving_folder

pytestmark = pytest.mark.features

SOURCES = """\
  attributes:
    region: [{header: {name: x-region, from: [10.0.0.0/8]}}]
    purpose: [{header: {name: x-purpose, from: [10.0.0.0/8]}}]
"""
KNOWING = {"gate": docs.gate(more=SOURCES)}
"""A Gate that knows regions and purposes: rules about them can match."""


async def test_a_deny_rule(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **(docs.base() | KNOWING)) as gate:
        assert "shop/offers/ads" not in policies(gate.host(docs.HOST))
        change = await gate.edit(
            "policy", "  allow:", "  deny: [{name: ads, purposes: [marketing]}]\n  allow:"
        )
        assert change.types == {"RDS"}
        assert "shop/offers/ads" in policies(gate.host(docs.HOST))
        assert "shop/offers/staff" in policies(gate.row(docs.HOST, ":default"))

        await gate.edit("policy", "name: ads", "name: no-ads")
        assert {"shop/offers/ads", "shop/offers/no-ads"} & policies(gate.host(docs.HOST)) == {
            "shop/offers/no-ads"
        }

        await gate.write(policy=docs.POLICY)
        assert "shop/offers/no-ads" not in policies(gate.host(docs.HOST))


async def test_a_policy_of_its_own_that_denies(tmp_path: Path) -> None:
    """A second policy takes away, whatever the first one gives."""
    async with serving_folder(tmp_path, **(docs.base() | KNOWING)) as gate:
        freeze = docs.POLICY.replace("name: offers", "name: freeze")
        freeze = freeze[: freeze.index("  allow:")] + "  deny: [{name: all, regions: [us]}]\n"
        await gate.write(freeze=freeze)
        assert "shop/freeze/all" in policies(gate.host(docs.HOST))
        await gate.remove("freeze")
        assert "shop/freeze/all" not in policies(gate.host(docs.HOST))


async def test_a_limit(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        assert buckets(gate.host(docs.HOST)) == []
        limited = "{name: staff, limits: {requests: {count: 5, seconds: 60}},"
        change = await gate.edit("policy", "{name: staff,", limited)
        assert change.types <= {"RDS", "ECDS", "LDS"}
        assert set(buckets(gate.host(docs.HOST))) == {(5, "60s")}

        change = await gate.edit("policy", "count: 5", "count: 8")
        assert change.types == {"RDS"}
        assert set(buckets(gate.host(docs.HOST))) == {(8, "60s")}

        await gate.write(policy=docs.POLICY)
        assert buckets(gate.host(docs.HOST)) == []
