"""All routes of a World, then one gate's share of them: listeners, virtual hosts, clusters.

`index` reads every route document once and says what it claims on which gate; `route_gate` resolves
the claims of one gate against its models' plans. Both take what did not change from the memo.
Governed hosts are served over TLS only (design section 5.1): one without a certificate is not
served at all, and over plain HTTP every governed host redirects or refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from gatereeve.api.world import GateDoc, GatewayDoc, Key, ModelVersionDoc, World
from gatereeve.compile import certificates, classes, hosts, references, services
from gatereeve.compile.backends import Plans, Target, resolve
from gatereeve.compile.claims import Claim, Claimed, Entry, Protocol, finding
from gatereeve.compile.gateways import Binding, bind
from gatereeve.compile.hosts import Grants
from gatereeve.compile.httproutes import compile_http_route, parents_of
from gatereeve.compile.ingress import compile_ingress
from gatereeve.compile.rows import ClaimRows, claim_rows
from gatereeve.compile.vhosts import Tls, assemble, lost
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.ir.clusters import Cluster, Endpoint
from gatereeve.ir.gates import Listener
from gatereeve.ir.routes import VirtualHost


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Index:
    """What all route documents claim. claimed: in key order, Ingresses first.

    addresses: (gate, protocol) of the listeners that a gate may open.
    """

    claimed: tuple[Claimed, ...]
    services: services.ServiceIndex
    secrets: certificates.Secrets
    addresses: frozenset[tuple[str, str]]
    memo: Memo
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedGate:
    """listeners: https first. clusters: by name. models: those that some route reaches, sorted."""

    listeners: tuple[Listener, ...]
    clusters: tuple[Cluster, ...]
    models: tuple[Key, ...]
    findings: tuple[Finding, ...]


def index_world(world: World, memo: Memo) -> Index:
    """One pass over every route, Service and grant.

    Findings: of classes, grants, gateways, routes and the servers of versions.
    """
    found = services.index(world, memo)
    reader = _Reader(world, memo)
    claimed = (*reader.ingresses(), *reader.http_routes())
    gates = [world.gates[key] for key in sorted(world.gates)]
    addresses, conflicts = classes.addresses_of(gates)
    return Index(
        claimed=claimed,
        services=found,
        secrets=certificates.Secrets(
            secrets=world.secrets, grants=references.index(world), at=world.at, memo=memo
        ),
        addresses=addresses,
        memo=memo,
        findings=(
            *reader.classes.findings,
            *reader.grants.findings,
            *reader.findings,
            *conflicts,
            *(f for one in claimed for f in one.findings),
            *(
                f
                for version in world.model_versions.values()
                for f in services.version_findings(found, version)
            ),
        ),
    )


class _Reader:
    """One reading of a World's route documents; holds what several of them need."""

    def __init__(self, world: World, memo: Memo) -> None:
        self._world = world
        self._memo = memo
        self._by_namespace: dict[str, Grants] = {}
        self.classes = classes.classes_of(world)
        self.grants = hosts.index(world, memo)
        self.findings: list[Finding] = []

    def _grants(self, namespace: str) -> Grants:
        found = self._by_namespace.get(namespace)
        if found is None:
            doc = self._world.namespaces.get(("", namespace))
            found = hosts.grants_of(self.grants, namespace, doc, self._memo)
            self._by_namespace[namespace] = found
        return found

    def ingresses(self) -> list[Claimed]:
        claimed = []
        for key in sorted(self._world.ingresses):
            doc = self._world.ingresses[key]
            gate = classes.gate_of_ingress(doc, self.classes)
            if isinstance(gate, Finding):
                self.findings.append(gate)
                continue
            grants = self._grants(key[0])
            make = partial(compile_ingress, doc, gate, grants)
            claimed.append(self._memo.get(("ingress", doc, gate, grants), make))
        return claimed

    def http_routes(self) -> list[Claimed]:
        bindings, foreign = self._bindings()
        claimed = []
        for key in sorted(self._world.http_routes):
            doc = self._world.http_routes[key]
            parents = parents_of(doc, bindings, foreign)
            namespace = self._world.namespaces.get(("", key[0]))
            grants = self._grants(key[0])
            labels = hosts.labels_of(key[0], namespace)
            make = partial(compile_http_route, doc, parents, grants, labels)
            claimed.append(self._memo.get(("http_route", doc, parents, grants, namespace), make))
        return claimed

    def _bindings(self) -> tuple[dict[Key, Binding], frozenset[Key]]:
        bindings: dict[Key, Binding] = {}
        foreign = set()
        for key in sorted(self._world.gateways):
            doc = self._world.gateways[key]
            name = self.classes.gateway.get(doc.spec.gateway_class_name)
            if name is None:
                foreign.add(key)
                self.findings.append(classes.unknown_class(doc, doc.spec.gateway_class_name))
                continue
            bindings[key] = self._bind(doc, name)
            self.findings += bindings[key].findings
        return bindings, frozenset(foreign)

    def _bind(self, doc: GatewayDoc, name: str) -> Binding:
        gate = self._world.gates["", name]
        grants = self._grants(doc.ref.namespace)
        return self._memo.get(("gateway", doc, gate, grants), partial(bind, doc, gate, grants))


