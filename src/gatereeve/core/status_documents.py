"""`ObjectStatus` to the JSON of `.status`, merged with what stands there already.

Pure. A condition keeps its lastTransitionTime while its status stays (KEP-1623); entries of other
controllers in a route's status stay untouched. What comes out is equal to what stands there when
nothing changed, so that a writer can leave it alone.

Conditions and fields of others are left out: server-side apply leaves them in place. The one list
that cannot be applied in parts is `parents` of a route (`listType: atomic`): it must be written with
the resourceVersion that `existing` was read with.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime

from gatereeve.core.canonical import Json
from gatereeve.core.conditions import (
    CONTROLLER,
    BrokenBody,
    Condition,
    GatewayBody,
    GatewayClassBody,
    IngressBody,
    ObjectStatus,
    OwnBody,
    ParentStatus,
    RouteBody,
)

_Document = dict[str, Json]


def document(status: ObjectStatus, existing: Json, now: datetime) -> _Document:
    """The `.status` to write.

    existing: the `.status` of the object as it was read last; what is unreadable in it counts as
    absent. now: the time of a change, in UTC.
    """
    there = existing if isinstance(existing, dict) else {}
    body = status.body
    if isinstance(body, IngressBody):
        return {"loadBalancer": {"ingress": [_ingress(text) for text in body.addresses]}}
    if isinstance(body, RouteBody):
        return {"parents": _parents(status, body, there.get("parents"), now)}
    found: _Document = {
        "conditions": conditions(status.conditions, there.get("conditions"), status.generation, now)
    }
    if isinstance(body, GatewayClassBody):
        return {**found, "supportedFeatures": [{"name": name} for name in body.features]}
    if isinstance(body, GatewayBody):
        return {
            "addresses": [_address(text) for text in body.addresses],
            **found,
            "listeners": _listeners(status, body, there.get("listeners"), now),
        }
    generation: _Document = {"observedGeneration": status.generation} if status.generation else {}
    if isinstance(body, BrokenBody):
        return {**generation, **found}
    return {**generation, **_own(body), **found}


def withdrawn(existing: Json) -> _Document | None:
    """The `.status` of a route that names no Gateway of ours any more; None when we left nothing.

    Written like any other `parents`: with the resourceVersion that `existing` was read with.
    """
    parents = existing.get("parents") if isinstance(existing, dict) else None
    if not any(_is_ours(entry) for entry in _items(parents)):
        return None
    return {"parents": [entry for entry in _items(parents) if not _is_ours(entry)]}


def conditions(
    wanted: Iterable[Condition], existing: Json, generation: int, now: datetime
) -> list[Json]:
    """Conditions as JSON, in the order given.

    existing: the list that stands there. generation: of the object that was judged; 0: not known.
    """
    before = {str(item.get("type")): item for item in _objects(existing)}
    found: list[Json] = []
    for one in wanted:
        old = before.get(one.type, {})
        since = old.get("lastTransitionTime") if old.get("status") == one.status else None
        made: _Document = {
            "type": one.type,
            "status": one.status,
            "reason": one.reason,
            "message": one.message,
            "lastTransitionTime": since if isinstance(since, str) else _time(now),
        }
        if generation:
            made["observedGeneration"] = generation
        found.append(made)
    return found


def _time(now: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _own(body: OwnBody) -> _Document:
    """The fields of a body of ours, in camelCase."""
    found: _Document = {}
    for field in fields(body):
        first, *rest = field.name.split("_")
        value: object = getattr(body, field.name)
        if isinstance(value, tuple):
            found[first + "".join(part.title() for part in rest)] = [str(item) for item in value]
        elif isinstance(value, str | int):
            found[first + "".join(part.title() for part in rest)] = value
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ingress(text: str) -> Json:
    return {"ip": text} if _is_address(text) else {"hostname": text}


def _address(text: str) -> Json:
    return {"type": "IPAddress" if _is_address(text) else "Hostname", "value": text}


def _listeners(status: ObjectStatus, body: GatewayBody, existing: Json, now: datetime) -> Json:
    before = {str(item.get("name")): item for item in _objects(existing)}
    found: list[Json] = []
    for one in body.listeners:
        old = before.get(one.name, {})
        kinds: list[Json] = [{"group": group, "kind": kind} for group, kind in one.kinds]
        found.append(
            {
                "name": one.name,
                "supportedKinds": kinds,
                "attachedRoutes": one.attached,
                "conditions": conditions(
                    one.conditions, old.get("conditions"), status.generation, now
                ),
            }
        )
    return found


def _parents(status: ObjectStatus, body: RouteBody, existing: Json, now: datetime) -> Json:
    """Others' entries as they stand, then ours."""
    kept = [entry for entry in _items(existing) if not _is_ours(entry)]
    before = [entry for entry in _objects(existing) if _is_ours(entry)]
    for one in body.parents:
        reference = _reference(one)
        old = next((e for e in before if _is_same(e.get("parentRef"), one)), {})
        made: _Document = {
            "parentRef": reference,
            "controllerName": CONTROLLER,
            "conditions": conditions(one.conditions, old.get("conditions"), status.generation, now),
        }
        kept.append(made)
    return kept


def _is_ours(entry: Json) -> bool:
    return isinstance(entry, dict) and entry.get("controllerName") == CONTROLLER


def _reference(parent: ParentStatus) -> _Document:
    found: _Document = {"group": parent.group, "kind": parent.kind, "name": parent.name}
    if parent.namespace is not None:
        found["namespace"] = parent.namespace
    if parent.section is not None:
        found["sectionName"] = parent.section
    if parent.port is not None:
        found["port"] = parent.port
    return found


def _is_same(reference: Json, parent: ParentStatus) -> bool:
    if not isinstance(reference, dict):
        return False
    wanted = _reference(parent)
    keys = ("name", "namespace", "sectionName", "port")
    return all(reference.get(key) == wanted.get(key) for key in keys)
