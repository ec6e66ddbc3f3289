"""Who of several replicas may write: one Lease (coordination.k8s.io/v1), held by one of them.

Whether a lease has run out is judged by the time at which *we* saw it change, never by the holder's
clock. A holder that could not renew in time stops leading at once, by its own clock and without
asking anybody, and runs on: losing the lease stops writing and nothing else. A replica that ends
in good order gives the lease back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom

from msgspec.structs import replace

from gatereeve.core import errors, protocols
from gatereeve.core.logs import EventLog
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube.resources import LEASES
from gatereeve.sources.kube.typed_objects import Lease, LeaseSpec, micro_time

_LOG = EventLog(__name__)
_RELEASE_S = 2.0
"""A holder that ends spends no more on giving the lease back: it runs out by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """identity: of this replica, different from all others (pod name and something random).

    lease_s: unchanged for that long, it may be taken. renew_s: not renewed for that long, its
    holder stops. retry_s: between two looks. lease_s > renew_s > retry_s.
    """

    name: str
    namespace: str
    identity: str
    lease_s: float = 15.0
    renew_s: float = 10.0
    retry_s: float = 2.0


class LeaseLeadership:
    """Whether this replica leads, at this very moment. Consulted before each write.

    renewed_at: on the monotonic clock; None when the lease is not ours. holder, transitions: as last
    seen. All three are written by the elector only.
    """

    def __init__(self, clock: protocols.Clock, renew_s: float) -> None:
        self._clock = clock
        self._renew_s = renew_s
        self.renewed_at: float | None = None
        self.holder = ""
        self.transitions = 0

    @property
    def leading(self) -> bool:
        """False as soon as the last renewal is older than the deadline, for any reason."""
        at = self.renewed_at
        return at is not None and self._clock.monotonic() - at < self._renew_s


class Elector:
    """Tries to lead for as long as `run` runs. Used from one event loop, `run` once at a time.

    on_change: called on that loop when `leading` became something else.
    """

    def __init__(
        self,
        client: kube.ApiClient,
        clock: protocols.Clock,
        settings: LeaseSettings,
        *,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        if not settings.lease_s > settings.renew_s > settings.retry_s > 0:
            raise errors.SettingsError(
                "the times of the lease contradict each other", hint="lease > renew > retry > 0"
            )
        self.leadership = LeaseLeadership(clock, settings.renew_s)
        self._client = client
        self._clock = clock
        self._settings = settings
        self._on_change = on_change
        self._was_leading = False
        self._seen: tuple[LeaseSpec, float] | None = None
        self._random = SystemRandom()

    async def run(self) -> None:
        """Never returns. Gives the lease back when it is cancelled."""
        try:
            while True:
                await self.try_once()
                await asyncio.sleep(self._pause_s())
        finally:
            held = self.leadership.leading
            self.leadership.renewed_at = None
            self._tell()
            if held:
                await self._release()

    async def try_once(self) -> bool:
        """One look at the lease, which is taken or renewed when that is ours to do; whether we lead."""
        started = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._settings.renew_s):
                won = await self._try()
        except errors.ApiConflictError:
            won = False  # another replica was quicker; the next read shows which
        except (errors.ApiError, TimeoutError) as error:
            _LOG.warning(
                "lease_not_renewed",
                lease=self._settings.name,
                error=error or "no answer in time",
            )
            self._tell()
            return self.leadership.leading
        if won:
            # From before the request: the API server may have written it long before the answer came.
            self.leadership.renewed_at = started
        elif self.leadership.holder != self._settings.identity:
            self.leadership.renewed_at = None
        self._tell()
        return self.leadership.leading

    async def _try(self) -> bool:
        """Looks, and takes or renews when that is ours to do; whether it is ours now."""
        settings = self._settings
        try:
            lease = await self._get()
        except errors.ApiMissingError:
            metadata = {"name": settings.name, "namespace": settings.namespace}
            own = LeaseSpec(holder_identity=settings.identity)
            new = self._renewed(Lease(metadata=metadata, spec=own))
            await self._client.create(LEASES, settings.namespace, new)
            self._note(new)
            return True
        self._note(lease)
        if self._seen is None or self._seen[0] != lease.spec:
            self._seen = (lease.spec, self._clock.monotonic())
        if lease.spec.holder_identity not in ("", settings.identity) and not self._has_run_out():
            return False
        new = self._renewed(lease)
        await self._client.update(LEASES, settings.namespace, settings.name, new)
        self._note(new)
        return True

    def _has_run_out(self) -> bool:
        return (
            self._seen is not None
            and self._clock.monotonic() - self._seen[1] >= self._settings.lease_s
        )

    def _note(self, lease: Lease) -> None:
        self.leadership.holder = lease.spec.holder_identity
        self.leadership.transitions = lease.spec.lease_transitions

    def _tell(self) -> None:
        leading = self.leadership.leading
        if leading != self._was_leading:
            self._was_leading = leading
            _LOG.info("leading" if leading else "leading_ended")
            self._on_change(leading)

    async def _get(self) -> Lease:
        settings = self._settings
        body = await self._client.get(LEASES, settings.namespace, settings.name)
        return kube.decode_as(body, "get Lease", Lease)

    def _renewed(self, lease: Lease) -> Lease:
        """The Lease as it is when it is ours from now on."""
        settings, before = self._settings, lease.spec
        now = micro_time(self._clock.now())
        is_ours = before.holder_identity == settings.identity
        spec = LeaseSpec(
            holder_identity=settings.identity,
            lease_duration_seconds=max(1, round(settings.lease_s)),
            acquire_time=(before.acquire_time if is_ours else "") or now,
            renew_time=now,
            lease_transitions=before.lease_transitions + (not is_ours),
        )
        return replace(lease, spec=spec)

    async def _release(self) -> None:
        """So that another need not wait; without it, they wait until it has run out."""
        settings = self._settings
        with contextlib.suppress(errors.ApiError, TimeoutError):
            async with asyncio.timeout(_RELEASE_S):
                lease = await self._get()
                if lease.spec.holder_identity != settings.identity:
                    return
                now = micro_time(self._clock.now())
                spec = replace(
                    lease.spec, holder_identity="", lease_duration_seconds=1,
                    acquire_time=now, renew_time=now,
                )  # fmt: skip
                free = replace(lease, spec=spec)
                await self._client.update(LEASES, settings.namespace, settings.name, free)

    def _pause_s(self) -> float:
        """Followers part a little; a holder keeps its rhythm, and wakes when its time is up."""
        retry_s = self._settings.retry_s
        return retry_s if self._was_leading else retry_s * self._random.uniform(1.0, 1.2)
