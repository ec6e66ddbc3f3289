"""A gate without some of its documents: what they are behind becomes refusals, all else stays.

Envoy judges resources whole, and a route configuration holds hosts of many owners. `units_in` says
which documents are behind one resource, `without` makes the gate in which some of them are taken
out: their rows refuse, their clusters and certificates are gone, their tokens verify with no key.
Nothing that is taken out lets another rule answer in its stead: a refusing row keeps the place of
the row, and takes at least the requests that the row took.

Pure; the state of a search is in `isolation`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

from gatereeve.core.refs import ConfigHash, Origin
from gatereeve.ir.gates import Gate, Listener
from gatereeve.ir.identity import ApiKeyProvider, Attributes, Identity, JwtProvider, MtlsProvider
from gatereeve.ir.routes import Forward, Match, PathMatch, Refuse, Route, VirtualHost
from gatereeve.proxy.envoy import names, secrets
from gatereeve.proxy.xds import snapshot as snap

REFUSAL: Final = "configuration-rejected"

Unit = Origin
"""What is taken out as one: a document (no path), or a provider of the Gate's identity (its path)."""

Units = Mapping[Unit, tuple[object, ...]]
"""What each of them says in one resource, to be compared."""

_NAME: Final = attrgetter("origin.ref.name")

_HOLDS: Final = Refuse(code="unknown-model")
"""Rows with this action hold requests until their bodies are read, for rows of other documents too."""

