"""Remote key sets: retrieved beside the compile path, refreshed, and kept for a time when that fails.

The compiler never waits for a network: it reads what `retrieved` says at that moment, and a key set
that is not there admits no caller. Which keys are good enough is judged there, too; here a body only has
to be a JSON object with a list `keys`. An empty list is an answer like any other: it takes effect.
Everything else (404, HTML, too much, no connection) leaves the keys retrieved last in force, at most
until `refreshSeconds` and `keepSeconds` after they were retrieved, across restarts too (`CachedKeySet`).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gatereeve.api import gate as api
from gatereeve.api.world import World
from gatereeve.core import findings, refs
from gatereeve.core.protocols import Clock
from gatereeve.core.report import describe
from gatereeve.sources import fetch
from gatereeve.sources.folder.folder_source import Retrieved

_FIRST_RETRY_S = 2.0
_MAX_AT_ONCE = 8
MAX_KEYS = 100
"""A set with more is none, as for the compiler (`compile.governance.key_sets`, and a test that they agree)."""
_MAX_REMEMBERED = 256
_MAX_CLOCK_STEP = timedelta(minutes=5)
"""So far in the future a remembered retrieval may lie; beyond it, its age is unknown."""

Place = tuple[refs.Origin, refs.Where | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKeySet:
    """One key set that Gates want. problem: why it is not retrieved at all, or "".

    refresh_s: between two retrievals. keep_s: how much longer the last keys count when that fails.
    """

    target: fetch.FetchTarget
    refresh_s: int
    keep_s: int
    places: tuple[Place, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedKeySet:
    """A key set as it was retrieved last. at: when, in UTC. trust: whom its server was trusted by."""

    text: str
    at: datetime
    trust: str


Remember = Callable[[Mapping[str, CachedKeySet]], None]
"""Called in a thread, one call at a time, with what is kept by URI. Never raises."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """What is known about one key set. due: on the loop's clock. age_from: `kept.at`, on that clock."""

    wanted: WantedKeySet
    kept: CachedKeySet | None = None
    age_from: float = 0.0
    failure: tuple[str, str] | None = None
    failures: int = 0
    due: float = 0.0
    busy: bool = field(default=False)

    @property
    def ends(self) -> float:
        """When the keys retrieved last stop to count, unless they are refreshed."""
        return self.age_from + self.wanted.refresh_s + self.wanted.keep_s


def wanted(world: World) -> dict[str, WantedKeySet]:
    """The remote key sets of all Gates, by URI.

    Two places with one URI share one retrieval, under the stricter of their settings.
    """
    result: dict[str, WantedKeySet] = {}
    for doc in world.gates.values():
        for index, provider in enumerate(doc.spec.identity.jwt):
            remote = provider.jwks.remote
            if remote is None:
                continue
            path = f"spec.identity.jwt[{index}].jwks.remote"
            ca, problem = (None, "") if remote.ca is None else _authority(world, remote.ca)
            one = WantedKeySet(
                target=fetch.FetchTarget(uri=remote.uri, allow_private=remote.allow_private, ca=ca),
                refresh_s=remote.refresh_seconds,
                keep_s=remote.keep_seconds,
                places=((doc.origin(path), doc.where(path)),),
                problem=problem,
            )
            other = result.get(remote.uri)
            result[remote.uri] = one if other is None else _both(other, one)
    return result


