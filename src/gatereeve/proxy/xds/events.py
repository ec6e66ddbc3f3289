"""What the xDS server reports to its owner: events as they happen, and the status of each gate.

Plain values and one Protocol; the names follow the xDS protocol. `gate` is the name of a Gate
document (`node.cluster`), `node` one Envoy that serves it (`node.id`).
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Protocol

from gatereeve.core.refs import ConfigHash
from gatereeve.proxy.xds.snapshot import TypeUrl


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A gate opened its stream and said who it is. build: its own version, as `1.40.0`.

    agent: where it answers controllers (`host:port`); empty when it does not.
    """

    gate: str
    node: str
    build: str
    agent: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """A gate's stream ended. It keeps serving what it has."""

    gate: str
    node: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A Gate has new content to serve; nothing is said yet about any gate having it."""

    gate: str
    version: ConfigHash


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Acked:
    """A gate accepted one response. version: the content hash of that type, as sent."""

    gate: str
    node: str
    type_url: TypeUrl
    version: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nacked:
    """A gate rejected a response; the last good form of `names` is served instead.

    names: the culprits, sorted; empty while they are still being isolated, because the gate's
    error named none of the rejected resources.
    detail: the gate's own words.
    """

    gate: str
    node: str
    type_url: TypeUrl
    names: tuple[str, ...]
    detail: str
    version: ConfigHash


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A gate accepted all content of a snapshot. Not yet a proof that it runs it: see `activation`.

    What the snapshot no longer has is removed from the gate only after the grace period.
    """

    gate: str
    node: str
    version: ConfigHash


GateEvent = Connected | Disconnected | Published | Acked | Nacked | Settled


class GateObserver(Protocol):
    """Receives every event, in order, on the server's event loop.

    Called from within the server: must return at once, must not raise, must not call the server.
    """

    def __call__(self, event: GateEvent, /) -> None: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateStatus:
    """One gate as the server knows it; kept after it disconnects.

    published: the version served to it, None before the first. settled: the newest snapshot whose
    content it accepted whole. acked: per type, the content hash it accepted last.
    suppressed: content of the snapshot that is not served because a gate rejected it, as
    (type, name). last_nack stays until the Gate is served whole again. since: when it connected or
    disconnected.
    """

    gate: str
    node: str
    connected: bool
    since: dt.datetime
    build: str
    published: ConfigHash | None
    settled: ConfigHash | None
    acked: Mapping[TypeUrl, str]
    suppressed: tuple[tuple[TypeUrl, str], ...]
    last_nack: Nacked | None


@dataclasses.dataclass(slots=True, kw_only=True)
class XdsCounters:
    """Totals since the server began, for metrics. Owned and changed by the server only."""

    streams: int = 0
    streams_refused: int = 0
    responses: int = 0
    resources: int = 0
    nacks: dict[TypeUrl, int] = dataclasses.field(default_factory=dict)
    stale_nonces: int = 0
    barrier_timeouts: int = 0
