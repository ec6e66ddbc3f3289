"""Findings: diagnoses of the documents, as data. And the one registry of their codes.

The same value becomes the CLI line, the SARIF result, the status condition, the admission answer,
the console row and the ledger fact. Nothing here raises for what a user wrote, formats for a
terminal, or knows what a document is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import NewType

from gatereeve.core.refs import Origin, Where

FindingCode = NewType("FindingCode", str)

MAX_TEXT = 500
"""Characters of a message or hint; escapes may double them."""


class Severity(IntEnum):
    """error: something is not served or not in force · warning: served, look at it · info."""

    INFO = 1
    WARNING = 2
    ERROR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One diagnosis. `message` says what is wrong, `hint` what would be right.

    Both quote what users wrote, and are shown on terminals and in logs: they are one printable line
    of at most MAX_TEXT characters, whatever they are made of.
    origin: the document and place; None when a file holds no readable document.
    where: file and line; filled by the source, so equal documents give equal findings but for it.
    """

    code: FindingCode
    message: str
    hint: str
    origin: Origin | None = None
    where: Where | None = None

    def __post_init__(self) -> None:
        for name, text in (("message", self.message), ("hint", self.hint)):
            if len(text) > MAX_TEXT or not text.isprintable():
                object.__setattr__(self, name, _one_line(text))

    @property
    def severity(self) -> Severity:
        return REGISTRY[self.code].severity


def _one_line(text: str) -> str:
    """Characters that a terminal would act on, or that hide others, become escapes."""
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    shown = (
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode()
        for c in short
    )
    return "".join(shown)[: MAX_TEXT * 2]


@dataclass(frozen=True, slots=True)
class Code:
    """A registered code: its severity and one sentence for the reference page."""

    code: FindingCode
    severity: Severity
    about: str


