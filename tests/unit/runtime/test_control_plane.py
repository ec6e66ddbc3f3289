"""What a gate rejects becomes a finding, for as long as it is not in force (`gate-rejected`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.core import records
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer, AdsSettings
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.document_records import DocumentRecords
from tests.features import documents as docs
from tests.recording import MemoryRecorder, StillClock
from tests.support.worlds import world_of

GATE, CLUSTER = "public", "model/shop/offers/1"


class House:
    """A control plane over a server that nobody connects to; the test says what the gate says."""

    def __init__(self) -> None:
        clock = StillClock()
        self.recorder = MemoryRecorder()
        self.server = AdsServer(
            AdsSettings(socket=Path("/nowhere")), clock=clock, observer=lambda _event: None
        )
        changes = ChangeRecords(self.recorder, clock)
        self.plane = ControlPlane(
            clock=clock,
            server=self.server,
            changes=changes,
            documents=DocumentRecords(
                changes, clock, Digests(Path("/nowhere")), DeletionLog(clock)
            ),
            reserve_address=lambda _gate: "",
            on_gates=lambda _gates: None,
            on_active=lambda _name: None,
        )

    async def apply(self, **files: str) -> None:
        texts = docs.base() | files
        await self.plane.apply(world_of(*(texts[name] for name in sorted(texts))))

    def reject(self, type_url: snap.TypeUrl, name: str) -> None:
        state = self.server._gates[GATE]
        assert state.snapshot is not None
        state.reject(type_url, {name: state.snapshot.of(type_url)[name].version})
        nack = events.Nacked(
            gate=GATE,
            node="gate/public-local",
            type_url=type_url,
            names=(name,),
            detail="connect_timeout must be positive",
            version=state.snapshot.version,
        )
        self.plane.observe(nack)

    def rejected(self) -> list[str]:
        return [str(f.origin) for f in self.plane.all_findings() if f.code == "gate-rejected"]


@pytest.fixture
async def house() -> House:
    made = House()
    await made.apply()
    return made


async def test_the_finding_names_the_document(house: House) -> None:
    house.reject(snap.CDS, CLUSTER)
    (finding,) = house.plane.rejections(GATE)
    assert finding.code == "gate-rejected"
    assert "CDS model/shop/offers/1: connect_timeout" in finding.message
    assert str(finding.origin) == "ModelVersion shop/offers-1"
    assert finding.where is not None


async def test_what_no_document_is_behind_is_the_gates(house: House) -> None:
    house.reject(snap.ECDS, "gatereeve.gate")
    assert house.rejected() == ["Gate public"]


async def test_two_rejections_are_two_findings(house: House) -> None:
    house.reject(snap.CDS, CLUSTER)
    house.reject(snap.CDS, "service/shop/web/80")
    assert len(house.rejected()) == 2


async def test_it_stays_through_changes_of_others_and_goes_with_its_cause(house: House) -> None:
    house.reject(snap.CDS, CLUSTER)
    await house.apply(slices=docs.slices("10.1.0.9"))
    assert house.rejected() == ["ModelVersion shop/offers-1"]
    await house.apply(version1=docs.version(1, bounds="{connections: 7}"))
    assert house.rejected() == []


async def test_it_is_noted_once(house: House) -> None:
    house.reject(snap.CDS, CLUSTER)
    await house.apply()
    noted = [r for r in house.recorder.kept if getattr(r, "event", "") == "rejected"]
    assert len(noted) == 1


async def test_a_store_that_fails_stops_no_change(house: House) -> None:
    house.recorder.full = True
    before = house.plane.runs[GATE].gate.hash
    await house.apply(policy=docs.POLICY.replace("corp/staff", "corp/other"))
    assert house.plane.runs[GATE].gate.hash != before
    house.plane.ended(GATE, "it was killed")
    house.recorder.full = False
    house.plane.started(GATE)
    told = [r.event for r in house.recorder.kept if isinstance(r, records.ChangeRecord)]
    assert told == ["compiled", "compiled", "gate-down", "gate-up"]


async def test_a_defect_in_one_gate_leaves_the_others_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = configuration.Builder.build

    def defective(builder: configuration.Builder, gate: Gate) -> snap.Snapshot:
        if gate.name == "other":
            raise KeyError("a defect")
        return build(builder, gate)

    monkeypatch.setattr(configuration.Builder, "build", defective)
    other = docs.gate().replace("name: public", "name: other").replace("80", "81", 1)
    other = other.replace("port: 8443", "port: 9443")
    before = house.plane.runs[GATE].gate.hash
    with pytest.raises(ExceptionGroup):
        await house.apply(another=other, policy=docs.POLICY.replace("corp/staff", "corp/x"))
    assert house.plane.runs[GATE].gate.hash != before
    assert house.rejected() == ["Gate other"]