class KeySets:
    """Keeps the key sets that were wanted last. Used from one event loop, but for `retrieved`.

    on_change: called on that loop whenever `retrieved` would say something new. remembered: what an
    earlier process kept, by URI; remember: called whenever that changes.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        clock: Clock,
        *,
        resolve: fetch.Resolve = fetch.system_resolve,
        remembered: Mapping[str, CachedKeySet] | None = None,
        remember: Remember = lambda _kept: None,
    ) -> None:
        self._on_change = on_change
        self._clock = clock
        self._resolve = resolve
        self._remembered = dict(remembered or {})
        self._remember = remember
        self._one_at_a_time = asyncio.Lock()
        self._held: dict[str, _Held] = {}
        self._retrieved = Retrieved()
        self._event = asyncio.Event()

    def retrieved(self) -> Retrieved:
        """The key sets at hand, and findings about those that are not. Never blocks; any thread."""
        return self._retrieved

    def want(self, world: World) -> World:
        """From now on, the key sets that this World's Gates name; the same World with those of them
        that count now. The others are remembered for a Gate that comes back, and not handed out."""
        new = wanted(world)
        now = asyncio.get_running_loop().time()
        held: dict[str, _Held] = {}
        for uri, one in new.items():
            before = self._held.get(uri)
            if before is None:
                held[uri] = self._recall(uri, one, now)
                continue
            if (before.wanted.target, before.wanted.problem) != (one.target, one.problem):
                before.failure, before.due = None, now
            if before.kept is not None and not _is_trusted(before.kept, one):
                before.kept = None
            before.due = min(before.due, now + one.refresh_s)
            before.wanted = one
            held[uri] = before
        for uri, gone in self._held.items():
            if uri not in held and gone.kept is not None:
                self._remembered[uri] = gone.kept
        while len(self._remembered) > _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._held = held
        self._publish()
        self._event.set()
        keys = self._retrieved.jwks
        return world if world.jwks == keys else dataclasses.replace(world, jwks=keys)

    def _recall(self, uri: str, one: WantedKeySet, now: float) -> _Held:
        """A key set that is wanted anew, with the keys that an earlier process kept, if they count."""
        held = _Held(wanted=one, due=now)
        kept = self._remembered.pop(uri, None)
        if kept is None or not _is_trusted(kept, one):
            return held
        age = self._clock.now() - kept.at
        if age >= -_MAX_CLOCK_STEP:
            held.kept, held.age_from = kept, now - max(0.0, age.total_seconds())
        if held.ends <= now:
            held.kept = None
        return held

    async def run(self) -> None:
        """Retrieves what is due, for as long as it is not cancelled."""
        async with asyncio.TaskGroup() as group:
            slots = asyncio.Semaphore(_MAX_AT_ONCE)
            while True:
                self._event.clear()
                now = asyncio.get_running_loop().time()
                for held in self._held.values():
                    if held.due <= now and not held.busy:
                        held.busy = True
                        group.create_task(self._one(held, slots), name="key-set")
                self._expire(now)
                await self._sleep(now)

    def _expire(self, now: float) -> None:
        """Keys that could not be refreshed for too long count no more."""
        over = [h for h in self._held.values() if h.kept is not None and h.ends <= now]
        for held in over:
            held.kept = None
        if over:
            self._publish()

    async def _sleep(self, now: float) -> None:
        """Until the next is due or ends, or until `want` or an answer changes that."""
        moments = [h.due for h in self._held.values() if not h.busy]
        moments += [h.ends for h in self._held.values() if h.kept is not None]
        due = min(moments, default=None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(0.0, due - now)):
                await self._event.wait()

    async def _one(self, held: _Held, slots: asyncio.Semaphore) -> None:
        one = held.wanted
        text: str | None = None
        failure: tuple[str, str] | None = None
        try:
            async with slots:
                text = await self._text(one)
        except fetch.FetchRefusedError as error:
            failure = ("jwks-uri-refused", str(error))
        except fetch.UnavailableError as error:
            failure = ("jwks-unavailable.remote", str(error))
        finally:
            held.busy = False
        if held.wanted.target == one.target:
            self._keep(held, text, failure)
            if text is not None:
                await self._tell_memory()
        self._event.set()

    async def _tell_memory(self) -> None:
        async with self._one_at_a_time:
            kept = {uri: h.kept for uri, h in self._held.items() if h.kept is not None}
            await asyncio.to_thread(self._remember, kept)

    async def _text(self, one: WantedKeySet) -> str:
        if one.problem:
            raise fetch.UnavailableError(one.problem)
        body = await fetch.fetch(one.target, self._resolve)
        try:
            text = body.decode("utf-8-sig")
            parsed = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise fetch.UnavailableError("the answer is not JSON") from error
        if not isinstance(parsed, dict) or not isinstance(parsed.get("keys"), list):
            raise fetch.UnavailableError("the answer is no key set: it has no list `keys`")
        if len(parsed["keys"]) > MAX_KEYS:
            raise fetch.UnavailableError(f"the answer has more than {MAX_KEYS} keys")
        return text

    def _keep(self, held: _Held, text: str | None, failure: tuple[str, str] | None) -> None:
        refresh_s: float = held.wanted.refresh_s
        now = asyncio.get_running_loop().time()
        if text is not None:
            at = self._clock.now().replace(microsecond=0)
            held.kept = CachedKeySet(text=text, at=at, trust=_trust(held.wanted.target))
            held.age_from, held.failure, held.failures = now, None, 0
        else:
            held.failure = failure
            refresh_s = min(refresh_s, _FIRST_RETRY_S * 2 ** min(held.failures, 16))
            held.failures += 1
        held.due = now + refresh_s
        self._publish()

    def _publish(self) -> None:
        """One consistent value, replaced as a whole, so that any thread may read it."""
        found = [item for held in self._held.values() for item in _findings(held)]
        new = Retrieved(
            jwks={uri: h.kept.text for uri, h in self._held.items() if h.kept is not None},
            found=findings.order(found),
        )
        if new != self._retrieved:
            self._retrieved = new
            self._on_change()


def _findings(held: _Held) -> Iterator[findings.Finding]:
    if held.failure is None:
        return
    code, why = held.failure
    uri = held.wanted.target.uri
    for origin, where in held.wanted.places:
        if held.kept is not None:
            at, end = f"{held.kept.at:%Y-%m-%dT%H:%M:%SZ}", _end(held.kept, held.wanted)
            yield describe("jwks-stale", origin, where, uri=uri, why=why, at=at, end=end)
        else:
            yield describe(code, origin, where, uri=uri, why=why)


def _end(kept: CachedKeySet, wanted: WantedKeySet) -> str:
    end = kept.at + timedelta(seconds=wanted.refresh_s + wanted.keep_s)
    return f"{end:%Y-%m-%dT%H:%M:%SZ}"


def _trust(target: fetch.FetchTarget) -> str:
    """Whom a server is trusted by, and where it may be."""
    authority = "public" if target.ca is None else hashlib.sha256(target.ca).hexdigest()
    return f"{_bounds(target)} {authority}"


def _bounds(target: fetch.FetchTarget) -> str:
    return "private" if target.allow_private else "public"


def _is_trusted(kept: CachedKeySet, one: WantedKeySet) -> bool:
    """Whether keys that were retrieved before still may count: the same authority and bounds. An
    authority that cannot be read just now is no other authority."""
    if one.problem:
        return kept.trust.split(" ")[0] == _bounds(one.target)
    return kept.trust == _trust(one.target)


def _both(one: WantedKeySet, other: WantedKeySet) -> WantedKeySet:
    different = one.target.ca != other.target.ca
    return WantedKeySet(
        target=fetch.FetchTarget(
            uri=one.target.uri,
            allow_private=one.target.allow_private and other.target.allow_private,
            ca=one.target.ca,
        ),
        refresh_s=min(one.refresh_s, other.refresh_s),
        keep_s=min(one.keep_s, other.keep_s),
        places=(*one.places, *other.places),
        problem=one.problem
        or other.problem
        or ("two Gates name it with different authorities" if different else ""),
    )


def _authority(world: World, source: api.FileOrSecretKey) -> tuple[bytes | None, str]:
    """The PEM that a Gate names for a key set's server, or None and why not."""
    if source.file is not None:
        data = world.files.get(source.file)
        return data, "" if data is not None else f"{source.file} cannot be read"
    if source.secret is None:  # the type admits exactly one of the two
        return None, "no authority is given"
    place = (source.secret.namespace, source.secret.name)
    key = source.key or "ca.crt"
    secret = world.secrets.get(place)
    if secret is None:
        return None, f"Secret {'/'.join(place)} does not exist"
    if key in secret.spec.string_data:
        return secret.spec.string_data[key].encode(), ""
    try:
        return base64.b64decode(secret.spec.data[key], validate=True), ""
    except (KeyError, binascii.Error, ValueError):
        return None, f"Secret {'/'.join(place)} has no usable key {key!r}"
