"""The search for the documents that make Envoy reject a gate's configuration, and what it found.

When a resource is rejected, every document that is new in it since the gate last accepted it is
taken out at once, so that no other change waits (`quarantine`). Then they are let in again, half by half,
each half by itself; a half that is rejected is divided until single documents are left. Those stay
out until they say something else, and then they are tried again, by themselves too.

No I/O and no clock: the control plane says what was rejected (`rejected`), asks for the gate to
publish (`admitted`), and says when that one was accepted (`proceed`). Nothing outlives the process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from gatereeve.ir.gates import Certificate, Gate
from gatereeve.proxy import quarantine
from gatereeve.proxy.quarantine import ExcludedDocuments, Unit
from gatereeve.proxy.xds import snapshot as snap

_REMEMBERED: Final = 4
_JUDGED: Final = (snap.SDS, snap.LDS, snap.ECDS, snap.RDS)
"""Types that Envoy accepts at once. It withholds its word about clusters until they are warm."""

Rejection = tuple[snap.TypeUrl, str, str]
"""Type and name of a resource, and what was said against it."""

HasAccepted = Callable[[snap.TypeUrl, str, str], bool]
"""Whether some Envoy of the gate accepted this version of a resource (type, name, version)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A unit that stays out. said: what it says in the gate; while it says that, it stays out.

    type_url, name, detail: the resource that Envoy rejected because of it, and Envoy's words.
    """

    unit: Unit
    said: tuple[object, ...]
    type_url: snap.TypeUrl
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Published:
    wanted: Gate
    out: ExcludedDocuments
    gate: Gate
    snapshot: snap.Snapshot


class Isolation:
    """What is out of one gate, and what is to be tried next; see the module."""

    def __init__(self) -> None:
        self.culprits: dict[Unit, Culprit] = {}
        self._waiting: deque[tuple[Unit, ...]] = deque()
        self._trial: tuple[Unit, ...] = ()
        self._deep: frozenset[Unit] = frozenset()
        self._frame: Gate | None = None
        self._published: deque[_Published] = deque(maxlen=_REMEMBERED)
        self._answered: set[tuple[snap.TypeUrl, str]] = set()
        self.has_changed = False
        """Whether something else is admitted than was asked for last, because of a rejection."""

    def is_accepted(self, has_accepted: HasAccepted) -> bool:
        """Whether all that differs between the last two that were published was accepted."""
        if len(self._published) < 2:
            return False
        old, new = self._published[-2].snapshot, self._published[-1].snapshot
        return all(
            has_accepted(type_url, name, new.of(type_url)[name].version)
            for type_url, differing in snap.diff(old, new).items()
            if type_url in _JUDGED
            for name in (*differing.added, *differing.changed)
        )

    @property
    def is_searching(self) -> bool:
        """Whether something is still to be tried, or on trial."""
        return bool(self._waiting or self._trial)

    @property
    def _out(self) -> frozenset[Unit]:
        return frozenset(self.culprits).union(*self._waiting)

    def _follow(self, gate: Gate) -> None:
        """The documents are others: culprits that say something else now wait to be tried again."""
        if not (self.culprits or self._waiting):
            return
        now = quarantine.contents(gate, self._out)
        for unit, culprit in list(self.culprits.items()):
            if now.get(unit) != culprit.said:
                del self.culprits[unit]
                if unit in now:
                    self._waiting.append((unit,))
        kept = (tuple(unit for unit in group if unit in now) for group in self._waiting)
        self._waiting = deque(group for group in kept if group)

    def admitted(self, gate: Gate) -> tuple[Gate, ExcludedDocuments]:
        """Of what the documents say, what to publish: without the culprits, and without what waits to
        be tried; and what these are."""
        self._follow(gate)
        self.has_changed = False
        units = self._out
        frame = self._frame if gate.origin in units else None
        out = ExcludedDocuments(units=units, deep=self._deep & units, frame=frame)
        return quarantine.without(gate, out), out

    def published(
        self, wanted: Gate, out: ExcludedDocuments, gate: Gate, snapshot: snap.Snapshot
    ) -> None:
        """This gate was handed out, which `admitted` made of `wanted`."""
        self._published.append(_Published(wanted, out, gate, snapshot))
        self._answered.clear()

    def unmade(
        self,
        wanted: Gate,
        out: ExcludedDocuments,
        gate: Gate,
        rejection: Rejection,
        has_accepted: HasAccepted,
    ) -> bool:
        """As `rejected`, of a gate that could not even be handed out because of one resource."""
        nothing = snap.Snapshot(version=gate.hash, resources={})
        self._published.append(_Published(wanted, out, gate, nothing))
        try:
            return self._take_out(*rejection, has_accepted)
        finally:
            self._published.pop()

    def proceed(self) -> None:
        """What was published last was accepted: the next group is let in."""
        self._trial = self._waiting.popleft() if self._waiting else ()
        self._deep -= frozenset(self._trial)

    def rejected(
        self, type_url: snap.TypeUrl, name: str, detail: str, has_accepted: HasAccepted
    ) -> bool:
        """A resource of what was published last was rejected. False when nothing can be taken out for
        it."""
        if (type_url, name) in self._answered:
            return True  # several Envoys of a gate reject the same
        self._answered.add((type_url, name))
        solved = bool(self._published) and self._take_out(type_url, name, detail, has_accepted)
        self.has_changed |= solved
        return solved

    def _take_out(
        self, type_url: snap.TypeUrl, name: str, detail: str, has_accepted: HasAccepted
    ) -> bool:
        wanted, gate = self._published[-1].wanted, self._published[-1].gate
        before = self._accepted_form(type_url, name, has_accepted)
        units = quarantine.units_in(gate, type_url, name)
        known = quarantine.units_in(before, type_url, name) if before is not None else {}
        if before is None:
            units = _without_gate(units, wanted.origin, type_url)
        new = frozenset(unit for unit, said in units.items() if known.get(unit) != said)
        out = self._published[-1].out
        if new & (self._out - out.units) or new & ((self._deep & self._out) - out.deep):
            return True  # an earlier rejection has taken out something of it, not yet published
        suspects = new - self._out
        if not suspects:
            if self._deepen(type_url, new) or self._deepen(type_url, frozenset(units)):
                return True
            suspects = frozenset(units) - self._out
        if len(suspects) == 1 and len(new) <= 1:
            (unit,) = suspects
            self._convict(wanted, unit, before, (type_url, name, detail))
        else:
            self._waiting.extendleft(_halves(suspects))
        self._trial = tuple(unit for unit in self._trial if unit not in self._out)
        return bool(suspects)

    def _convict(
        self,
        wanted: Gate,
        unit: Unit,
        before: Gate | None,
        rejection: Rejection,
    ) -> None:
        if unit == wanted.origin:
            self._frame = before
        type_url, name, detail = rejection
        said = quarantine.contents(wanted, (unit,)).get(unit, ())
        self.culprits[unit] = Culprit(
            unit=unit, said=said, type_url=type_url, name=name, detail=detail
        )

    def _deepen(self, type_url: snap.TypeUrl, among: frozenset[Unit]) -> bool:
        """Refusals that stand for what is out are rejected: the hosts of these units refuse everything.
        Of several some may be innocent of that, so each is tried again. Whether there are any."""
        if type_url not in (snap.RDS, snap.SRDS):
            return False
        more = (self._out - self._deep) & among
        self._deep |= more
        if len(more) > 1:
            again = [unit for unit in sorted(more) if self.culprits.pop(unit, None)]
            self._waiting.extend((unit,) for unit in again)
        return bool(more)

    def _accepted_form(
        self, type_url: snap.TypeUrl, name: str, has_accepted: HasAccepted
    ) -> Gate | None:
        """The newest gate that was published with an accepted form of this resource."""
        for one in reversed(self._published):
            resource = one.snapshot.of(type_url).get(name)
            if resource is not None and has_accepted(type_url, name, resource.version):
                return one.gate
        return None


def _without_gate(units: quarantine.Units, gate: Unit, type_url: snap.TypeUrl) -> quarantine.Units:
    """No older form of the Gate's own document could stand in. A listener that was never accepted,
    because of its port perhaps, is no fault of those whose certificates it shows."""
    return {
        unit: said
        for unit, said in units.items()
        if unit != gate and not (type_url == snap.LDS and isinstance(said[0], Certificate))
    }


def _halves(units: Iterable[Unit]) -> Iterator[tuple[Unit, ...]]:
    """The second half, then the first; by namespace, so that each is of few owners."""
    ordered = tuple(sorted(units, key=lambda unit: (unit.ref.namespace, unit)))
    middle = (len(ordered) + 1) // 2
    for half in (ordered[middle:], ordered[:middle]):
        if half:
            yield half
