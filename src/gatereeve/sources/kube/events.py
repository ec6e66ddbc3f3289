"""Findings as Events (events.k8s.io/v1), for `kubectl describe`.

One finding about one object is one Event; while it lasts nothing more is written, and when it comes
back its series counts on. Only the leader writes, and never more than a bounded number at a time:
an Event that could not be written is lost, a status never is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gatereeve.core import conditions, errors, findings, protocols, refs
from gatereeve.core.logs import EventLog
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube.apply import Leads
from gatereeve.sources.kube.resources import EVENTS

_LOG = EventLog(__name__)

MAX_AT_ONCE = 50
"""Of one call; what is beyond comes with the next."""
_MAX_NOTE = 1024
_MAX_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubject:
    """The object that a finding is about. api_version: like `gatereeve.dev/v1alpha1`."""

    ref: refs.Ref
    uid: str
    api_version: str


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
        self, found: Iterable[findings.Finding], objects: Mapping[refs.Ref, EventSubject]
    ) -> int:
        """Everything that is found now; how many Events were written.

        objects: those that Events can be about; findings about others are left out.
        """
        current: dict[str, tuple[EventSubject, findings.Finding]] = {}
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

    async def _write(self, name: str, about: EventSubject, finding: findings.Finding) -> None:
        body = event_of(name, about, finding, self._clock.now(), self._instance)
        namespace = about.ref.namespace or "default"
        try:
            await self._client.create(EVENTS, namespace, body)
        except errors.ApiConflictError:
            await self._count_on(namespace, name)

    async def _count_on(self, namespace: str, name: str) -> None:
        """It was written before, by us or by another replica: the same Event, once more."""
        found = kube.decode(await self._client.get(EVENTS, namespace, name), "get Event")
        series = found.get("series")
        count = series.get("count") if isinstance(series, dict) else 1
        patch: kube.Object = {
            "series": {
                "count": (count if isinstance(count, int) else 1) + 1,
                "lastObservedTime": _micro_time(self._clock.now()),
            }
        }
        await self._client.merge(EVENTS, namespace, name, patch)


def event_of(
    name: str, about: EventSubject, finding: findings.Finding, at: datetime, instance: str
) -> kube.Object:
    """The Event of one finding. Its reason is the finding's code in the manner of Kubernetes."""
    ref = about.ref
    place = finding.origin.path if finding.origin is not None else ""
    note = f"{place}: {finding.message}" if place else finding.message
    if finding.hint:
        note += f" ({finding.hint})"
    regarding: kube.Object = {
        "apiVersion": about.api_version, "kind": ref.kind, "name": ref.name, "uid": about.uid,
    }  # fmt: skip
    if ref.namespace:
        regarding["namespace"] = ref.namespace
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": ref.namespace or "default"},
        "eventTime": _micro_time(at),
        "reportingController": conditions.CONTROLLER,
        "reportingInstance": instance[:128],
        "action": "Compile",
        "reason": reason_of(finding.code),
        "regarding": regarding,
        "note": note[:_MAX_NOTE],
        "type": "Normal" if finding.severity is findings.Severity.INFO else "Warning",
    }


def reason_of(code: str) -> str:
    """`host-not-granted` → `HostNotGranted`."""
    return "".join(part.capitalize() for part in code.split("-"))


def _name(about: EventSubject, finding: findings.Finding) -> str:
    """The same finding about the same object has the same name on every replica."""
    said = "\0".join((about.uid, str(finding.origin), finding.code, finding.message))
    digest = hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
    return f"{about.ref.name[:_MAX_NAME]}.{digest}"


def _micro_time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