_NO_KEYS: Final = '{"keys":[]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What of a Gate is its own document's: all but hosts, rules and clusters."""

    listeners: tuple[Listener, ...]
    identity: Identity
    attributes: Attributes
    trusted_hops: int
    max_body_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcludedDocuments:
    """What is taken out of a gate. deep: those of the units whose hosts refuse everything, because
    even the refusals in place of their rows were rejected.

    frame: an older form of the gate, which stands in for the Gate's own document, as far as the newest
    still admits what it says.
    """

    units: frozenset[Unit] = frozenset()
    deep: frozenset[Unit] = frozenset()
    frame: Gate | None = None

    def __bool__(self) -> bool:
        return bool(self.units)


def frame_of(gate: Gate) -> Frame:
    return Frame(
        listeners=tuple(replace(listener, hosts=()) for listener in gate.listeners),
        identity=gate.identity,
        attributes=gate.attributes,
        trusted_hops=gate.trusted_hops,
        max_body_bytes=gate.max_body_bytes,
    )


def units_in(gate: Gate, type_url: snap.TypeUrl, name: str) -> Units:
    """The units behind one resource, and what each says there; empty when it belongs to none."""
    if type_url in (snap.RDS, snap.SRDS):
        return _of_rows(gate, type_url, name)
    if type_url == snap.SDS:
        return _of_secret(gate, name)
    if type_url == snap.ECDS:
        return _of_filter(gate, name)
    if type_url == snap.LDS:
        return _of_listener(gate, name)
    return {Unit(c.origin.ref): (c,) for c in gate.clusters if c.name == name}


def contents(gate: Gate, units: Iterable[Unit]) -> Units:
    """What each of these units says in the whole gate; without those that say nothing."""
    found: dict[Unit, list[object]] = {unit: [] for unit in units}
    called, whole = _called(found), gate.origin
    if whole in found:
        found[whole].append(_bare(frame_of(gate)))
    said: list[tuple[Unit, object]] = [(p.origin, p) for p in _providers(gate.identity)]
    said += [(Unit(cluster.origin.ref), cluster) for cluster in gate.clusters]
    for listener in gate.listeners:
        own = Unit(listener.origin.ref)
        if own != whole:
            said.append((own, replace(listener, hosts=())))
        said += [(Unit(one.origin.ref), one) for one in listener.certificates]
        for host in listener.hosts:
            rows = _rows_of(host, found, called)
            said += [(Unit(row.origin.ref), (host.host, row)) for row in rows]
    for unit, what in said:
        if unit in found:
            found[unit].append(what)
    return {unit: tuple(what) for unit, what in found.items() if what}


def _rows_of(host: VirtualHost, units: Collection[Unit], called: frozenset[str]) -> list[Route]:
    """The rows of these documents. called: their names, which are compared first: a gate may have
    200,000 rows."""
    if called.isdisjoint(map(_NAME, host.routes)):
        return []
    return [row for row in host.routes if Unit(row.origin.ref) in units]


def _called(units: Collection[Unit]) -> frozenset[str]:
    return frozenset(unit.ref.name for unit in units)


def without(gate: Gate, out: ExcludedDocuments) -> Gate:
    """The gate in which these are taken out, under a hash of its own; itself when there are none."""
    if not out:
        return gate
    basis = frame_of(gate)
    if out.frame is not None:
        basis = _narrowed(frame_of(out.frame), basis)
    gone = {c.name for c in gate.clusters if Unit(c.origin.ref) in out.units}
    called = _called(out.units)
    hosts = {listener.name: listener.hosts for listener in gate.listeners}
    listeners = tuple(
        replace(
            listener,
            certificates=tuple(
                c for c in listener.certificates if Unit(c.origin.ref) not in out.units
            ),
            hosts=tuple(_host(host, out, gone, called) for host in hosts[listener.name]),
        )
        for listener in basis.listeners
        if Unit(listener.origin.ref) not in out.units or listener.origin.ref == gate.origin.ref
    )
    return replace(
        gate,
        hash=_hash(gate, out),
        listeners=listeners,
        identity=_identity(basis.identity, out.units),
        attributes=basis.attributes,
        trusted_hops=basis.trusted_hops,
        max_body_bytes=basis.max_body_bytes,
        clusters=tuple(c for c in gate.clusters if c.name not in gone),
    )


def _hash(gate: Gate, out: ExcludedDocuments) -> ConfigHash:
    said = (
        gate.hash,
        sorted(map(str, out.units)),
        sorted(map(str, out.deep)),
        out.frame and out.frame.hash,
    )
    return ConfigHash("sha256:" + hashlib.sha256(repr(said).encode()).hexdigest())


def _hosts_in(gate: Gate, type_url: snap.TypeUrl, name: str) -> Iterator[VirtualHost]:
    """The hosts that a route configuration, or a scope, is made of."""
    for listener in gate.listeners:
        if type_url == snap.RDS and not name.startswith(f"{listener.name}/"):
            continue
        for host in listener.hosts:
            wild = host.host.startswith("*")
            if type_url == snap.SRDS:
                found = names.scope_key(listener.name, host.host)
            elif wild:
                found = names.wildcard_configuration_of(listener.name)
            else:
                found = names.route_configuration_of(listener.name, host.host)
            if found == name:
                yield host


def _of_rows(gate: Gate, type_url: snap.TypeUrl, name: str) -> Units:
    found: dict[Unit, list[object]] = {}
    for host in _hosts_in(gate, type_url, name):
        for row in host.routes:
            found.setdefault(Unit(row.origin.ref), []).append((host.host, row))
    return {unit: tuple(rows) for unit, rows in found.items()}


def _of_listener(gate: Gate, name: str) -> Units:
    found: dict[Unit, tuple[object, ...]] = {}
    for listener in gate.listeners:
        if listener.name == name:
            found |= {Unit(one.origin.ref): (one,) for one in listener.certificates}
            found[Unit(listener.origin.ref)] = (replace(listener, hosts=(), certificates=()),)
            found[gate.origin] = (_bare(frame_of(gate)),)
    return found


def _bare(frame: Frame) -> Frame:
    """Without certificates, which are other documents'."""
    bare = tuple(replace(listener, certificates=()) for listener in frame.listeners)
    return replace(frame, listeners=bare)


def _of_secret(gate: Gate, name: str) -> Units:
    mtls = gate.identity.mtls
    if mtls is not None and name == secrets.CLIENT_CA:
        return {mtls.origin: (mtls,)}
    return {
        Unit(certificate.origin.ref): (certificate,)
        for listener in gate.listeners
        for certificate in listener.certificates
        if certificate.name == name
    }


def _of_filter(gate: Gate, name: str) -> Units:
    identity = gate.identity
    if name == names.JWT:
        return {provider.origin: (provider,) for provider in identity.jwt}
    if name == names.API_KEYS and identity.api_keys is not None:
        return {identity.api_keys.origin: (identity.api_keys,)}
    if name in (names.CERTIFICATE_URI, names.CERTIFICATE_DNS) and identity.mtls is not None:
        return {identity.mtls.origin: (identity.mtls,)}
    return {gate.origin: (_bare(frame_of(gate)),)}


def _providers(identity: Identity) -> Iterator[JwtProvider | ApiKeyProvider | MtlsProvider]:
    yield from identity.jwt
    if identity.api_keys is not None:
        yield identity.api_keys
    if identity.mtls is not None:
        yield identity.mtls


