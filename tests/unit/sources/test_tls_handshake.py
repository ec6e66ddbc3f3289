"""A connection is closed when its request is cancelled during the TLS handshake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from gatereeve.sources import fetch
from gatereeve.sources.kube import resources
from gatereeve.sources.kube.access import Kubeconfig
from gatereeve.sources.kube.client import ApiClient, ListScope
from tests.unit.sources.kube.harness import INGRESS

INGRESSES = resources.of_kind(INGRESS)


class SilentServer:
    """Accepts connections and answers no handshake."""

    def __init__(self) -> None:
        self.port = 0
        self.greeted = asyncio.Event()
        self.closed = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.read(1)
            self.greeted.set()
            await reader.read()
        except ConnectionError:
            pass
        finally:
            self.closed.set()
            writer.close()


@pytest_asyncio.fixture
async def silent() -> AsyncIterator[SilentServer]:
    made = SilentServer()
    async with await asyncio.start_server(made.handle, "127.0.0.1", 0) as server:
        made.port = server.sockets[0].getsockname()[1]
        yield made


async def end_during_handshake(server: SilentServer, request: asyncio.Task[Any]) -> None:
    async with asyncio.timeout(30):
        await server.greeted.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await server.closed.wait()


async def test_of_a_key_set(silent: SilentServer) -> None:
    uri = f"https://127.0.0.1:{silent.port}/jwks"
    call = fetch.fetch(fetch.FetchTarget(uri=uri, allow_private=True))
    await end_during_handshake(silent, asyncio.create_task(call))


@pytest.mark.parametrize("watch", [False, True])
async def test_of_the_api_server(silent: SilentServer, tmp_path: Path, watch: bool) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"server": f"https://127.0.0.1:{silent.port}", "insecure-skip-tls-verify": True}
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "c",
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "c", "user": {"token": "t"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
            }
        )
    )  # fmt: skip
    client = ApiClient(Kubeconfig(path=kubeconfig))
    call = client.get(INGRESSES, "web", "a") if not watch else drain(client)
    await end_during_handshake(silent, asyncio.create_task(call))
    await client.aclose()


async def drain(client: ApiClient) -> None:
    scope = ListScope(resource=INGRESSES)
    async with client.watch(scope, version="1", timeout_s=60) as events:
        async for _ in events:
            pass
