"""Which certificate a host is shown: the oldest claim with a valid Secret that covers the host.

A Secret in another namespace needs a ReferenceGrant. A certificate that does not cover its host is
not used: the host then has the Gate's default certificate, or none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from gatereeve.api.world import GateDoc, Key, SecretDoc
from gatereeve.compile import tls
from gatereeve.compile.backends import reference_grants
from gatereeve.compile.report import AnyDoc, Problem, finding
from gatereeve.compile.routes.requests import CertificateRequest
from gatereeve.core.findings import Finding
from gatereeve.core.memo import Memo
from gatereeve.ir.gates import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Where key pairs come from: Secrets, grants to reach them, and the instant that counts."""

    secrets: Mapping[Key, SecretDoc]
    grants: reference_grants.ReferenceGrants
    at: datetime
    memo: Memo

    def key_pair(self, doc: AnyDoc, namespace: str, name: str) -> tls.KeyPair | Problem:
        """The valid key pair that `doc` may use, or why there is none."""
        own = not doc.ref.namespace  # a Gate belongs to the cluster and names any namespace
        reference = reference_grants.Reference(
            from_group=doc.ref.group, from_kind=doc.ref.kind, from_namespace=doc.ref.namespace,
            to_group="", to_kind="Secret", to_namespace=namespace, to_name=name,
        )  # fmt: skip
        if not own and not reference_grants.is_permitted(self.grants, reference):
            return Problem(
                code="secret-not-granted",
                message=f"no ReferenceGrant in {namespace} lets {doc.ref.kind}s of {doc.ref.namespace} use Secret {name}",
                hint=f"ask the owner of {namespace} for a ReferenceGrant",
            )
        secret = self.secrets.get((namespace, name))
        if secret is None:
            return Problem(
                code="tls-secret-invalid",
                message=f"there is no Secret {namespace}/{name}" if name else "no Secret is named",
                hint="create a Secret of type kubernetes.io/tls, or correct the name",
            )
        pair = self.memo.get(("tls.read", secret), lambda: tls.read(secret))
        if isinstance(pair, Problem):
            return pair
        return pair.problem(self.at) or pair


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
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
    claims: tuple[CertificateRequest, ...],
    secrets: Secrets,
) -> ChosenCertificate:
    """The certificates of one gate for `hosts`.

    hosts, claims: the same tuples as long as they are equal, for the memo's sake.
    Findings: tls-secret-invalid, secret-not-granted, tls-host-mismatch.
    """
    asked = secrets.memo.get(("certificates.asked", claims), partial(_asked, claims))
    found = tuple(secrets.key_pair(claim.doc, claim.namespace, claim.name) for claim in asked.first)
    reference = gate.spec.tls.default_certificate
    default = (
        None if reference is None else secrets.key_pair(gate, reference.namespace, reference.name)
    )
    return secrets.memo.get(
        ("certificates", gate, hosts, asked, found, default),
        lambda: _choose(gate, hosts, asked.pairs(found), default),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _CertificateCandidate:
    """Claims by what decides about their key pair. first: one claim for each; of: which one each
    claim is like. Equal by identity: a memo key."""

    claims: tuple[CertificateRequest, ...]
    first: tuple[CertificateRequest, ...]
    of: tuple[int, ...]

    def pairs(
        self, found: tuple[tls.KeyPair | Problem, ...]
    ) -> tuple[tuple[CertificateRequest, tls.KeyPair | Problem], ...]:
        """Every claim with its key pair. found: those of `first`."""
        return tuple((c, found[n]) for c, n in zip(self.claims, self.of, strict=True))


def _asked(claims: tuple[CertificateRequest, ...]) -> _CertificateCandidate:
    numbers: dict[tuple[str, str, str, str, str], int] = {}
    first: list[CertificateRequest] = []
    of: list[int] = []
    for claim in claims:
        ref = claim.doc.ref
        key = (ref.group, ref.kind, ref.namespace, claim.namespace, claim.name)
        number = numbers.setdefault(key, len(first))
        if number == len(first):
            first.append(claim)
        of.append(number)
    return _CertificateCandidate(claims=claims, first=tuple(first), of=tuple(of))


def _choose(
    gate: GateDoc,
    hosts: tuple[str, ...],
    pairs: tuple[tuple[CertificateRequest, tls.KeyPair | Problem], ...],
    default: tls.KeyPair | Problem | None,
) -> ChosenCertificate:
    findings: list[Finding] = []
    usable = _usable(pairs, findings)
    if isinstance(default, Problem):
        at = "spec.tls.defaultCertificate"
        findings.append(finding(gate, default.code, at, default.message, default.hint))
        default = None
    elif default is None:
        default = next(iter(usable.get("*", ())), None)
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


def _usable(
    pairs: tuple[tuple[CertificateRequest, tls.KeyPair | Problem], ...], findings: list[Finding]
) -> Mapping[str, list[tls.KeyPair]]:
    """Valid key pairs by the host that they were claimed for, oldest claim first."""
    usable: defaultdict[str, list[tls.KeyPair]] = defaultdict(list)
    for claim, pair in sorted(pairs, key=lambda item: (item[0].place, item[0].host)):
        if isinstance(pair, Problem):
            findings.append(finding(claim.doc, pair.code, claim.where, pair.message, pair.hint))
            continue
        usable[claim.host].append(pair)
        if claim.host != "*" and not pair.covers(claim.host):
            findings.append(
                finding(claim.doc, "tls-host-mismatch", claim.where,
                        f"{pair.secret.ref} covers {', '.join(pair.names) or 'no name'}, not {claim.host}",
                        "use a certificate whose subject alternative names cover the host")
            )  # fmt: skip
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
