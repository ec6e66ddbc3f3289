"""The Services and servers of models, kept across restarts: they stay closed to ordinary routes (P2).

The memory grows with every World and is durable before the configuration that governs it goes out.
It is read before the first World is served; one that is damaged or lost is never taken for an empty
one. Releases stand in HostGrants, so nothing here forgets.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import msgspec

from gatereeve.api.world import Held, Memory, World
from gatereeve.compile.compiler import Compiled, Compiler
from gatereeve.core.errors import GatereeveError, SettingsError
from gatereeve.core.logs import EventLog
from gatereeve.pki import private_file

_LOG = EventLog(__name__)

EMPTY = '{"services": [], "servers": []}'
"""The text of a memory of nothing."""


class GovernedStore(Protocol):
    """Where a memory is kept."""

    async def load(self) -> Memory:
        """What is kept. Raises GatereeveError when it cannot be read: nothing may be served then."""
        ...

    async def save(self, memory: Memory) -> tuple[Memory, bool]:
        """Keep it. Returns it with what others kept meanwhile, and whether all of that is kept now: not
        where another replica is the one that writes. Raises GatereeveError when it cannot be."""
        ...


class GovernedAddresses:
    """See the module. Used by one caller at a time. store: None keeps it in this process only."""

    def __init__(self, store: GovernedStore | None = None) -> None:
        self._store = store
        self._memory: Memory | None = None if store is not None else Memory()
        self._saved: Memory | None = None

    async def compile(self, world: World, compiler: Compiler) -> tuple[World, Compiled]:
        """Compile a World with the memory of the Worlds before, and keep what is new in it.

        Returns the World with its memory as well. Raises GatereeveError when what was kept before
        cannot be read. A memory that cannot be written is in force all the same, and is tried again
        with the next World.
        """
        if self._memory is None:
            assert self._store is not None
            self._memory = await self._store.load()
        while True:
            world = replace(world, memory=self._memory)
            compiled, memory = await asyncio.to_thread(compiler.compile_remembering, world)
            self._memory = memory
            if self._store is not None and memory is not self._saved:
                await self._save(self._store, memory)
            if self._memory is memory:  # else others kept more meanwhile
                return replace(world, memory=memory), compiled

    async def _save(self, store: GovernedStore, memory: Memory) -> None:
        try:
            whole, is_saved = await store.save(memory)
        except GatereeveError as error:
            _LOG.error("governed_addresses_not_saved", error=error)
            return
        self._memory = memory if whole == memory else whole
        if is_saved:
            self._saved = self._memory


_Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    namespace: str
    name: str
    model: str
    until: _Moment | None = None


class _Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    namespace: str
    address: str
    port: int
    model: str
    until: _Moment | None = None


class _StoredMemory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    services: tuple[_Service, ...]
    servers: tuple[_Server, ...]


def encode(memory: Memory) -> bytes:
    """As JSON, in order."""
    stored = _StoredMemory(
        services=tuple(
            _Service(*key, held.model, held.until) for key, held in sorted(memory.services.items())
        ),
        servers=tuple(
            _Server(*key, held.model, held.until) for key, held in sorted(memory.servers.items())
        ),
    )
    return msgspec.json.format(msgspec.json.encode(stored), indent=1)


def decode(text: bytes | str) -> Memory:
    """What `encode` wrote. Raises ValueError for anything else."""
    stored = msgspec.json.decode(text, type=_StoredMemory)
    return Memory(
        services={
            (s.namespace, s.name): Held(model=s.model, until=s.until) for s in stored.services
        },
        servers={
            (s.namespace, s.address, s.port): Held(model=s.model, until=s.until)
            for s in stored.servers
        },
    )


_K = TypeVar("_K")


def union(first: Memory, second: Memory) -> Memory:
    """Both together. What is governed by either is governed; else the later moment counts."""
    return Memory(
        services=_union(first.services, second.services),
        servers=_union(first.servers, second.servers),
    )


def _union(first: Mapping[_K, Held], second: Mapping[_K, Held]) -> Mapping[_K, Held]:
    both = {**second, **first}
    for key in first.keys() & second.keys():
        mine, theirs = first[key].until, second[key].until
        if mine is not None and theirs is not None and theirs > mine:
            both[key] = second[key]
    return both


class FileStore:
    """A file of the state directory. used: whether an earlier process served from there, so that a
    file that is missing was lost."""

    def __init__(self, path: Path, *, used: bool) -> None:
        self._path = path
        self._used = used

    async def load(self) -> Memory:
        return self.read()

    def read(self) -> Memory:
        """Raises SettingsError when it is lost or damaged."""
        try:
            return decode(self._path.read_bytes())
        except FileNotFoundError:
            if not self._used:
                return Memory()
            why = "is gone"
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
        except ValueError as error:
            why = f"is damaged: {error}"
        raise SettingsError(
            f"{self._path} {why}. It lists the Services and addresses that stood behind models; without it, routes to those whose documents were deleted would be served",
            hint="restore it from a copy. If this state directory is of a version that did not keep this file, or if everything that the HostGrants name in `backends` and `addresses` may be served, "
            f"begin with an empty list: echo '{EMPTY}' > {shlex.quote(str(self._path))}",
        )

    async def save(self, memory: Memory) -> tuple[Memory, bool]:
        content = encode(memory)
        try:
            await asyncio.to_thread(private_file.replace, self._path, (content,))
        except OSError as error:
            raise SettingsError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="make room; it is tried again with the next change",
            ) from error
        return memory, True
