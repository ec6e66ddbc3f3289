"""Creates and renews certificates as `certificate_plan.plan` requires, and returns our own.

Every replica reads the store regularly; only the leader writes to it. Open connections keep their
certificates; new handshakes use the newest.
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
from gatereeve.pki.mounted import make_tls
from gatereeve.pki.stores import KeyStore
from gatereeve.proxy.xds.server import MutualTls

_LOG = EventLog(__name__)

EVERY_S: Final = 10.0
_MAX_ROUNDS: Final = 4
"""One for an authority, one for its certificates; two more for concurrent writes to the store."""


class Leadership(Protocol):
    """Whether this replica may write. Called before every write; returns at once, never raises."""

    def is_leading(self) -> bool: ...


class Alone:
    """The leadership of a single controller."""

    def is_leading(self) -> bool:
        return True


class Issuer:
    """See the module. `run` repeats `step`.

    own: the bundles that follow from settings (controller, webhook). on_change: called if a bundle changed.
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
        self._stored: Mapping[str, Bundle] = {}
        self._facts: dict[str, tuple[Bundle, CertificateFacts | None]] = {}
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()

    def want(self, gates: Collection[str]) -> None:
        """Set the names of all Gates; each gets a bundle."""
        if not self._complete or self._gates != frozenset(gates):
            self._gates, self._complete = frozenset(gates), True
            self._wake.set()

    def wake(self) -> None:
        """Run a step now, for example after a change of leadership."""
        self._wake.set()

    async def wait_ready(self) -> None:
        """Return once the controller has a certificate."""
        await self._ready.wait()

    def tls(self) -> MutualTls:
        """Return the current certificate of the controller. Raises RuntimeError before `wait_ready`."""
        tls = self.bundle(certificate_plan.CONTROLLER)
        if tls is None:
            raise RuntimeError("the controller has no certificate yet")
        return tls

    def bundle(self, name: str) -> MutualTls | None:
        """Return the current certificate of a bundle, or None if it does not exist."""
        bundle = self._stored.get(name)
        return None if bundle is None else make_tls(bundle)

    def expiries(self) -> Mapping[str, datetime]:
        """Return the expiry of each certificate."""
        return {name: facts.not_after for name, facts in self._read_facts().items()}

    async def run(self) -> None:
        """Run until cancelled. After an error of the store, it is read again later."""
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
        """Read the store and, as the leader, carry out the due actions. Raises PublishError."""
        self._update(await self._store.load())
        for _ in range(_MAX_ROUNDS):
            if not self._leadership.is_leading():
                return
            wanted = (*self._own, *map(certificate_plan.of_gate, self._gates))
            actions = certificate_plan.plan(
                self._clock.now(),
                self._check_authorities(),
                wanted,
                self._policy,
                complete=self._complete,
            )
            if not actions:
                return
            for action in actions:
                if not self._leadership.is_leading():
                    return
                await self._carry_out(action)
            self._update(await self._store.load())

    async def _carry_out(self, action: certificate_plan.Action) -> None:
        now, stored = self._clock.now(), self._stored
        match action:
            case certificate_plan.NewAuthority(slot=slot):
                bundle = await asyncio.to_thread(signing.create_authority, now, self._policy)
                await self._store.save(slot, bundle)
                _LOG.info("authority_created", slot=slot)
            case certificate_plan.Issue(wanted=wanted, by=by, trust=trust, why=why):
                bundle = await asyncio.to_thread(
                    signing.issue,
                    now,
                    wanted,
                    stored[by],
                    [stored[slot] for slot in trust],
                    self._policy,
                )
                await self._store.save(wanted.name, bundle)
                _LOG.info("certificate_issued", name=wanted.name, reason=why)
            case certificate_plan.Trust(name=name, trust=trust):
                known = stored[name]
                bundle = Bundle(
                    certificate=known.certificate,
                    key=known.key,
                    trust=signing.join_certificates(stored[slot] for slot in trust),
                )
                await self._store.save(name, bundle)
                _LOG.info("certificate_trust_changed", name=name)
            case certificate_plan.Remove(name=name):
                await self._store.remove(name)
                _LOG.info("certificate_removed", name=name, reason="its Gate is gone")

    def _update(self, stored: Mapping[str, Bundle]) -> None:
        if stored == self._stored:
            return
        self._stored = stored
        if (
            facts := self._read_facts().get(certificate_plan.CONTROLLER)
        ) is not None and facts.fits:
            self._ready.set()
        self._on_change()

    def _read_facts(self) -> dict[str, CertificateFacts]:
        """Return the facts of all readable bundles; each bundle is parsed once."""
        for name, bundle in self._stored.items():
            if name not in self._facts or self._facts[name][0] != bundle:
                self._facts[name] = (bundle, signing.read_facts(bundle))
        self._facts = {name: self._facts[name] for name in self._stored}
        return {name: facts for name, (_, facts) in self._facts.items() if facts is not None}

    def _check_authorities(self) -> dict[str, CertificateFacts]:
        """Return the facts. Raises PublishError for a damaged authority, which must not be replaced."""
        known = self._read_facts()
        for slot in certificate_plan.SLOTS:
            if slot in self._stored and (slot not in known or not known[slot].fits):
                raise PublishError(
                    f"the authority {slot} is damaged; no certificate is issued",
                    hint=f"restore it, or delete {slot} to create another authority",
                )
        return known