def _identity(identity: Identity, out: frozenset[Unit]) -> Identity:
    """A provider that is taken out stays, without keys, so it verifies no caller."""
    keys, mtls = identity.api_keys, identity.mtls
    return Identity(
        jwt=tuple(replace(p, jwks=_NO_KEYS) if p.origin in out else p for p in identity.jwt),
        api_keys=replace(keys, keys=()) if keys is not None and keys.origin in out else keys,
        mtls=None if mtls is not None and mtls.origin in out else mtls,
    )


def _narrowed(old: Frame, new: Frame) -> Frame:
    """What both say: no caller is admitted by what only the older one says."""
    now = {listener.name: listener for listener in new.listeners}
    return Frame(
        listeners=tuple(
            replace(
                listener,
                certificates=tuple(
                    c for c in listener.certificates if c in now[listener.name].certificates
                ),
            )
            for listener in old.listeners
            if listener.name in now
        ),
        identity=_narrowed_identity(old.identity, new.identity),
        attributes=old.attributes,
        trusted_hops=old.trusted_hops,
        max_body_bytes=old.max_body_bytes,
    )


def _narrowed_identity(old: Identity, new: Identity) -> Identity:
    keys, mtls = old.api_keys, old.mtls
    if keys is not None:
        still = new.api_keys.keys if new.api_keys and new.api_keys.name == keys.name else ()
        keys = replace(keys, keys=tuple(key for key in keys.keys if key in still))
    if mtls is not None and mtls != new.mtls:
        still_named = new.mtls.identities if new.mtls and new.mtls.ca == mtls.ca else ()
        mtls = replace(mtls, identities=tuple(one for one in mtls.identities if one in still_named))
    return Identity(
        jwt=tuple(p if p in new.jwt else replace(p, jwks=_NO_KEYS) for p in old.jwt),
        api_keys=keys,
        mtls=mtls,
    )


def _host(
    host: VirtualHost, out: ExcludedDocuments, gone: set[str], called: frozenset[str]
) -> VirtualHost:
    """Itself when nothing of it is taken out, so that it is not built again."""
    if not gone and not _rows_of(host, out.units, called):
        return host
    if _rows_of(host, out.deep, called):
        return replace(host, routes=(), inspects_body=False)
    rows = tuple(_row(row, out.units, gone) for row in host.routes)
    if all(new is old for new, old in zip(rows, host.routes, strict=True)):
        return host
    return replace(host, routes=rows)


def _row(row: Route, out: frozenset[Unit], gone: set[str]) -> Route:
    if Unit(row.origin.ref) in out:
        plain = _plain(row.match)
        if row.action == _HOLDS:
            return row
        return replace(row, match=plain, action=Refuse(code=REFUSAL), governance=None)
    if isinstance(row.action, Forward) and gone:
        return _led_elsewhere(row, row.action, gone)
    return row


def _led_elsewhere(row: Route, forward: Forward, gone: set[str]) -> Route:
    shares = tuple(
        replace(share, cluster="") if share.cluster in gone else share for share in forward.shares
    )
    mirrors = tuple(mirror for mirror in forward.mirrors if mirror.cluster not in gone)
    if shares == forward.shares and mirrors == forward.mirrors:
        return row
    if not any(share.cluster and share.weight for share in shares):
        return replace(row, action=Refuse(code=REFUSAL))
    return replace(row, action=replace(forward, shares=shares, mirrors=mirrors))


def _plain(match: Match) -> Match:
    """The match without patterns: it takes all that it took, and more."""
    return replace(
        match,
        path=_plain_path(match.path),
        headers=tuple(one for one in match.headers if one.kind == "exact"),
        query=tuple(one for one in match.query if one.kind == "exact"),
    )


def _plain_path(path: PathMatch) -> PathMatch:
    """A pattern's literal beginning, whole segments of it; alternatives of the whole have none."""
    if path.kind != "regex":
        return path
    start = _LITERAL_START.match(path.value)
    literal = "" if start is None or _has_alternatives(path.value) else start[0]
    if path.value[len(literal) : len(literal) + 1] in ("?", "*", "{"):
        literal = literal[:-1]
    return PathMatch(kind="prefix", value=literal.rpartition("/")[0] or "/")


def _has_alternatives(pattern: str) -> bool:
    """Whether a `|` stands outside all groups and classes."""
    depth = 0
    for one in _CLASS_OR_ESCAPE.sub("", pattern):
        depth += (one == "(") - (one == ")")
        if one == "|" and depth == 0:
            return True
    return False


_LITERAL_START: Final = re.compile(r"(?:/[A-Za-z0-9_~!&',=:@%-]*)*")
_CLASS_OR_ESCAPE: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")
