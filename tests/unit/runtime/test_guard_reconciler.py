"""The guards are looked after: parameters kept, authority shown, hands on them on record, loss told."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.core import records
from gatereeve.core.errors import ApiRefusedError
from gatereeve.core.findings import Finding
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.digests import Digests
from gatereeve.runtime.guard_reconciler import GuardReconciler
from gatereeve.sources.kube import guards as reading
from gatereeve.sources.kube.apply import ServerSideApply
from tests.recording import MemoryRecorder, StillClock
from tests.support import guarded
from tests.support.apiserver import ApiServer, Fault, serving
from tests.support.worlds import world_of
from tests.unit.sources.kube.harness import client_of

SETTINGS = GuardSettings()
OBJECTS = make_guards(world_of(guarded.DOCUMENTS), SETTINGS)
POLICY = "gatereeve-approvals"


class Leads:
    leading = True


class House:
    """One replica beside a fake API server with the guards of `guarded.DOCUMENTS`."""

    def __init__(self, server: ApiServer, client: Any, folder: Path) -> None:
        self.server = server
        self.leads = Leads()
        self.recorder = MemoryRecorder()
        self.plane = SimpleNamespace(world=world_of(guarded.DOCUMENTS), of_guards=())
        self.trust = b"PEM"
        clock = StillClock()
        self.guarding = GuardReconciler(
            client,
            ServerSideApply(client, self.leads),
            SETTINGS,
            changes=ChangeRecords(self.recorder, clock),
            clock=clock,
            digests=Digests(folder / "guards.journal"),
            plane=cast("ControlPlane", self.plane),
            trust=lambda: self.trust,
            is_leading=lambda: self.leads.leading,
        )

    def found(self) -> list[tuple[str, str]]:
        findings = cast("tuple[Finding, ...]", self.plane.of_guards)
        return [(f.code, str(f.origin.ref) if f.origin else "") for f in findings]

    def noted(self) -> list[tuple[str, str]]:
        kept = [r for r in self.recorder.kept if isinstance(r, records.DocumentRecord)]
        self.recorder.kept.clear()
        return [(one.document, one.what) for one in kept]

    def change(self, kind: str, name: str, namespace: str = "", **spec: Any) -> None:
        one = self.server.find(kind, namespace, name)
        assert one is not None
        self.server.put({**one, "spec": {**one["spec"], **spec}})


@asynccontextmanager
async def house(folder: Path, *, installed: bool = True) -> AsyncIterator[House]:
    async with serving() as server, client_of(server, folder) as client:
        for kind in reading.KINDS:
            server.serve(kind)
        if installed:
            for one in OBJECTS:
                server.put(cast("dict[str, Any]", one))
        yield House(server, client, folder)


async def test_what_is_as_asked_is_found_once_and_quiet_ever_after(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.guarding.look()
        assert h.guarding.installed == len(OBJECTS)
        assert h.found() == []
        noted = h.noted()
        assert ("ValidatingAdmissionPolicy " + POLICY, "found") in noted
        assert {what for _, what in noted} == {"found"}
        await h.guarding.look()  # the authority was shown in between
        assert h.noted() == [("ValidatingWebhookConfiguration gatereeve", "changed")]
        await h.guarding.look()
        assert h.noted() == []


async def test_the_leader_shows_the_webhooks_authority_and_nobody_else(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        h.leads.leading = False
        await h.guarding.look()
        hook = h.server.find("ValidatingWebhookConfiguration", "", "gatereeve")
        assert hook is not None
        assert "caBundle" not in hook["webhooks"][0]["clientConfig"]
        h.leads.leading = True
        await h.guarding.look()
        hook = h.server.find("ValidatingWebhookConfiguration", "", "gatereeve")
        assert hook is not None
        shown = {one["clientConfig"]["caBundle"] for one in hook["webhooks"]}
        assert shown == {base64.b64encode(b"PEM").decode()}


async def test_a_hand_on_a_guard_is_on_record_and_found_until_it_is_put_right(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as h:
        await h.guarding.look()
        await h.guarding.look()
        h.noted()
        h.change("ValidatingAdmissionPolicy", POLICY, failurePolicy="Ignore")
        await h.guarding.look()
        assert h.noted() == [(f"ValidatingAdmissionPolicy {POLICY}", "changed")]
        assert h.found() == [("guard-changed", f"ValidatingAdmissionPolicy {POLICY}")]
        h.server.delete("ValidatingAdmissionPolicy", "", POLICY)
        await h.guarding.look()
        assert h.noted() == [(f"ValidatingAdmissionPolicy {POLICY}", "deleted")]
        assert h.found() == [("guard-missing", f"ValidatingAdmissionPolicy {POLICY}")]


async def test_parameters_follow_the_documents_and_an_edit_of_them_is_undone(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as h:
        await h.guarding.look()
        more = guarded.version("credit-v2").replace("version: v1", "version: v2")
        h.plane.world = world_of(
            guarded.DOCUMENTS, more.replace("service: credit", "service: late")
        )
        await h.guarding.keep()
        assert services(h.server) == ["credit", "late"]
        h.change("GuardParameters", "gatereeve", "lending", services=["mine"])
        await h.guarding.look()
        assert ("guard-changed", "GuardParameters lending/gatereeve") in h.found()
        assert services(h.server) == ["credit", "late"]


async def test_a_namespace_that_is_going_keeps_no_other_from_its_parameters(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as h:
        await h.guarding.look()
        more = guarded.version("credit-v2").replace("version: v1", "version: v2")
        early = "{apiVersion: v1, kind: Namespace, metadata: {name: aaa}}"
        h.plane.world = world_of(
            guarded.DOCUMENTS, more.replace("service: credit", "service: late"), early
        )
        h.server.faults.append(
            Fault(method="PATCH", path="*/namespaces/aaa/guardparameters*", status=403, times=99)
        )
        with pytest.raises(ApiRefusedError):
            await h.guarding.keep()
        assert services(h.server) == ["credit", "late"]


async def test_without_guards_nothing_is_written_and_nothing_said(tmp_path: Path) -> None:
    async with house(tmp_path, installed=False) as h:
        await h.guarding.look()
        assert (h.guarding.installed, h.found(), h.noted()) == (0, [], [])
        assert all(request.method == "GET" for request in h.server.requests)


async def test_guards_that_cannot_be_seen_any_more_are_told(tmp_path: Path) -> None:
    async with house(tmp_path) as h:
        await h.guarding.look()
        h.server.denied.add(("list", "clusterroles"))
        await h.guarding.look()
        assert h.guarding.installed == 0
        assert h.found() == [("guard-missing", "")]


def services(server: ApiServer) -> list[str]:
    found = server.find("GuardParameters", "lending", "gatereeve")
    assert found is not None
    return list(found["spec"]["services"])
