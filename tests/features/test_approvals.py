"""Approvals come, run out and are refused, over the real xDS wire; the clock is the test's."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from gatereeve.api.parse import parse_text
from gatereeve.proxy.xds.snapshot import CDS
from tests.features import documents as docs
from tests.features.folder_gate import FolderGate, clusters, code, serving_folder
from tests.recording import NOON

pytestmark = pytest.mark.features

CLUSTER = "model/shop/offers/1"


def digest() -> str:
    """What an approval of version 1 must say."""
    (part,) = parse_text(docs.version(1), "version1.yaml").parts
    (document,) = part.docs
    found: str = document.digest
    return found


def approval(
    role: str = "owner",
    *,
    decision: str = "approve",
    by: str = "olga",
    of: str = "",
    more: str = "",
) -> str:
    """of: the digest, when it is not that of the usual version 1. more: further lines."""
    return f"""
apiVersion: gatereeve.dev/v1alpha1
kind: Approval
metadata: {{name: {role}, namespace: shop}}
spec:
  subject: {{name: offers-1, digest: "{of or digest()}"}}
  role: {role}
  decision: {decision}
  approver: {by}
  reason: looked at it
{more}"""


def folder(risk: str = "limited") -> dict[str, str]:
    return docs.base() | {"model": docs.MODEL.replace("minimal", risk)}


def is_served(gate: FolderGate) -> bool:
    row = gate.row(docs.HOST, ":default")
    if code(row) == "no-eligible-version":
        assert CLUSTER not in gate.messages[CDS]
        return False
    assert clusters(row) == {CLUSTER: 1}
    return True


async def test_added_and_removed(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **folder()) as gate:
        assert not is_served(gate)
        assert "version-unapproved" in gate.findings()
        change = await gate.write(owner=approval())
        assert change.types == {"CDS", "EDS", "RDS"}
        assert is_served(gate)
        await gate.remove("owner")
        assert not is_served(gate)


async def test_it_runs_out_without_any_change_of_a_file(tmp_path: Path) -> None:
    ends = NOON + timedelta(hours=1)
    async with serving_folder(
        tmp_path, owner=approval(more=f'  expires: "{ends.isoformat()}"\n'), **folder()
    ) as gate:
        assert is_served(gate)
        assert gate.plane.next_change == ends
        gate.clock.move(3599)
        assert not (await gate.follow()).types
        gate.clock.move(1)
        assert (await gate.follow()).types == {"CDS", "EDS", "RDS"}
        assert not is_served(gate)
        assert "approval-expired" in gate.findings()
        assert gate.plane.next_change is None


async def test_a_rejection_outweighs_an_approval(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, owner=approval(), **folder()) as gate:
        assert is_served(gate)
        await gate.write(risk=approval("risk", decision="reject", by="rita"))
        assert not is_served(gate)
        assert "version-rejected" in gate.findings()
        await gate.remove("risk")
        assert is_served(gate)


async def test_a_changed_version_wants_a_new_approval(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, owner=approval(), **folder()) as gate:
        await gate.edit("version1", docs.DIGEST, "sha256:" + "1" * 64)
        assert not is_served(gate)
        assert "version-changed" in gate.findings()
        await gate.write(version1=docs.version(1))
        assert is_served(gate)


async def test_high_risk_wants_two_people(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, owner=approval(), **folder("high")) as gate:
        assert not is_served(gate)
        await gate.write(risk=approval("risk", by="olga"))
        assert not is_served(gate)
        assert "approval-not-independent" in gate.findings()
        await gate.write(risk=approval("risk", by="rita"))
        assert is_served(gate)
