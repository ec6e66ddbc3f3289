"""Which certificates are required, and the actions that create them. Pure.

Controllers and gates authenticate each other by certificates of an authority that the controllers own. A
`Bundle` has the certificate, the key and all trusted authorities of one holder. `plan` returns the actions
that are due; it is deterministic, so all replicas agree. `signing` creates keys; only the leader of the
controllers calls it (`issuer`).

The rotation never interrupts trust between two holders:

    1. a leaf certificate is renewed after two thirds of its lifetime
    2. an authority, too: the new one uses the free slot and is trusted at once, but does not sign yet
    3. after `spread`, when every holder has read it, the new authority signs and renews all leaves
    4. the old authority is trusted until it expires, for holders that still use an old leaf

The clock of a holder may be `skew` behind ours: certificates are valid that much earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gatereeve.proxy.xds.peers import CONTROLLER_URI, GATE_URI, agent_name

SLOTS: Final = ("authority-a", "authority-b")
"""Names of stored authorities. Two are enough: the first expires before a third is due."""

CONTROLLER: Final = "controller"
WEBHOOK: Final = "webhook"
_OF_GATE: Final = "gate-"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePolicy:
    """Lifetimes. spread: the time after which every holder has read a stored bundle."""

    authority_life: timedelta = timedelta(days=730)
    leaf_life: timedelta = timedelta(days=30)
    skew: timedelta = timedelta(minutes=10)
    spread: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The files of one holder, as PEM. trust: the authorities; empty for the bundle of an authority."""

    certificate: bytes
    key: bytes = field(repr=False)
    trust: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """The content of a bundle. own: the key id. issuer: the key id of the authority.

    names: DNS and URI names, sorted. fits: whether the key belongs to the certificate.
    trust: the key ids of the authorities, in order.
    """

    own: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fits: bool
    trust: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCertificate:
    """A required bundle."""

    name: str
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names as in `CertificateFacts`."""
        return tuple(sorted((*self.dns, *self.uris)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthority:
    """Create an authority in this slot; an expired one is replaced."""

    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Create a key and a certificate. by: the slot of the signing authority. trust: slots, in order."""

    wanted: WantedCertificate
    by: str
    trust: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Change only the trusted authorities of the bundle `name`."""

    name: str
    trust: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Delete the bundle `name`; it has no holder."""

    name: str


Action = NewAuthority | Issue | Trust | Remove


def of_gate(gate: str) -> WantedCertificate:
    """Return the bundle of the gates of one Gate, for their client and their agent."""
    return WantedCertificate(
        name=f"{_OF_GATE}{gate}", dns=(agent_name(gate),), uris=(f"{GATE_URI}{gate}",)
    )


def of_controller(dns: Collection[str]) -> WantedCertificate:
    """Return the bundle of the controllers: server of xDS under `dns`, and client of gates."""
    return WantedCertificate(name=CONTROLLER, dns=tuple(dns), uris=(CONTROLLER_URI,))


def of_webhook(dns: Collection[str]) -> WantedCertificate:
    """Return the bundle of the admission webhook."""
    return WantedCertificate(name=WEBHOOK, dns=tuple(dns))


def plan(
    now: datetime,
    stored: Mapping[str, CertificateFacts],
    wanted: Collection[WantedCertificate],
    policy: CertificatePolicy,
    *,
    complete: bool,
) -> tuple[Action, ...]:
    """Return the actions that are due now. A new authority is a single action; then plan again.

    stored: the stored bundles by name, including authorities. complete: whether `wanted` is complete, so that
    other bundles of gates are deleted.
    """
    living = {slot: stored[slot] for slot in list_trusted(now, stored)}
    free = next((slot for slot in SLOTS if slot not in living), None)
    newest = max(living.values(), key=lambda facts: facts.not_before, default=None)
    if free is not None and (newest is None or is_due(now, newest)):  # 2
        return (NewAuthority(slot=free),)
    by = choose_signer(now, stored, policy)
    if by is None:
        return ()
    actions: list[Action] = [
        action
        for leaf in sorted(wanted, key=lambda leaf: leaf.name)
        for action in _plan_leaf(now, leaf, stored.get(leaf.name), by, stored[by], living)
    ]
    if complete:
        names = {leaf.name for leaf in wanted}
        actions += [Remove(name=name) for name in sorted(stored)
                  if name.startswith(_OF_GATE) and name not in names]  # fmt: skip
    return tuple(actions)


def _plan_leaf(
    now: datetime, wanted: WantedCertificate, facts: CertificateFacts | None, by: str, authority: CertificateFacts,
    living: Mapping[str, CertificateFacts],
) -> Iterator[Action]:  # fmt: skip
    trust = tuple(living)
    if why := _explain_renewal(now, wanted, facts, authority):
        yield Issue(wanted=wanted, by=by, trust=trust, why=why)
    elif facts is not None and facts.trust != tuple(authority.own for authority in living.values()):
        yield Trust(name=wanted.name, trust=trust)


def _explain_renewal(
    now: datetime,
    wanted: WantedCertificate,
    facts: CertificateFacts | None,
    authority: CertificateFacts,
) -> str:
    """Return why a leaf must be issued, or ""."""
    if facts is None:
        return "it does not exist"
    if not facts.fits:
        return "its key belongs to another certificate"
    if facts.names != wanted.names:
        return "its names changed"
    if facts.issuer != authority.own:  # 3
        return "its authority is replaced"
    if now < facts.not_before:
        return "it is not valid yet"
    return "two thirds of its lifetime are over" if is_due(now, facts) else ""  # 1


def list_trusted(now: datetime, stored: Mapping[str, CertificateFacts]) -> tuple[str, ...]:
    """Return the slots of authorities that have not expired (4), oldest first."""
    living = [slot for slot in SLOTS if slot in stored and now < stored[slot].not_after]
    return tuple(sorted(living, key=lambda slot: (stored[slot].not_before, slot)))


def choose_signer(
    now: datetime, stored: Mapping[str, CertificateFacts], policy: CertificatePolicy
) -> str | None:
    """Return the slot of the signing authority: the newest that every holder trusts (3), else the oldest."""
    living = list_trusted(now, stored)
    known = [
        slot for slot in living if stored[slot].not_before + policy.skew + policy.spread <= now
    ]
    if known:
        return known[-1]
    return living[0] if living else None


def is_due(now: datetime, facts: CertificateFacts) -> bool:
    """Whether two thirds of the lifetime are over."""
    return now >= facts.not_before + (facts.not_after - facts.not_before) * 2 / 3
