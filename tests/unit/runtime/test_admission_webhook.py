"""The webhook beside a controller: nothing before a certificate and a World, renewal, the newest World."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from gatereeve.admission.change_authors import DeletionLog
from gatereeve.core.errors import SettingsError
from gatereeve.proxy.xds.server import MutualTls
from gatereeve.runtime.admission_webhook import AdmissionWebhook
from gatereeve.runtime.supervise import SystemClock
from tests.cluster.certificates import Authority
from tests.support.ports import free_port
from tests.support.reviews import body
from tests.support.worlds import world_of
from tests.unit.admission.test_review import ALL, approval

JSON = {"content-type": "application/json"}


class Kept:
    """A certificate that is there, or not, or another."""

    def __init__(self, root: Path) -> None:
        self.authority = Authority(root / "ca")
        self.authority.create()
        self.now: MutualTls | None = None
        self.broken = False

    def issue(self, name: str) -> None:
        crt, key = self.authority.issue(name, user=name, dns=("localhost",))
        self.now = MutualTls(
            certificate_chain=crt.read_bytes(),
            private_key=key.read_bytes(),
            client_authority=self.authority.certificate.read_bytes(),
        )

    def __call__(self) -> MutualTls | None:
        if self.broken:
            raise SettingsError("it cannot be read")
        return self.now


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


@asynccontextmanager
async def opened(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[AdmissionWebhook, str]]:
    monkeypatch.setattr("gatereeve.runtime.admission_webhook._LOOK_S", 0.02)
    port = free_port()
    door = AdmissionWebhook(f"127.0.0.1:{port}", kept, SystemClock(), DeletionLog(SystemClock()))
    tasks = [asyncio.create_task(work()) for work in (door.run, door.index_worlds)]
    try:
        yield door, f"https://localhost:{port}/review"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def ask(kept: Kept, url: str) -> httpx2.Response | None:
    context = ssl.create_default_context(cafile=str(kept.authority.certificate))
    async with httpx2.AsyncClient(verify=context, trust_env=False) as client:
        try:
            return await client.post(url, content=body(approval("mia")), headers=JSON)
        except httpx2.TransportError:
            return None


Found = TypeVar("Found")


async def until(look: Callable[[], Awaitable[Found | None]]) -> Found:
    async with asyncio.timeout(10):
        while not (found := await look()):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found


async def answered(kept: Kept, url: str) -> httpx2.Response:
    return await until(lambda: ask(kept, url))


async def test_it_is_closed_until_it_has_a_certificate_and_refuses_until_it_has_a_world(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(kept, monkeypatch) as (door, url):
        assert await ask(kept, url) is None
        kept.issue("first")
        answer = (await answered(kept, url)).json()["response"]
        assert not answer["allowed"]
        assert answer["status"]["code"] == 503
        door.show(world_of(*ALL))

        async def is_judged() -> bool:
            return "approval-self" in (await answered(kept, url)).text

        await until(is_judged)
        assert door.counts.outcomes["refused"] >= 2


async def test_a_certificate_is_renewed_and_one_that_cannot_be_used_changes_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.issue("first")
    async with opened(kept, monkeypatch) as (door, url):
        await answered(kept, url)
        first = door.expires
        kept.broken = True
        await asyncio.sleep(0.1)
        await answered(kept, url)
        kept.broken = False
        assert kept.now is not None
        kept.now = MutualTls(
            certificate_chain=kept.now.certificate_chain,
            private_key=b"no key",
            client_authority=kept.now.client_authority,
        )
        await asyncio.sleep(0.1)
        await answered(kept, url)
        assert door.expires == first
        await asyncio.sleep(1.1)  # certificates count in seconds
        kept.issue("second")

        async def is_renewed() -> bool:
            return door.expires != first

        await until(is_renewed)
        await answered(kept, url)


def test_an_address_that_is_none_is_refused(kept: Kept) -> None:
    with pytest.raises(SettingsError):
        AdmissionWebhook("9443", kept, SystemClock(), DeletionLog(SystemClock()))
