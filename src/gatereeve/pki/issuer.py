"""Keeps certificates as `certificate_plan.plan` wants them, and hands out our own. An edge: it holds keys.

Every replica reads the store now and then and uses what it finds; the leader alone writes. Nothing
here ends a stream: a connection lives on with the certificates it began with, the next handshake
meets those of now.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Final, Protocol

from gatereeve.core.errors import PublishError
from gatereeve.core.logs import EventLog
from gatereeve.core.protocols import Clock
from gatereeve.pki import certificate_plan, signing
from gatereeve.pki.certificate_plan import Bundle, CertificateFacts
from gatereeve.pki.stores import KeyStore
from gatereeve.proxy.xds.server import MutualTls

_LOG = EventLog(__name__)

EVERY_S: Final = 10.0
_MAX_ROUNDS: Final = 4
"""An authority, then what it signs; the rest is for a store that another writes meanwhile."""


class Leadership(Protocol):
    """Whether this replica may write: asked before every write, answered at once, never raises."""

    def is_leading(self) -> bool: ...


class Alone:
    """The leadership of a controller without others: always ours."""

    def is_leading(self) -> bool:
        return True


class Issuer:
    """See the module. `step` does what is due; `run` does so for ever.

    own: our bundle and those beside it that follow from settings (xDS, webhook). on_change: called
    when anything we hand out is another.
    """

    def __init__(
        self,
        store: KeyStore,
        *,
        clock: Clock,
        leadership: Leadership,
        own: Collection[certificate_plan.WantedCertificate],
        policy: certificate_plan.CertificatePolicy | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._leadership = leadership
        self._own = tuple(own)
        self._policy = policy or certificate_plan.CertificatePolicy()
        self._on_change = on_change
        self._gates: frozenset[str] = frozenset()
        self._complete = False
        self._kept: Mapping[str, Bundle] = {}
        self._facts: dict[str, tuple[Bundle, CertificateFacts | None]] = {}
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()

    def want(self, gates: Collection[str]) -> None:
        """There are these Gates and no others: each has a bundle, soon."""
        if not self._complete or self._gates != frozenset(gates):
            self._gates, self._complete = frozenset(gates), True
            self._wake.set()

    def wake(self) -> None:
        """Look now: this replica may have begun to lead."""
        self._wake.set()

    async def wait_ready(self) -> None:
        """Return once we have a certificate of our own."""
        await self._ready.wait()

    def tls(self) -> MutualTls:
        """Our certificate, key and whom we trust, now. Raises RuntimeError before `wait_ready`."""
        found = self.bundle(certificate_plan.CONTROLLER)
        if found is None:
            raise RuntimeError("there is no certificate of ours yet")
        return found

    def bundle(self, name: str) -> MutualTls | None:
        """The same for another bundle, as the webhook's; None before there is one."""
        bundle = self._kept.get(name)
        if bundle is None:
            return None
        return MutualTls(
            certificate_chain=bundle.certificate,
            private_key=bundle.key,
            client_authority=bundle.trust,
        )

    def expiries(self) -> Mapping[str, datetime]:
        """When each bundle's certificate ends."""
        return {name: facts.not_after for name, facts in self._known().items()}

    async def run(self) -> None:
        """Until cancelled. A store that fails is tried again; what we have stays in use."""
        failing = False
        while True:
            self._wake.clear()
            try:
                await self.step()
                failing = False
            except PublishError as error:
                if not failing:
                    _LOG.error("certificates_not_kept", error=error)
                failing = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()

    async def step(self) -> None:
        """Read the store and, leading, do what is due. Raises PublishError."""
        self._take(await self._store.load())
        for _ in range(_MAX_ROUNDS):
            if not self._leadership.is_leading():
                return
            wanted = (*self._own, *map(certificate_plan.of_gate, self._gates))
            actions = certificate_plan.plan(
                self._clock.now(), self._readable(), wanted, self._policy, complete=self._complete
            )
            if not actions:
                return
            for action in actions:
                if not self._leadership.is_leading():
                    return
                await self._carry_out(action)
            self._take(await self._store.load())

    async def _carry_out(self, action: certificate_plan.Action) -> None:
        now, kept = self._clock.now(), self._kept
        match action:
            case certificate_plan.NewAuthority(slot=slot):
                bundle = await asyncio.to_thread(signing.new_authority, now, self._policy)
                await self._store.save(slot, bundle)
                _LOG.info("authority_created", slot=slot)
            case certificate_plan.Issue(wanted=wanted, by=by, trust=trust, why=why):
                bundle = await asyncio.to_thread(
                    signing.issue, now, wanted, kept[by], [kept[one] for one in trust], self._policy
                )
                await self._store.save(wanted.name, bundle)
                _LOG.info("certificate_issued", name=wanted.name, reason=why)
            case certificate_plan.Trust(name=name, trust=trust):
                known = kept[name]
                bundle = Bundle(
                    certificate=known.certificate,
                    key=known.key,
                    trust=signing.joined(kept[one] for one in trust),
                )
                await self._store.save(name, bundle)
                _LOG.info("certificate_trust_changed", name=name)
            case certificate_plan.Remove(name=name):
                await self._store.remove(name)
                _LOG.info("certificate_removed", name=name, reason="its Gate is gone")

    def _take(self, kept: Mapping[str, Bundle]) -> None:
        if kept == self._kept:
            return
        self._kept = kept
        if (facts := self._known().get(certificate_plan.CONTROLLER)) is not None and facts.fits:
            self._ready.set()
        self._on_change()

    def _known(self) -> dict[str, CertificateFacts]:
        """What can be read of what is kept; read once."""
        for name, bundle in self._kept.items():
            if name not in self._facts or self._facts[name][0] != bundle:
                self._facts[name] = (bundle, signing.facts_of(bundle))
        self._facts = {name: self._facts[name] for name in self._kept}
        return {name: facts for name, (_, facts) in self._facts.items() if facts is not None}

    def _readable(self) -> dict[str, CertificateFacts]:
        """As `_known`. An authority that cannot be read is never replaced by us: all would break."""
        known = self._known()
        for slot in certificate_plan.SLOTS:
            if slot in self._kept and (slot not in known or not known[slot].fits):
                raise PublishError(
                    f"the authority {slot} is damaged; nothing is issued",
                    hint=f"restore it, or delete {slot} to begin with another authority",
                )
        return known