def resolve_version(index: Index, version: ModelVersionDoc) -> tuple[Endpoint, ...]:
    """The usable servers of a version, sorted; the same tuple as long as nothing changed."""
    return services.version_endpoints(index.services, version)


@dataclass(slots=True, kw_only=True, eq=False)
class _Host:
    """What one host of a gate is asked for; filled while claims are sorted by host."""

    entries: list[Entry] = field(default_factory=list)
    rows: dict[Protocol, tuple[ClaimRows, ...]] = field(default_factory=dict)
    single_label: bool = False
    governed: bool = False


def route_gate(index: Index, gate: GateDoc, plans: Plans) -> RoutedGate:
    """Everything that `gate` serves. plans: of every Model, for this gate.

    Findings: of backends, certificates and conflicts; tls-unavailable.
    """
    work = _GateWork(index, gate, plans)
    work.gather()
    return work.listeners()


class _GateWork:
    """The work on one gate, step by step: gather claims by host, resolve, choose, assemble."""

    def __init__(self, index: Index, gate: GateDoc, plans: Plans) -> None:
        self._index = index
        self._gate = gate
        self._plans = plans
        self._hosts: dict[str, _Host] = {}
        self._rows: dict[Claim, ClaimRows] = {}
        self._findings: list[Finding] = []

    def gather(self) -> None:
        """Step 1: claims by host, and each claim's rows."""
        name = self._gate.ref.name
        for claimed in self._index.claimed:
            for entry in claimed.entries:
                if entry.gate == name:
                    host = self._hosts.get(entry.host)
                    if host is None:
                        host = self._hosts[entry.host] = _Host()
                    host.entries.append(entry)
        for text, host in self._hosts.items():
            self._settle_wildcard(text, host)
            for protocol in _PROTOCOLS:
                host.rows[protocol] = tuple(
                    self._rows_of(e.claim) for e in host.entries if protocol in e.protocols
                )
            host.governed = any(rows.governed for found in host.rows.values() for rows in found)

    def _settle_wildcard(self, text: str, host: _Host) -> None:
        """`*.suffix` means one label to an Ingress and any number to an HTTPRoute: the oldest
        decides, since one name of a proxy can only mean one of them."""
        if not text.startswith("*."):
            return
        first = min(host.entries, key=lambda e: e.claim.place)
        host.single_label = first.single_label
        for entry in host.entries:
            if entry.single_label != first.single_label:
                self._findings.append(lost(entry.claim, first.claim, f"the wildcard {text}"))
        host.entries = [e for e in host.entries if e.single_label == first.single_label]

    def _rows_of(self, claim: Claim) -> ClaimRows:
        found = self._rows.get(claim)
        if found is None:
            rule = claim.rule
            targets = tuple(self._target(claim, n) for n in range(len(rule.backends)))
            mirrors = tuple(self._mirror(claim, n) for n in range(len(rule.mirrors)))
            found = self._index.memo.get(
                ("rows", claim, targets, mirrors), partial(claim_rows, claim, targets, mirrors)
            )
            self._rows[claim] = found
            self._findings += found.findings
        return found

    def _target(self, claim: Claim, number: int) -> Target:
        return resolve(
            claim,
            claim.rule.backends[number],
            plans=self._plans,
            found=self._index.services,
            grants=self._index.secrets.grants,
        )

    def _mirror(self, claim: Claim, number: int) -> Target:
        return resolve(
            claim,
            claim.rule.mirrors[number].backend,
            plans=self._plans,
            found=self._index.services,
            grants=self._index.secrets.grants,
        )

    def listeners(self) -> RoutedGate:
        """Steps 2 to 4: certificates, virtual hosts, listeners."""
        name = self._gate.ref.name
        chosen = certificates.choose(
            self._gate,
            [host for host in sorted(self._hosts) if self._hosts[host].rows["https"]],
            [c for one in self._index.claimed for c in one.certificates if c.gate == name],
            self._index.secrets,
        )
        self._findings += chosen.findings
        served: dict[Protocol, list[VirtualHost]] = {"https": [], "http": []}
        for text in sorted(self._hosts):
            self._serve(text, self._hosts[text], chosen, served)
        clusters = {c.name: c for rows in self._rows.values() for c in rows.clusters}
        listeners = (
            self._listener(protocol, tuple(served[protocol]), chosen) for protocol in _PROTOCOLS
        )
        return RoutedGate(
            listeners=tuple(listener for listener in listeners if listener is not None),
            clusters=tuple(clusters[cluster] for cluster in sorted(clusters)),
            models=tuple(sorted({m for rows in self._rows.values() for m in rows.models})),
            findings=tuple(dict.fromkeys(self._findings)),
        )

    def _may_open(self, protocol: Protocol) -> bool:
        return (self._gate.ref.name, protocol) in self._index.addresses

    def _serve(
        self,
        text: str,
        host: _Host,
        chosen: certificates.Chosen,
        served: dict[Protocol, list[VirtualHost]],
    ) -> None:
        """Step 3: one host on both listeners."""
        secure, plain = host.rows["https"], host.rows["http"]
        over_tls = bool(secure) and self._may_open("https") and chosen.has(text)
        self._unserved(text, host, over_tls=over_tls)
        plain_tls: Tls = "any"
        if host.governed:
            plain_tls = self._gate.spec.plain_http if over_tls else "refuse"
        if over_tls:
            served["https"].append(self._assemble(text, host, secure, plain_tls))
        if not self._may_open("http"):
            return
        if host.governed:  # plain HTTP never serves it; the rows only say what is there
            served["http"].append(
                self._assemble(text, host, secure if over_tls else plain or secure, plain_tls)
            )
        elif plain:
            served["http"].append(self._assemble(text, host, plain, plain_tls))

    def _unserved(self, text: str, host: _Host, *, over_tls: bool) -> None:
        """tls-unavailable for every claim that needs TLS and does not get it."""
        secure = set(host.rows["https"]) if over_tls else set()
        for entry in host.entries:
            rows = self._rows[entry.claim]
            if rows in secure or not (host.governed or entry.protocols == ("https",)):
                continue
            why = (
                "it is attached to plain HTTP only, and the host is governed"
                if over_tls
                else "the host has no certificate, or the Gate no https address"
            )
            claim = entry.claim
            self._findings.append(
                finding(claim.doc, "tls-unavailable", claim.where, f"not served on {text}: {why}",
                        "attach it to an https listener whose certificate covers the host, or give the Gate tls.defaultCertificate")
            )  # fmt: skip

    def _assemble(
        self, text: str, host: _Host, rows: tuple[ClaimRows, ...], plain_tls: Tls
    ) -> VirtualHost:
        made = self._index.memo.get(
            ("vhost", text, rows, host.single_label, plain_tls),
            partial(assemble, text, rows, single_label=host.single_label, tls=plain_tls),
        )
        self._findings += made.findings
        return made.vhost

    def _listener(
        self, protocol: Protocol, found: tuple[VirtualHost, ...], chosen: certificates.Chosen
    ) -> Listener | None:
        """Step 4: the listener of one address, if the gate has it."""
        spec = self._gate.spec
        address = spec.https if protocol == "https" else spec.http
        if address is None or not self._may_open(protocol):
            return None
        return Listener(
            name=protocol,
            protocol=protocol,
            address=address.host,
            port=address.port,
            tls_min=spec.tls.min_version,
            certificates=chosen.certificates() if protocol == "https" else (),
            hosts=found,
            origin=self._gate.origin(f"spec.{protocol}"),
        )


_PROTOCOLS: tuple[Protocol, ...] = ("https", "http")
