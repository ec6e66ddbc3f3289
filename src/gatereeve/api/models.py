"""Model, ModelVersion and Approval: what is served, which candidates exist, who decided on them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from gatereeve.api.people import PersonName, Role
from gatereeve.api.spec import (
    Label,
    Name,
    PathPrefix,
    Region,
    Spec,
    Text,
    Token,
    exactly_one_of,
    immutable,
    must,
)

Protocol = Literal["openai", "kserve-v1", "kserve-v2", "json"]
RiskClass = Literal["minimal", "limited", "high", "prohibited"]
CallerHeader = Literal["principal", "groups", "region", "purpose", "record"]

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=1, le=100000)]


class ModelField(Spec):
    """One known field of requests or responses."""

    name: Token = Field(description="Name of the field for readers. Example: age.")
    location: Literal["request-header", "request-body", "response-body", "response-header"] = Field(
        default="request-body", description="Part of the request or response that holds the field."
    )
    path: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="Name of the header, or path in the body. Example: x-applicant."
    )
    role: Literal["feature", "protected", "decision", "score", "subject"] = Field(
        description="Meaning of the field. `subject` in a request header identifies the person that "
        "the data is about; a Rollout can use it (stickyBy). The gate does not read the other roles."
    )


class Residency(Spec):
    """Regions in which data of some callers may be processed."""

    from_: Annotated[
        tuple[Region | Literal["*"], ...], Field(alias="from", min_length=1, max_length=64)
    ] = Field(
        description="Regions or region groups of callers. `*` stands for every caller, also one "
        "without a known region. The first entry that contains the caller decides. Example: [eu]."
    )
    process: Annotated[tuple[Region, ...], Field(min_length=1, max_length=64)] = Field(
        description="Regions or region groups in which a version may run for them. Example: [de, fr]."
    )


class PayloadPolicy(Spec):
    """Storage of request and response bodies."""

    keep: Literal["none"] = Field(default="none", description="Bodies that are stored: none.")


class ModelSpec(Spec):
    """A governed model: what it is, what it is for, and who is responsible for it."""

    owner: PersonName = Field(
        description="Person responsible for the model. For readers. Example: anna@example.com."
    )
    purpose: Text = Field(
        description="What the model is for. For readers; access by purpose is set in an AccessPolicy."
    )
    description: Text | None = Field(
        default=None, description="Free text for readers. Absent: no text."
    )
    risk_class: RiskClass = Field(
        description="Decides which approvals a version needs: minimal none, limited owner, high owner "
        "and risk from two people. A prohibited model is never served."
    )
    task: Text | None = Field(
        default=None,
        description="Kind of task, for readers. Absent: no text. Example: classification.",
    )
    protocol: Protocol = Field(
        description="API that the model's servers have. It decides which paths are operations."
    )
    served_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")] | None = (
        Field(
            default=None,
            description="Name of the model in requests. Absent: metadata.name. Example: credit.",
        )
    )
    profiles: Annotated[tuple[Label, ...], Field(max_length=16)] = Field(
        default=(), description="Labels for readers; the gate does not evaluate them. Absent: none."
    )
    data_categories: Annotated[tuple[Label, ...], Field(max_length=32)] = Field(
        default=(),
        description="Categories of data that the model processes, for readers; the gate does not "
        "evaluate them. Absent: none. Example: [income].",
    )
    fields: Annotated[tuple[ModelField, ...], Field(max_length=256)] = Field(
        default=(), description="Known fields of requests and responses. Absent: none."
    )
    audit: Literal["observe", "recorded", "strict"] = Field(
        default="recorded",
        description="Written into the record of each request. `strict` requires a durable recorder; "
        "without one every request is refused.",
    )
    payloads: PayloadPolicy = Field(
        default=PayloadPolicy(), description="Storage of bodies. Absent: no body is stored."
    )
    residency: Annotated[tuple[Residency, ...], Field(max_length=32)] = Field(
        default=(),
        description="Where data of callers may be processed. Callers in no entry are refused. "
        "Absent: versions in every region may serve every caller.",
    )
    caller_headers: Annotated[tuple[CallerHeader, ...], Field(max_length=5)] = Field(
        default=(),
        description="Headers about the caller that the gate sends to the model; clients cannot set "
        "them. principal: X-Gatereeve-Provider and X-Gatereeve-Principal. groups: "
        "X-Gatereeve-Groups, a JSON list or one group. region, purpose: X-Gatereeve-Region, "
        "X-Gatereeve-Purpose. record: X-Gatereeve-Record, the record's id. An unknown value has no "
        "header. Absent: no such header.",
    )
    review_interval_days: Annotated[int, Field(ge=1, le=3650)] | None = Field(
        default=None,
        description="Time between reviews, in days, for readers; the gate does not evaluate it. "
        "Absent: no interval. Example: 365.",
    )


class Artifact(Spec):
    """The model file or image that was built."""

    digest: Digest = Field(
        description="SHA-256 of the artifact. The gate does not verify it. Example: sha256:9f86d0…"
    )
    uri: Text | None = Field(
        default=None,
        description="Where the artifact is stored, for readers. Absent: unknown. "
        "Example: s3://models/credit.onnx.",
    )
    signature: Text | None = Field(
        default=None,
        description="Signature of the artifact. The gate does not verify it. Absent: none.",
    )


class ServiceBackend(Spec):
    """A Service in the namespace of the version."""

    service: Name = Field(description="Name of the Service. Example: credit-v1.")
    port: Annotated[int, Field(ge=1, le=65535)] | Name = Field(
        description="Number or name of a port of the Service. Example: 8080."
    )


class Endpoint(Spec):
    """Address of one server."""

    address: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}$")] = Field(
        description="IP address of the server. A HostGrant must grant it. Example: 10.0.7.3."
    )
    port: Annotated[int, Field(ge=1, le=65535)] = Field(
        description="Port of the server. Example: 8080."
    )


class HealthCheck(Spec):
    """Active health check over HTTP; 200 is healthy."""

    path: PathPrefix = Field(description="Path of the request. Example: /v2/health/ready.")
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = Field(
        default=5, description="Time between two checks of one endpoint, in seconds."
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = Field(
        default=1, description="Time after which a check without an answer has failed, in seconds."
    )
    unhealthy_after: Annotated[int, Field(ge=1, le=10)] = Field(
        default=2, description="Failed checks in a row after which the endpoint gets no requests."
    )
    healthy_after: Annotated[int, Field(ge=1, le=10)] = Field(
        default=1, description="Successful checks in a row after which it gets requests again."
    )


class Bounds(Spec):
    """Limits on the load of one version. Each gate counts for itself."""

    connections: Count = Field(default=1024, description="Connections at the same time.")
    pending_requests: Count = Field(
        default=1024, description="Requests that wait for a connection at the same time."
    )
    requests: Count = Field(default=1024, description="Requests in progress at the same time.")
    timeout_seconds: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=60,
        description="Longest duration of a request, in seconds. A timeout of the route replaces it; "
        "among the versions of a split the longest counts.",
    )


class ModelVersionSpec(
    Spec,
    rules=(
        exactly_one_of("backend", "endpoints"),
        immutable("a version is immutable: create another one, under another name"),
    ),
):
    """One immutable candidate of a model. Approvals refer to the digest of this whole spec."""

    model: Name = Field(description="Name of the Model, in the same namespace. Example: credit.")
    version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")] = Field(
        description="Version, unique in the model. Example: v1."
    )
    author: PersonName = Field(
        description="Person who made the version. Their approvals of it do not count. Example: "
        "ben@example.com."
    )
    artifact: Artifact = Field(description="What was built. Part of the digest that is approved.")
    card: Text | None = Field(
        default=None, description="Model card: a URL or text, for readers. Absent: none."
    )
    region: Region = Field(
        description="Region in which the version runs; compared with the Model's residency. "
        "Example: de."
    )
    backend: ServiceBackend | None = Field(
        default=None,
        description="Service that serves the version. Required if endpoints is absent.",
    )
    endpoints: Annotated[tuple[Endpoint, ...], Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Addresses that serve the version, for folders without Services. Required if "
        "backend is absent.",
    )
    health: HealthCheck | None = Field(
        default=None, description="Active health check. Absent: no active health check."
    )
    bounds: Bounds = Field(
        default=Bounds(), description="Limits on the load. Absent: the defaults below."
    )


class ApprovalSubject(Spec):
    """The version that is decided on."""

    kind: Literal["ModelVersion"] = Field(
        default="ModelVersion", description="Kind of the document."
    )
    name: Name = Field(
        description="metadata.name of the ModelVersion, in the same namespace. Example: credit-v1."
    )
    digest: Digest = Field(
        description="Digest of the version's spec, from its status. With another digest the approval "
        "does not count. Example: sha256:9f86d0…"
    )


class BreakGlass(Spec):
    """An emergency: the version may be served without the approvals that it lacks, for some hours."""

    until: AwareDatetime = Field(
        description="End of the emergency; at most the maxHours of the Gate after its beginning. "
        "Example: 2026-11-01T02:00:00Z."
    )
    since: AwareDatetime | None = Field(
        default=None,
        description="Beginning of the emergency. Absent: the time at which the API server created "
        "the document. Required in a folder.",
    )

    @must("!has(self.since) || self.since < self.until", "until must be after since")
    def _ends_after_start(self) -> bool:
        return self.since is None or self.since < self.until


class ApprovalSpec(Spec, rules=(immutable("a decision is immutable: delete it and decide again"),)):
    """One person's decision on one digest of a version. A reject closes the version."""

    subject: ApprovalSubject = Field(description="The version that is decided on.")
    role: Role = Field(description="Role in which the person decides. Example: risk.")
    decision: Literal["approve", "reject"] = Field(
        description="The decision. One rejection is enough to keep the version from being served."
    )
    approver: PersonName = Field(
        description="Person who decides. Must not be the author of the version. Example: "
        "olga@example.com."
    )
    expires: AwareDatetime | None = Field(
        default=None,
        description="Time after which the decision no longer counts. Absent: it does not expire. "
        "Example: 2027-11-01T00:00:00Z.",
    )
    break_glass: BreakGlass | None = Field(
        default=None,
        description="Makes this an emergency instead of an approval. Only for users in the Gate's "
        "governance.breakGlass. Absent: an ordinary decision.",
    )
    reason: Text = Field(description="Reason for readers; at least 10 characters with breakGlass.")

    @must(
        "!has(self.breakGlass) || self.decision == 'approve'",
        "breakGlass goes with decision: approve",
    )
    def _approves_in_emergency(self) -> bool:
        return self.break_glass is None or self.decision == "approve"

    @must(
        "!has(self.breakGlass) || !has(self.expires)",
        "breakGlass ends at its until; leave expires out",
    )
    def _has_one_end(self) -> bool:
        return self.break_glass is None or self.expires is None

    @must(
        "!has(self.breakGlass) || self.reason.size() >= 10",
        "an emergency needs a reason that others understand: at least 10 characters",
    )
    def _has_reason(self) -> bool:
        return self.break_glass is None or len(self.reason) >= 10
