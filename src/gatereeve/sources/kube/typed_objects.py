"""The Kubernetes objects that are written whole, as types.

Fields have the names of the API in snake case and are written in this order. UNSET fields are not
written. Other fields of an object that is read are ignored. Source: Kubernetes API reference.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from gatereeve.sources.kube import resources


class _Typed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an object."""


class Metadata(_Typed, frozen=True, kw_only=True):
    name: str
    namespace: str
    labels: dict[str, str] | UnsetType = UNSET


class LeaseSpec(_Typed, frozen=True, kw_only=True):
    """Times are MicroTime, as `micro_time` writes them."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str = ""
    renew_time: str = ""
    lease_transitions: int = 0


class Lease(_Typed, frozen=True, kw_only=True):
    """metadata: with all that was read, so that an update of another version is refused."""

    api_version: str = resources.LEASES.api_version
    kind: str = resources.LEASES.kind
    metadata: dict[str, Any]
    spec: LeaseSpec = LeaseSpec()


class ObjectReference(_Typed, frozen=True, kw_only=True):
    api_version: str
    kind: str
    name: str
    uid: str
    namespace: str | UnsetType = UNSET


class Event(_Typed, frozen=True, kw_only=True):
    api_version: str = resources.EVENTS.api_version
    kind: str = resources.EVENTS.kind
    metadata: Metadata
    event_time: str
    reporting_controller: str
    reporting_instance: str
    action: str
    reason: str
    regarding: ObjectReference
    note: str
    type: str


class EventSeries(_Typed, frozen=True, kw_only=True):
    count: int = 1
    last_observed_time: str = ""


class RepeatedEvent(_Typed, frozen=True, kw_only=True):
    """The part of an Event that counts how often it happened."""

    series: EventSeries = EventSeries()


class Secret(_Typed, frozen=True, kw_only=True):
    """data: as bytes; in JSON they are base64."""

    api_version: str = resources.SECRETS.api_version
    kind: str = resources.SECRETS.kind
    metadata: Metadata
    type: str = "Opaque"
    data: dict[str, bytes] = {}


def micro_time(at: datetime) -> str:
    """Return a MicroTime of the API: UTC with six digits after the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
