"""The documents of governance: HostGrant, Model, ModelVersion, Approval, AccessPolicy, Rollout.

Each spec says what a person decided; none of them is interpreted here. Design sections 4 and 5.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from gatereeve.api.people import PersonName, Role, TeamGovernance
from gatereeve.api.spec import (
    HeaderName,
    Host,
    Label,
    Name,
    Region,
    Spec,
    Text,
    Token,
    one_of,
    rules,
)

Operation = Literal["infer", "stream", "embeddings", "metadata", "health"]
OPERATIONS: tuple[Operation, ...] = ("infer", "stream", "embeddings", "metadata", "health")

Protocol = Literal["openai", "kserve-v1", "kserve-v2", "json"]
RiskClass = Literal["minimal", "limited", "high", "prohibited"]

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        msg = f"{text} is no network in CIDR form: {error}"
        raise ValueError(msg) from None
    return text


Cidr = Annotated[
    str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}/[0-9]{1,3}$"), AfterValidator(_is_network)
]
PathPrefix = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~!$&'()*+,=:@%/-]*$", max_length=1024)]


class LabelSelector(Spec):
    """Labels that must all be there. An empty selector selects nothing: say `all: true` instead."""

    model_config = rules(
        ("(has(self.all) && self.all) || (has(self.matchLabels) && size(self.matchLabels) > 0)",
         "an empty selector selects nothing; write all: true to select everything"),
    )  # fmt: skip

    match_labels: dict[str, str] = Field(default_factory=dict, max_length=16)
    all: bool = False

    @model_validator(mode="after")
    def _something(self) -> LabelSelector:
        if not self.match_labels and not self.all:
            msg = "an empty selector selects nothing; write all: true to select everything"
            raise ValueError(msg)
        return self


class ServiceGrant(Spec):
    """One Service that routes may name.

    namespace: where it stands; left out, the namespace of the route.
    released: only for a Service that stood behind a model, and for the addresses that did. Those stay closed
    after the documents of the model are gone, until a person writes here a moment that is past and
    later than their disappearance; the finding `was-governed` shows the line.
    """

    name: Name
    namespace: Label | None = None
    released: AwareDatetime | None = None


class Backends(Spec):
    """What routes may reach besides Models: Services of the list, and Services by their labels.

    selector: `all: true` for every Service that the route may name otherwise. Who writes a
    namespace's Services chooses their labels, so a selector trusts them; a list does not.
    """

    model_config = rules(
        ("has(self.services) || has(self.selector)",
         "without services and selector nothing is granted; leave backends out for models only"),
    )  # fmt: skip

    services: Annotated[tuple[ServiceGrant, ...], Field(max_length=256)] = ()
    selector: LabelSelector | None = None

    @model_validator(mode="after")
    def _something(self) -> Backends:
        if not self.services and self.selector is None:
            msg = "without services and selector nothing is granted; leave backends out for models only"
            raise ValueError(msg)
        return self


class AddressGrant(Spec):
    """Addresses that documents may name themselves: in an EndpointSlice by hand, in `endpoints`.

    cidr: `10.0.7.0/24`, `fd00::1/128`. Loopback must be granted by a CIDR inside 127.0.0.0/8 or
    ::1/128, and the API server by an address of its own (`/32`, `/128`).
    ports: every port when left out.
    released: as in ServiceGrant, for addresses that stood behind a model.
    """

    cidr: Cidr
    ports: (
        Annotated[
            tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(min_length=1, max_length=64)
        ]
        | None
    ) = None
    released: AwareDatetime | None = None


class HostGrantSpec(Spec):
    """Which namespaces may claim which hosts and paths, and what they may reach.

    hosts: exact names, `*.suffix` (grants every host beneath it and the wildcard itself), or `*`.
    paths: prefixes by whole segments.
    backends: Services that routes on these hosts and paths may reach; left out, Models only.
    addresses: what the selected namespaces may name without a Service that selects pods.
    governance: who does what in the selected namespaces, for the guards of a cluster.
    """

    namespace_selector: LabelSelector
    hosts: Annotated[tuple[Host | Literal["*"], ...], Field(min_length=1, max_length=256)]
    paths: Annotated[tuple[PathPrefix, ...], Field(min_length=1, max_length=64)] = ("/",)
    backends: Backends | None = None
    addresses: Annotated[tuple[AddressGrant, ...], Field(max_length=256)] = ()
    governance: TeamGovernance = TeamGovernance()


class ModelField(Spec):
    """One thing known about requests or answers: where it stands and what role it has."""

    name: Token
    location: Literal["request-header", "request-body", "response-body", "response-header"] = (
        "request-body"
    )
    path: Annotated[str, Field(min_length=1, max_length=256)]
    role: Literal["feature", "protected", "decision", "score", "subject"]


class Residency(Spec):
    """Where data of some callers may be processed. The first entry that names the caller decides.

    from: regions or groups of callers; `*` for everybody, also those without a known region.
    process: regions or groups in which a version may stand for them.
    """

    from_: Annotated[
        tuple[Region | Literal["*"], ...], Field(alias="from", min_length=1, max_length=64)
    ]
    process: Annotated[tuple[Region, ...], Field(min_length=1, max_length=64)]


class PayloadPolicy(Spec):
    """Whether bodies are kept, and for how long. Kept by a later part; nothing is kept by default."""

    keep: Literal["none"] = "none"


CallerHeader = Literal["principal", "groups", "region", "purpose", "record"]


class ModelSpec(Spec):
    """A governed model: what it is, what it is for and who answers for it.

    callerHeaders: what the gate says to the model about each request, in headers that no client can
    send. principal: `X-Gatereeve-Provider` and `X-Gatereeve-Principal`. groups: `X-Gatereeve-Groups`,
    a JSON list or one group. region, purpose: `X-Gatereeve-Region`, `X-Gatereeve-Purpose`. record:
    `X-Gatereeve-Record`, the record's id. What is not known has no header.
    """

    owner: PersonName
    purpose: Text
    description: Text | None = None
    risk_class: RiskClass
    task: Text | None = None
    protocol: Protocol
    served_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")] | None = None
    profiles: Annotated[tuple[Label, ...], Field(max_length=16)] = ()
    data_categories: Annotated[tuple[Label, ...], Field(max_length=32)] = ()
    fields: Annotated[tuple[ModelField, ...], Field(max_length=256)] = ()
    audit: Literal["observe", "recorded", "strict"] = "recorded"
    payloads: PayloadPolicy = PayloadPolicy()
    residency: Annotated[tuple[Residency, ...], Field(max_length=32)] = ()
    caller_headers: Annotated[tuple[CallerHeader, ...], Field(max_length=5)] = ()
    review_interval_days: Annotated[int, Field(ge=1, le=3650)] | None = None


class Artifact(Spec):
    """What was built: its digest, where it is, and its signature if it has one."""

    digest: Digest
    uri: Text | None = None
    signature: Text | None = None


class ServiceBackend(Spec):
    """A Service in the version's namespace."""

    service: Name
    port: Annotated[int, Field(ge=1, le=65535)] | Name


