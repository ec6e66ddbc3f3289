"""Which certificates there must be, and what to do about those that are there. Pure.

Controllers and gates know each other by certificates of an authority that the controllers keep. A
`Bundle` is what one holder gets: certificate, key, and every authority to trust. `plan` says, from
the time and what is kept, what is to be done; it draws nothing at random, so two replicas that see
the same conclude the same. Keys are made in `signing`, and only the leader does so (`issuer`).

Rotation, without a moment in which one side does not trust the other:

    1. a leaf is renewed when two thirds of its life are over
    2. so is the authority: a new one takes the free slot, is trusted by all at once, signs nothing
    3. after `spread`, when every holder has read that, the new one signs; all leaves are renewed
    4. the old one stays trusted until it expires, so a holder that has not yet read its new leaf
       is still known

A holder may be as far as `skew` behind our clock: certificates are valid that much earlier.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from gatereeve.proxy.xds.peers import CONTROLLER_URI, GATE_URI, agent_name

SLOTS: Final = ("authority-a", "authority-b")
"""Where authorities are kept. Two are enough: the oldest is gone before a third is due."""

CONTROLLER: Final = "controller"
WEBHOOK: Final = "webhook"
_OF_GATE: Final = "gate-"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePolicy:
    """How long things live. spread: until every holder has surely read what was written."""

    authority_life: timedelta = timedelta(days=730)
    leaf_life: timedelta = timedelta(days=30)
    skew: timedelta = timedelta(minutes=10)
    spread: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What one holder has, all PEM. trust: the authorities, empty in an authority's own bundle."""

    certificate: bytes
    key: bytes = field(repr=False)
    trust: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a bundle's certificate says. issuer: key id of its authority. own: its own key id.

    names: DNS and URI names, sorted. fits: the key is the certificate's.
    trust: the authorities of the bundle, as their key ids, in order.
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
    """A bundle there must be, under `name`."""

    name: str
    dns: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """As in `CertificateFacts`."""
        return tuple(sorted((*self.dns, *self.uris)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthority:
    """Make an authority in this slot, in place of whatever expired there."""

    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Make a key and a certificate, signed by the authority in slot `by`; trust: slots, in order."""

    wanted: WantedCertificate
    by: str
    trust: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Give the bundle `name` these authorities, and leave its certificate as it is."""

    name: str
    trust: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """The bundle `name` has no holder any more."""

    name: str


Action = NewAuthority | Issue | Trust | Remove


def of_gate(gate: str) -> WantedCertificate:
    """The bundle of the gates of one Gate: their client certificate, and their agent's."""
    return WantedCertificate(
        name=f"{_OF_GATE}{gate}", dns=(agent_name(gate),), uris=(f"{GATE_URI}{gate}",)
    )


def of_controller(dns: Collection[str]) -> WantedCertificate:
    """The bundle of the controllers: they serve xDS under `dns`, and ask gates as controllers."""
    return WantedCertificate(name=CONTROLLER, dns=tuple(dns), uris=(CONTROLLER_URI,))


def of_webhook(dns: Collection[str]) -> WantedCertificate:
    """The bundle under which the admission webhook is served."""
    return WantedCertificate(name=WEBHOOK, dns=tuple(dns))


def plan(
    now: datetime,
    kept: Mapping[str, CertificateFacts],
    wanted: Collection[WantedCertificate],
    policy: CertificatePolicy,
    *,
    complete: bool,
) -> tuple[Action, ...]:
    """What is to be done now; nothing when all is well. A new authority comes alone: plan again.

    kept: by name, authorities among them. complete: `wanted` is all there must be, so that other
    bundles of gates have no holder any more.
    """
    living = {slot: kept[slot] for slot in trusted(now, kept)}
    free = next((slot for slot in SLOTS if slot not in living), None)
    newest = max(living.values(), key=lambda facts: facts.not_before, default=None)
    if free is not None and (newest is None or is_due(now, newest)):  # 2
        return (NewAuthority(slot=free),)
    by = signing(now, kept, policy)
    if by is None:
        return ()
    found: list[Action] = [
        action
        for one in sorted(wanted, key=lambda one: one.name)
        for action in _leaf(now, one, kept.get(one.name), by, kept[by], living)
    ]
    if complete:
        names = {one.name for one in wanted}
        found += [Remove(name=name) for name in sorted(kept)
                  if name.startswith(_OF_GATE) and name not in names]  # fmt: skip
    return tuple(found)


def _leaf(
    now: datetime, wanted: WantedCertificate, facts: CertificateFacts | None, by: str, authority: CertificateFacts,
    living: Mapping[str, CertificateFacts],
) -> Iterator[Action]:  # fmt: skip
    trust = tuple(living)
    if why := _why_not(now, wanted, facts, authority):
        yield Issue(wanted=wanted, by=by, trust=trust, why=why)
    elif facts is not None and facts.trust != tuple(one.own for one in living.values()):
        yield Trust(name=wanted.name, trust=trust)


def _why_not(
    now: datetime,
    wanted: WantedCertificate,
    facts: CertificateFacts | None,
    authority: CertificateFacts,
) -> str:
    """Why a leaf must be issued anew, or ""."""
    if facts is None:
        return "there is none"
    if not facts.fits:
        return "its key is another's"
    if facts.names != wanted.names:
        return "its names changed"
    if facts.issuer != authority.own:  # 3
        return "its authority is replaced"
    if now < facts.not_before:
        return "it is not valid yet"
    return "two thirds of its life are over" if is_due(now, facts) else ""  # 1


def trusted(now: datetime, kept: Mapping[str, CertificateFacts]) -> tuple[str, ...]:
    """The slots whose authorities count: until they expire (4), oldest first."""
    living = [slot for slot in SLOTS if slot in kept and now < kept[slot].not_after]
    return tuple(sorted(living, key=lambda slot: (kept[slot].not_before, slot)))


def signing(
    now: datetime, kept: Mapping[str, CertificateFacts], policy: CertificatePolicy
) -> str | None:
    """The slot whose authority signs: the newest that all have read of (3), else the oldest."""
    living = trusted(now, kept)
    read = [slot for slot in living if kept[slot].not_before + policy.skew + policy.spread <= now]
    if read:
        return read[-1]
    return living[0] if living else None


def is_due(now: datetime, facts: CertificateFacts) -> bool:
    """Whether two thirds of a life are over."""
    return now >= facts.not_before + (facts.not_after - facts.not_before) * 2 / 3
