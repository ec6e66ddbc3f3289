"""Rollout: which version of a model answers a request."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatereeve.api.spec import HeaderName, Label, Name, Region, Spec, Token, distinct, must

Group = Annotated[str, Field(max_length=319)]


class VersionMatch(Spec):
    """Callers that get a certain version. All conditions that are present must hold; at least one."""

    name: Label | None = Field(
        default=None,
        description="Name of the match in records and explanations. Absent: its position, like "
        "`match[0]`. Example: testers.",
    )
    groups: Annotated[tuple[Group, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="The caller is in one of these groups, written `provider/group`. Absent: every "
        "caller. Example: [corp/testers].",
    )
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="The caller's region is one of these regions or region groups. Absent: every "
        "region. Example: [eu].",
    )
    headers: (
        Annotated[dict[HeaderName, Annotated[str, Field(max_length=256)]], Field(max_length=16)]
        | None
    ) = Field(
        default=None,
        description="Exact values of request headers. A caller can set them, so they do not protect "
        'a version. Absent: no header is compared. Example: {x-try: "1"}.',
    )
    version: Token = Field(description="Version that answers these callers. Example: v2.")

    @must(
        "has(self.groups) || has(self.regions) || (has(self.headers) && size(self.headers) > 0)",
        "a match without a condition would take everything; use split",
    )
    def _has_condition(self) -> bool:
        return bool(self.groups or self.regions or self.headers)

    @must(
        "!has(self.groups) || self.groups.all(group, group.contains('/'))",
        "a group is written provider/group",
    )
    def _names_providers(self) -> bool:
        return all("/" in group for group in self.groups or ())


class Share(Spec):
    """The share of callers that a version gets."""

    version: Token = Field(description="Version. Example: v1.")
    weight: Annotated[int, Field(ge=0, le=10000)] = Field(
        description="Share relative to the sum of all weights; 0 gets no callers. Example: 90."
    )


class StickyBy(Spec):
    """What keeps a caller on one version of the split."""

    attribute: Literal["principal", "subject"] = Field(
        default="principal",
        description="`subject` is the Model's field of role subject, if it is a request header. "
        "Without a subject the principal counts, for anonymous callers the address.",
    )


class Mirror(Spec):
    """A copy of requests for another version; its responses are discarded."""

    version: Token = Field(description="Version that gets the copies. Example: v2.")
    percent: Annotated[int, Field(ge=1, le=100)] = Field(
        default=100, description="Share of requests that are copied, in percent."
    )


class RolloutSpec(Spec, rules=(distinct("split", "version", "a version stands twice in split"),)):
    """Which version answers: the match rules first, then the split. One Rollout per model."""

    model: Name = Field(description="Name of the Model, in the same namespace. Example: credit.")
    match: Annotated[tuple[VersionMatch, ...], Field(max_length=64)] = Field(
        default=(),
        description="Versions for certain callers; the first match wins. Absent: only the split.",
    )
    split: Annotated[tuple[Share, ...], Field(min_length=1, max_length=32)] = Field(
        description="Versions and their shares of the other callers. Versions that may not be served "
        "get no callers."
    )
    sticky_by: StickyBy = Field(
        default=StickyBy(), description="What keeps a caller on one version. Absent: the principal."
    )
    mirror: Mirror | None = Field(
        default=None, description="Copies of requests. Absent: no copies."
    )
    fallback: Token | None = Field(
        default=None,
        description="Version that answers when no version of the split may be served, or the chosen "
        "one has no healthy endpoint. Absent: such requests get 503. Example: v1.",
    )

    @must("self.split.exists(share, share.weight > 0)", "all shares are 0")
    def _has_weight(self) -> bool:
        return any(share.weight for share in self.split)
