"""`ObjectStatus` to the JSON of `.status`, merged with the existing status.

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

    existing: the `.status` of the object as it was read last; its unreadable parts count as absent.
    now: the time of a change, in UTC.
    """
    previous = existing if isinstance(existing, dict) else {}
    body = status.body
    if isinstance(body, IngressBody):
        return {"loadBalancer": {"ingress": [_ingress(text) for text in body.addresses]}}
    if isinstance(body, RouteBody):
        return {"parents": _parents(status, body, previous.get("parents"), now)}
    conditions_field: _Document = {
        "conditions": conditions(
            status.conditions, previous.get("conditions"), status.generation, now
        )
    }
    if isinstance(body, GatewayClassBody):
        return {**conditions_field, "supportedFeatures": [{"name": name} for name in body.features]}
    if isinstance(body, GatewayBody):
        return {
            "addresses": [_address(text) for text in body.addresses],
            **conditions_field,
            "listeners": _listeners(status, body, previous.get("listeners"), now),
        }
    generation: _Document = {"observedGeneration": status.generation} if status.generation else {}
    if isinstance(body, BrokenBody):
        return {**generation, **conditions_field}
    return {**generation, **_own(body), **conditions_field}


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

    existing: the list in the object. generation: of the object that was judged; 0: not known.
    """
    before = {str(item.get("type")): item for item in _objects(existing)}
    items: list[Json] = []
    for condition in wanted:
        old = before.get(condition.type, {})
        since = old.get("lastTransitionTime") if old.get("status") == condition.status else None
        made: _Document = {
            "type": condition.type,
            "status": condition.status,
            "reason": condition.reason,
            "message": condition.message,
            "lastTransitionTime": since if isinstance(since, str) else _time(now),
        }
        if generation:
            made["observedGeneration"] = generation
        items.append(made)
    return items


def _time(now: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes it."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in _items(value) if isinstance(item, dict)]


def _own(body: OwnBody) -> _Document:
    """The fields of a body of ours, in camelCase."""
    json_fields: _Document = {}
    for field in fields(body):
        first, *rest = field.name.split("_")
        value: object = getattr(body, field.name)
        if isinstance(value, tuple):
            json_fields[first + "".join(part.title() for part in rest)] = [
                str(item) for item in value
            ]
        elif isinstance(value, str | int):
            json_fields[first + "".join(part.title() for part in rest)] = value
    return json_fields


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
    entries: list[Json] = []
    for listener in body.listeners:
        old = before.get(listener.name, {})
        kinds: list[Json] = [{"group": group, "kind": kind} for group, kind in listener.kinds]
        entries.append(
            {
                "name": listener.name,
                "supportedKinds": kinds,
                "attachedRoutes": listener.attached,
                "conditions": conditions(
                    listener.conditions, old.get("conditions"), status.generation, now
                ),
            }
        )
    return entries


def _parents(status: ObjectStatus, body: RouteBody, existing: Json, now: datetime) -> Json:
    """The entries of other controllers, unchanged, then ours."""
    entries = [entry for entry in _items(existing) if not _is_ours(entry)]
    before = [entry for entry in _objects(existing) if _is_ours(entry)]
    for parent in body.parents:
        reference = _reference(parent)
        old = next((e for e in before if _is_same(e.get("parentRef"), parent)), {})
        made: _Document = {
            "parentRef": reference,
            "controllerName": CONTROLLER,
            "conditions": conditions(
                parent.conditions, old.get("conditions"), status.generation, now
            ),
        }
        entries.append(made)
    return entries


def _is_ours(entry: Json) -> bool:
    return isinstance(entry, dict) and entry.get("controllerName") == CONTROLLER


def _reference(parent: ParentStatus) -> _Document:
    reference: _Document = {"group": parent.group, "kind": parent.kind, "name": parent.name}
    if parent.namespace is not None:
        reference["namespace"] = parent.namespace
    if parent.section is not None:
        reference["sectionName"] = parent.section
    if parent.port is not None:
        reference["port"] = parent.port
    return reference


def _is_same(reference: Json, parent: ParentStatus) -> bool:
    if not isinstance(reference, dict):
        return False
    wanted = _reference(parent)
    keys = ("name", "namespace", "sectionName", "port")
    return all(reference.get(key) == wanted.get(key) for key in keys)
