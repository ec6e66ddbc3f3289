"""One type on one delta stream: what the gate asked for, what it holds, what is still unanswered.

A `Subscription` follows the incremental protocol for a single type: the wildcard (`*`, and the
legacy empty first subscription), subscribing and unsubscribing, the versions a reconnecting gate
brings along, one response outstanding at a time, its acceptance or rejection. It says what is
missing at the gate (`additions`, `unanswered`, `removals`); `session` decides when it goes.

No I/O, no clock, no order between types.
"""

import dataclasses
from collections.abc import Iterable, Mapping

from gatereeve.core import refs
from gatereeve.proxy.xds import gate
from gatereeve.proxy.xds import snapshot as snap

_WILDCARD = "*"
_UNCERTAIN = ""  # a version no resource has: the gate holds some content, not known which


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A response on its way: what it carries, and whether the type is complete with it.

    answered: the names whose owed answer it carries.
    """

    nonce: str
    version: str
    resources: tuple[snap.Resource, ...]
    removed: tuple[str, ...]
    answered: frozenset[str]
    snapshot: refs.ConfigHash


class Subscription:
    """The state of one type on one stream; see the module."""

    def __init__(self, type_url: snap.TypeUrl) -> None:
        self.type_url = type_url
        self.wildcard = False
        self.names: set[str] = set()
        self.held: dict[str, str] = {}
        self.owed: set[str] = set()
        """Names that are answered even if the gate holds the newest content."""
        self.owes_first_answer = False
        """A wildcard subscription without any answer yet: an empty one is due if there is nothing."""
        self.outstanding: Sent | None = None
        self.batches: list[frozenset[str]] = []
        """After a rejection that named no resource: the names to try one by one."""
        self.label = ""
        """The version of the newest response on this stream."""
        self._seen: gate.TypeView | None = None
        self._missing: tuple[str, ...] = ()
        self._surplus: tuple[str, ...] = ()

    def open(self, names: Iterable[str], held: Mapping[str, str]) -> None:
        """The first request of the type on this stream.

        held: the versions a reconnecting gate says it has; it is sent only what differs.
        """
        asked = set(names)
        # Some gates list what they hold when they reconnect with a wildcard (hashicorp/consul#12174).
        relisted = bool(held) and self.type_url in snap.WILDCARD_TYPES and asked <= held.keys()
        self.wildcard = not asked or _WILDCARD in asked or relisted
        self.owes_first_answer = self.wildcard and not held
        self.names = asked - {_WILDCARD}
        self.held = {name: version for name, version in held.items() if self.wants(name)}
        self.owed = self.names - held.keys()
        self._forget()

    def subscribe(self, names: Iterable[str]) -> None:
        """More names. Each is answered, even if it was sent before: the gate may have dropped it."""
        for name in names:
            if name == _WILDCARD:
                self.owes_first_answer = self.owes_first_answer or not self.wildcard
                self.wildcard = True
            else:
                self.names.add(name)
                self.owed.add(name)
        self._forget()

    def unsubscribe(self, names: Iterable[str]) -> None:
        """Fewer names. One that the wildcard still covers is answered again, as the protocol asks."""
        for name in names:
            if name == _WILDCARD:
                self.wildcard = False
                self.held = {held: v for held, v in self.held.items() if held in self.names}
                continue
            self.names.discard(name)
            self.held.pop(name, None)
            self.owed.discard(name)
            if self.wildcard:
                self.owed.add(name)
        self._forget()

    def owe(self, names: Iterable[str]) -> None:
        """Send these once more, as far as the gate asked for them; for the others their subscription does."""
        self.owed.update(name for name in names if self.wants(name))
        self._forget()

    def wants(self, name: str) -> bool:
        return self.wildcard or name in self.names

    def additions(self, view: gate.TypeView) -> tuple[str, ...]:
        """Names whose content the gate lacks or is owed; sorted. One batch at a time while isolating."""
        self._compare(view)
        while self.batches:
            batch = tuple(name for name in self._missing if name in self.batches[0])
            if batch:
                return batch
            self.batches.pop(0)
        return self._missing

    def unanswered(self, view: gate.TypeView) -> tuple[str, ...]:
        """Owed names that do not exist; sorted. Content rejected earlier that the gate still holds stays."""
        return tuple(
            sorted(
                name
                for name in self.owed
                if name not in view.versions and not (name in view.kept and name in self.held)
            )
        )

    def removals(self, view: gate.TypeView) -> tuple[str, ...]:
        """Names the gate holds and should no longer; sorted."""
        self._compare(view)
        return self._surplus

    def sending(self, sent: Sent) -> None:
        """Note a response as outstanding."""
        self.outstanding = sent
        self.label = sent.version
        self.owes_first_answer = False
        self.owed -= sent.answered
        self._forget()

    def accepted(self) -> Sent | None:
        """The outstanding response was accepted: the gate holds what it said."""
        sent, self.outstanding = self.outstanding, None
        if sent is not None:
            self.held.update({r.name: r.version for r in sent.resources if self.wants(r.name)})
            for name in sent.removed:
                self.held.pop(name, None)
            self._forget()
        return sent

    def rejected(self) -> Sent | None:
        """The outstanding response was rejected: which of its content the gate holds is uncertain.

        A rejected removal is not tried again; nothing the server could send would change the answer.
        """
        sent, self.outstanding = self.outstanding, None
        if sent is not None:
            self.held.update({r.name: _UNCERTAIN for r in sent.resources if self.wants(r.name)})
            for name in sent.removed:
                self.held.pop(name, None)
            self._forget()
        return sent

    def isolate(self, names: tuple[str, ...]) -> None:
        """Try these names in two halves, each in a response of its own, before anything else."""
        middle = (len(names) + 1) // 2
        rest = [batch - set(names) for batch in self.batches]
        halves = [frozenset(names[:middle]), frozenset(names[middle:])]
        self.batches = [batch for batch in (*halves, *rest) if batch]

    def _compare(self, view: gate.TypeView) -> None:
        """What the gate holds with the view, once for each state of both."""
        if self._seen is not view:
            self._missing = tuple(sorted(self._differing(view)))
            self._surplus = tuple(sorted(self.held.keys() - view.versions.keys() - view.kept))
            self._seen = view

    def _differing(self, view: gate.TypeView) -> set[str]:
        if self.wildcard:
            differing = {name for name, _ in view.versions.items() - self.held.items()}
        else:
            differing = {
                name
                for name in self.names
                if name in view.versions and self.held.get(name) != view.versions[name]
            }
        return differing | {name for name in self.owed if name in view.versions}

    def _forget(self) -> None:
        self._seen = None
