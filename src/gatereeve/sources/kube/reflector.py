"""One kind, mirrored: a full list, then every change, in order, for as long as it runs.

    1. find     which version the server has; surely none counts as an empty list      ApiClient.find
    2. list     page by page; nothing is handed on before the last page is here
    3. hand on  what was listed, and what is gone since the last time
    4. watch    from the list's version, with bookmarks; again from the last event when it just ends
    5. doubt    410, a broken stream, any error: back to 2, sooner or later; what was known stays

resourceVersions are opaque: compared with nothing, not even with themselves. Keeps names and uids;
what objects mean, and their last good form, is the sink's business. What happens when is the table
of `docs/explanation/reading-a-cluster.md`.
"""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom
from typing import Protocol

from gatereeve.core import errors, protocols
from gatereeve.core.logs import EventLog
from gatereeve.sources.kube import api_json
from gatereeve.sources.kube.client import ApiClient, ListScope, PageTooLargeError
from gatereeve.sources.kube.resources import ApiResource

_LOG = EventLog(__name__)

_LONGEST_REST_S = 120.0
"""However long a server asks to be left alone."""

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One object as it is now; item None: it is gone."""

    key: Key
    item: api_json.Item | None


class Sink(Protocol):
    """Takes what a reflector sees.

    Called with one list of changes after the other, never two at a time. A changed uid comes as the
    old object gone and the new one there. complete: these are all objects there are, and what is
    gone since. May raise only for a defect: the reflector then begins anew with a full list.
    """

    async def take(self, changes: Sequence[Change], *, complete: bool) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How hard the API server is asked. Times in seconds.

    page: objects per page of a list. watch: bounds of the random life of one watch. first, most:
    the shortest and longest pause after failures. healthy: a watch that lived as long counts as
    one. absent: until a missing kind is looked for again. relist: after which everything is listed
    anew although nothing is wrong. streamed: let the server send lists as watches (KEP-3157).
    """

    page: int = 500
    watch: tuple[int, int] = (290, 590)
    first: float = 0.2
    most: float = 30.0
    healthy: float = 5.0
    absent: float = 10.0
    relist: float = 3600.0
    streamed: bool = False


@dataclass(slots=True, kw_only=True)
class Health:
    """What is known about one reflector. Owned by it, read by anybody on its loop.

    synced: everything was listed at least once. missing: the cluster has no such kind. problem: why
    the newest changes may not be here, "" while they are. heard_at: on the monotonic clock.
    """

    synced: bool = False
    missing: bool = False
    problem: str = ""
    hint: str = ""
    relists: int = 0
    failures: int = 0
    heard_at: float | None = None


