"""A gate with something to protect, one for each module that asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from gatereeve.proxy.local import envoy_process
from tests.envoy import protected


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[protected.Scene]:
    """One gate for all tests of a module, which run on the module's loop; it must outlive them."""
    async with protected.scene() as made:
        yield made
        await made.gate.publish(made.documents())
        good = protected.post(protected.INFER, f"Authorization: {protected.bearer()}")
        assert (await made.ask(good)).server == "credit"
        assert not made.gate.events.of(envoy_process.Died), made.gate.log.read_text()[-2000:]
