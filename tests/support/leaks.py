"""A pytest plugin: what a test leaves open fails that test.

A socket, a transport or a child process that is neither closed nor used any more is noticed by Python
when its memory is collected, often during another test. So sockets, transports and processes are
registered when they are made. After each test:

* a transport that is open although its event loop is closed can never be closed: a leak;
* if anything else that the test made is still open, memory is collected at once, and a
  ResourceWarning then is a leak. What a fixture of a module or session still holds gives none.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import traceback
import warnings
import weakref
from asyncio.base_subprocess import BaseSubprocessTransport
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest

FRAMES = 8
"""Of the stack that made a thing, which are shown; those of asyncio and of this module not counted."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was made, during which test, and from where."""

    thing: weakref.ref[Any]
    test: str
    stack: traceback.StackSummary

    def describe(self) -> str:
        thing = self.thing()
        frames = [f for f in self.stack if "/asyncio/" not in f.filename][-FRAMES:]
        lines = "".join(f"\n    {f.filename}:{f.lineno} in {f.name}" for f in frames)
        return f"{thing!r} of {self.test}, made by{lines}"


class LeakDetector:
    """Registers what is opened from `install` to `remove`."""

    def __init__(self) -> None:
        self._test = "no test"
        self._transports: list[Opened] = []
        self._others: list[Opened] = []
        self._originals: list[tuple[type, Callable[..., None]]] = []

    def install(self) -> None:
        self._register(asyncio.BaseTransport, self._transports)
        self._register(socket.socket, self._others)
        self._register(subprocess.Popen, self._others)

    def remove(self) -> None:
        while self._originals:
            cls, original = self._originals.pop()
            cls.__init__ = original  # type: ignore[misc]

    def _register(self, cls: type, opened: list[Opened]) -> None:
        original: Callable[..., None] = cls.__init__  # type: ignore[misc]

        def init(made: Any, *args: Any, **kwargs: Any) -> None:
            stack = traceback.StackSummary.extract(
                traceback.walk_stack(None), limit=FRAMES * 4, lookup_lines=False
            )
            stack.reverse()
            opened.append(Opened(weakref.ref(made), self._test, stack))
            original(made, *args, **kwargs)

        self._originals.append((cls, original))
        cls.__init__ = init  # type: ignore[misc]

    def start(self, test: str) -> None:
        self._test = test

    def find(self) -> list[str]:
        """What the test left open."""
        self._transports[:] = [o for o in self._transports if _is_open_transport(o.thing())]
        lost = [o for o in self._transports if _has_closed_loop(o.thing())]
        leaks = [o.describe() for o in lost]
        for opened in lost:  # it is reported now, and warns no more during a later test
            self._transports.remove(opened)
            _close(opened.thing())
        open_still = [o for o in self._others if _is_open(o.thing())]
        self._others.clear()
        if open_still:
            leaks += self._collect(open_still)
        return leaks

    def _collect(self, open_still: list[Opened]) -> list[str]:
        about = [(o.describe(), o.thing) for o in open_still]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("always", ResourceWarning)
            gc.collect()
        if not caught:
            return []
        gone = [text for text, thing in about if thing() is None]
        return [*(str(warning.message) for warning in caught), *gone]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self.start(item.nodeid)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        result = yield
        if leaks := self.find():
            pytest.fail("left open:\n  " + "\n  ".join(leaks), pytrace=False)
        return result

    def pytest_unconfigure(self) -> None:
        self.remove()


def _is_process(transport: Any) -> bool:
    return isinstance(transport, BaseSubprocessTransport)


def _has_closed_loop(transport: Any) -> bool:
    return transport is not None and transport._loop.is_closed()


def _is_open_transport(transport: Any) -> bool:
    """Whether it holds a socket, a pipe or a process."""
    if _is_process(transport):
        return not transport._closed
    return any(getattr(transport, name, None) is not None for name in ("_sock", "_pipe"))


def _is_open(thing: Any) -> bool:
    if isinstance(thing, socket.socket):
        return thing.fileno() != -1
    return thing is not None and getattr(thing, "returncode", 0) is None


def _close(transport: Any) -> None:
    """Without its loop, which is closed: what `close` would do later is done here."""
    if _is_process(transport):
        transport._closed = True
        transport._proc.kill()
        transport._proc.wait()
        return
    transport._closing = True
    for name in ("_sock", "_pipe"):
        if (held := getattr(transport, name, None)) is not None:
            held.close()
            setattr(transport, name, None)


def pytest_configure(config: pytest.Config) -> None:
    detector = LeakDetector()
    detector.install()
    config.pluginmanager.register(detector, "leak-detector")
