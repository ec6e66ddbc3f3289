"""AccessPolicy: which callers may use which models, and how often."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatereeve.api.host_grants import LabelSelector
from gatereeve.api.spec import (
    Label,
    Name,
    ProvidedGroup,
    ProvidedName,
    Region,
    Spec,
    Token,
    at_least_one_of,
    exactly_one_of,
)

Operation = Literal["infer", "stream", "embeddings", "metadata", "health"]
OPERATIONS: tuple[Operation, ...] = ("infer", "stream", "embeddings", "metadata", "health")


class Subject(Spec, rules=(exactly_one_of("principal", "group", "provider", "anonymous"),)):
    """A caller or a set of callers. Exactly one field."""

    principal: ProvidedName | None = Field(
        default=None, description="One caller, as `provider/id`. Example: corp/anna."
    )
    group: ProvidedGroup | None = Field(
        default=None,
        description="Members of a group, as `provider/group`; the group may have spaces. "
        "Example: corp/lending.",
    )
    provider: Label | None = Field(
        default=None,
        description="Every caller that this identity provider identifies. Example: corp.",
    )
    anonymous: Literal[True] | None = Field(
        default=None, description="Callers without a credential; only `true` is possible."
    )


class RequestLimit(Spec):
    """A number of requests in a time, per principal; per address for anonymous callers."""

    count: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        description="Number of requests. Each gate counts for itself. Example: 100."
    )
    seconds: Annotated[int, Field(ge=1, le=86400)] = Field(
        default=60, description="Length of the time, in seconds."
    )


class Limits(Spec):
    """Limits of one allow rule."""

    requests: RequestLimit | None = Field(
        default=None, description="Limit on requests. Absent: no limit."
    )


class Conditions(Spec):
    """Conditions on a request. All that are present must hold."""

    name: Label | None = Field(
        default=None,
        description="Name of the rule in records and explanations. Absent: its position, like "
        "`allow[0]`. Example: team.",
    )
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=256)] | None = Field(
        default=None, description="The caller is one of these. Absent: every caller."
    )
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="The caller's region is one of these regions or region groups. Absent: every "
        "region. Example: [eu].",
    )
    purposes: Annotated[tuple[Token, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="The request's purpose is one of these. Absent: every purpose. "
        "Example: [scoring].",
    )
    operations: Annotated[tuple[Operation, ...], Field(min_length=1, max_length=5)] | None = Field(
        default=None,
        description="The operation is one of these. Absent: every operation. Example: [infer].",
    )


class DenyRule(
    Conditions,
    rules=(
        at_least_one_of(
            "subjects", "regions", "purposes", "operations",
            message="a deny rule without a condition would deny everything; remove the allow rules instead",
        ),
    ),
):  # fmt: skip
    """Refuses the requests that match. At least one condition."""


class AllowRule(Conditions):
    """Allows the requests that match, unless a deny rule matches too."""

    subjects: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=256)] = Field(
        description="The caller is one of these."
    )
    limits: Limits | None = Field(
        default=None,
        description="Limits for the requests that this rule allows. Absent: no limits.",
    )


class AccessPolicySpec(Spec, rules=(exactly_one_of("models", "selector"),)):
    """Access to models of the same namespace. What no policy allows is refused; deny wins."""

    models: Annotated[tuple[Name, ...], Field(min_length=1, max_length=256)] | None = Field(
        default=None,
        description="Models by name. Required if selector is absent. Example: [credit].",
    )
    selector: LabelSelector | None = Field(
        default=None, description="Models by their labels. Required if models is absent."
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce",
        description="`shadow` only records what the policy would decide; it allows and denies nothing.",
    )
    deny: Annotated[tuple[DenyRule, ...], Field(max_length=128)] = Field(
        default=(),
        description="Requests that are refused, even if a policy allows them. Absent: none.",
    )
    allow: Annotated[tuple[AllowRule, ...], Field(max_length=128)] = Field(
        default=(), description="Requests that are allowed. Absent: this policy allows nothing."
    )
