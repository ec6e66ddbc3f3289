"""Writing back: statuses and whole objects, by server-side apply under one field manager.

Each write asks first whether this replica still leads. What was written last is remembered, so an
unchanged status costs nothing; a replica that begins to lead compares with what is there before it
writes. Lists that the API keeps as one value (`status.parents` of a route, `loadBalancer.ingress`)
are edited instead: read, our entries exchanged, written only if the object did not change meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

import msgspec

from gatereeve.core import errors
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube.resources import ApiResource

_ATTEMPTS = 5
_INVALID = 422

Observed = Callable[[ApiResource, tuple[str, str]], "kube.Object | None"]
"""What a watch showed last of the object of that (namespace, name): uid, resourceVersion, status."""

Edit = Callable[[kube.Object], kube.Object]
"""The status as it is → as it should be; equal when there is nothing to do. Pure."""


class Leads(Protocol):
    """`lease.Leadership`, or a stand-in where there is one replica only."""

    @property
    def leading(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyTarget:
    """The object to write to. uid: of the object that the status is about, "" for whichever."""

    resource: ApiResource
    namespace: str
    name: str
    uid: str = ""


class ServerSideApply:
    """Writes for one leader. Used from one event loop; one write per object at a time.

    Every method returns whether something was written: False when it was so already, when this
    replica does not lead, or when the object is gone or another one by now. Raises ApiError when
    the API server did not do it; nothing may then be assumed, and the same may be asked again.
    observed: saves the request that asks for an object before its status is edited.
    written: writes that reached the API server.
    """

    def __init__(
        self,
        client: kube.ApiClient,
        leads: Leads,
        *,
        observed: Observed = lambda _resource, _key: None,
    ) -> None:
        self.written = 0
        self._client = client
        self._leads = leads
        self._observed = observed
        self._known: dict[tuple[str, str, str], tuple[str, bytes]] = {}

    async def apply_object(self, target: ApplyTarget, body: kube.Object) -> bool:
        """Write our part of the object; it is made when it is not there. body: without status."""
        place, mark = _place(target), (target.uid, _mark(body))
        known = self._known.get(place)
        if known == mark or not self._leads.leading:
            return False
        try:
            if (known is None or known[0] != target.uid) and await self._is_settled(target, body):
                self._known[place] = mark
                return False
            if not self._leads.leading:
                return False
            await self._client.apply(
                target.resource, target.namespace, target.name, _complete(target, body)
            )
        except errors.ApiError as error:
            self._known.pop(place, None)
            if isinstance(error, errors.ApiMissingError | errors.ApiConflictError):
                return False
            if error.status == _INVALID and not await self._is_there(target):
                return False  # "metadata.uid: field is immutable"
            raise
        self.written += 1
        self._known[place] = mark
        return True

    async def edit_status(self, target: ApplyTarget, edit: Edit) -> bool:
        """The status after `edit`, which keeps what belongs to others."""
        observed = self._observed(target.resource, (target.namespace, target.name))
        if observed is not None:
            # It may be older than what is there: then this is a conflict, or nothing to do.
            with contextlib.suppress(errors.ApiConflictError):
                if await self._edit(target, edit, observed):
                    return True
        for _ in range(_ATTEMPTS):
            if not self._leads.leading:
                return False
            try:
                return await self._edit(target, edit, await self._get(target))
            except errors.ApiMissingError:
                return False
            except errors.ApiConflictError:
                continue
        raise errors.ApiConflictError(
            f"{target.resource.kind} {target.name} changes faster than its status can be written",
            hint="it is tried again", status=409,
        )  # fmt: skip

    async def _edit(self, target: ApplyTarget, edit: Edit, found: kube.Object) -> bool:
        """The status after `edit` of what was found. Raises ApiConflictError when it is another by now."""
        if not _is_meant(target, found):
            return False
        metadata, before = _part(found, "metadata"), _part(found, "status")
        after = edit(cast("kube.Object", msgspec.json.decode(msgspec.json.encode(before))))
        if after == before or not self._leads.leading:
            return False
        patch: kube.Object = {
            "metadata": {"resourceVersion": metadata.get("resourceVersion")},
            "status": {**dict.fromkeys(before.keys() - after.keys()), **after},
        }
        try:
            await self._client.merge(
                target.resource, target.namespace, target.name, patch, sub="status"
            )
        except errors.ApiMissingError:
            return False
        self.written += 1
        return True

    async def delete(self, target: ApplyTarget) -> bool:
        """The object goes, if it is still the one that is meant."""
        if not self._leads.leading:
            return False
        self._known.pop(_place(target), None)
        try:
            await self._client.delete(
                target.resource, target.namespace, target.name, uid=target.uid
            )
        except (errors.ApiMissingError, errors.ApiConflictError):
            return False
        self.written += 1
        return True

    def forget(self) -> None:
        """Nothing is known of what is there: another replica led meanwhile, or a resync is due."""
        self._known.clear()

    async def _is_settled(self, target: ApplyTarget, body: kube.Object) -> bool:
        """Whether there is nothing to write: the object has these values, or is another object."""
        try:
            found = await self._get(target)
        except errors.ApiMissingError:
            return False
        return not _is_meant(target, found) or is_said(body, found)

    async def _is_there(self, target: ApplyTarget) -> bool:
        """Whether the object is still the one that is meant."""
        try:
            return _is_meant(target, await self._get(target))
        except errors.ApiMissingError:
            return False

    async def _get(self, target: ApplyTarget) -> kube.Object:
        body = await self._client.get(target.resource, target.namespace, target.name)
        return kube.decode(body, f"get {target.resource.kind} {target.name}")


def is_said(wanted: kube.Json, there: kube.Json) -> bool:
    """Whether `there` says all that `wanted` says. Entries of lists are found by `type` or `name`;
    other lists must be equal."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            key in there and is_said(value, there[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(there, list):
        keyed = [_key(item) for item in there]
        if wanted and None not in map(_key, wanted) and None not in keyed:
            found = dict(zip(keyed, there, strict=True))
            return all(is_said(item, found.get(_key(item))) for item in wanted)
        return len(wanted) == len(there) and all(map(is_said, wanted, there))
    return wanted == there


def _key(item: kube.Json) -> str | None:
    """The key of an entry of a status list in server-side apply."""
    if not isinstance(item, dict):
        return None
    key = item.get("type", item.get("name"))
    return key if isinstance(key, str) else None


def _is_meant(target: ApplyTarget, found: kube.Object) -> bool:
    return not target.uid or _part(found, "metadata").get("uid") == target.uid


def _complete(target: ApplyTarget, body: kube.Object) -> kube.Object:
    metadata = dict(_part(body, "metadata"))
    metadata["name"] = target.name
    if target.namespace:
        metadata["namespace"] = target.namespace
    if target.uid:
        metadata["uid"] = target.uid
    return {
        **body,
        "apiVersion": target.resource.api_version,
        "kind": target.resource.kind,
        "metadata": metadata,
    }


def _part(body: kube.Object, name: str) -> kube.Object:
    part = body.get(name)
    return part if isinstance(part, dict) else {}


def _place(target: ApplyTarget) -> tuple[str, str, str]:
    return (str(target.resource), target.namespace, target.name)


def _mark(body: kube.Object) -> bytes:
    data = msgspec.json.encode(body, order="deterministic")
    return hashlib.blake2b(data, digest_size=16).digest()
