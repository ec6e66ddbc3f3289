"""The Gate document changes, breaks and goes, over the real xDS wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.core.errors import PublishError
from gatereeve.proxy import configuration
from gatereeve.proxy.xds.snapshot import ECDS, LDS
from gatereeve.runtime.control_plane import ControlPlane
from tests.features import documents as docs
from tests.features.folder_gate import GATE, plain, serving_folder

pytestmark = pytest.mark.features


async def test_the_hash_of_what_runs_stands_in_a_filter_of_its_own(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        seen = set()
        for group in ("corp/staff", "corp/other", "corp/staff"):
            await gate.write(policy=docs.POLICY.replace("corp/staff", group))
            config = plain(gate.messages[ECDS]["gatereeve.gate"])["typed_config"]
            assert config["metadata"][0]["value"]["config"] == gate.hash
            seen.add(gate.hash)
        assert len(seen) == 2  # the same documents have the same hash again


async def test_another_port_and_another_tls_floor(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        change = await gate.edit("gate", "port: 8443}", "port: 9443}")
        assert "LDS" in change.types
        address = gate.messages[LDS]["https"].address.socket_address
        assert address.port_value == 9443
        await gate.edit("gate", "defaultCertificate:", 'minVersion: "1.3", defaultCertificate:')
        assert "TLSv1_3" in str(plain(gate.messages[LDS]["https"]))


async def test_plain_http_is_redirected_or_refused(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        rows = gate.rows(docs.HOST, "http")
        assert "redirect" in rows["tls-redirect"]
        change = await gate.write(gate=docs.gate(more="  plainHttp: refuse\n"))
        assert "RDS" in change.types
        assert "tls-redirect" not in gate.rows(docs.HOST, "http")


async def test_a_region_source_is_added(tmp_path: Path) -> None:
    source = "  attributes: {region: [{cidrs: [{region: de, cidrs: [10.0.0.0/8]}]}]}\n"
    async with serving_folder(tmp_path, **docs.base()) as gate:
        before = set(gate.messages[ECDS])
        await gate.write(gate=docs.gate(more=source))
        new = set(gate.messages[ECDS]) - before
        assert new
        change = await gate.write(gate=docs.gate(more=source.replace("10.0", "11.0")))
        assert new <= change.names["ECDS"]
        await gate.write(gate=docs.gate())
        assert set(gate.messages[ECDS]) == before


async def test_a_broken_gate_document_changes_nothing(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        before = gate.hash
        change = await gate.edit("gate", "region: de", "regoin: de")
        assert not change.types
        assert gate.hash == before
        assert {"unknown-field", "last-good-kept"} <= gate.findings()


async def test_the_gate_document_goes(tmp_path: Path) -> None:
    async with serving_folder(tmp_path, **docs.base()) as gate:
        last = gate.hash
        await gate.remove("gate")
        assert not any(gate.messages.values())
        assert not gate.plane.runs
        assert (gate.changes[-1].event, gate.changes[-1].before) == ("gate-down", last)


async def test_what_would_leave_a_model_ungoverned_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours: the last good stays in force, and the finding names the Gate."""

    def defective(_builder: object, _gate: object) -> None:
        raise PublishError("a row without rules")

    async with serving_folder(tmp_path, **docs.base()) as gate:
        good = gate.hash
        with monkeypatch.context() as patched:
            patched.setattr(configuration.Builder, "build", defective)
            change = await gate.edit("policy", "corp/staff", "corp/other")
            assert not change.types
            assert gate.hash == good
            (finding,) = (f for f in gate.all_findings() if f.code == "gate-rejected")
            assert "a row without rules" in finding.message
            assert finding.where is not None
            assert finding.where.file == "gate.yaml"
            assert gate.changes[-1].event == "rejected"
        change = await gate.follow()
        assert change.types == {"RDS"}
        assert "gate-rejected" not in gate.findings()


async def test_a_taken_port_is_told_and_tried_again(tmp_path: Path) -> None:
    """What runs stays; the same documents are applied again soon."""
    taken = "cannot listen on 0.0.0.0:9443: another process uses this port"
    async with serving_folder(tmp_path, **docs.base()) as gate:
        good = gate.hash
        _refuse_places(gate.plane, taken)
        change = await gate.edit("gate", "port: 8443}", "port: 9443}")
        assert not change.types
        assert gate.hash == good
        assert gate.plane.unpublished[GATE].again
        assert gate.plane.next_change is not None
        (finding,) = gate.plane.rejections(GATE)
        assert taken in finding.message
        noted = len(gate.changes)
        await gate.follow()
        assert len(gate.changes) == noted  # told once

        _refuse_places(gate.plane, "")
        change = await gate.follow()
        assert "LDS" in change.types
        assert gate.plane.next_change is None
        assert "gate-rejected" not in gate.findings()


def _refuse_places(plane: ControlPlane, why: str) -> None:
    plane._reserve_address = lambda _gate: why
