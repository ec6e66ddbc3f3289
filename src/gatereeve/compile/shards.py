"""Hosts of one gate, in shards: claims to virtual hosts, cached shard by shard.

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

from gatereeve.api.world import GateDoc, Key
from gatereeve.compile import references, services
from gatereeve.compile.backends import Plans, resolve
from gatereeve.compile.certificates import Chosen
from gatereeve.compile.claims import CertificateClaim, Claim, Claimed, Entry, Protocol, finding
from gatereeve.compile.rows import ClaimRows, claim_rows
from gatereeve.compile.vhosts import Assembled, Tls, assemble, lost
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.ir.clusters import Cluster
from gatereeve.ir.routes import VirtualHost

SHARDS = 128


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Host:
    """What one host is asked for. entries: oldest first, all of one kind of wildcard."""

    name: str
    single_label: bool
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shard:
    """Some hosts. models, services: whatever their backends and mirrors name."""

    number: int
    hosts: tuple[Host, ...]
    models: tuple[Key, ...]
    services: tuple[Key, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims:
    """All that is claimed on one gate. https_hosts: those asked for over TLS, sorted."""

    shards: tuple[Shard, ...]
    https_hosts: tuple[str, ...]
    certificates: tuple[CertificateClaim, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What the shards of one gate read besides their claims. opened: protocols of the gate."""

    gate: GateDoc
    opened: frozenset[str]
    plans: Plans
    services: services.ServiceIndex
    grants: references.ReferenceGrants
    chosen: Chosen
    memo: Memo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Routed:
    """One shard, done. The same object as long as nothing that it reads changed."""

    https: tuple[VirtualHost, ...]
    http: tuple[VirtualHost, ...]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    findings: tuple[Finding, ...]


def split(gate: str, claimed: tuple[Claimed, ...], memo: Memo) -> Claims:
    """The claims on `gate`, by shard and host.

    Findings: route-conflict, where two kinds of wildcard meet.
    """
    by_shard: defaultdict[int, list[Entry]] = defaultdict(list)
    certificates: list[CertificateClaim] = []
    https: set[str] = set()
    for one in claimed:
        for entry in one.entries:
            if entry.gate == gate:
                by_shard[zlib.crc32(entry.host.encode()) % SHARDS].append(entry)
                if "https" in entry.protocols:
                    https.add(entry.host)
        certificates += [c for c in one.certificates if c.gate == gate]
    shards = []
    for number in sorted(by_shard):
        entries = tuple(by_shard[number])
        shards.append(memo.get(("shard", number, entries), partial(_shard, number, entries)))
    return Claims(
        shards=tuple(shards),
        https_hosts=tuple(sorted(https)),
        certificates=tuple(certificates),
        findings=tuple(found for shard in shards for found in shard.findings),
    )


def _shard(number: int, entries: tuple[Entry, ...]) -> Shard:
    by_host: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda e: e.claim.place):
        by_host[entry.host].append(entry)
    findings: list[Finding] = []
    hosts = []
    for name in sorted(by_host):
        first = by_host[name][0]
        hosts.append(
            Host(
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


def _settled(name: str, entries: list[Entry], findings: list[Finding]) -> list[Entry]:
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
            findings.append(lost(entry.claim, first.claim, f"the wildcard {name}"))
    return kept


def route(shard: Shard, lookup: Lookup) -> Routed:
    """The virtual hosts of a shard. Findings: of backends and conflicts; tls-unavailable."""
    key = ("shards.route", shard, *_reads(shard, lookup))
    name = ("shards.route", lookup.gate.ref.name, shard.number)
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
        lookup.opened,
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
        self._rows: dict[Claim, ClaimRows] = {}
        self._findings: list[Finding] = []

    def routed(self) -> Routed:
        served: dict[Protocol, list[VirtualHost]] = {"https": [], "http": []}
        for host in self._shard.hosts:
            self._serve(host, served)
        found = self._rows.values()
        clusters = {cluster.name: cluster for rows in found for cluster in rows.clusters}
        return Routed(
            https=tuple(served["https"]),
            http=tuple(served["http"]),
            clusters=tuple(clusters[name] for name in sorted(clusters)),
            models=tuple(sorted({model for rows in found for model in rows.models})),
            findings=tuple(dict.fromkeys(self._findings)),
        )

    def _serve(self, host: Host, served: dict[Protocol, list[VirtualHost]]) -> None:
        """One host on both listeners."""
        rows = {entry: self._rows_of(entry.claim) for entry in host.entries}
        governed = any(found.governed for found in rows.values())
        secure = tuple(found for entry, found in rows.items() if "https" in entry.protocols)
        plain = tuple(found for entry, found in rows.items() if "http" in entry.protocols)
        opened = self._lookup.opened
        over_tls = bool(secure) and "https" in opened and self._lookup.chosen.has(host.name)
        self._unserved(host, rows, over_tls=over_tls, governed=governed)
        tls: Tls = "any"
        if governed:  # plain HTTP never serves it; the rows there only say what there is
            tls = self._lookup.gate.spec.plain_http if over_tls else "refuse"
            plain = secure if over_tls else plain or secure
        if over_tls:
            served["https"].append(self._assemble(host, secure, tls))
        if plain and "http" in opened:
            served["http"].append(self._assemble(host, plain, tls))

    def _rows_of(self, claim: Claim) -> ClaimRows:
        found = self._rows.get(claim)
        if found is None:
            look = partial(
                resolve,
                claim,
                plans=self._lookup.plans,
                found=self._lookup.services,
                grants=self._lookup.grants,
            )
            targets = tuple(look(backend) for backend in claim.rule.backends)
            mirrors = tuple(look(mirror.backend) for mirror in claim.rule.mirrors)
            found = self._memo.get(
                ("rows", claim, targets, mirrors), partial(claim_rows, claim, targets, mirrors)
            )
            self._rows[claim] = found
            self._findings += found.findings
        return found

    def _unserved(
        self, host: Host, rows: Mapping[Entry, ClaimRows], *, over_tls: bool, governed: bool
    ) -> None:
        """tls-unavailable for every claim that needs TLS and does not get it."""
        for entry in rows:
            if over_tls and "https" in entry.protocols:
                continue
            if not governed and entry.protocols != ("https",):
                continue
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

    def _assemble(self, host: Host, rows: tuple[ClaimRows, ...], tls: Tls) -> VirtualHost:
        made: Assembled = self._memo.get(
            ("vhost", host.name, rows, host.single_label, tls),
            partial(assemble, host.name, rows, single_label=host.single_label, tls=tls),
        )
        self._findings += made.findings
        return made.vhost
