"""One delta stream of one gate: in which order it is brought from what it holds to what it should.

`Session` is the protocol without the wire: requests go in (`receive`), the next response comes out
(`respond`) or the time at which to ask again (`wake_at`). It keeps state, never a queue: a gate that
is slow misses intermediate snapshots and gets the newest. The discipline (knowledge: xDS 2 and 3):

1. One response per type is outstanding at a time; requests with another nonce acknowledge nothing.
2. Additions and changes go first: clusters, their endpoints, secrets; listeners once the gate has
   accepted all of these (a new filter chain must not take connections under an old authority); then
   filter configurations and routes.
3. When a cluster was sent, its endpoints are sent after it, equal or not.
4. Scopes of hosts that are gone are removed as soon as the gate has accepted all routes: from then
   on also old connections get refusals. What nothing refers to any more is removed later: after
   everything that could refer to it was accepted, and a grace period. First listeners, then routes,
   then clusters, then the rest. A gate that reconnects must first have said what it holds of each
   type.
5. An unknown name is answered at once with its removal, so that the gate does not wait for it.
6. After a rejection the culprits are those named in the gate's error; when none is named, the
   rejected resources are tried again in halves until they are found.
7. A filter configuration or a secret travels alone, so that its rejection is its own: Envoy
   remembers content of these that it rejected as if it ran it, and accepts it when it comes again.
8. The seal (`snapshot.SEAL`) is sent last of all. A gate without any gets one at once when something
   was rejected, because its listeners wait for it; that one's version says that it proves nothing.

No I/O and no clock: `now` is handed in, seconds of any monotonic clock.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, Final

from gatereeve.proxy.xds import gate, responses
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.snapshot import CDS, ECDS, EDS, LDS, RDS, SDS, SEAL, SRDS, TYPES
from gatereeve.proxy.xds.subscription import Sent, Subscription

_AFTER_CLUSTERS: Final = frozenset({LDS, ECDS, SRDS, RDS})
_AFTER_LISTENERS: Final = frozenset({ECDS, SRDS, RDS})
_REFERRING: Final = (CDS, LDS, ECDS, SRDS, RDS)
_ALONE: Final = frozenset({ECDS, SDS})
_REMOVALS: Final = ((LDS,), (RDS, ECDS), (CDS,), (EDS, SDS))
"""What is removed after a grace, in this order; scopes go before all of it."""
_PART: Final = "~"
"""Ends the version of a response after which more of its type follows.

`system_version_info` is what Envoy reports per type (CDS, LDS) and per route configuration, so it
says: with this response the gate has all of the type's content of that hash. A response with a
single named resource carries that resource's own version instead, which is what `activation` wants
to read about a route configuration.
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Discipline:
    """The limits of publishing.

    grace_s: from the moment nothing refers to a resource at the gate until it is removed there;
    longer than the longest stream we promise to keep.
    barrier_s: how long listeners and routes wait for clusters that do not become ready. Then they
    go: a revocation must not wait for a cluster. (Envoy withholds the ACK of clusters until
    they are warm, so a new cluster whose health checks hang takes this long.)
    response_bytes: at most so much content in one response, or one resource if it is larger.
    """

    grace_s: float = 5.0
    barrier_s: float = 3.0
    response_bytes: int = 4 * 1024 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The gate accepted a response."""

    type_url: snap.TypeUrl
    sent: Sent


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The gate rejected a response. culprits: name → version; empty while being isolated."""

    type_url: snap.TypeUrl
    sent: Sent
    culprits: dict[str, str]
    detail: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """A request with a nonce that is not outstanding: it acknowledges nothing."""

    type_url: snap.TypeUrl


Receipt = Accepted | Rejected | Stale | None


