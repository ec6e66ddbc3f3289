"""The seven hops of a change, in one place.

    1. read       a new immutable World                       sources.watch.Watch.worlds
    2. compile    World → Compiled(ir, findings)              compile.compiler.Compiler
    3. compare    same content hash as published: stop        ControlPlane._publish_gate
    4. publish    IR → Envoy messages → snapshot, over xDS    proxy.configuration.Builder, AdsServer
    5. verify     the gate accepts, and proves what it runs   proxy.activation.wait_active
    6. report     findings and hashes on request              runtime.status.status_of
    7. record     old hash → new hash                         runtime.change_records.ChangeRecords.note

A failure anywhere keeps the last good; nothing empty is ever published. One change at a time; the
newest World wins. Decides nothing about documents or requests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from gatereeve.admission.change_authors import DocumentChange
from gatereeve.api.world import World
from gatereeve.compile import compiler
from gatereeve.core.errors import GatereeveError
from gatereeve.core.findings import Finding
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.core.records import Event
from gatereeve.core.refs import Where
from gatereeve.core.report import describe
from gatereeve.decide import locate
from gatereeve.ir.gates import Gate
from gatereeve.proxy import configuration
from gatereeve.proxy.activation import ActivationVerifier, expected_of
from gatereeve.proxy.xds import events
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.document_records import DocumentRecords
from gatereeve.runtime.gate_runs import GateRun, NodeRun, Unpublished
from gatereeve.runtime.governed_addresses import GovernedAddresses
from gatereeve.runtime.rejections import Rejections

_LOG = EventLog(__name__)

_PROOF_S = 30.0
_PROVE_AGAIN_S = 5.0
_PLACE_AGAIN = timedelta(seconds=1)
_ELSEWHERE_S = 0.3
"""A gate that another controller serves has most likely accepted by then; asked before, it would only be slower."""
_TRIAL_S = 1.0
"""So long a gate may be silent about what it is tried with; it rejects within milliseconds."""
_MOST_NAMED = 50

ReserveAddress = Callable[[Gate], str]
"""Why a Gate cannot listen where it wants, or "" (`ports.Ports.take`)."""


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why a configuration is another, as in `records.ChangeRecord`."""

    by: str | None
    documents: tuple[str, ...]


_NO_CAUSE = _Cause(by=None, documents=())


