"""Hosts of one front of a gate, in shards: claims to virtual hosts, cached shard by shard.

A shard is a fixed share of all host names. What it reads (claims, plans, servers, certificates) is
its memo key, so one changed document costs one shard and ten thousand hosts are a hundred look-ups.
Governed hosts are served over TLS only (design section 5.1): one without a certificate is not
served at all, and over plain HTTP every governed host redirects or refuses.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from gatereeve.api.world import GateDoc, HostGrantDoc, Key
from gatereeve.compile.backends import reference_grants, services
from gatereeve.compile.backends.resolution import resolve
from gatereeve.compile.governance.model_policy import ModelPolicies
from gatereeve.compile.report import finding
from gatereeve.compile.routes.listener_sets import ListenerPort, ListenerSet
from gatereeve.compile.routes.requests import (
    CertificateRequest,
    HostRoute,
    RouteDocument,
    RouteRequest,
)
from gatereeve.compile.virtual_hosts.certificates import ChosenCertificate
from gatereeve.compile.virtual_hosts.ordering import OrderedRoutes, Tls, lost_to, order_routes
from gatereeve.compile.virtual_hosts.route_requests import CompiledRoutes, compile_route_request
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.core.refs import Ref
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.routes import VirtualHost

SHARDS = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostTable:
    """What one host is asked for. entries: oldest first, all of one kind of wildcard."""

    name: str
    single_label: bool
    entries: tuple[HostRoute, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """Some hosts. models, services: whatever their backends and mirrors name."""

    number: int
    hosts: tuple[HostTable, ...]
    models: tuple[Key, ...]
    services: tuple[Key, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HostRoutes:
    """All that is claimed on one front. https_hosts: those asked for over TLS, sorted."""

    shards: tuple[Shard, ...]
    https_hosts: tuple[str, ...]
    certificates: tuple[CertificateRequest, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the shards of one front read besides their claims."""

    gate: GateDoc
    front: ListenerSet
    plans: ModelPolicies
    services: services.ServiceIndex
    grants: reference_grants.ReferenceGrants
    chosen: ChosenCertificate
    memo: Memo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Routed:
    """One shard, done. The same object as long as nothing that it reads changed.

    hosts: by door. served: documents of which some row answers requests here, other than by asking
    for TLS. models: those that some row reaches.
    """

    hosts: Mapping[str, tuple[VirtualHost, ...]]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    served: frozenset[Ref]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The claims on one front, as they were made. Its entries compare by identity: a memo key."""

    entries: tuple[HostRoute, ...] = ()
    certificates: tuple[CertificateRequest, ...] = ()


def by_front(
    claimed: tuple[RouteDocument, ...], shown: tuple[CertificateRequest, ...]
) -> Mapping[tuple[str, Key | None], Part]:
    """Claims by (gate, gateway): one pass over all of them.

    shown: certificates that listeners of Gateways show of themselves.
    """
    entries: defaultdict[tuple[str, Key | None], list[HostRoute]] = defaultdict(list)
    certificates: defaultdict[tuple[str, Key | None], list[CertificateRequest]] = defaultdict(list)
    for one in claimed:
        for entry in one.entries:
            entries[entry.gate, entry.gateway].append(entry)
        for claim in one.certificates:
            certificates[claim.gate, claim.gateway].append(claim)
    for claim in shown:
        certificates[claim.gate, claim.gateway].append(claim)
    return {
        key: Part(entries=tuple(entries[key]), certificates=tuple(certificates[key]))
        for key in entries.keys() | certificates.keys()
    }


def split(part: Part, memo: Memo) -> HostRoutes:
    """The claims on one front, by shard and host.

    Findings: route-conflict, where two kinds of wildcard meet.
    """
    by_shard: defaultdict[int, list[HostRoute]] = defaultdict(list)
    https = {c.host for c in part.certificates if c.gateway is not None and c.host != "*"}
    for entry in part.entries:
        by_shard[zlib.crc32(entry.host.encode()) % SHARDS].append(entry)
        if "https" in entry.protocols:
            https.add(entry.host)
    shards = []
    for number in sorted(by_shard):
        entries = tuple(by_shard[number])
        shards.append(memo.get(("shard", number, entries), partial(_shard, number, entries)))
    return HostRoutes(
        shards=tuple(shards),
        https_hosts=tuple(sorted(https)),
        certificates=part.certificates,
        findings=tuple(found for shard in shards for found in shard.findings),
    )


def _shard(number: int, entries: tuple[HostRoute, ...]) -> Shard:
    by_host: defaultdict[str, list[HostRoute]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: e.claim.place):
        by_host[entry.host].append(entry)
    findings: list[Finding] = []
    hosts = []
    for name in sorted(by_host):
        first = by_host[name][0]
        hosts.append(
            HostTable(
                name=name,
                single_label=first.single_label,
                entries=tuple(_settled(name, by_host[name], findings)),
            )
        )
    backends = [
        backend
        for entry in entries
        for backend in (
            *entry.claim.rule.backends,
            *(mirror.backend for mirror in entry.claim.rule.mirrors),
        )
    ]
    return Shard(
        number=number,
        hosts=tuple(hosts),
        models=tuple(sorted({(b.namespace, b.name) for b in backends if b.kind == "Model"})),
        services=tuple(sorted({(b.namespace, b.name) for b in backends if b.kind == "Service"})),
        findings=tuple(findings),
    )


def _settled(name: str, entries: list[HostRoute], findings: list[Finding]) -> list[HostRoute]:
    """`*.suffix` means one label to an Ingress and any number to an HTTPRoute: the oldest decides,
    since one name of a proxy can only mean one of them."""
    first = entries[0]
    if not name.startswith("*."):
        return entries
    kept = []
    for entry in entries:
        if entry.single_label == first.single_label:
            kept.append(entry)
        else:
            findings.append(lost_to(entry.claim, first.claim, f"the wildcard {name}"))
    return kept


def route(shard: Shard, lookup: Lookup) -> Routed:
    """The virtual hosts of a shard. Findings: of backends and conflicts; tls-unavailable."""
    key = ("shards.route", shard, *_reads(shard, lookup))
    front = lookup.front  # own fronts share the parts of the memo: Gateways come and go
    name = ("shards.route", front.gate, front.gateway is not None, shard.number)
    return lookup.memo.get(key, lambda: _Work(shard, lookup, lookup.memo.part(name)).routed())


def _reads(shard: Shard, lookup: Lookup) -> tuple[object, ...]:
    """Everything besides the claims that decides about a shard."""
    plans, found = lookup.plans, lookup.services
    behind = found.versions.behind
    its_services = tuple(
        (*found.reads(key), *(plans.get((key[0], v.spec.model)) for v in behind.get(key, ())))
        for key in shard.services
    )
    return (
        lookup.gate,
        lookup.front,
        lookup.grants,
        tuple(plans.get(key) for key in shard.models),
        its_services,
        found.versions if its_services else None,
        lookup.chosen.default or tuple(host.name in lookup.chosen.own for host in shard.hosts),
    )


class _Work:
    """The work on one shard."""

    def __init__(self, shard: Shard, lookup: Lookup, memo: Memo) -> None:
        self._shard = shard
        self._lookup = lookup
        self._memo = memo
        self._rows: dict[tuple[RouteRequest, tuple[HostGrantDoc, ...]], CompiledRoutes] = {}
        self._hosts: dict[str, list[VirtualHost]] = {d.name: [] for d in lookup.front.doors}
        self._served: set[Ref] = set()
        self._findings: list[Finding] = []

    def routed(self) -> Routed:
        for host in self._shard.hosts:
            self._serve(host)
        found = self._rows.values()
        clusters = {cluster.name: cluster for rows in found for cluster in rows.clusters}
        return Routed(
            hosts={door: tuple(hosts) for door, hosts in self._hosts.items()},
            clusters=tuple(clusters[name] for name in sorted(clusters)),
            models=tuple(sorted({model for rows in found for model in rows.models})),
            served=frozenset(self._served),
            findings=tuple(dict.fromkeys(self._findings)),
        )

    def _serve(self, host: HostTable) -> None:
        """One host at every door of the front."""
        rows = {entry: self._rows_of(entry) for entry in host.entries}
        governed = any(found.governed for found in rows.values())
        doors = self._lookup.front.doors
        certified = self._lookup.chosen.has(host.name)
        secure = {door.name for door in doors if door.protocol == "https" and certified}
        over_tls = _at(rows, secure)
        self._unserved(host, rows, secure, governed=governed)
        tls: Tls = "any"
        if governed:  # plain HTTP never serves it; the rows there only say what there is
            tls = self._lookup.gate.spec.plain_http if over_tls else "refuse"
        for door in doors:
            found = _at(rows, {door.name})
            if door.protocol == "https":
                if found and certified:
                    self._open(door, host, found, tls)
            elif governed:
                found = over_tls or found or tuple(rows.values())
                self._open(door, host, found, tls)
            elif found:
                self._open(door, host, found, tls)

    def _rows_of(self, entry: HostRoute) -> CompiledRoutes:
        claim = entry.claim
        found = self._rows.get((claim, entry.grants))
        if found is None:
            look = partial(
                resolve,
                claim.doc,
                given=entry.grants,
                plans=self._lookup.plans,
                found=self._lookup.services,
                grants=self._lookup.grants,
            )
            targets = tuple(look(backend) for backend in claim.rule.backends)
            mirrors = tuple(look(mirror.backend) for mirror in claim.rule.mirrors)
            found = self._memo.get(
                ("rows", claim, targets, mirrors),
                partial(compile_route_request, claim, targets, mirrors),
            )
            self._rows[claim, entry.grants] = found
            self._findings += found.findings
        return found

    def _unserved(
        self,
        host: HostTable,
        rows: Mapping[HostRoute, CompiledRoutes],
        secure: set[str],
        *,
        governed: bool,
    ) -> None:
        """tls-unavailable for every claim that needs TLS and does not get it."""
        front = self._lookup.front
        there = {door.name for door in front.doors}
        over_tls = bool(_at(rows, secure))
        for entry in rows:
            if not secure.isdisjoint(entry.doors):
                continue
            if not governed and entry.protocols != ("https",):
                continue
            if front.gateway is not None and there.isdisjoint(entry.doors):
                continue  # gateway-pending says it
            why = (
                "it is attached to plain HTTP only, and the host is governed"
                if over_tls
                else "the host has no certificate, or the Gate no https address"
            )
            claim = entry.claim
            self._findings.append(
                finding(claim.doc, "tls-unavailable", claim.where, f"not served on {host.name}: {why}",
                        "attach it to an https listener whose certificate covers the host, or give the Gate tls.defaultCertificate")
            )  # fmt: skip

    def _open(
        self, door: ListenerPort, host: HostTable, rows: tuple[CompiledRoutes, ...], tls: Tls
    ) -> None:
        made: OrderedRoutes = self._memo.get(
            ("vhost", host.name, rows, host.single_label, tls),
            partial(order_routes, host.name, rows, single_label=host.single_label, tls=tls),
        )
        self._findings += made.findings
        self._hosts[door.name].append(made.vhost)
        if door.protocol == "https" or tls == "any":
            self._served |= made.served


def _at(rows: Mapping[HostRoute, CompiledRoutes], doors: set[str]) -> tuple[CompiledRoutes, ...]:
    """The rows of the claims that are made at one of these doors."""
    return tuple(found for entry, found in rows.items() if not doors.isdisjoint(entry.doors))