class Session:
    """See the module. unwarmed: what `unwarmed()` of the gate's previous stream returned."""

    def __init__(self, discipline: Discipline, unwarmed: Iterable[tuple[str, str]] = ()) -> None:
        self.subscriptions: dict[snap.TypeUrl, Subscription] = {}
        self.barrier_timeouts = 0
        self._discipline = discipline
        self._nonces = 0
        self._unwarmed = dict(unwarmed)  # endpoints' name → cluster, sent but without endpoints yet
        self._blocked_since: float | None = None
        self._warm_for: gate.TypeView | None = None
        self._barrier_given_up: gate.TypeView | None = None
        self._gone: dict[tuple[snap.TypeUrl, str], float] = {}

    def receive(self, request: Any) -> Receipt:
        """Take in one DeltaDiscoveryRequest of a served type: its subscriptions, then its answer."""
        type_url = snap.TypeUrl(request.type_url)
        subscription = self.subscriptions.get(type_url)
        if subscription is None:
            subscription = self.subscriptions[type_url] = Subscription(type_url)
            subscription.open(request.resource_names_subscribe, request.initial_resource_versions)
            if type_url == EDS:
                subscription.owe(self._unwarmed)
        else:
            subscription.subscribe(request.resource_names_subscribe)
        subscription.unsubscribe(request.resource_names_unsubscribe)
        if not request.response_nonce:
            return None
        outstanding = subscription.outstanding
        if outstanding is None or outstanding.nonce != request.response_nonce:
            return Stale(type_url=type_url)
        if request.HasField("error_detail"):
            return self._rejected(subscription, outstanding, request.error_detail.message)
        return self._accepted(subscription, outstanding)

    def respond(self, view: gate.View, now: float) -> Any | None:  # a DeltaDiscoveryResponse
        """The next response to send, now outstanding; None when there is nothing to send now."""
        clusters_ready = self._clusters_ready(view, now)
        for type_url in TYPES:
            subscription = self.subscriptions.get(type_url)
            if subscription is None or subscription.outstanding is not None:
                continue
            served = view.types[type_url]
            may_add = (
                (clusters_ready or type_url not in _AFTER_CLUSTERS)
                and (type_url not in _AFTER_LISTENERS or self._has_all(LDS, view))
                and (type_url != LDS or self._has_all(SDS, view))
            )
            additions = self._next(type_url, view) if may_add else ()
            unanswered = subscription.unanswered(served)
            if additions or unanswered or (may_add and subscription.owes_first_answer):
                return self._send(subscription, view, additions, unanswered)
        return self._close(view) or self._remove(view, now) or self._relabel(view)

    def wake_at(self, now: float) -> float | None:
        """When, after now, `respond` may have something to send by itself; None: never."""
        times = [since + self._discipline.grace_s for since in self._gone.values()]
        if self._blocked_since is not None:
            times.append(self._blocked_since + self._discipline.barrier_s)
        return min((time for time in times if time > now), default=None)

    def is_settled(self, view: gate.View) -> bool:
        """Whether the gate accepted all content of the view, and asked for all it needs of it.

        What the gate still holds beyond the view does not count, except scopes: they lead to routes.
        """
        if not view.is_whole() or not self._is_complete(view) or not self._is_closed(view):
            return False
        if any(subscription.owes_first_answer for subscription in self.subscriptions.values()):
            return False
        return self._has_all(EDS, view) and self._has_all(SDS, view)

    def unwarmed(self) -> tuple[tuple[str, str], ...]:
        """Endpoints still owed to clusters that were sent, for the gate's next stream."""
        return tuple(self._unwarmed.items())

    def _accepted(self, subscription: Subscription, sent: Sent) -> Accepted:
        subscription.accepted()
        if subscription.type_url == EDS:
            for name in sent.answered:
                self._unwarmed.pop(name, None)
        return Accepted(type_url=subscription.type_url, sent=sent)

    def _rejected(self, subscription: Subscription, sent: Sent, detail: str) -> Rejected:
        subscription.rejected()
        versions = {resource.name: resource.version for resource in sent.resources}
        named = responses.culprits(detail, versions)
        if not named and len(versions) == 1:
            named = frozenset(versions)
        if not named and versions:
            subscription.isolate(tuple(sorted(versions)))
        return Rejected(
            type_url=subscription.type_url,
            sent=sent,
            culprits={name: versions[name] for name in sorted(named)},
            detail=detail,
        )

    def _has_all(self, type_url: snap.TypeUrl, view: gate.View) -> bool:
        """Whether no content of a type is on its way or still to add; true if not asked for."""
        subscription = self.subscriptions.get(type_url)
        if subscription is None:
            return True
        on_its_way = subscription.outstanding is not None and subscription.outstanding.resources
        return not on_its_way and not self._additions(type_url, view)

    def _additions(self, type_url: snap.TypeUrl, view: gate.View) -> tuple[str, ...]:
        """What is still to be sent of a type: without the seal when nothing can be sealed."""
        subscription = self.subscriptions[type_url]
        found = subscription.additions(view.types[type_url])
        if type_url == ECDS and SEAL in found and SEAL in subscription.held and not view.is_whole():
            return tuple(name for name in found if name != SEAL)
        return found

    def _next(self, type_url: snap.TypeUrl, view: gate.View) -> tuple[str, ...]:
        """What of it may be sent now: of some types one resource, and the seal after all else."""
        found = self._additions(type_url, view)
        if type_url not in _ALONE:
            return found
        others = [name for name in found if (type_url, name) != (ECDS, SEAL)]
        if others or not found:
            return tuple(others[:1])
        done = all(self._has_all(t, view) for t in _REFERRING if t != ECDS)
        return found if done and self._is_closed(view) else ()

    def _is_closed(self, view: gate.View) -> bool:
        """Whether the gate has no scope that leads to hosts which are gone."""
        subscription = self.subscriptions.get(SRDS)
        if subscription is None:
            return True
        return subscription.outstanding is None and not subscription.removals(view.types[SRDS])

    def _close(self, view: gate.View) -> Any | None:
        """Take away the scopes of hosts that are gone: requests for them are refused on every connection.

        After the routes, because a host without a scope is looked for among the wildcard hosts.
        """
        subscription = self.subscriptions.get(SRDS)
        if subscription is None or subscription.outstanding is not None:
            return None
        names = subscription.removals(view.types[SRDS])
        if not names or not (self._has_all(SRDS, view) and self._has_all(RDS, view)):
            return None
        return self._send(subscription, view, (), names)

    def _is_complete(self, view: gate.View) -> bool:
        """Whether the gate has all that refers to something, and all that this refers to.

        A type it has not asked for yet does not count as had: after a reconnect it may hold routes
        that we do not know, and what they lead to must stay.
        """
        if any(view.types[t].versions and t not in self.subscriptions for t in (CDS, LDS)):
            return False
        if not all(self._has_all(type_url, view) for type_url in _REFERRING):
            return False
        return not self._unwarmed_in(view) and all(
            self._holds(need) for need in _needs(view) if need[1] in view.types[need[0]].versions
        )

    def _holds(self, need: snap.Need) -> bool:
        subscription = self.subscriptions.get(need[0])
        return subscription is not None and need[1] in subscription.held

    def _unwarmed_in(self, view: gate.View) -> bool:
        served = view.types[CDS].versions
        return any(cluster in served for cluster in self._unwarmed.values())

    def _clusters_ready(self, view: gate.View, now: float) -> bool:
        if self._has_all(CDS, view) and not self._unwarmed_in(view) and self._has_endpoints(view):
            self._blocked_since = None
            return True
        if self._blocked_since is None:
            if any(not self._has_all(type_url, view) for type_url in _AFTER_CLUSTERS):
                self._blocked_since = now
            return False
        if now - self._blocked_since < self._discipline.barrier_s:
            return False
        if self._barrier_given_up is not view.types[CDS]:
            self._barrier_given_up = view.types[CDS]
            self.barrier_timeouts += 1
            self._unwarmed.clear()
        return True

    def _has_endpoints(self, view: gate.View) -> bool:
        """Whether the gate got endpoints for all clusters it has.

        A gate that reconnects may have got a cluster and not yet its endpoints, from a
        controller that is gone.
        """
        clusters = view.types[CDS]
        if CDS not in self.subscriptions or self._warm_for is clusters:
            return True
        known = self.subscriptions[EDS].held if EDS in self.subscriptions else {}
        served = view.types[EDS].versions
        has_all = all(
            name in known or name not in served
            for cluster in clusters.resources.values()
            for kind, name in cluster.needs
            if kind == EDS
        )
        if has_all:
            self._warm_for = clusters
        return has_all

    def _send(
        self,
        subscription: Subscription,
        view: gate.View,
        additions: tuple[str, ...],
        removed: tuple[str, ...],
    ) -> Any:
        served = view.types[subscription.type_url]
        names = tuple(responses.fitting(served, additions, self._discipline.response_bytes))
        resources = tuple(served.resources[name] for name in names)
        is_part = len(names) < len(subscription.additions(served)) or bool(subscription.batches)
        if subscription.type_url == SRDS:
            is_part = is_part or len(removed) < len(subscription.removals(served))
        version = served.version + (_PART if is_part else "")
        if len(resources) == 1 and subscription.type_url not in snap.WILDCARD_TYPES:
            version = resources[0].version
        if subscription.type_url == ECDS and names == (SEAL,) and not view.is_whole():
            version += _PART
            resources = (dataclasses.replace(resources[0], version=version),)
        self._nonces += 1
        sent = Sent(
            nonce=f"{self._nonces:x}",
            version=version,
            resources=resources,
            removed=removed,
            answered=frozenset(subscription.owed & {*names, *removed}),
            snapshot=view.version,
        )
        subscription.sending(sent)
        if subscription.type_url == CDS:
            self._await_endpoints(resources)
        return responses.message(subscription.type_url, sent)

    def _await_endpoints(self, clusters: tuple[snap.Resource, ...]) -> None:
        needed = {name: c.name for c in clusters for kind, name in c.needs if kind == EDS}
        self._unwarmed.update(needed)
        if EDS in self.subscriptions:
            self.subscriptions[EDS].owe(needed)

    def _remove(self, view: gate.View, now: float) -> Any | None:
        extra = {
            type_url: subscription.removals(view.types[type_url])
            for type_url, subscription in self.subscriptions.items()
            if type_url != SRDS
        }
        named = {(type_url, name) for type_url, names in extra.items() for name in names}
        self._gone = {entry: since for entry, since in self._gone.items() if entry in named}
        if named - self._gone.keys() and self._is_complete(view):
            self._gone.update(dict.fromkeys(named - self._gone.keys(), now))
        for stage in _REMOVALS:
            for type_url in stage:
                names = self._due(type_url, extra.get(type_url, ()), now)
                subscription = self.subscriptions.get(type_url)
                if names and subscription is not None and subscription.outstanding is None:
                    return self._send(subscription, view, (), names)
            if any(self._due(type_url, extra.get(type_url, ()), now) for type_url in stage):
                return None  # on its way; what it may refer to waits
        return None

    def _relabel(self, view: gate.View) -> Any | None:
        """Tell the gate that it has all of a new version, where only removals are still to come."""
        for type_url in (CDS, LDS, SRDS):
            subscription = self.subscriptions.get(type_url)
            if subscription is None or subscription.outstanding or not subscription.label:
                continue
            served = view.types[type_url]
            if type_url == SRDS and subscription.removals(served):
                continue
            if subscription.label != served.version and not subscription.additions(served):
                return self._send(subscription, view, (), ())
        return None

    def _due(self, type_url: snap.TypeUrl, names: tuple[str, ...], now: float) -> tuple[str, ...]:
        grace_s = self._discipline.grace_s
        return tuple(
            name for name in names if now - self._gone.get((type_url, name), now + 1) >= grace_s
        )


def _needs(view: gate.View) -> Iterator[snap.Need]:
    for type_url in (CDS, LDS):
        for resource in view.types[type_url].resources.values():
            yield from resource.needs
