"""Which certificate a host is shown: the oldest request with a valid Secret that covers the host.

A Secret in another namespace needs a ReferenceGrant. A certificate that does not cover its host is
not used: the host then has the Gate's default certificate, or none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gatereeve.api.world import AnyDoc, GateDoc, Key
from gatereeve.compile import tls
from gatereeve.compile.backends import reference_grants
from gatereeve.compile.backends.services import Backends
from gatereeve.compile.routes.requests import CertificateRequest
from gatereeve.compile.world_tables import WorldTables
from gatereeve.core.derived import Derived, Reader, Stage
from gatereeve.core.findings import Finding
from gatereeve.core.report import describe, finding, place
from gatereeve.ir.gates import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Where key pairs come from.

    key_pairs: of the Secrets there are. at: the instant that counts, once `is_past` was asked for the
    moments of a certificate.
    """

    key_pairs: Mapping[Key, tls.KeyPair | Finding]
    grants: reference_grants.ReferenceGrants
    at: datetime
    is_past: Callable[[datetime], bool]

    def key_pair(self, doc: AnyDoc, namespace: str, name: str) -> tls.KeyPair | Finding:
        """The valid key pair that `doc` may use, or why there is none."""
        own = not doc.ref.namespace  # a Gate belongs to the cluster and names any namespace
        reference = reference_grants.Reference(
            from_group=doc.ref.group, from_kind=doc.ref.kind, from_namespace=doc.ref.namespace,
            to_group="", to_kind="Secret", to_namespace=namespace, to_name=name,
        )  # fmt: skip
        if not own and not reference_grants.is_permitted(self.grants, reference):
            return describe(
                "secret-not-granted",
                namespace=namespace,
                documents=f"{doc.ref.kind}s",
                own=doc.ref.namespace,
                name=name,
            )
        pair = self.key_pairs.get((namespace, name))
        if pair is None:
            return describe(
                "tls-secret-invalid.missing" if name else "tls-secret-invalid.unnamed",
                secret=f"{namespace}/{name}",
            )
        if isinstance(pair, Finding):
            return pair
        self.is_past(pair.not_before)
        self.is_past(pair.not_after)
        return pair.problem(self.at) or pair


class SecretTables(Stage):
    """The key pairs of all Secrets."""

    def __init__(self, world: WorldTables, backends: Backends) -> None:
        self._world = world
        self._grants = backends.reference_grants
        self.key_pairs = Derived(self._read)

    def update(self) -> None:
        """Follow the World."""
        self.key_pairs.update(self._world.secrets)

    def _read(self, key: Key, read: Reader) -> tls.KeyPair | Finding:
        return tls.read(read.row(self._world.secrets, key))

    def read(self, read: Reader) -> Secrets:
        """The tables through a reader."""
        return Secrets(
            key_pairs=read.mapping(self.key_pairs),
            grants=read.mapping(self._grants),
            at=self._world.at,
            is_past=lambda moment: read.is_past(self._world.clock, moment),
        )

    def snapshot(self) -> Secrets:
        """The tables as they are now."""
        at = self._world.at
        return Secrets(
            key_pairs=self.key_pairs.snapshot(),
            grants=self._grants.snapshot(),
            at=at,
            is_past=lambda moment: moment <= at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenCertificate:
    """certificates: one per Secret, by name, with its hosts in order; the default one has no hosts.

    own: hosts that have a certificate of their own. default: whether all others have one as well.
    """

    certificates: tuple[Certificate, ...]
    own: frozenset[str]
    default: bool
    findings: tuple[Finding, ...]

    def has(self, host: str) -> bool:
        """Whether a client that asks for `host` gets a certificate at all."""
        return self.default or host in self.own


def choose(
    gate: GateDoc,
    hosts: tuple[str, ...],
    requests: tuple[CertificateRequest, ...],
    secrets: Secrets,
) -> ChosenCertificate:
    """The certificates of one gate for `hosts`.

    Findings: tls-secret-invalid, secret-not-granted, tls-host-mismatch.
    """
    found: dict[tuple[str, str, str, str, str], tls.KeyPair | Finding] = {}
    pairs: list[tuple[CertificateRequest, tls.KeyPair | Finding]] = []
    for request in requests:
        ref = request.doc.ref
        key = (ref.group, ref.kind, ref.namespace, request.namespace, request.name)
        if key not in found:
            found[key] = secrets.key_pair(request.doc, request.namespace, request.name)
        pairs.append((request, found[key]))
    findings: list[Finding] = []
    usable = _usable(pairs, findings)
    default = _default(gate, usable, secrets, findings)
    by_host = {}
    for host in hosts:
        wildcard = "*." + host.partition(".")[2]
        for pair in (*usable.get(host, ()), *usable.get(wildcard, ())):
            if host != "*" and pair.covers(host):
                by_host[host] = pair
                break
    return ChosenCertificate(
        certificates=_certificates(by_host, default),
        own=frozenset(by_host),
        default=default is not None,
        findings=tuple(dict.fromkeys(findings)),
    )


def _default(
    gate: GateDoc,
    usable: Mapping[str, list[tls.KeyPair]],
    secrets: Secrets,
    findings: list[Finding],
) -> tls.KeyPair | None:
    """What a host without a certificate of its own is shown."""
    reference = gate.spec.tls.default_certificate
    if reference is None:
        return next(iter(usable.get("*", ())), None)
    pair = secrets.key_pair(gate, reference.namespace, reference.name)
    if isinstance(pair, Finding):
        at = "spec.tls.defaultCertificate"
        findings.append(place(gate, at, pair))
        return None
    return pair


def _usable(
    pairs: Iterable[tuple[CertificateRequest, tls.KeyPair | Finding]], findings: list[Finding]
) -> Mapping[str, list[tls.KeyPair]]:
    """Valid key pairs by the host that they were claimed for, oldest request first."""
    usable: defaultdict[str, list[tls.KeyPair]] = defaultdict(list)
    for request, pair in sorted(pairs, key=lambda item: (item[0].place, item[0].host)):
        if isinstance(pair, Finding):
            findings.append(place(request.doc, request.where, pair))
            continue
        usable[request.host].append(pair)
        if request.host != "*" and not pair.covers(request.host):
            findings.append(
                finding(
                    request.doc,
                    "tls-host-mismatch",
                    request.where,
                    secret=pair.secret.ref,
                    names=pair.names,
                    host=request.host,
                )
            )
    return usable


def _certificates(
    by_host: Mapping[str, tls.KeyPair], default: tls.KeyPair | None
) -> tuple[Certificate, ...]:
    hosts: defaultdict[tls.KeyPair, list[str]] = defaultdict(list)
    for host, pair in by_host.items():
        hosts[pair].append(host)
    found = [_certificate(pair, tuple(sorted(names))) for pair, names in hosts.items()]
    if default is not None:
        found.append(_certificate(default, ()))
    return tuple(sorted(found, key=lambda c: c.name))


def _certificate(pair: tls.KeyPair, hosts: tuple[str, ...]) -> Certificate:
    short = pair.secret.ref.short
    return Certificate(
        name=short if hosts else f"default/{short}",
        hosts=hosts,
        chain=pair.chain,
        key=pair.key,
        origin=pair.secret.origin(),
    )
