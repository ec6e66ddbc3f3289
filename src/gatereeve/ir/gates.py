"""One gate, whole: the root of the IR, and its content hash.

Everything is in one total order (`compile.routes.route_order`), so that equal documents give equal bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gatereeve.core import trusted_headers
from gatereeve.core.refs import ConfigHash, Origin
from gatereeve.ir.access import Access
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.identity import Attributes, Identity
from gatereeve.ir.routes import VirtualHost


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """chain: PEM, leaf first. key: PEM; redacted in every dump. hosts: names it is shown for.

    hosts empty: the default certificate of its listener.
    """

    name: str
    hosts: tuple[str, ...]
    chain: str
    key: str = field(repr=False)
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One address. hosts: names of the virtual hosts it serves, in order.

    protocol https: `certificates` by SNI; tls_min: the floor.
    shown_port: the port that callers use, where something leads it to `port`; None: `port` itself.
    tls_port: the port over which callers reach the same hosts over TLS; None: that of the first
    https listener of the gate.
    """

    name: str
    protocol: Literal["http", "https"]
    address: str
    port: int
    tls_min: Literal["1.0", "1.1", "1.2", "1.3"]
    certificates: tuple[Certificate, ...]
    hosts: tuple[VirtualHost, ...]
    shown_port: int | None = None
    tls_port: int | None = None
    origin: Origin

    @property
    def public_port(self) -> int:
        """The port that callers see."""
        return self.port if self.shown_port is None else self.shown_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """What the gate asks of requests beyond HTTP.

    plain_ordinary_paths: paths of ordinary routes must mean the same when decoded again; those of
    governed routes always must, and more (`core.plain_values`).
    identity_headers: names in lower case that models do not get beside `trusted_headers.ALWAYS`; `*` ends a
    beginning.
    """

    plain_ordinary_paths: bool = True
    identity_headers: tuple[str, ...] = trusted_headers.IDENTITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """All that one gate must do. access: sorted by model; clusters: by name.

    hash: over everything else, so equality of hashes is equality of behaviour.
    """

    name: str
    region: str
    hash: ConfigHash
    listeners: tuple[Listener, ...]
    identity: Identity
    attributes: Attributes
    access: tuple[Access, ...]
    clusters: tuple[Cluster, ...]
    trusted_hops: int
    max_body_bytes: int
    requests: Requests = Requests()
    origin: Origin

    def tls_port(self, listener: Listener) -> int:
        """The port at which callers of a plain `listener` find the same hosts over TLS."""
        if listener.tls_port is not None:
            return listener.tls_port
        return next((x.public_port for x in self.listeners if x.protocol == "https"), 443)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ir:
    """All gates of a World, by name."""

    gates: tuple[Gate, ...] = ()
