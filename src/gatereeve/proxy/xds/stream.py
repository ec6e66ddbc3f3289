"""One delta stream while it lasts: a reader, a writer, and the record of its node.

The reader feeds requests to the session and passes what they mean to the Gate and the observer; the
writer sends what the session has to say, one message at a time, and otherwise sleeps until the
Gate's view, the session or the time gives a reason. A gate that reads slowly holds up its own
writer and nothing else.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import grpc
import grpc.aio

from gatereeve.core import protocols, refs
from gatereeve.proxy.xds import events, gate, peers, session
from gatereeve.proxy.xds import snapshot as snap

EOF: Final[object] = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs do not know it
"""What reading a stream gives once the gate has ended it."""


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class NodeRecord:
    """What is remembered of one node, over its streams. Changed by its current stream only."""

    identity: peers.PeerIdentity
    since: dt.datetime
    stream: "Stream | None" = None
    settled: refs.ConfigHash | None = None
    acked: dict[snap.TypeUrl, str] = dataclasses.field(default_factory=dict)
    last_nack: events.Nacked | None = None
    unwarmed: tuple[tuple[str, str], ...] = ()

    def status(self, view: gate.View | None) -> events.GateStatus:
        return events.GateStatus(
            gate=self.identity.gate,
            node=self.identity.node,
            connected=self.stream is not None,
            since=self.since,
            build=self.identity.build,
            published=view.version if view else None,
            settled=self.settled,
            acked=dict(self.acked),
            suppressed=_suppressed(view),
            last_nack=self.last_nack,
        )


@dataclasses.dataclass(slots=True, kw_only=True)
class Bucket:
    """A token bucket over requests of one stream."""

    per_s: float
    burst: int
    level: float
    at: float

    def take(self, now: float) -> bool:
        self.level = min(float(self.burst), self.level + (now - self.at) * self.per_s)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Stream:
    """See the module. context: the grpc.aio ServicerContext. wake_all: wakes the Gate's streams."""

    context: Any
    identity: peers.PeerIdentity
    state: gate.GateState
    record: NodeRecord
    exchange: session.Session
    bucket: Bucket
    clock: protocols.Clock
    counters: events.XdsCounters
    observer: events.GateObserver
    wake_all: Callable[[], None]
    _woken: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    _refusal: peers.PeerRefusedError | None = None

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()

    def close(self, code: grpc.StatusCode, text: str) -> None:
        """End the stream from our side, as soon as its writer is free."""
        self._refusal = peers.PeerRefusedError(code, text)
        self._woken.set()

    async def run(self, first: Any) -> None:
        """Serve until either side ends the stream. Raises RefusedError when it is ours."""
        self._open()
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(), name=f"xds-write {self.identity.node}")
                await self._read(first)
                writer.cancel()
        except* peers.PeerRefusedError as refusals:
            self._refusal = _first(refusals)
        finally:
            self._close()
        if self._refusal is not None:
            raise self._refusal

    def _open(self) -> None:
        self.record.identity = self.identity
        self.record.stream = self
        self.record.since = self.clock.now()
        self.record.acked.clear()
        self.record.settled = None
        self.observer(
            events.Connected(
                gate=self.identity.gate,
                node=self.identity.node,
                build=self.identity.build,
                agent=self.identity.agent,
            )
        )

    def _close(self) -> None:
        if self.record.stream is not self:
            return  # the node has a newer stream: it is connected
        self.record.stream = None
        self.record.since = self.clock.now()
        self.record.unwarmed = self.exchange.unwarmed()
        self.observer(events.Disconnected(gate=self.identity.gate, node=self.identity.node))

    async def _read(self, first: Any) -> None:
        request = first
        while request is not EOF:
            if not self.bucket.take(self.clock.monotonic()):
                raise peers.PeerRefusedError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED, "too many requests on this stream"
                )
            peers.check_unchanged(request.node, self.identity)
            if request.type_url not in snap.TYPES:
                raise peers.PeerRefusedError(
                    grpc.StatusCode.INVALID_ARGUMENT, f"{request.type_url} is not served"
                )
            self._note(self.exchange.receive(request))
            self._woken.set()
            request = await self.context.read()

    async def _write(self) -> None:
        while True:
            self._woken.clear()
            if self._refusal is not None:
                raise self._refusal
            now = self.clock.monotonic()
            view = self.state.view
            self._note_settled(view)  # before the removals that follow it
            timeouts = self.exchange.barrier_timeouts
            response = self.exchange.respond(view, now) if view else None
            self.counters.barrier_timeouts += self.exchange.barrier_timeouts - timeouts
            if response is not None:
                self.counters.responses += 1
                self.counters.resources += len(response.resources)
                await self.context.write(response)
                continue
            wake_at = self.exchange.wake_at(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wake_at is None else wake_at - now):
                    await self._woken.wait()

    def _note(self, receipt: session.Receipt) -> None:
        if isinstance(receipt, session.Accepted):
            self.state.acknowledged(receipt.type_url, receipt.sent.resources)
            self.record.acked[receipt.type_url] = receipt.sent.version
            self.observer(
                events.Acked(
                    gate=self.identity.gate,
                    node=self.identity.node,
                    type_url=receipt.type_url,
                    version=receipt.sent.version,
                )
            )
        elif isinstance(receipt, session.Rejected):
            self._note_rejected(receipt)
        elif isinstance(receipt, session.Stale):
            self.counters.stale_nonces += 1

    def _note_rejected(self, receipt: session.Rejected) -> None:
        nacks = self.counters.nacks
        nacks[receipt.type_url] = nacks.get(receipt.type_url, 0) + 1
        nack = events.Nacked(
            gate=self.identity.gate,
            node=self.identity.node,
            type_url=receipt.type_url,
            names=tuple(receipt.culprits),
            detail=receipt.detail,
            version=receipt.sent.snapshot,
        )
        self.record.last_nack = nack
        if receipt.culprits:
            self.state.reject(receipt.type_url, receipt.culprits)
        self.observer(nack)
        self.wake_all()

    def _note_settled(self, view: gate.View | None) -> None:
        if view is None or view.version == self.record.settled:
            return
        if self.exchange.is_settled(view):
            self.record.settled = view.version
            self.state.settled()
            self.observer(
                events.Settled(
                    gate=self.identity.gate, node=self.identity.node, version=view.version
                )
            )


def _suppressed(view: gate.View | None) -> tuple[tuple[snap.TypeUrl, str], ...]:
    if view is None:
        return ()
    return tuple(
        (type_url, name)
        for type_url, of_type in view.types.items()
        for name in sorted(of_type.suppressed)
    )


def _first(group: BaseExceptionGroup[peers.PeerRefusedError]) -> peers.PeerRefusedError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found
