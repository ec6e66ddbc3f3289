"""What the tests of `sources.kube` share: a client of the fake server, short times, a sink."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from gatereeve.api import registry
from gatereeve.runtime.supervise import SystemClock
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.access import Kubeconfig
from gatereeve.sources.kube.client import ApiClient, ClientLimits
from gatereeve.sources.kube.reflector import Change, Pace, Reflector
from tests.support.apiserver import ApiServer

QUICK = Pace(page=3, first=0.005, most=0.05, healthy=0.5, absent=0.02)
LIMITS = ClientLimits(request_s=5.0, page_s=5.0, inactivity_s=5.0)
INGRESS = registry.BY_KIND["networking.k8s.io", "Ingress"]
MODEL = registry.BY_KIND["gatereeve.dev", "Model"]


@asynccontextmanager
async def client_of(
    server: ApiServer,
    folder: Path,
    *,
    limits: ClientLimits = LIMITS,
    token_file: Path | None = None,
) -> AsyncIterator[ApiClient]:
    path = server.kubeconfig(folder / "kubeconfig", token_file=token_file)
    client = ApiClient(Kubeconfig(path=path), limits=limits)
    try:
        yield client
    finally:
        await client.aclose()


class Seen:
    """A `Sink` that remembers: what there is now, and every change in order."""

    def __init__(self) -> None:
        self.now: dict[str, str] = {}
        self.log: list[str] = []
        self.lists = 0
        self.fail: Exception | None = None
        self._changed = asyncio.Event()

    async def take(self, changes: Sequence[Change], *, complete: bool) -> None:
        if self.fail is not None:
            raise self.fail
        self.lists += complete
        for change in changes:
            name = change.key[1]
            if change.item is None:
                self.now.pop(name, None)
                self.log.append(f"-{name}")
            else:
                self.now[name] = change.item.meta.uid
                self.log.append(f"+{name}")
        self._changed.set()

    def note(self) -> None:
        self._changed.set()

    async def until(self, true: Callable[[], bool], within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while not true():
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def reflecting(
    client: ApiClient,
    *,
    kind: registry.Kind = INGRESS,
    pace: Pace = QUICK,
    namespace: str = "",
    seen: Seen | None = None,
) -> AsyncIterator[tuple[Reflector, Seen]]:
    seen = Seen() if seen is None else seen
    reflector = Reflector(
        client, kind.kind, partial(client.find, kind), seen, SystemClock(),
        namespace=namespace, pace=pace, on_health=seen.note,
    )  # fmt: skip
    task = asyncio.create_task(reflector.run())
    try:
        yield reflector, seen
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def ingress(name: str, namespace: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    }  # fmt: skip


def put_ingresses(server: ApiServer, *names: str, namespace: str = "web") -> None:
    for name in names:
        server.put(ingress(name, namespace))


LIST = resources.of_kind(INGRESS).path()