class Reflector:
    """Mirrors one kind, in one namespace or in all. `run` once at a time."""

    def __init__(
        self,
        client: ApiClient,
        name: str,
        find: Callable[[], Awaitable[ApiResource | None]],
        sink: Sink,
        clock: protocols.Clock,
        *,
        namespace: str = "",
        metadata_only: bool = False,
        pace: Pace | None = None,
        on_health: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.namespace = namespace
        self.health = Health()
        self._client = client
        self._find = find
        self._sink = sink
        self._clock = clock
        self._metadata_only = metadata_only
        self._pace = Pace() if pace is None else pace
        self._on_health = on_health
        self._known: dict[Key, str] = {}
        self._scope: ListScope | None = None
        self._version: str | None = None
        self._page = self._pace.page
        self._streamed = self._pace.streamed
        self._listed_at = 0.0
        self._pauses = 0
        self._random = SystemRandom()

    @property
    def objects(self) -> int:
        """How many there are."""
        return len(self._known)

    @property
    def last_event_age_s(self) -> float | None:
        """Seconds since the server last said anything, be it a bookmark; None before the first."""
        at = self.health.heard_at
        return None if at is None else self._clock.monotonic() - at

    async def run(self) -> None:
        """Never returns. Raises what the sink raises."""
        self._version = None
        while True:
            started: float | None = None
            try:
                if self._version is None and not await self._list():
                    await asyncio.sleep(self._jittered(self._pace.absent))
                    continue
                started = self._clock.monotonic()
                await self._watch()
                pause = self._pause_after_end(started)
            except errors.ApiError as error:
                pause = self._pause_after(error, started)
            await asyncio.sleep(pause)

    async def _list(self) -> bool:
        """Steps 1 to 3; whether there is such a kind at all."""
        scope = await self._look_up()
        if scope is None:
            self._heard()
            if not self.health.missing:
                _LOG.info("kind_missing", kind=self.name)
                await self._hand_on({})
                self._set(missing=True, problem="", hint="")
            return False
        items, version = await self._fetch(scope)
        await self._hand_on(items)
        self._version, self._listed_at = version, self._clock.monotonic()
        self._set(missing=False)
        return True

    async def _look_up(self) -> ListScope | None:
        resource = await self._find()
        if resource is None:
            return None
        self._scope = ListScope(
            resource=resource, namespace=self.namespace, metadata_only=self._metadata_only
        )
        return self._scope

    async def _fetch(self, scope: ListScope) -> tuple[dict[Key, api_json.Item], str]:
        """All objects, and the version they had together. Raises rather than give a part."""
        if self._streamed:
            try:
                return await self._fetch_streamed(scope)
            except errors.ApiError as error:
                if error.status not in (400, 422):
                    raise
                self._streamed = False
        items: dict[Key, api_json.Item] = {}
        token = ""
        while True:
            try:
                page = await self._client.page(scope, limit=self._page, continue_token=token)
            except PageTooLargeError:
                if self._page == 1:
                    raise
                self._page = max(1, (self._page or self._pace.page) // 4)
                continue
            except errors.ApiExpiredError:
                if token:  # it took too long: the next attempt takes all in one
                    self._page = 0
                raise
            self._heard()
            items |= {item.key: item for item in page.items}
            token = page.continue_token
            if not token:
                self._page = self._pace.page
                return items, page.resource_version

    async def _fetch_streamed(self, scope: ListScope) -> tuple[dict[Key, api_json.Item], str]:
        items: dict[Key, api_json.Item] = {}
        async with self._client.watch(
            scope, version="", timeout_s=self._life_s(), initial=True
        ) as stream:
            async for events in stream:
                self._heard()
                for event in events:
                    if event.initial_end:
                        return items, event.resource_version
                    if event.item is not None:
                        items[event.item.key] = event.item
        raise errors.ApiUnavailableError(f"list {scope}: the stream ended before it was complete")

    async def _hand_on(self, items: dict[Key, api_json.Item]) -> None:
        """Step 3. What vanished between two watches is handled as if it had been seen."""
        gone = [Change(key=key, item=None) for key in self._known if key not in items]
        changes = [*gone, *(c for item in items.values() for c in _changes(item, self._known))]
        await self._sink.take(changes, complete=True)
        self._known = {key: item.meta.uid for key, item in items.items()}
        self.health.relists += self.health.synced
        self._set(synced=True)

    async def _watch(self) -> None:
        """Step 4, once. Returns when the server ends the stream, or when a new list is due."""
        scope, version = self._scope, self._version
        if scope is None or version is None:
            raise RuntimeError("nothing was listed yet")
        async with self._client.watch(scope, version=version, timeout_s=self._life_s()) as stream:
            self._set(problem="", hint="")
            async for events in stream:
                self._heard()
                await self._follow(events)
                if self._clock.monotonic() - self._listed_at > self._pace.relist:
                    self._version = None
                    return

    async def _follow(self, events: Sequence[api_json.Event]) -> None:
        known = ChainMap[Key, str]({}, self._known)  # nothing is known before the sink has it
        gone: set[Key] = set()
        changes: list[Change] = []
        for event in events:
            item = event.item
            if item is None:
                continue
            if event.type == "DELETED":
                gone.add(item.key)
                changes.append(Change(key=item.key, item=None))
                continue
            if item.key not in gone:
                changes += _changes(item, known)
            else:
                changes.append(Change(key=item.key, item=item))
                gone.discard(item.key)
            known[item.key] = item.meta.uid
        if changes:
            await self._sink.take(changes, complete=False)
            self._known.update(known.maps[0])
            for key in gone:
                self._known.pop(key, None)
        for event in reversed(events):
            if event.resource_version:
                self._version = event.resource_version
                break

    def _heard(self) -> None:
        self.health.heard_at = self._clock.monotonic()

    def _pause_after_end(self, started: float) -> float:
        """Watches that end at once, again and again, must not become a busy loop."""
        if self._clock.monotonic() - started >= self._pace.healthy:
            self._pauses = 0
            return 0.0
        return min(self._next_pause(), 1.0)

    def _pause_after(self, error: errors.ApiError, started: float | None) -> float:
        """Step 5. After a rest the watch goes on where it was only if the server asked for rest."""
        is_told = error.status == 429
        if not is_told:
            self._version = None
        if started is not None and self._clock.monotonic() - started >= self._pace.healthy:
            self._pauses = 0
        if isinstance(error, errors.ApiExpiredError) and self._pauses == 0:
            self._pauses = 1
            return 0.0
        self.health.failures += 1
        if str(error) != self.health.problem:
            _LOG.warning("watch_failed", kind=self.name, error=error)
        self._set(problem=str(error), hint=error.hint)
        pause = self._next_pause()
        return max(pause, min(error.retry_after_s or 0.0, _LONGEST_REST_S))

    def _next_pause(self) -> float:
        self._pauses += 1
        longest = min(self._pace.most, self._pace.first * 2 ** min(self._pauses - 1, 16))
        return self._jittered(longest)

    def _jittered(self, seconds: float) -> float:
        """Between half of it and all of it, so that replicas part."""
        return seconds * self._random.uniform(0.5, 1.0)

    def _life_s(self) -> int:
        return self._random.randint(*self._pace.watch)

    def _set(
        self,
        *,
        synced: bool | None = None,
        missing: bool | None = None,
        problem: str | None = None,
        hint: str | None = None,
    ) -> None:
        health = self.health
        before = (health.synced, health.missing, health.problem)
        health.synced = health.synced if synced is None else synced
        health.missing = health.missing if missing is None else missing
        health.problem = health.problem if problem is None else problem
        health.hint = health.hint if hint is None else hint
        if problem or before != (health.synced, health.missing, health.problem):
            self._on_health()


def _changes(item: api_json.Item, known: Mapping[Key, str]) -> tuple[Change, ...]:
    """An object as it is now; with another uid than before it is another object."""
    here = Change(key=item.key, item=item)
    if known.get(item.key, item.meta.uid) != item.meta.uid:
        return (Change(key=item.key, item=None), here)
    return (here,)
