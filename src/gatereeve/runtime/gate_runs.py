"""What is known about each Gate and its Envoys while they run. Holds state only; decides nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from gatereeve.core.findings import Finding
from gatereeve.ir.gates import Gate
from gatereeve.proxy.xds import snapshot as snap


@dataclass(slots=True, kw_only=True)
class NodeRun:
    """What is known about one Envoy of a Gate, for as long as it is asked.

    active: the hash it has proved to run. unproved: why not the newest, after a try.
    settled: it has accepted all of the newest; asking before that would only slow it down.
    changed: something else is published, or it began anew. elsewhere: another controller serves it,
    so this process does not see when it has accepted.
    """

    elsewhere: bool = False
    active: str | None = None
    unproved: str = ""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    changed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class GateRun:
    """What is known about one Gate. Owned by the control plane, changed on its loop only.

    nodes: the Envoys that serve it, by node id. active: the hash that all of them had proved to run
    when they last agreed, with the time; None while none of them has proved anything.
    """

    gate: Gate
    snapshot: snap.Snapshot
    published_at: datetime
    nodes: dict[str, NodeRun] = field(default_factory=dict)
    active: str | None = None
    active_at: datetime | None = None

    @property
    def is_current(self) -> bool:
        """Whether every Envoy of the Gate, and at least one, runs what is published."""
        return bool(self.nodes) and all(self.runs(node) for node in self.nodes)

    @property
    def unproved(self) -> str:
        """Why the first that does not run it does not, as far as known."""
        return next((n.unproved for name, n in sorted(self.nodes.items())
                     if n.unproved and not self.runs(name)), "")  # fmt: skip

    def runs(self, node: str) -> bool:
        return self.nodes[node].active == self.gate.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpublished:
    """A Gate whose newest form could not be handed out. again: a moment later it may work."""

    gate: Gate
    finding: Finding
    again: bool
