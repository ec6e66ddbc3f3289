"""The bytes of Secrets: only of those that our documents name, and only while they do.

That a Secret exists, and that it changed, is watched without its content (`PartialObjectMetadata`).
Content is read one Secret at a time, again when the object changed, and is dropped at once when
nothing names it any more. Values are never logged and stand in no message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from gatereeve.api import registry
from gatereeve.core import errors, findings, refs
from gatereeve.core.logs import EventLog
from gatereeve.core.report import describe
from gatereeve.sources.kube import api_json, objects, resources
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.reflector import Change
from gatereeve.sources.store import DocumentStore

_LOG = EventLog(__name__)

KIND = registry.BY_KIND["", "Secret"]
_RESOURCE = resources.of_kind(KIND)
_AT_ONCE = 8

Key = tuple[str, str]
Version = tuple[str, str]
"""uid and resourceVersion: of which only a difference means anything."""


@dataclass(slots=True, kw_only=True)
class _Wanted:
    """One Secret that is named. read: the version whose content is in the store.

    doubt: it may have changed unseen. tried: an attempt was made since the last change.
    """

    origin: refs.Origin
    read: Version | None = None
    doubt: bool = False
    tried: bool = False
    finding: findings.Finding | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class SecretReader:
    """Keeps the content of wanted Secrets in a store. Used from one event loop.

    A `Sink` of a reflector that lists metadata only. on_change: the store, or a finding, changed.
    """

    def __init__(
        self,
        client: ApiClient,
        store: DocumentStore,
        on_change: Callable[[], None],
        *,
        retry_first_s: float = 0.5,
        retry_most_s: float = 30.0,
    ) -> None:
        self._client = client
        self._store = store
        self._on_change = on_change
        self._retry = (retry_first_s, retry_most_s)
        self._entries: dict[Key, objects.StoredObject] = {}
        self._there: dict[Key, Version] = {}
        self._wanted: dict[Key, _Wanted] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._settled = asyncio.Event()

    async def take(self, changes: Sequence[Change], *, complete: bool) -> None:
        for change in changes:
            if change.item is None:
                self._there.pop(change.key, None)
            else:
                meta = change.item.meta
                self._there[change.key] = (meta.uid, meta.resource_version)
        touched = {change.key for change in changes}
        for key in self._wanted.keys() if complete else self._wanted.keys() & touched:
            self._wanted[key].doubt = self._wanted[key].doubt or complete
            self._look(key)

    def want(self, origins: Mapping[Key, refs.Origin]) -> None:
        """From now on these Secrets, each with a place that names it; all others are forgotten."""
        for key in self._wanted.keys() - origins.keys():
            self._forget(key)
        for key, origin in origins.items():
            known = self._wanted.get(key)
            if known is None:
                self._wanted[key] = _Wanted(origin=origin)
                self._look(key)
            else:
                known.origin = origin

    @property
    def found(self) -> tuple[findings.Finding, ...]:
        """Of Secrets that are there and cannot be read."""
        return tuple(w.finding for w in self._wanted.values() if w.finding is not None)

    @property
    def is_settled(self) -> bool:
        """Whether every wanted Secret is read, is not there, or was at least tried."""
        return all(w.tried or not self._is_due(key) for key, w in self._wanted.items())

    async def settled(self, *, surely: bool = False) -> None:
        """Returns when `is_settled`. surely: no attempt counts that may work the next time."""
        while not self.is_settled or (surely and self._is_unavailable()):
            self._settled.clear()
            await self._settled.wait()

    async def aclose(self) -> None:
        """Ends what is being read; the content that is there stays."""
        tasks = [w.task for w in self._wanted.values() if w.task is not None]
        for wanted in self._wanted.values():
            wanted.task = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _is_unavailable(self) -> bool:
        return any(
            w.finding is None and w.tried and self._is_due(k) for k, w in self._wanted.items()
        )

    def _is_due(self, key: Key) -> bool:
        there, wanted = self._there.get(key), self._wanted[key]
        return there is not None and (wanted.doubt or wanted.read != there)

    def _look(self, key: Key) -> None:
        """Brings one Secret into line with what is known of it."""
        wanted = self._wanted[key]
        if key not in self._there:
            self._drop(key, wanted)
            return
        if not self._is_due(key):
            return
        wanted.tried = False
        wanted.changed.set()
        if wanted.task is None or wanted.task.done():
            wanted.task = asyncio.create_task(self._keep_reading(key, wanted), name="secret")

    def _forget(self, key: Key) -> None:
        wanted = self._wanted.pop(key)
        if wanted.task is not None:
            wanted.task.cancel()
        self._put(key, None)
        self._settled.set()

    def _drop(self, key: Key, wanted: _Wanted) -> None:
        """It is not there."""
        wanted.read, wanted.doubt = None, False
        self._put(key, None)
        self._settled.set()

    async def _keep_reading(self, key: Key, wanted: _Wanted) -> None:
        """Until what is in the store is what is there; content read before stays meanwhile."""
        pause_s, most_s = self._retry
        while self._is_due(key):
            wanted.changed.clear()
            if await self._try(key, wanted):
                pause_s = self._retry[0]
                continue
            try:
                async with asyncio.timeout(pause_s):
                    await wanted.changed.wait()
            except TimeoutError:
                pause_s = min(pause_s * 2, most_s)

    async def _try(self, key: Key, wanted: _Wanted) -> bool:
        """One attempt to read it; whether that showed what is there."""
        there = self._there[key]
        try:
            async with self._slots:
                body = await self._client.get(_RESOURCE, *key)
            item = api_json.item(msgspec.Raw(body))
        except errors.ApiMissingError:
            self._tell(wanted, None)
            wanted.tried = True
            self._there.pop(key, None)  # the watch will say so too
            self._drop(key, wanted)
            return True
        except errors.ApiUnavailableError as error:
            _LOG.warning("secret_unreadable", error=error)
            wanted.tried = True
            self._settled.set()
            return False
        except errors.ApiError as error:
            self._tell(wanted, _unreadable(key, wanted.origin, error))
            wanted.tried = True
            self._settled.set()
            return False
        self._tell(wanted, None)
        entry = objects.read(KIND, item, self._entries.get(key))
        # What was read may be newer than what was watched: the watch will catch up and find it so.
        wanted.read, wanted.doubt, wanted.tried = there, False, True
        self._put(key, entry)
        self._settled.set()
        return True

    def _put(self, key: Key, entry: objects.StoredObject | None) -> None:
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
        if self._store.put({objects.holder(KIND, key): entry}):
            self._on_change()

    def _tell(self, wanted: _Wanted, finding: findings.Finding | None) -> None:
        if wanted.finding != finding:
            wanted.finding = finding
            self._on_change()


def _unreadable(key: Key, origin: refs.Origin, error: errors.ApiError) -> findings.Finding:
    return describe("secret-unreadable", origin, secret="/".join(key), error=error)
