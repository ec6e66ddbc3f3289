"""Writes to the API server what became of its objects: statuses, events, and the Services of Gateways.

Only the leader writes; leadership is checked before every write. A status is written again only when it
changes, and nothing here holds anything up: a status that cannot be written is tried again, what
gates enforce does not wait for it. What the statuses say is decided by `statuses`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Final, cast

from msgspec import UNSET

from gatereeve.api import registry, tables
from gatereeve.api.world import Key, World
from gatereeve.compile.compiler import Compiled
from gatereeve.compile.routes import listener_sets
from gatereeve.core import errors, refs, status_documents
from gatereeve.core.canonical import Json
from gatereeve.core.conditions import ObjectStatus
from gatereeve.core.findings import Finding
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import list_all, resources
from gatereeve.sources.kube.apply import ApplyTarget, ServerSideApply
from gatereeve.sources.kube.events import Events
from gatereeve.sources.kube.typed_objects import ObjectReference
from gatereeve.statuses import GateFacts, RuntimeFacts, StatusTables, gateway_services

_LOG = EventLog(__name__)

EVERY_S: Final = 5.0
"""Looked at this often at least: addresses of Services come without a word to us."""
_RETRY_S: Final = 1.0
_QUIET_S: Final = 0.25
"""What a change brings with it comes within this: proofs of several gates, the next change."""
_SHARE: Final = 2.0
"""After a look, so many times as long is left to everything else, at most `EVERY_S`."""
_PATIENCE_S: Final = 2.0
"""So long, once for each look, changes that are on their way to gates come first."""
_FIRST_S: Final = 15.0
"""So long a new leader waits until it knows all gates. What it wrote before would take the addresses
of all Ingresses away, and give them back when it has."""
_AT_ONCE: Final = 8
"""Statuses under way; the API server has others to serve."""

_ROUTES: Final = resources.of_kind(registry.BY_KIND["gateway.networking.k8s.io", "HTTPRoute"])

Addresses = Mapping[str, tuple[str, ...]]


class StatusWriter:
    """See the module. `run` once at a time; `notify` may be called from the loop at any time.

    namespace: of the gates' own Services. watched: namespaces that are read, () for all.
    """

    def __init__(
        self,
        client: kube.ApiClient,
        writer: ServerSideApply,
        events: Events,
        *,
        plane: ControlPlane,
        clock: Clock,
        namespace: str,
        watched: tuple[str, ...],
        is_leading: Callable[[], bool],
    ) -> None:
        self._client = client
        self._writer = writer
        self._events = events
        self._plane = plane
        self._clock = clock
        self._namespace = namespace
        self._watched = watched
        self._is_leading = is_leading
        self._known: dict[refs.Ref, ObjectStatus] = {}
        self._statuses = StatusTables()
        self._last: tuple[Compiled, RuntimeFacts] | None = None
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._was_leading = False
        self._inherited = False

    def notify(self) -> None:
        """Something is new."""
        self._changed.set()

    async def run(self) -> None:
        """Write statuses until cancelled.

        A change reaches the gates first, statuses follow: with thousands of models, writing the
        statuses takes longer than the change itself, on the same processor.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            began = loop.time()
            whole = await self._look()
            pause_s = min(_SHARE * (loop.time() - began), EVERY_S)
            await asyncio.sleep(pause_s if whole else max(pause_s, _RETRY_S))
            if not whole:
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()
            await asyncio.sleep(_QUIET_S)

    async def _look(self) -> bool:
        """Write what is new, if this replica leads. Returns False if something must be tried again."""
        leading = self._is_leading()
        if leading and not self._was_leading:  # another replica may have written meanwhile
            self._known.clear()
            self._statuses = StatusTables()
            self._last = None
            self._writer.forget()
            self._inherited = False
        self._was_leading = leading
        if not leading:
            return True
        if self._inherited:
            await self._plane.wait_quiet(_PATIENCE_S)
        else:
            await self._plane.wait_quiet(_FIRST_S, every_gate=True)
        world, compiled = self._plane.world, self._plane.compiled
        if world is None or compiled is None:
            return True
        try:
            return await self.write_all(world, compiled)
        except errors.ApiError as error:
            _LOG.warning("statuses_not_written", error=error)
            return False

    async def write_all(self, world: World, compiled: Compiled) -> bool:
        """Write everything that is new. Returns whether all of it was written.

        Raises ApiError when it cannot begin.
        """
        await self._write_services(world, compiled)
        facts = await self._facts(world)
        if self._last is not None and self._last[0] is compiled and self._last[1] == facts:
            return True
        current = await self._derive(world, compiled, facts)
        if not self._inherited:
            await self._inherit(current)
        new = await asyncio.to_thread(self._differing, current)
        written = await asyncio.gather(*(self._write_one(ref, current.get(ref)) for ref in new))
        findings = self._plane.all_findings()
        await self._events.tell(findings, _about(world, findings))
        whole = all(written)
        self._last = (compiled, facts) if whole else None
        return whole

    async def _derive(
        self, world: World, compiled: Compiled, facts: RuntimeFacts
    ) -> dict[refs.Ref, ObjectStatus]:
        """In parts, in a thread; a World that comes meanwhile is compiled and published first."""
        parts = self._statuses.update(world, compiled, facts)
        derived: dict[refs.Ref, ObjectStatus] = {}
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            derived.update((status.ref, status) for status in part)
            if self._plane.is_applying:
                await self._plane.wait_quiet(_PATIENCE_S)
        return derived

    def _differing(self, current: Mapping[refs.Ref, ObjectStatus]) -> list[refs.Ref]:
        """Objects whose status differs from the written one, was not written, or is no longer ours."""
        return [
            *(ref for ref, status in current.items()
              if (written := self._known.get(ref)) is not status and written != status),
            *(self._known.keys() - current.keys()),
        ]  # fmt: skip

    async def _inherit(self, current: Mapping[refs.Ref, ObjectStatus]) -> None:
        """Read the statuses that earlier leaders wrote. Those that still hold are not written again;
        those of routes that are no longer ours are removed."""
        kinds = {_ROUTES, *(_resource(ref) for ref in current)}
        for resource in sorted(kinds, key=str):
            for namespace in (self._watched or ("",)) if resource.namespaced else ("",):
                scope = kube.ListScope(resource=resource, namespace=namespace)
                with contextlib.suppress(errors.ApiMissingError):  # no such kind here
                    items = await list_all.everything(self._client, scope)
                    held, left = await asyncio.to_thread(self._compare, resource, items, current)
                    self._known.update(held)
                    for ref in left:
                        await self._withdraw(ref)
        self._inherited = True

    def _compare(
        self,
        resource: resources.ApiResource,
        items: Iterable[kube.Object],
        current: Mapping[refs.Ref, ObjectStatus],
    ) -> tuple[dict[refs.Ref, ObjectStatus], list[refs.Ref]]:
        """Statuses that need no change; routes with entries of ours that must be removed."""
        held: dict[refs.Ref, ObjectStatus] = {}
        left: list[refs.Ref] = []
        for item in items:
            metadata, existing = _part(item, "metadata"), _part(item, "status")
            name, namespace = str(metadata.get("name")), str(metadata.get("namespace") or "")
            ref = refs.Ref(resource.group, resource.kind, namespace, name)
            wanted = current.get(ref)
            if wanted is None:
                if status_documents.withdrawn(cast("Json", existing)) is not None:
                    left.append(ref)
            elif (
                wanted.uid in ("", metadata.get("uid"))
                and self._edited(wanted, existing) == existing
            ):
                held[ref] = wanted
        return held, left

    async def _write_one(self, ref: refs.Ref, wanted: ObjectStatus | None) -> bool:
        """Bring one object's status to what is wanted, None for none of ours; whether it is so now.

        A change goes first, but changes without end do not hold a status up.
        """
        async with self._slots:
            await self._plane.wait_applied(_QUIET_S)
            try:
                await (self._write(wanted) if wanted else self._withdraw(ref))
            except errors.ApiError as error:
                _LOG.warning("status_write_failed", object=ref, error=error)
                return False
        if wanted:
            self._known[ref] = wanted
        else:
            del self._known[ref]
        return True

    async def _write(self, status: ObjectStatus) -> None:
        edit = partial(self._edited, status)
        await self._writer.edit_status(_target(status.ref, status.uid), edit)

    def _edited(self, status: ObjectStatus, existing: kube.Object) -> kube.Object:
        """Return the existing status with our part replaced."""
        before = cast("Json", existing)
        document = status_documents.document(status, before, self._clock.now())
        made = cast("kube.Object", document)
        return {**existing, **made, **_with_others(existing, made)}

    async def _withdraw(self, ref: refs.Ref) -> None:
        """An object that is not ours any more: a route loses our entries, and nothing else."""
        if ref.kind != "HTTPRoute":
            return

        def edit(existing: kube.Object) -> kube.Object:
            left = status_documents.withdrawn(cast("Json", existing))
            return existing if left is None else {**existing, **cast("kube.Object", left)}

        await self._writer.edit_status(_target(ref), edit)

    async def _write_services(self, world: World, compiled: Compiled) -> None:
        for service in gateway_services.wanted(world, compiled):
            body = cast("kube.Object", gateway_services.document(service))
            await self._writer.apply_object(_target(service.ref), body)
        for ref in gateway_services.orphans(world, compiled):
            await self._writer.delete(_target(ref))

    async def _facts(self, world: World) -> RuntimeFacts:
        own, fronted = await self._addresses(world)
        return RuntimeFacts(
            gates={name: self._gate_facts(name, own.get(name, ())) for name in self._plane.runs},
            gateways=fronted,
            rejected=tuple(
                finding for name in self._plane.runs for finding in self._plane.rejections(name)
            ),
        )

    def _gate_facts(self, name: str, addresses: tuple[str, ...]) -> GateFacts:
        run = self._plane.runs[name]
        active = {node.active for node in run.nodes.values()}
        (active_hash,) = active if len(active) == 1 else (None,)
        return GateFacts(
            active=active_hash or "",
            running=sum(node.active is not None for node in run.nodes.values()),
            ready=sum(run.runs(node) for node in run.nodes),
            gates=len(run.nodes),
            addresses=addresses,
            rejections=tuple(finding.message for finding in self._plane.rejections(name)),
        )

    async def _addresses(self, world: World) -> tuple[Addresses, Mapping[Key, tuple[str, ...]]]:
        """Where gates, and Gateways with Services of their own, are met."""
        places = {self._namespace} | {
            gate.spec.gateways.namespace
            for gate in world.gates.values()
            if gate.spec.gateways is not None
        }
        own: dict[str, tuple[str, ...]] = {}
        fronted: dict[Key, tuple[str, ...]] = {}
        for place in sorted(places):
            scope = kube.ListScope(resource=resources.SERVICES, namespace=place)
            for item in await list_all.everything(self._client, scope):
                metadata = _part(item, "metadata")
                gate = _part(metadata, "labels").get(listener_sets.GATE_LABEL)
                gateway = _part(metadata, "annotations").get(listener_sets.GATEWAY_ANNOTATION)
                if isinstance(gateway, str) and "/" in gateway:
                    namespace, _, name = gateway.partition("/")
                    fronted[namespace, name] = _met_at(item)
                elif isinstance(gate, str):
                    own[gate] = (*own.get(gate, ()), *_met_at(item))
        return own, fronted


