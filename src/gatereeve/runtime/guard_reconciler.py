"""Looks after the guards of a cluster: their parameters, the webhook's authority, and who touched them.

The leader keeps GuardParameters as the documents ask, and the authority by which the API server knows
the webhook. Every replica looks now and then at what is installed: what was changed is on record,
and what differs from the documents is a finding. Policies, roles and bindings are never written here:
that is an administrator's (`gatereeve guards`). Without guards, or without the right to see them,
nothing is done and nothing is said to be well.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Iterable
from typing import Final, cast
from uuid import uuid4

from gatereeve.admission.guard_drift import find_drift, is_guard, ref_of
from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import WEBHOOK, GuardSettings, Object
from gatereeve.api.world import World
from gatereeve.core import errors, records
from gatereeve.core.canonical import Json, digest
from gatereeve.core.findings import Finding
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.core.refs import Ref
from gatereeve.core.report import describe
from gatereeve.runtime.change_records import ChangeRecords
from gatereeve.runtime.control_plane import ControlPlane
from gatereeve.runtime.digests import Digests
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import guards as reading
from gatereeve.sources.kube.apply import ApplyTarget, ServerSideApply

_LOG = EventLog(__name__)

EVERY_S: Final = 10.0
_PAUSE_S: Final = 1.0
_RETRY_S: Final = 5.0
_PATIENCE_S: Final = 2.0
"""So long a change that is on its way to gates comes first."""
_PARAMETERS: Final = "GuardParameters"


_UNSEEN: Final = describe("guard-missing.no-right")


class GuardReconciler:
    """See the module. Used from one event loop. digests: loaded; of guards, not of documents.

    trust: PEM of the authority of the webhook's certificate, b"" when the webhook is not served.
    installed: how many guards there were at the last look. Differences become findings of the control plane.
    """

    def __init__(
        self,
        client: kube.ApiClient,
        writer: ServerSideApply,
        settings: GuardSettings,
        *,
        changes: ChangeRecords,
        clock: Clock,
        digests: Digests,
        plane: ControlPlane,
        trust: Callable[[], bytes],
        is_leading: Callable[[], bool],
    ) -> None:
        self.installed = 0
        self._client = client
        self._writer = writer
        self._settings = settings
        self._changes = changes
        self._clock = clock
        self._digests = digests
        self._plane = plane
        self._trust = trust
        self._is_leading = is_leading
        self._wanted: tuple[World, tuple[Object, ...]] | None = None
        self._changed = asyncio.Event()
        self._last_problem = ""

    def notify(self) -> None:
        """Documents may have changed, or this replica leads."""
        self._changed.set()

    async def run(self) -> None:
        """Until cancelled. An API server that fails is asked again."""
        loop = asyncio.get_running_loop()
        looked = -EVERY_S
        while True:
            self._changed.clear()
            pause_s = _PAUSE_S
            try:
                if loop.time() - looked >= EVERY_S:
                    await self.look()
                    looked = loop.time()
                elif self.installed:
                    await self._plane.wait_quiet(_PATIENCE_S)
                    await self.keep()
                self._last_problem = ""
            except errors.ApiError as error:
                pause_s = _RETRY_S
                if self._last_problem != str(error):
                    self._last_problem = str(error)
                    _LOG.warning("guards_not_checked", error=error)
            await asyncio.sleep(pause_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._changed.wait()

    async def look(self) -> None:
        """Read what is installed: record what changed, report what differs, and correct our parameters.

        Raises ApiError.
        """
        try:
            installed = cast("list[Object]", await reading.installed(self._client))
        except errors.ApiRefusedError:
            # the right to look comes with the guards, and goes with them
            self.installed = 0
            self._plane.of_guards = (_UNSEEN,) if len(self._digests) else ()
            return
        ours = {ref_of(guard): guard for guard in installed if is_guard(guard)}
        self.installed = len(ours)
        if not ours and not len(self._digests):
            self._plane.of_guards = ()
            return
        self._note(ours)
        wanted = await self._make_wanted()
        if wanted is None:
            return
        self._plane.of_guards = await asyncio.to_thread(find_drift, wanted, installed)
        if any(_is_of(finding, _PARAMETERS) for finding in self._plane.of_guards):
            self._writer.forget()
        await self._show_authority(ours.values())
        await self.keep()

    async def keep(self) -> None:
        """Write the parameters that the documents ask for; only the leader does.

        If one cannot be written, as in a namespace that is being deleted, the others are still
        written. Raises the first ApiError after all have been tried.
        """
        wanted = await self._make_wanted() if self._is_leading() else None
        failed: list[errors.ApiError] = []
        for guard in wanted or ():
            if guard["kind"] == _PARAMETERS:
                try:
                    await self._writer.apply_object(_target(guard), _without_place(guard))
                except errors.ApiError as error:
                    failed.append(error)
        if failed:
            raise failed[0]

    async def _make_wanted(self) -> tuple[Object, ...] | None:
        """Return the guards that the current documents ask for; None before there are documents."""
        world = self._plane.world
        if world is None:
            return None
        if self._wanted is None or self._wanted[0] is not world:
            self._wanted = (world, await asyncio.to_thread(make_guards, world, self._settings))
        return self._wanted[1]

    async def _show_authority(self, ours: Iterable[Object]) -> None:
        """Write into the registrations the authority by which the API server trusts the webhook."""
        trust = self._trust()
        if not trust or not self._is_leading():
            return
        bundle = base64.b64encode(trust).decode()
        for guard in ours:
            metadata, hooks = guard.get("metadata"), guard.get("webhooks")
            if (
                not isinstance(metadata, dict)
                or not isinstance(hooks, list)
                or metadata.get("name") != WEBHOOK
            ):
                continue
            named: list[Json] = [
                {"name": hook.get("name"), "clientConfig": {"caBundle": bundle}}
                for hook in hooks
                if isinstance(hook, dict)
            ]
            target = _target(guard, uid=str(metadata.get("uid") or ""))
            if await self._writer.apply_object(target, {"webhooks": cast("kube.Json", named)}):
                _LOG.info("webhook_authority_written", kind=guard["kind"], name=WEBHOOK)

    def _note(self, ours: dict[Ref, Object]) -> None:
        """Record what changed since the last look. Parameters are ours: `guard_drift` reports them."""
        new = not len(self._digests)
        now = {ref: _digest(guard) for ref, guard in ours.items() if ref.kind != _PARAMETERS}
        noted = []
        for ref in sorted({*now, *self._digests}):
            before, after = self._digests.get(ref), now.get(ref)
            if before == after:
                continue
            what: records.What = (
                "found" if new else "created" if before is None
                else "deleted" if after is None else "changed"
            )  # fmt: skip
            noted.append(
                records.DocumentRecord(
                    record_id=str(uuid4()), document=str(ref), what=what,
                    at=records.instant(self._clock.now()), before=before, after=after,
                )
            )  # fmt: skip
            self._digests.put(ref, after)
        self._changes.keep(noted)


def _digest(guard: Object) -> str:
    """The digest of what a person wrote in it, without the fields that the API server writes."""
    metadata = guard.get("metadata")
    meta = metadata if isinstance(metadata, dict) else {}
    content = {key: value for key, value in guard.items() if key not in ("metadata", "status")}
    return digest({**content, "labels": meta.get("labels"), "annotations": meta.get("annotations")})


def _is_of(finding: Finding, kind: str) -> bool:
    return finding.origin is not None and finding.origin.ref.kind == kind


def _target(guard: Object, *, uid: str = "") -> ApplyTarget:
    ref = ref_of(guard)
    resource = next(kind for kind in reading.KINDS if kind.kind == ref.kind)
    return ApplyTarget(resource=resource, namespace=ref.namespace, name=ref.name, uid=uid)


def _without_place(guard: Object) -> dict[str, kube.Json]:
    metadata = guard["metadata"]
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    return cast("dict[str, kube.Json]", {"metadata": {"labels": labels}, "spec": guard["spec"]})