def order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, then by place, code and message; duplicates removed."""
    return tuple(
        sorted(
            set(findings),
            key=lambda f: (
                -f.severity,
                (f.where.file, f.where.line) if f.where else ("", 0),
                str(f.origin) if f.origin else "",
                f.code,
                f.message,
            ),
        )
    )


def _registry(*rows: tuple[str, Severity, str]) -> dict[FindingCode, Code]:
    return {
        FindingCode(code): Code(FindingCode(code), severity, about)
        for code, severity, about in rows
    }


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

REGISTRY: dict[FindingCode, Code] = _registry(
    # reading
    (
        "unreadable-file",
        _E,
        "A file could not be read, or is too large. Its last good documents stay in force; what a file that never was good may concern is refused.",
    ),
    (
        "file-misnamed",
        _E,
        "A file whose name keeps it from being read holds rules that refuse. Requests to the models that they may concern are refused.",
    ),
    ("file-not-read", _I, "A file or folder that is passed over, with why."),
    (
        "empty-file",
        _E,
        "A file that holds nothing: its save may have been cut off. Its last good documents stay in force.",
    ),
    ("yaml-syntax", _E, "A file is not YAML. Its last good documents stay in force."),
    (
        "duplicate-key",
        _E,
        "A mapping has the same key twice; which one was meant is not ours to guess.",
    ),
    (
        "not-an-object",
        _E,
        "A YAML document is not a Kubernetes object with apiVersion, kind and metadata.name.",
    ),
    ("unknown-kind", _E, "A kind (or version of a kind) that nothing here reads."),
    ("foreign-kind", _I, "A kind of another API group that nothing here reads; it has no effect."),
    (
        "document-too-large",
        _E,
        "A document beyond the bounds of size, depth or expanded aliases. It is not read.",
    ),
    (
        "unknown-field",
        _E,
        "A field that the kind does not have. The document is not used: what it meant is unknown.",
    ),
    (
        "invalid-field",
        _E,
        "A field has the wrong type or an impossible value. The document is not used.",
    ),
    ("missing-field", _E, "A required field is absent. The document is not used."),
    (
        "duplicate-name",
        _E,
        "Two documents with the same kind, namespace and name. Neither is used.",
    ),
    ("invalid-name", _E, "A name or namespace that Kubernetes would refuse."),
    ("last-good-kept", _W, "A document no longer parses; its last good form stays in force."),
    ("too-many-documents", _E, "A folder or file beyond the bounds; what is beyond is not read."),
    (
        "missing-file",
        _E,
        "A document names a file that cannot be read; what depends on it is refused.",
    ),
    (
        "kind-not-served",
        _E,
        "The cluster lacks one of Gatereeve's own kinds: its CustomResourceDefinition is not installed.",
    ),
    (
        "secret-unreadable",
        _E,
        "A Secret that a document names cannot be read from the API server; what was read before stays.",
    ),
    # gate and identity
    ("no-gate", _E, "There are routes but no Gate document, so nothing is served."),
    (
        "gate-conflict",
        _E,
        "Two Gates want the same address and port, or one class; the first by name wins.",
    ),
    ("weak-tls", _W, "A TLS floor below 1.2, which current standards call broken."),
    (
        "jwks-invalid",
        _E,
        "A key set that cannot be read, is empty, or has no usable key. Every token of its issuer is refused.",
    ),
    (
        "jwks-key-refused",
        _W,
        "A key of a key set is not used: weak, malformed, private, symmetric, or not for signatures.",
    ),
    (
        "jwks-unavailable",
        _E,
        "A key set has not been retrieved yet, or not for too long; every token of its issuer is refused.",
    ),
    (
        "jwks-stale",
        _W,
        "A key set cannot be refreshed; the keys retrieved last stay in force until `keepSeconds` are over.",
    ),
    (
        "jwks-uri-refused",
        _E,
        "A key set may not be retrieved from there: not https, a private address, or another host.",
    ),
    (
        "api-key-invalid",
        _E,
        "An API key Secret is missing or empty, or holds a key that is weak, used twice, or cannot be sent.",
    ),
    (
        "client-ca-invalid",
        _E,
        "A client CA that is no certificate; the gate asks for no client certificate.",
    ),
    ("geoip-invalid", _E, "A GeoIP database that cannot be read; it yields no region."),
    (
        "provider-unknown",
        _E,
        "A rule or source names an identity provider that the Gate does not have.",
    ),
    (
        "region-unknown",
        _W,
        "A region that no region source of the Gate can yield and no group names.",
    ),
    ("header-trusted-everywhere", _W, "A region or purpose header is believed from every address."),
    # hosts and routes
    (
        "host-not-granted",
        _E,
        "A namespace claims a host or path without a HostGrant. The route is not served.",
    ),
    ("route-conflict", _E, "Another route owns this host, path and match; this one is not served."),
    ("class-unknown", _I, "An Ingress or Gateway of a class that is not ours is left alone."),
    ("class-ambiguous", _E, "Annotation and ingressClassName disagree. The Ingress is not served."),
    (
        "class-foreign",
        _W,
        "A Gate lists a class whose document names another controller; its routes are left alone.",
    ),
    (
        "parameters-invalid",
        _E,
        "Parameters of a class or Gateway that name no Gate; what refers to it is not served.",
    ),
    (
        "annotation-refused",
        _E,
        "An annotation of another controller that would change security is not honoured; the route is refused.",
    ),
    ("annotation-ignored", _W, "An annotation of another controller that has no effect here."),
    (
        "path-refused",
        _E,
        "A path that has no canonical form: dot segments, encoded slashes, `;`, control characters.",
    ),
    (
        "pattern-refused",
        _E,
        "A regular expression beyond the RE2 bounds, or in a place that decides about access.",
    ),
    ("host-invalid", _E, "A host that is no DNS name."),
    ("parent-missing", _W, "An HTTPRoute without parentRefs: no Gateway serves it."),
    ("parent-not-found", _E, "A parentRef names no Gateway or listener of ours."),
    ("parent-not-allowed", _E, "The listener does not admit routes from this namespace or kind."),
    ("listener-invalid", _E, "A Gateway listener that cannot be served: protocol, port or TLS."),
    ("listener-conflict", _E, "Two listeners with the same port and host."),
    (
        "gateway-pending",
        _I,
        "A Gateway whose ports have not been given out yet, so nothing is served through it.",
    ),
    ("no-matching-host", _E, "Route and listener have no host in common."),
    (
        "filter-unsupported",
        _E,
        "A route filter that is not supported; the rule answers 500 rather than without it.",
    ),
    (
        "rule-invalid",
        _E,
        "A match, filter or timeout with a value that no gate can keep; what it stands in answers 500 or is not served.",
    ),
    (
        "backend-mix",
        _E,
        "A rule mixes Models with Services, or several Models that the request cannot tell apart; it answers 500.",
    ),
    (
        "weights-ignored",
        _W,
        "Weights between Models are not kept: the request names the model, its Rollout weighs versions.",
    ),
    (
        "backend-not-found",
        _E,
        "A backend names nothing that exists; its share of the traffic answers 500.",
    ),
    (
        "backend-kind-unknown",
        _E,
        "A backend of a kind that nothing here serves; its share answers 500.",
    ),
    (
        "backend-not-granted",
        _E,
        "A backend in another namespace without a ReferenceGrant; its share answers 500.",
    ),
    (
        "service-not-granted",
        _E,
        "A route names a Service that no HostGrant of its host and path lets it reach; its share answers 500.",
    ),
    ("backend-port-unknown", _E, "The Service has no such port."),
    (
        "backend-address-refused",
        _E,
        "An endpoint address that may not be reached: loopback of the cluster, link-local, metadata service.",
    ),
    (
        "address-not-granted",
        _E,
        "A document names an address by hand, and no HostGrant grants it to the namespace. It is not reached.",
    ),
    (
        "address-taken",
        _E,
        "A document names an address by hand that belongs to another namespace. It is not reached.",
    ),
    (
        "was-governed",
        _E,
        "A route names a Service, or reaches an address, that stood behind a model whose documents are gone. The route is refused until a HostGrant releases it.",
    ),
    ("no-endpoints", _W, "A backend has no ready endpoint; requests answer 503 until it has."),
    ("external-name-refused", _E, "A Service of type ExternalName is no backend."),
    (
        "tls-secret-invalid",
        _E,
        "A TLS Secret that is missing, of another type, unparsable, or expired. Its hosts get no certificate.",
    ),
    ("tls-host-mismatch", _W, "A certificate whose names do not cover the host."),
    (
        "tls-unavailable",
        _E,
        "A route that needs TLS has none: no certificate, no https address, or plain HTTP only on a governed host.",
    ),
    ("secret-not-granted", _E, "A Secret in another namespace without a ReferenceGrant."),
    (
        "service-behind-model",
        _I,
        "A route names a Service behind a model and is governed like one that names the model.",
    ),
    (
        "service-behind-models",
        _E,
        "A Service stands behind several models, so a route to it cannot be governed and is refused.",
    ),
    (
        "hidden-path-to-model",
        _E,
        "A Service that is no model's backend reaches the addresses of a model. The route is refused.",
    ),
    # governance
    ("model-not-found", _E, "A document names a Model that does not exist."),
    ("version-not-found", _E, "A document names a ModelVersion that does not exist."),
    ("model-prohibited", _E, "A model of risk class prohibited never routes."),
    ("model-unrouted", _I, "A Model that no route reaches."),
    (
        "shared-server",
        _E,
        "Models of one server, between which a body can choose, have unequal policies. Their requests are refused.",
    ),
    (
        "field-header-removed",
        _W,
        "A Model's field stands in a request header that its Gate takes off towards models.",
    ),
    ("model-unversioned", _E, "A Model without a version: requests answer 503."),
    (
        "path-outside-protocol",
        _E,
        "An exact route path that is no operation of the model's protocol.",
    ),
    (
        "strict-audit-unavailable",
        _E,
        "audit: strict needs the durable recorder, which this gate does not have; the model answers 503.",
    ),
    ("version-unapproved", _W, "A version lacks a required approval and gets no traffic."),
    ("version-rejected", _W, "A reviewer rejected this version; it gets no traffic."),
    (
        "version-duplicate",
        _E,
        "Two ModelVersions of one model carry the same version; neither is served.",
    ),
    (
        "version-changed",
        _W,
        "An approval was given for another digest: the version changed after it was approved.",
    ),
    (
        "approval-broken",
        _E,
        "An approval cannot be read and may be a rejection, so the versions that it may concern get no traffic.",
    ),
    ("approval-expired", _W, "An approval has expired and no longer counts."),
    ("approval-self", _E, "The author of a version cannot approve it."),
    (
        "person-refused",
        _E,
        "An author or approver whose name cannot be one person's (invisible letters, letters of several scripts), or that no People document lists: what it signs does not count.",
    ),
    (
        "approval-not-independent",
        _E,
        "The risk reviewer must be somebody else than the owner's approver.",
    ),
    (
        "break-glass-active",
        _W,
        "An emergency: a version is served without the approvals that it lacks, until the time given.",
    ),
    (
        "break-glass-refused",
        _E,
        "An emergency that does not count: its author is not named in the Gate, or it lasts too long.",
    ),
    (
        "policy-empty",
        _E,
        "A policy without a rule says nothing; it is refused rather than guessed at.",
    ),
    (
        "policy-broken",
        _E,
        "A policy, or what may be one, is not understood, so requests to the models that it may concern are refused.",
    ),
    (
        "deny-matches-nothing",
        _E,
        "A deny rule that can match nothing, because a name in it is misspelled or unknown. Requests to the models that it may concern are refused.",
    ),
    ("policy-matches-nothing", _W, "A policy whose models or selector match no Model."),
    ("no-allow-rule", _W, "No enforced allow rule names this model: every request is refused."),
    ("anonymous-allowed", _W, "A rule admits anonymous callers, in so many words."),
    (
        "operation-not-in-protocol",
        _W,
        "A rule names an operation that the model's protocol does not have.",
    ),
    (
        "stream-told-by-body",
        _W,
        "A rule for an OpenAI model tells `infer` from `stream`, which stands in the body: servers read a key that is there twice in different ways.",
    ),
    ("rollout-conflict", _E, "Two Rollouts for one model; the first by name is in force."),
    (
        "rollout-missing",
        _E,
        "Several versions are eligible and no Rollout says which answers: requests answer 503.",
    ),
    ("rollout-no-candidate", _E, "No version of the rollout may be served: requests answer 503."),
    (
        "rollout-version-dropped",
        _W,
        "A version in the rollout is not eligible; its share goes to the others.",
    ),
    (
        "rollout-sticky-body",
        _E,
        "stickyBy needs an attribute that the gate can hash: a header or the principal.",
    ),
    (
        "residency-unlawful",
        _W,
        "A version stands in no region that is lawful for some callers; for them it is no candidate.",
    ),
    (
        "residency-nowhere",
        _E,
        "No version stands in a lawful region: requests of those callers answer 503.",
    ),
    ("grant-overlap", _I, "Two HostGrants give the same host to different namespaces."),
    # audit of a cluster: ways to models
    (
        "exposed-model",
        _E,
        "A route or Service reaches a governed version past the gate, so no policy of the model holds there.",
    ),
    (
        "exposed-model-server",
        _W,
        "Something that is likely a model server can be reached, and no ModelVersion governs it. The finding names the evidence.",
    ),
    (
        "exposed-possible-model",
        _I,
        "Something that may be a model server can be reached; a port or a name says so, which is weak evidence.",
    ),
    (
        "model-unfenced",
        _W,
        "No NetworkPolicy isolates the pods of a governed version: any pod of the cluster reaches it past the gate.",
    ),
    (
        "exposure-not-examined",
        _I,
        "An object of a kind that can expose Services in ways that the audit does not follow.",
    ),
    # audit of a cluster: moving from ingress-nginx
    (
        "nginx-protection-lost",
        _E,
        "A setting of ingress-nginx protects something, and a gate does not keep it.",
    ),
    (
        "nginx-protection-moves",
        _W,
        "A setting of ingress-nginx protects something; it must be said in another document before the route moves.",
    ),
    (
        "nginx-traffic-lost",
        _W,
        "A setting of ingress-nginx shapes traffic, and a gate does not keep it.",
    ),
    (
        "nginx-traffic-moves",
        _I,
        "A setting of ingress-nginx shapes traffic; another document says it in other words.",
    ),
    ("nginx-setting-kept", _I, "A setting of ingress-nginx that a gate keeps by itself."),
    ("nginx-tuning-dropped", _I, "Settings that tune nginx and mean nothing to a gate."),
    (
        "nginx-setting-unknown",
        _W,
        "An annotation with the prefix of ingress-nginx that is in no published list of it.",
    ),
    ("nginx-setting-weak", _W, "A setting of ingress-nginx takes protection away, today."),
    (
        "nginx-injection",
        _E,
        "A setting puts text of its author into the configuration of ingress-nginx, today.",
    ),
    (
        "nginx-value-suspicious",
        _E,
        "A value holds characters by which configuration was injected into ingress-nginx.",
    ),
    (
        "nginx-vulnerable",
        _E,
        "A release of ingress-nginx in which CVE-2025-1974 is open: code execution from the pod network.",
    ),
    ("nginx-retired", _W, "ingress-nginx serves here; its project ended in March 2026."),
    # audit of a cluster: rights
    (
        "grant-to-everybody",
        _E,
        "A right that undoes governance is given to a group that holds everybody.",
    ),
    (
        "grant-escalation",
        _E,
        "Somebody may take any other right, or act as somebody else: bind, escalate, impersonate, tokens, certificates.",
    ),
    (
        "grant-guards",
        _E,
        "Somebody may change admission policies, webhooks or CRDs, and so switch the guards off.",
    ),
    ("grant-everything", _W, "Somebody may do everything."),
    ("grant-governance", _W, "Somebody may write documents of Gatereeve."),
    ("grant-status", _W, "Somebody may write the status of routes or documents."),
    ("grant-routes", _W, "Somebody may change routes and gateways in every namespace."),
    (
        "grant-aggregated",
        _W,
        "A role adds such rights to edit, admin or view, for everybody who has those.",
    ),
    ("grant-secrets", _W, "Somebody may read Secrets everywhere, or where models are."),
    (
        "grant-pods",
        _W,
        "Somebody may reach into pods everywhere, or where models are, past the gate.",
    ),
    ("grant-nodes", _W, "Somebody may use the kubelet through the API server."),
    ("grant-namespaces", _W, "Somebody may change namespaces, by whose labels hosts are granted."),
    (
        "grant-network",
        _W,
        "Somebody may change Services, endpoints or NetworkPolicies everywhere, or where models are.",
    ),
    (
        "grant-ours",
        _I,
        "The controllers have a right that they cannot do without; the account is theirs.",
    ),
    ("grant-unknown", _I, "A binding gives a role that was not among what was looked at."),
    # guards of a cluster
    ("guard-missing", _E, "A guard that the documents ask for is not in the cluster."),
    ("guard-changed", _E, "A guard in the cluster says something else than the documents ask for."),
    (
        "guard-stale",
        _W,
        "The guards were made for other namespaces than there are now; in those that they do not know nothing governed comes in.",
    ),
    (
        "guard-superfluous",
        _W,
        "A guard, or a binding to a role of ours, that the documents do not ask for.",
    ),
    # proxy
    (
        "gate-rejected",
        _E,
        "The gate's Envoy refused a part of the configuration; the routes of the document that is named refuse until it changes, or the last good part stays in force.",
    ),
)
