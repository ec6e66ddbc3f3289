"""Findings as Events (events.k8s.io/v1), for `kubectl describe`.

One finding about one object is one Event; while it lasts nothing more is written, and when it comes
back its series counts on. Only the leader writes, and never more than a bounded number at a time:
an Event that could not be written is lost, a status never is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from gatereeve.core import conditions, errors, findings, protocols, refs
from gatereeve.core.logs import EventLog
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import typed_objects as typed
from gatereeve.sources.kube.apply import Leads
from gatereeve.sources.kube.resources import EVENTS

_LOG = EventLog(__name__)

MAX_AT_ONCE = 50
"""Of one call; what is beyond comes with the next."""
_MAX_NOTE = 1024
_MAX_NAME = 200


class Events:
    """Writes Events for one replica. Used from one event loop, one call at a time.

    instance: of this replica, as in its Lease. lost: Events that the API server did not take.
    """

    def __init__(
        self, client: kube.ApiClient, clock: protocols.Clock, leads: Leads, *, instance: str
    ) -> None:
        self.lost = 0
        self._client = client
        self._clock = clock
        self._leads = leads
        self._instance = instance
        self._told: set[str] = set()

    async def tell(
        self, found: Iterable[findings.Finding], objects: Mapping[refs.Ref, typed.ObjectReference]
    ) -> int:
        """Everything that is found now; how many Events were written.

        objects: those that Events can be about; findings about others are left out.
        """
        current: dict[str, tuple[typed.ObjectReference, findings.Finding]] = {}
        for finding in found:
            about = objects.get(finding.origin.ref) if finding.origin is not None else None
            if about is not None:
                current.setdefault(_name(about, finding), (about, finding))
        self._told &= current.keys()
        new = [name for name in current if name not in self._told][:MAX_AT_ONCE]
        written = 0
        for name in new:
            if not self._leads.leading:
                break
            self._told.add(name)
            try:
                await self._write(name, *current[name])
                written += 1
            except errors.ApiError as error:
                self.lost += 1
                _LOG.warning("event_lost", error=error)
        return written

    async def _write(
        self, name: str, about: typed.ObjectReference, finding: findings.Finding
    ) -> None:
        body = event_of(name, about, finding, self._clock.now(), self._instance)
        namespace = about.namespace or "default"
        try:
            await self._client.create(EVENTS, namespace, body)
        except errors.ApiConflictError:
            await self._count_on(namespace, name)

    async def _count_on(self, namespace: str, name: str) -> None:
        """It was written before, by us or by another replica: the same Event, once more."""
        body = await self._client.get(EVENTS, namespace, name)
        count = kube.decode_as(body, "get Event", typed.RepeatedEvent).series.count
        at = typed.micro_time(self._clock.now())
        patch = typed.RepeatedEvent(
            series=typed.EventSeries(count=count + 1, last_observed_time=at)
        )
        await self._client.merge(EVENTS, namespace, name, patch)


def event_of(
    name: str, about: typed.ObjectReference, finding: findings.Finding, at: datetime, instance: str
) -> typed.Event:
    """The Event of one finding. Its reason is the finding's code in the manner of Kubernetes."""
    place = finding.origin.path if finding.origin is not None else ""
    note = f"{place}: {finding.message}" if place else finding.message
    if finding.hint:
        note += f" ({finding.hint})"
    return typed.Event(
        metadata=typed.Metadata(name=name, namespace=about.namespace or "default"),
        event_time=typed.micro_time(at),
        reporting_controller=conditions.CONTROLLER,
        reporting_instance=instance[:128],
        action="Compile",
        reason=reason_of(finding.code),
        regarding=about,
        note=note[:_MAX_NOTE],
        type="Normal" if finding.severity is findings.Severity.INFO else "Warning",
    )


def reason_of(code: str) -> str:
    """`host-not-granted` → `HostNotGranted`."""
    return "".join(part.capitalize() for part in code.split("-"))


def _name(about: typed.ObjectReference, finding: findings.Finding) -> str:
    """The same finding about the same object has the same name on every replica."""
    said = "\0".join((about.uid, str(finding.origin), finding.code, finding.message))
    digest = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    return f"{about.name[:_MAX_NAME]}.{digest}"
