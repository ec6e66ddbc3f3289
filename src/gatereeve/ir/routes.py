"""Hosts and routes: what a request must look like, and what then happens.

Routes of a virtual host are in order and the first match decides. Every governed route carries a
`Governance`; a route that forwards to a model without one does not exist (`proxy.envoy.invariants`
checks it). Paths are canonical: no dot segments, no escapes of slashes, no `;`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.core.refs import Origin, PolicyHash
from gatereeve.ir.access import InGroup, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMatch:
    """exact: equal. prefix: whole segments, without trailing slash, "/" takes everything.
    regex: RE2, whole path; only on ordinary routes."""

    kind: Literal["exact", "prefix", "regex"]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMatch:
    """A header (lower-case name) or query parameter. regex: RE2 over the whole value."""

    name: str
    kind: Literal["exact", "regex"]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """All parts must hold.

    body_model: the `model` in an OpenAI body must be one of these; None asks nothing.
    body_stream: `stream` in the body must be true (True) or absent or false (False).
    groups: any of these groups; regions: any of these regions (lower case); both from identity.
    """

    path: PathMatch
    methods: tuple[str, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    body_model: tuple[str, ...] | None = None
    body_stream: bool | None = None
    groups: tuple[InGroup, ...] = ()
    regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of the traffic, in order. cluster: its name, or "" for a share without a valid backend,
    which answers `no-backend`. version: "" for Services. weight: of the route's total."""

    cluster: str
    version: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyHeader:
    """Hash of a request header (lower-case name)."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyPrincipal:
    """Hash of the principal's id (without its provider)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StickyAddress:
    """Hash of the client's address, as text without port."""


StickyKey: TypeAlias = StickyHeader | StickyPrincipal | StickyAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderEdit:
    """set replaces, add appends, remove deletes; names in lower case; in the order given."""

    set: tuple[tuple[str, str], ...] = ()
    add: tuple[tuple[str, str], ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A copy to `cluster` of `per_million` of a million requests."""

    cluster: str
    per_million: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRewrite:
    """prefix: the matched prefix becomes `value`. full: the whole path becomes `value`."""

    kind: Literal["prefix", "full"]
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """To servers. shares: total weight > 0; sticky: the first key that is there decides.

    retry_safe: retried only when the request cannot have reached a server.
    streaming: no limit on the whole answer, only on silence (`timeout_s`).
    """

    shares: tuple[Share, ...]
    sticky: tuple[StickyKey, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    rewrite: PathRewrite | None = None
    rewrite_host: str | None = None
    request_headers: HeaderEdit = HeaderEdit()
    response_headers: HeaderEdit = HeaderEdit()
    timeout_s: float = 60
    streaming: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Location is built from the request with the given parts replaced."""

    status: int
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: PathRewrite | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuse:
    """Answered by the gate: a code of `core.refusals`."""

    code: str


Action: TypeAlias = Forward | Redirect | Refuse


CallerHeader: TypeAlias = Literal["principal", "groups", "region", "purpose", "record"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """What makes a route governed.

    model: `namespace/name`, also the key into `Gate.access`. policy: hash of all
    that decides about this model on this gate. route_rule: which rollout rule chose the versions
    (`match[0]`, a name, `split`, `requested`, `default`). requested: a version the request named.
    caller_headers: what the gate says to the model about the request (`ir.header_access.CALLER_HEADERS`).
    """

    model: str
    protocol: Literal["openai", "kserve-v1", "kserve-v2", "json"]
    operation: Operation
    audit: Literal["observe", "recorded", "strict"]
    policy: PolicyHash
    route_rule: str
    requested: str | None = None
    caller_headers: tuple[CallerHeader, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One row of a virtual host. `name` is unique within it and stable."""

    name: str
    match: Match
    action: Action
    governance: Governance | None
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualHost:
    """host: a name, `*.suffix`, or `*`. single_label: `*` stands for exactly one label (Ingress).

    tls: what plain HTTP gets — `any` serves it, `redirect` answers 308, `refuse` 403 tls-required.
    Only governed hosts ask for TLS. inspects_body: some route matches on an OpenAI body.
    """

    host: str
    single_label: bool
    tls: Literal["any", "redirect", "refuse"]
    inspects_body: bool
    routes: tuple[Route, ...]
    origin: Origin
