"""A task that fails is started again and takes nobody along; a known error is one sentence."""

from __future__ import annotations

import asyncio
import logging

import pytest

from gatereeve.core.errors import SourceError
from gatereeve.runtime import supervise


async def test_a_task_that_fails_runs_again(caplog: pytest.LogCaptureFixture) -> None:
    runs = 0

    async def fails_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise SourceError("the folder is away", hint="bring it back")

    async def lives() -> None:
        await asyncio.Event().wait()

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            supervisor = supervise.Supervisor(group)
            other = supervisor.keep("other", lives)
            await supervisor.keep("documents", fails_once)
            assert not other.done()
            supervisor.cancel()
    assert runs == 2
    assert supervisor.failures == {"documents": 1}
    (record,) = caplog.records
    assert record.getMessage() == (
        'task_failed task=documents error="the folder is away" hint="bring it back"'
    )
    assert record.exc_info is None


async def test_a_defect_is_told_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    failed = asyncio.Event()

    async def breaks() -> None:
        failed.set()
        raise KeyError("x")

    with caplog.at_level(logging.ERROR):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            supervisor = supervise.Supervisor(group)
            supervisor.keep("broken", breaks)
            await failed.wait()
            await asyncio.sleep(0)
            supervisor.cancel()
    assert caplog.records[0].exc_info is not None