class Endpoint(Spec):
    """An address of a server, for folders without Services."""

    address: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}$")]
    port: Annotated[int, Field(ge=1, le=65535)]


class HealthCheck(Spec):
    """Active health check over HTTP; 200 is healthy."""

    path: PathPrefix
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 1
    unhealthy_after: Annotated[int, Field(ge=1, le=10)] = 2
    healthy_after: Annotated[int, Field(ge=1, le=10)] = 1


class Bounds(Spec):
    """What one version is asked to bear, per gate."""

    connections: Annotated[int, Field(ge=1, le=100000)] = 1024
    pending_requests: Annotated[int, Field(ge=1, le=100000)] = 1024
    requests: Annotated[int, Field(ge=1, le=100000)] = 1024
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = 60


class ModelVersionSpec(Spec):
    """One immutable candidate. Its digest, over this whole spec, is what approvals bind to.

    Exactly one of backend and endpoints. author: who made it; may not approve it.
    """

    model_config = rules(
        (one_of("backend", "endpoints"), "exactly one of backend and endpoints is required"),
        ("self == oldSelf", "a version is immutable: create another one, under another name"),
    )

    model: Name
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    author: PersonName
    artifact: Artifact
    card: Text | None = None
    region: Region
    backend: ServiceBackend | None = None
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=1000)] | None = None
    health: HealthCheck | None = None
    bounds: Bounds = Bounds()

    @model_validator(mode="after")
    def _one(self) -> ModelVersionSpec:
        if (self.backend is None) == (self.endpoints is None):
            msg = "exactly one of backend and endpoints is required"
            raise ValueError(msg)
        return self


