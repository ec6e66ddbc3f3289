"""The seven hops of a change, in one place.

    1. sources    a new immutable World                       sources.files.FolderSource.read
    2. compile    World → Compiled(ir, findings)              compile.compiler.compile
    3. equal?     same content hash as published: stop        ControlPlane._publish_gate
    4. publish    IR → Envoy messages → snapshot, over xDS    proxy.configuration.Builder, AdsServer
    5. activate   the gate accepts, and proves what it runs   proxy.activation.wait_active
    6. status     findings and hashes to whoever asks         ControlPlane.status
    7. record     old hash → new hash                         core.records.ChangeRecord

A failure anywhere keeps the last good; nothing empty is ever published. One change at a time; the
newest World wins. Decides nothing about documents or requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import uuid4

from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core.errors import GatereeveError
from gatereeve.core.findings import Finding, FindingCode
from gatereeve.core.memo import Memo
from gatereeve.core.protocols import Clock, Recorder
from gatereeve.core.records import ChangeRecord
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration
from gatereeve.proxy.activation import expected_of, wait_active
from gatereeve.proxy.admin import Admin
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer

Event = Literal["compiled", "active", "rejected", "gate-up", "gate-down"]

_LOG = logging.getLogger(__name__)

_PROOF_S = 30.0
_PROVE_AGAIN_S = 5.0


@dataclass(slots=True, kw_only=True)
class GateRun:
    """What is known about one gate. Owned by the control plane, changed on its loop only.

    active: the hash that the gate has proved to run, with the time. settled: it has accepted all of
    this snapshot, or said what it rejects; asking before that would only slow it down.
    changed: another snapshot, or none, took its place, or the gate began anew.
    """

    gate: Gate
    snapshot: snap.Snapshot
    published_at: datetime
    active: str | None = None
    active_at: datetime | None = None
    problem: str | None = None
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class ControlPlane:
    """Brings Worlds to gates. `apply` is called for every new World, in order."""

    def __init__(
        self,
        *,
        clock: Clock,
        server: AdsServer,
        recorder: Recorder,
        on_gates: Callable[[tuple[Gate, ...]], None],
        on_active: Callable[[str], None],
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.runs: dict[str, GateRun] = {}
        self.next_change: datetime | None = None
        self._clock = clock
        self._server = server
        self._recorder = recorder
        self._on_gates = on_gates
        self._on_active = on_active
        self._compile_memo = Memo()
        self._builders: dict[str, configuration.Builder] = {}
        self._rejected: dict[str, Finding] = {}
        self._lock = asyncio.Lock()

    async def apply(self, world: World) -> None:
        """Hops 2 to 4 and 7 for one World. Never raises for what documents say."""
        async with self._lock:
            compiled = await asyncio.to_thread(compiler.compile, world, self._compile_memo)
            self.findings = compiled.findings
            self.next_change = compiled.next_change
            for gate in compiled.ir.gates:
                await self._publish_gate(gate)
            for name in self.runs.keys() - {gate.name for gate in compiled.ir.gates}:
                self._withdraw(name)
            self._on_gates(tuple(run.gate for run in self.runs.values()))

    async def _publish_gate(self, gate: Gate) -> None:
        before = self.runs.get(gate.name)
        if before is not None and before.gate.hash == gate.hash:
            return
        try:
            builder = self._builders.setdefault(gate.name, configuration.Builder())
            snapshot = await asyncio.to_thread(builder.build, gate)
            self._server.set_snapshot(gate.name, snapshot)
        except (GatereeveError, ValueError) as error:
            _LOG.exception("gate %s keeps its last good configuration", gate.name)
            self._record(gate.name, "rejected", before, gate.hash, reason=str(error))
            if before is not None:
                before.problem = str(error)
            return
        self._rejected.pop(gate.name, None)
        run = GateRun(gate=gate, snapshot=snapshot, published_at=self._clock.now())
        if before is not None:
            run.active, run.active_at = before.active, before.active_at
            before.changed.set()
        self.runs[gate.name] = run
        self._record(gate.name, "compiled", before, gate.hash)

    def _withdraw(self, name: str) -> None:
        run = self.runs.pop(name)
        self._builders.pop(name, None)
        run.changed.set()
        self._server.remove_gate(name)
        self._record(name, "gate-down", run, None, reason="the Gate document is gone")

    async def prove(self, name: str, admin: Admin) -> None:
        """Hop 5, for as long as the gate lives: whatever is published, the gate must prove it runs.

        Returns when the Gate is gone. A gate that cannot prove it keeps serving its last good, and
        is asked again.
        """
        while (run := self.runs.get(name)) is not None:
            if run.active != run.gate.hash:
                await self._prove_once(run, admin)
            wait_s = None if run.active == run.gate.hash else _PROVE_AGAIN_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await run.changed.wait()
            if self.runs.get(name) is run:
                run.changed.clear()

    def restarted(self, name: str) -> None:
        """The gate's process ended; whatever it ran, its successor must prove anew."""
        run = self.runs.get(name)
        if run is not None:
            run.active = None
            run.settled.clear()
            run.changed.set()
            self._append("gate-down", name, run.gate.hash, None, reason="the process ended")

    async def _prove_once(self, run: GateRun, admin: Admin) -> None:
        proving = asyncio.create_task(self._proof(run, admin), name="proof")
        newer = asyncio.create_task(run.changed.wait(), name="newer")
        try:
            await asyncio.wait({proving, newer}, return_when=asyncio.FIRST_COMPLETED)
            if not proving.done():
                return
            proving.result()
        except GatereeveError as error:
            run.problem = run.problem or str(error)
            return
        finally:
            proving.cancel()
            newer.cancel()
        before, run.active = run.active, run.gate.hash
        run.active_at, run.problem = self._clock.now(), None
        self._append("active", run.gate.name, before, run.gate.hash)
        self._on_active(run.gate.name)

    async def _proof(self, run: GateRun, admin: Admin) -> None:
        await run.settled.wait()
        await wait_active(admin, expected_of(run.snapshot), timeout_s=_PROOF_S)

    def observe(self, event: events.GateEvent) -> None:
        """Events of the xDS server; a rejection becomes a finding that names its document."""
        run = self.runs.get(event.gate)
        if run is None:
            return
        if isinstance(event, events.Settled) and event.version == run.gate.hash:
            run.settled.set()
        if not isinstance(event, events.Nacked) or not event.names:
            return
        origin = configuration.origin_of(run.gate, event.type_url, event.names)
        finding = Finding(
            code=FindingCode("gate-rejected"),
            message=f"gate {event.gate} rejected {', '.join(event.names)}: {event.detail[:300]}",
            hint="the last good form stays in force; change the document, or report this as a defect",
            origin=origin,
        )
        self._rejected[event.gate] = finding
        run.problem = finding.message
        run.settled.set()
        self._append("rejected", event.gate, run.active, run.gate.hash,
                     documents=(str(origin),) if origin else (), reason=event.detail[:500])  # fmt: skip

    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the documents, and those of gates that rejected something."""
        return (*self._rejected.values(), *self.findings)

    def _record(
        self,
        gate: str,
        event: Event,
        before: GateRun | None,
        after: str | None,
        *,
        reason: str | None = None,
    ) -> None:
        self._append(event, gate, before.gate.hash if before else None, after, reason=reason)

    def _append(
        self,
        event: Event,
        gate: str,
        before: str | None,
        after: str | None,
        *,
        documents: tuple[str, ...] = (),
        reason: str | None = None,
    ) -> None:
        now = self._clock.now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        record = ChangeRecord(
            record_id=str(uuid4()), gate=gate, at=now, event=event, before=before, after=after,
            documents=documents, findings=len(self.findings), reason=reason,
        )  # fmt: skip
        self._recorder.append((record,))