def _resource(ref: refs.Ref) -> resources.ApiResource:
    return resources.of_kind(registry.BY_KIND[ref.group, ref.kind])


def _target(ref: refs.Ref, uid: str = "") -> ApplyTarget:
    return ApplyTarget(resource=_resource(ref), namespace=ref.namespace, name=ref.name, uid=uid)


def _part(value: kube.Object, key: str) -> kube.Object:
    part = value.get(key)
    return part if isinstance(part, dict) else {}


def _met_at(service: kube.Object) -> tuple[str, ...]:
    """The addresses of a Service: those of its load balancer, else the one inside the cluster."""
    balancer = _part(_part(service, "status"), "loadBalancer").get("ingress")
    addresses = [
        address
        for entry in (balancer if isinstance(balancer, list) else ())
        if isinstance(entry, dict)
        for address in (entry.get("ip") or entry.get("hostname"),)
        if isinstance(address, str) and address
    ]
    spec = _part(service, "spec")
    inside = spec.get("clusterIP")
    if not addresses and spec.get("type") != "LoadBalancer" and isinstance(inside, str):
        addresses = [inside] if inside not in ("", "None") else []
    return tuple(addresses)


def _with_others(existing: kube.Object, made: kube.Object) -> kube.Object:
    """Conditions of other controllers stay beside ours: this list is written whole."""
    ours = made.get("conditions")
    if not isinstance(ours, list):
        return {}
    types = {entry.get("type") for entry in ours if isinstance(entry, dict)}
    before = existing.get("conditions")
    others = [
        entry
        for entry in (before if isinstance(before, list) else ())
        if isinstance(entry, dict) and entry.get("type") not in types
    ]
    return {"conditions": [*ours, *others]}


def _about(world: World, findings: Iterable[Finding]) -> Mapping[refs.Ref, ObjectReference]:
    """The objects that these findings are about and that events can be about."""
    objects: dict[refs.Ref, ObjectReference] = {}
    for finding in findings:
        ref = finding.origin.ref if finding.origin is not None else None
        kind = None if ref is None else registry.BY_KIND.get((ref.group, ref.kind))
        if ref is None or kind is None:
            continue
        doc = tables.table_of(world, kind).get((ref.namespace, ref.name))
        if doc is not None and doc.meta.uid:
            objects[ref] = ObjectReference(
                api_version=resources.of_kind(kind).api_version, kind=ref.kind, name=ref.name,
                uid=doc.meta.uid, namespace=ref.namespace or UNSET,
            )  # fmt: skip
    return objects