class ApprovalSubject(Spec):
    """What is decided about. The digest binds: another digest is another thing."""

    kind: Literal["ModelVersion"] = "ModelVersion"
    name: Name
    digest: Digest


class BreakGlass(Spec):
    """An emergency: the version may be served without the approvals that it lacks, for a while.

    until: when that ends; at most the hours that the Gate allows after the document was created.
    since: when it begins. A document in a folder must say it, because nothing tells when it was
    created; in a cluster the API server does.
    """

    model_config = rules(
        ("!has(self.since) || self.since < self.until", "until must be after since")
    )

    until: AwareDatetime
    since: AwareDatetime | None = None

    @model_validator(mode="after")
    def _order(self) -> BreakGlass:
        if self.since is not None and self.since >= self.until:
            msg = "until must be after since"
            raise ValueError(msg)
        return self


class ApprovalSpec(Spec):
    """One person's decision on one digest.

    breakGlass: not an approval but an emergency, for those whom a Gate names.
    """

    model_config = rules(
        ("self == oldSelf", "a decision is immutable: delete it and decide again"),
        ("!has(self.breakGlass) || self.decision == 'approve'",
         "breakGlass goes with decision: approve"),
        ("!has(self.breakGlass) || !has(self.expires)",
         "breakGlass ends at its until; leave expires out"),
        ("!has(self.breakGlass) || self.reason.size() >= 10",
         "an emergency needs a reason that others understand: at least 10 characters"),
    )  # fmt: skip

    subject: ApprovalSubject
    role: Role
    decision: Literal["approve", "reject"]
    approver: PersonName
    expires: AwareDatetime | None = None
    break_glass: BreakGlass | None = None
    reason: Text

    @model_validator(mode="after")
    def _emergency(self) -> ApprovalSpec:
        if self.break_glass is None:
            return self
        if self.decision != "approve":
            msg = "breakGlass goes with decision: approve"
            raise ValueError(msg)
        if self.expires is not None:
            msg = "breakGlass ends at its until; leave expires out"
            raise ValueError(msg)
        if len(self.reason) < 10:
            msg = "an emergency needs a reason that others understand: at least 10 characters"
            raise ValueError(msg)
        return self


class Subject(Spec):
    """Whom a rule is about. Exactly one.

    principal: `provider/id`. group: `provider/group`. provider: everybody it identifies.
    anonymous: callers without a credential, in so many words.
    """

    model_config = rules(
        (one_of("principal", "group", "provider", "anonymous"),
         "exactly one of principal, group, provider and anonymous is required"),
    )  # fmt: skip

    principal: (
        Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}/[^\x00-\x20\x7f\"\\]{1,255}$")] | None
    ) = None
    group: (
        Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}/[^\x00-\x20\x7f\"\\]{1,255}$")] | None
    ) = None
    provider: Label | None = None
    anonymous: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Subject:
        given = (self.principal, self.group, self.provider, self.anonymous)
        if sum(x is not None for x in given) != 1:
            msg = "exactly one of principal, group, provider and anonymous is required"
            raise ValueError(msg)
        return self


class RequestLimit(Spec):
    """At most `count` requests per `seconds`, per principal (per address for anonymous callers)."""

    count: Annotated[int, Field(ge=1, le=1_000_000)]
    seconds: Annotated[int, Field(ge=1, le=86400)] = 60


class Limits(Spec):
    """Limits of one allow rule. Each principal has its own bucket."""

    requests: RequestLimit | None = None


class Conditions(Spec):
    """What a rule asks of a request. A condition left out asks nothing; all given must hold."""

    name: Label | None = None
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=256)] | None = None
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=256)] | None = None
    purposes: Annotated[tuple[Token, ...], Field(min_length=1, max_length=64)] | None = None
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=5)] | None = None


class DenyRule(Conditions):
    """Refuses whatever matches. At least one condition."""

    model_config = rules(
        ("has(self.subjects) || has(self.regions) || has(self.purposes) || has(self.operations)",
         "a deny rule without a condition would deny everything; remove the allow rules instead"),
    )  # fmt: skip

    @model_validator(mode="after")
    def _asks(self) -> DenyRule:
        if not (self.subjects or self.regions or self.purposes or self.operations):
            msg = "a deny rule without a condition would deny everything; remove the allow rules instead"
            raise ValueError(msg)
        return self