class Progress:
    """Wakes everything that waits for a state to change; each then looks for itself."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """The state changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next change."""
        await self._changed.wait()


class ControlPlane:
    """Brings Worlds to gates. `apply` is called for every new World, in order.

    runs: gates with a configuration. unpublished: those whose newest could not be handed out.
    next_change: when the same documents want to be applied again, if ever. applied_at: when the
    newest World was brought as far as it could be; None before the first. compile_s: how long its
    compilation took. world, compiled: the newest, for statuses.
    of_guards: findings about the guards of a cluster (`guard_reconciler`).
    """

    def __init__(
        self,
        *,
        clock: Clock,
        server: AdsServer,
        changes: ChangeRecords,
        documents: DocumentRecords,
        reserve_address: ReserveAddress,
        on_gates: Callable[[tuple[Gate, ...]], None],
        on_active: Callable[[str], None],
        governed: GovernedAddresses | None = None,
    ) -> None:
        self.findings: tuple[Finding, ...] = ()
        self.of_guards: tuple[Finding, ...] = ()
        self.runs: dict[str, GateRun] = {}
        self.unpublished: dict[str, Unpublished] = {}
        self.next_change: datetime | None = None
        self.applied_at: datetime | None = None
        self.compile_s: float | None = None
        self._clock = clock
        self._server = server
        self._changes = changes
        self._documents = documents
        self._reserve_address = reserve_address
        self._on_gates = on_gates
        self._on_active = on_active
        self._governed = governed or GovernedAddresses()
        self._compiler = compiler.Compiler()
        self._builders: dict[str, configuration.Builder] = {}
        self._rejections = Rejections(server)
        self._searches: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled: dict[tuple[str, str], str] = {}
        self.world: World | None = None
        self.compiled: compiler.Compiled | None = None
        self._lock = asyncio.Lock()
        self._progress = Progress()

    @property
    def is_applying(self) -> bool:
        """Whether a World is being compiled and published. May be asked from any thread."""
        return self._lock.locked()

    @property
    def is_searching(self) -> bool:
        """Whether documents that made an Envoy reject something are being looked for."""
        return bool(self._searches)

    async def wait_quiet(self, timeout_s: float, *, every_gate: bool = False) -> None:
        """Wait until no change is on its way to gates, at most so long. What is not urgent waits for
        this, because it would take the processor from the change.

        every_gate: also for Gates of which no Envoy is known yet, so that a new leader does not report
        gates that it does not know as stopped.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.is_applying or self._is_unproved(every_gate=every_gate):
                    await self._progress.wait()

    async def wait_applied(self, timeout_s: float) -> None:
        """Wait while a World is compiled and published, at most so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.is_applying:
                    await self._progress.wait()

    @contextlib.asynccontextmanager
    async def _publishing(self) -> AsyncIterator[None]:
        try:
            async with self._lock:
                yield
        finally:
            self._progress.notify()

    def _is_unproved(self, *, every_gate: bool) -> bool:
        return any((every_gate or run.nodes) and not run.is_current for run in self.runs.values())

    async def apply(self, world: World) -> None:
        """Hops 2 to 4 and 7 for one World. Never raises because of the content of documents.

        A defect of ours in one gate's configuration is raised when all other gates have theirs.
        Raises GatereeveError when the memory of Services and servers of models cannot be read.
        """
        defects: list[Exception] = []
        async with self._publishing():
            began = self._clock.monotonic()
            world, compiled = await self._governed.compile(world, self._compiler)
            self.compile_s = self._clock.monotonic() - began
            changed = self._documents.changed(world)
            cause = _cause(changed)
            self.world, self.compiled = world, compiled
            self.findings = compiled.findings
            names = {gate.name for gate in compiled.ir.gates}
            for name in self.runs.keys() - names:
                self._withdraw(name)
            for name in self.unpublished.keys() - names:
                del self.unpublished[name]
            for gate in compiled.ir.gates:
                try:
                    await self._publish_gate(gate, cause)
                    if self._rejections.isolation(gate.name).is_searching:
                        self._search(gate.name)
                except Exception as error:  # noqa: BLE001 - raised below
                    self._keep_last_good(gate, f"cannot be built: {error!r}", again=False)
                    defects.append(error)
            self.next_change = compiled.next_change
            self._documents.note(changed, world, {g.name: g.hash for g in compiled.ir.gates})
            if any(unpublished.again for unpublished in self.unpublished.values()):
                soon = self._clock.now() + _PLACE_AGAIN
                self.next_change = min(soon, self.next_change or soon)
            self.applied_at = self._clock.now()
            self._on_gates(tuple(run.gate for run in self.runs.values()))
        if defects:
            raise ExceptionGroup("gates keep their last good configuration", defects)

    async def _publish_gate(self, wanted: Gate, cause: _Cause) -> None:
        """wanted: what the documents say; what an Envoy rejects of it is taken out."""
        isolation = self._rejections.isolation(wanted.name)
        gate, out = isolation.admitted(wanted)
        before = self.runs.get(gate.name)
        if before is not None and before.gate.hash == gate.hash:
            self.unpublished.pop(gate.name, None)
            return
        taken = self._reserve_address(gate)
        if taken:
            self._keep_last_good(gate, taken, again=True)
            return
        try:
            builder = self._builders.setdefault(gate.name, configuration.Builder())
            snapshot = await asyncio.to_thread(builder.build, gate)
            self._server.set_snapshot(gate.name, snapshot)
        except snap.ResourceError as error:
            _LOG.exception("resource_excluded", gate=gate.name)
            has_accepted = partial(self._server.has_accepted, gate.name)
            if isolation.unmade(wanted, out, gate, (*error.need, str(error)), has_accepted):
                await self._publish_gate(wanted, cause)
            else:
                self._keep_last_good(gate, f"cannot be published: {error}", again=False)
            return
        except (GatereeveError, ValueError) as error:
            _LOG.exception("last_good_kept", gate=gate.name)
            self._keep_last_good(gate, f"cannot be published: {error}", again=False)
            return
        self.unpublished.pop(gate.name, None)
        isolation.published(wanted, out, gate, snapshot)
        run = GateRun(gate=gate, snapshot=snapshot, published_at=self._clock.now())
        if before is not None:
            run.active, run.active_at, run.nodes = before.active, before.active_at, before.nodes
        self.runs[gate.name] = run
        for name, node in run.nodes.items():
            self._tell_settled(run, name, node)
            node.changed.set()
        self._note(gate.name, "compiled", before.gate.hash if before else None, gate.hash,
                   by=cause.by, documents=cause.documents)  # fmt: skip
        self._blame(run, self._rejections.published(gate), "as before")

    def _keep_last_good(self, gate: Gate, why: str, *, again: bool) -> None:
        """The newest form of a Gate cannot be published: what runs stays, and the reason becomes a finding."""
        known = self.unpublished.get(gate.name)
        finding = describe(
            "gate-rejected.retry" if again else "gate-rejected.defect",
            gate.origin,
            gate=gate.name,
            why=why,
        )
        self.unpublished[gate.name] = Unpublished(gate=gate, finding=finding, again=again)
        if known is None or (known.gate.hash, known.finding) != (gate.hash, finding):
            before = self.runs.get(gate.name)
            self._note(gate.name, "rejected", before.gate.hash if before else None, gate.hash,
                       documents=(str(gate.origin),), reason=why)  # fmt: skip

    def _withdraw(self, name: str) -> None:
        run = self.runs.pop(name)
        self._builders.pop(name, None)
        self._rejections.forget(name)
        for node in run.nodes.values():
            node.changed.set()
        for key in [key for key in self._settled if key[0] == name]:
            del self._settled[key]
        self._server.close_gate(name)
        self._note(name, "gate-down", run.gate.hash, None, reason="the Gate document is gone")

    async def prove(
        self, name: str, node: str, prover: ActivationVerifier, *, elsewhere: bool = False
    ) -> None:
        """Hop 5, for as long as an Envoy lives: it must prove that it runs what is published.

        elsewhere: as in `NodeRun`. Returns when the Gate is gone; to be cancelled when the Envoy is. One that cannot prove it
        keeps serving its last good, and is asked again.
        """
        known = NodeRun(elsewhere=elsewhere)
        try:
            while (run := self.runs.get(name)) is not None:
                if run.nodes.get(node) is not known:
                    run.nodes[node] = known
                    self._tell_settled(run, node, known)
                known.changed.clear()
                if not run.runs(node):
                    await self._prove_once(run, known, prover)
                wait_s = None if known.active == run.gate.hash else _PROVE_AGAIN_S
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await known.changed.wait()
        finally:
            self._forget_node(name, node, known)

    def started(self, name: str) -> None:
        """An Envoy of the Gate began."""
        run = self.runs.get(name)
        if run is not None:
            self._note(name, "gate-up", None, run.gate.hash)

    def ended(self, name: str, reason: str, *, node: str | None = None) -> None:
        """An Envoy of the Gate ended (node: None for all); its successor must prove anew."""
        run = self.runs.get(name)
        if run is None:
            return
        for known in [run.nodes.get(node)] if node else list(run.nodes.values()):
            if known is not None:
                known.active = None
                known.settled.clear()
                known.changed.set()
        self._settled = {key: version for key, version in self._settled.items()
                         if key[0] != name or node not in (None, key[1])}  # fmt: skip
        self._agree(run)
        self._note(name, "gate-down", run.gate.hash, None, reason=reason)

    async def _prove_once(self, run: GateRun, node: NodeRun, prover: ActivationVerifier) -> None:
        proving = asyncio.create_task(self._proof(run, node, prover), name="proof")
        newer = asyncio.create_task(node.changed.wait(), name="newer")
        try:
            await asyncio.wait({proving, newer}, return_when=asyncio.FIRST_COMPLETED)
            if not proving.done():
                return
            proving.result()
        except GatereeveError as error:
            node.unproved = str(error)
            return
        finally:
            proving.cancel()
            newer.cancel()
        node.active, node.unproved = run.gate.hash, ""
        self._agree(run)

    async def _proof(self, run: GateRun, node: NodeRun, prover: ActivationVerifier) -> None:
        await node.settled.wait()
        if node.elsewhere:
            await asyncio.sleep(_ELSEWHERE_S)
        await prover.wait_active(expected_of(run.snapshot), timeout_s=_PROOF_S)

    def _forget_node(self, name: str, node: str, known: NodeRun) -> None:
        """Remove a node that is no longer asked: what it ran no longer counts for the Gate."""
        self._settled.pop((name, node), None)
        run = self.runs.get(name)
        if run is not None and run.nodes.get(node) is known:
            del run.nodes[node]
            self._agree(run)

    def _agree(self, run: GateRun) -> None:
        """Find out whether all Envoys of the Gate run the same configuration; record it when new."""
        self._progress.notify()
        actives = {node.active for node in run.nodes.values()}
        if not actives - {None}:
            run.active, run.active_at = None, None
        elif actives != {run.active} and len(actives) == 1:
            before, run.active = run.active, actives.pop()
            run.active_at = self._clock.now()
            self._note(run.gate.name, "active", before, run.active)
            self._on_active(run.gate.name)

    def _tell_settled(self, run: GateRun, name: str, node: NodeRun) -> None:
        if node.elsewhere or self._settled.get((run.gate.name, name)) == run.gate.hash:
            node.settled.set()
        else:
            node.settled.clear()

    def observe(self, event: events.GateEvent) -> None:
        """Events of the xDS server; a rejection becomes a finding that names its document."""
        run = self.runs.get(event.gate)
        if run is None:
            return
        if isinstance(event, events.Settled):
            self._settled[event.gate, event.node] = event.version
            if event.node in run.nodes:
                self._tell_settled(run, event.node, run.nodes[event.node])
        if event.gate in self._searches:
            self._searches[event.gate].set()
        if isinstance(event, events.Nacked) and event.names:
            self._blame(run, self._rejections.note(run.gate, event), event.detail)

    def _blame(self, run: GateRun, findings: Sequence[Finding], why: str) -> None:
        """Record that Envoy rejected something, with the documents behind it, and take them out."""
        name = run.gate.name
        for finding in findings:
            self._note(name, "rejected", run.active, run.gate.hash,
                       documents=(str(finding.origin or run.gate.origin),), reason=why)  # fmt: skip
        if self._rejections.isolation(name).has_changed:
            self._search(name)

    def _wanted(self, run: GateRun) -> Gate:
        """What the documents say of a Gate, nothing taken out."""
        gates = self.compiled.ir.gates if self.compiled else ()
        return next((gate for gate in gates if gate.name == run.gate.name), run.gate)

    def _search(self, name: str) -> None:
        """Publish what is admitted now, and go on until nothing is left to be tried."""
        if name in self._searches:
            self._searches[name].set()
            return
        event = self._searches[name] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._try_all(name, event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_all(self, name: str, event: asyncio.Event) -> None:
        isolation = self._rejections.isolation(name)
        try:
            while name in self.runs:
                event.clear()
                async with self._publishing():
                    await self._publish_admitted(name)
                if not (isolation.is_searching or isolation.has_changed):
                    return
                if not await self._is_rejected(name, event):
                    isolation.proceed()
        except Exception as error:  # noqa: BLE001 - a defect of ours: what runs stays
            _LOG.exception("last_good_kept", gate=name)
            if (run := self.runs.get(name)) is not None:
                self._keep_last_good(run.gate, f"cannot be built: {error!r}", again=False)
        finally:
            del self._searches[name]

    async def _publish_admitted(self, name: str) -> None:
        run = self.runs.get(name)
        if run is not None:
            await self._publish_gate(self._wanted(run), _NO_CAUSE)
            self._on_gates(tuple(other.gate for other in self.runs.values()))

    async def _is_rejected(self, name: str, event: asyncio.Event) -> bool:
        """Whether an Envoy rejected a part of the last published configuration, so that other parts
        are admitted now; False when all of it is accepted, or no Envoy answers."""
        isolation = self._rejections.isolation(name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TRIAL_S):
                while not isolation.has_changed:
                    if isolation.is_accepted(partial(self._server.has_accepted, name)):
                        return False
                    await event.wait()
                    event.clear()
        return isolation.has_changed

    def rejections(self, gate: str) -> tuple[Finding, ...]:
        """What keeps the newest form of a Gate, or a part of it, from being in force."""
        unpublished = self.unpublished.get(gate)
        run = self.runs.get(gate)
        problems = (*((unpublished.finding,) if unpublished else ()),
                 *(self._rejections.findings(run.gate) if run else ()))  # fmt: skip
        return tuple(replace(finding, where=self._where(finding)) for finding in problems)

    def _where(self, finding: Finding) -> Where | None:
        if self.world is None or finding.origin is None:
            return None
        return locate.locate(self.world, finding.origin)

    def all_findings(self) -> tuple[Finding, ...]:
        """Those of gates that rejected something, of the guards, and of the documents."""
        gates = sorted(self.runs.keys() | self.unpublished.keys())
        rejected = (finding for gate in gates for finding in self.rejections(gate))
        return (*rejected, *self.of_guards, *self.findings)

    def _note(
        self,
        gate: str,
        event: Event,
        before: str | None,
        after: str | None,
        *,
        by: str | None = None,
        documents: tuple[str, ...] = (),
        reason: str | None = None,
    ) -> None:
        self._changes.note(
            gate,
            event,
            before,
            after,
            by=by,
            documents=documents,
            findings=len(self.findings),
            reason=reason,
        )


def _cause(changed: Sequence[DocumentChange]) -> _Cause:
    """Who and what caused a configuration. The documents of the first World are not listed."""
    changes = [change for change in changed if change.what != "found"]
    people = {change.by for change in changes}
    return _Cause(
        by=people.pop() if len(people) == 1 else None,
        documents=tuple(str(change.ref) for change in changes[:_MOST_NAMED]),
    )
