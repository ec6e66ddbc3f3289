"""Reading a cluster once: its documents, and the guards that are installed in it. Writes nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import cast

from gatereeve.admission.guards.settings import Object
from gatereeve.api.world import World
from gatereeve.core.errors import SourceError
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.kube import guards
from gatereeve.sources.kube.access import Access
from gatereeve.sources.kube.client import ApiClient
from gatereeve.sources.kube.source import KubeSettings, KubeSource
from gatereeve.sources.kube.whole_kinds import KindListing, KindQuery, everything

WITHIN_S = 60.0


async def read_cluster(
    access: Access, *, namespaces: Sequence[str] = (), within_s: float = WITHIN_S
) -> World:
    """The World of a cluster now, as a controller would read it: all of it, or SourceError.

    Raises SettingsError when the access cannot be used.
    """
    client = ApiClient(access)
    source = KubeSource(client, SystemClock(), KubeSettings(namespaces=tuple(namespaces)))
    try:
        async with asyncio.timeout(within_s), contextlib.aclosing(source.worlds()) as worlds:
            return await anext(worlds)
    except TimeoutError:
        raise SourceError(*_why(source, client.server, within_s)) from None
    finally:
        await client.aclose()


async def read_guards(access: Access) -> tuple[Object, ...]:
    """Every object of the kinds that guards are of. Raises ApiError, or SettingsError as above."""
    client = ApiClient(access)
    try:
        return tuple(cast("list[Object]", await guards.installed(client)))
    finally:
        await client.aclose()


async def read_everything(access: Access, queries: Iterable[KindQuery]) -> KindListing:
    """Every object of these kinds, as far as we may list them. Raises ApiError, or SettingsError."""
    client = ApiClient(access)
    try:
        return await everything(client, queries)
    finally:
        await client.aclose()


def _why(source: KubeSource, server: str, within_s: float) -> tuple[str]:
    late = [mirror for mirror in source.mirrors() if not mirror.synced]
    problems = "; ".join(
        sorted({f"{mirror.kind}: {mirror.problem or 'no answer'}" for mirror in late})
    )
    return (f"{server} was not read within {within_s:.0f} s: {problems or 'Secrets'}",)