class AllowRule(Conditions):
    """Admits whatever matches. Subjects are required: access is given to somebody."""

    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=256)]
    limits: Limits | None = None


class AccessPolicySpec(Spec):
    """Who may do what from where, for models of the same namespace.

    Exactly one of models and selector. mode shadow: only recorded, never enforced.
    """

    model_config = rules(
        (one_of("models", "selector"), "exactly one of models and selector is required")
    )

    models: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)] | None = None
    selector: LabelSelector | None = None
    mode: Literal["enforce", "shadow"] = "enforce"
    deny: Annotated[tuple[DenyRule, ...], Field(max_length=128)] = ()
    allow: Annotated[tuple[AllowRule, ...], Field(max_length=128)] = ()

    @model_validator(mode="after")
    def _one(self) -> AccessPolicySpec:
        if (self.models is None) == (self.selector is None):
            msg = "exactly one of models and selector is required"
            raise ValueError(msg)
        return self


class VersionMatch(Spec):
    """Callers who meet a certain version. All given conditions must hold; at least one.

    headers: exact values; a caller chooses them, so they choose, they do not protect.
    """

    model_config = rules(
        ("has(self.groups) || has(self.regions) || (has(self.headers) && size(self.headers) > 0)",
         "a match without a condition would take everything; use split"),
        ("!has(self.groups) || self.groups.all(group, group.contains('/'))",
         "a group is written provider/group"),
        ("!has(self.headers) || self.headers.all(name, name.matches('^[a-zA-Z0-9][-a-zA-Z0-9]{0,127}$'))",
         "a header's name is letters, digits and -"),
    )  # fmt: skip

    name: Label | None = None
    groups: (
        Annotated[
            tuple[Annotated[str, Field(max_length=319)], ...], Field(min_length=1, max_length=64)
        ]
        | None
    ) = None
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=64)] | None = None
    headers: (
        Annotated[dict[HeaderName, Annotated[str, Field(max_length=256)]], Field(max_length=16)]
        | None
    ) = None
    version: Token

    @model_validator(mode="after")
    def _asks(self) -> VersionMatch:
        if not (self.groups or self.regions or self.headers):
            msg = "a match without a condition would take everything; use split"
            raise ValueError(msg)
        for group in self.groups or ():
            if "/" not in group:
                msg = f"a group is written provider/group, not {group!r}"
                raise ValueError(msg)
        return self


class Share(Spec):
    """A version's share of the callers, in ten-thousandths."""

    version: Token
    weight: Annotated[int, Field(ge=0, le=10000)]


class StickyBy(Spec):
    """What keeps a caller on one version. `subject`: the Model's field of role subject, when it is
    a request header; callers without it are kept by principal, anonymous ones by address."""

    attribute: Literal["principal", "subject"] = "principal"


class Mirror(Spec):
    """A copy of the requests to another version; its answers are thrown away."""

    version: Token
    percent: Annotated[int, Field(ge=1, le=100)] = 100


class RolloutSpec(Spec):
    """Which version answers: explicit match rules first, then the sticky split.

    fallback: answers when no candidate is left or the chosen version has no healthy endpoint.
    """

    model_config = rules(
        ("self.split.all(a, self.split.exists_one(b, b.version == a.version))",
         "a version stands twice in split"),
        ("self.split.exists(share, share.weight > 0)", "all shares are 0"),
    )  # fmt: skip

    model: Name
    match: Annotated[tuple[VersionMatch, ...], Field(max_length=64)] = ()
    split: Annotated[tuple[Share, ...], Field(min_length=1, max_length=32)]
    sticky_by: StickyBy = StickyBy()
    mirror: Mirror | None = None
    fallback: Token | None = None

    @model_validator(mode="after")
    def _shares(self) -> RolloutSpec:
        versions = [share.version for share in self.split]
        if len(set(versions)) != len(versions):
            msg = "a version stands twice in split"
            raise ValueError(msg)
        if sum(share.weight for share in self.split) == 0:
            msg = "all shares are 0"
            raise ValueError(msg)
        return self


__all__ = [
    "OPERATIONS",
    "AccessPolicySpec",
    "AllowRule",
    "ApprovalSpec",
    "BreakGlass",
    "DenyRule",
    "HostGrantSpec",
    "ModelSpec",
    "ModelVersionSpec",
    "Operation",
    "Protocol",
    "RolloutSpec",
    "Subject",
]
