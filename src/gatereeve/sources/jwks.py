"""Remote key sets: retrieved beside the compile path, refreshed, and kept when a refresh fails.

The compiler never waits for a network: it reads what `retrieved` says at that moment, and a key set
that is not there yet admits nobody. Which keys are good enough is judged there, too; here a body
only has to be a JSON object with `keys`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gatereeve.api import gate as api
from gatereeve.api.world import World
from gatereeve.core import findings, refs
from gatereeve.sources import fetch
from gatereeve.sources.files import Retrieved

_FIRST_RETRY_S = 2.0
_MAX_AT_ONCE = 8

Place = tuple[refs.Origin, refs.Where | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One key set that Gates want. problem: why it is not retrieved at all, or "" ."""

    target: fetch.Target
    refresh_s: int
    places: tuple[Place, ...]
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class _Held:
    """What is known about one key set. due: on the loop's clock."""

    wanted: Wanted
    text: str | None = None
    failure: tuple[str, str] | None = None
    failures: int = 0
    due: float = 0.0
    busy: bool = field(default=False)


def wanted(world: World) -> dict[str, Wanted]:
    """The remote key sets of all Gates, by URI.

    Two places with one URI share one retrieval, under the stricter of their settings.
    """
    result: dict[str, Wanted] = {}
    for doc in world.gates.values():
        for index, provider in enumerate(doc.spec.identity.jwt):
            remote = provider.jwks.remote
            if remote is None:
                continue
            path = f"spec.identity.jwt[{index}].jwks.remote"
            ca, problem = (None, "") if remote.ca is None else _authority(world, remote.ca)
            one = Wanted(
                target=fetch.Target(uri=remote.uri, allow_private=remote.allow_private, ca=ca),
                refresh_s=remote.refresh_seconds,
                places=((doc.origin(path), doc.where(path)),),
                problem=problem,
            )
            other = result.get(remote.uri)
            result[remote.uri] = one if other is None else _both(other, one)
    return result


class KeySets:
    """Keeps the key sets that were wanted last. Used from one event loop, but for `retrieved`.

    on_change: called on that loop whenever `retrieved` would say something new.
    """

    def __init__(
        self, on_change: Callable[[], None], *, resolve: fetch.Resolve = fetch.system_resolve
    ) -> None:
        self._on_change = on_change
        self._resolve = resolve
        self._held: dict[str, _Held] = {}
        self._retrieved = Retrieved()
        self._event = asyncio.Event()

    def retrieved(self) -> Retrieved:
        """The key sets at hand, and findings about those that are not. Never blocks; any thread."""
        return self._retrieved

    def want(self, world: World) -> None:
        """From now on, the key sets that this World's Gates name. The others are forgotten."""
        new = wanted(world)
        now = asyncio.get_running_loop().time()
        held: dict[str, _Held] = {}
        for uri, one in new.items():
            before = self._held.get(uri)
            if before is None:
                held[uri] = _Held(wanted=one, due=now)
                continue
            if (before.wanted.target, before.wanted.problem) != (one.target, one.problem):
                # Other authorities or bounds: what was trusted before need not be now.
                before.text, before.failure, before.due = None, None, now
            before.due = min(before.due, now + one.refresh_s)
            before.wanted = one
            held[uri] = before
        self._held = held
        self._publish()
        self._event.set()

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
                await self._sleep(now)

    async def _sleep(self, now: float) -> None:
        """Until the next is due, or until `want` or an answer changes that."""
        due = min((h.due for h in self._held.values() if not h.busy), default=None)
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
        except fetch.RefusedError as error:
            failure = ("jwks-uri-refused", str(error))
        except fetch.UnavailableError as error:
            failure = ("jwks-unavailable", str(error))
        finally:
            held.busy = False
        if held.wanted.target == one.target:
            self._keep(held, text, failure)
        self._event.set()

    async def _text(self, one: Wanted) -> str:
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
        return text

    def _keep(self, held: _Held, text: str | None, failure: tuple[str, str] | None) -> None:
        refresh_s: float = held.wanted.refresh_s
        if text is not None:
            held.text, held.failure, held.failures = text, None, 0
        else:
            held.failure = failure
            refresh_s = min(refresh_s, _FIRST_RETRY_S * 2 ** min(held.failures, 16))
            held.failures += 1
            if failure is not None and failure[0] == "jwks-uri-refused":
                held.text = None
        held.due = asyncio.get_running_loop().time() + refresh_s
        self._publish()

    def _publish(self) -> None:
        """One consistent value, replaced as a whole, so that any thread may read it."""
        found = [item for held in self._held.values() for item in _findings(held)]
        new = Retrieved(
            jwks={uri: held.text for uri, held in self._held.items() if held.text is not None},
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
    message = f"the key set at {uri} is not there: {why}"
    hint = "until it is there, every token of this issuer is refused"
    if code == "jwks-uri-refused":
        message = f"the key set may not be retrieved from {uri}: {why}"
        hint = "use https and a public address, or write `allowPrivate: true`"
    elif held.text is not None:
        code = "last-good-kept"
        message = f"the key set at {uri} cannot be refreshed: {why}"
        hint = "the keys retrieved last stay in force"
    for origin, where in held.wanted.places:
        yield findings.Finding(
            code=findings.FindingCode(code), message=message, hint=hint, origin=origin, where=where
        )


def _both(one: Wanted, other: Wanted) -> Wanted:
    different = one.target.ca != other.target.ca
    return Wanted(
        target=fetch.Target(
            uri=one.target.uri,
            allow_private=one.target.allow_private and other.target.allow_private,
            ca=one.target.ca,
        ),
        refresh_s=min(one.refresh_s, other.refresh_s),
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
