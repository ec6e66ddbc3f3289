"""HostGrant: the hosts, paths, Services and addresses that namespaces may use."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from gatereeve.api.people import TeamGovernance
from gatereeve.api.spec import Host, Label, Name, PathPrefix, Spec, at_least_one_of, must


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


class LabelSelector(Spec):
    """Selects by labels. An empty selector is refused; write `all: true` to select everything."""

    match_labels: dict[str, str] = Field(
        default_factory=dict,
        max_length=16,
        description="Labels that must all be present with these values. Absent: write `all: true`. "
        "Example: {team: lending}.",
    )
    all: bool = Field(
        default=False,
        description="Selects everything. Do not combine it with matchLabels: in a HostGrant the "
        "labels then decide, in an AccessPolicy every model is selected.",
    )

    @must(
        "(has(self.all) && self.all) || (has(self.matchLabels) && size(self.matchLabels) > 0)",
        "an empty selector selects nothing; write all: true to select everything",
    )
    def _selects(self) -> bool:
        return self.all or bool(self.match_labels)


class ServiceGrant(Spec):
    """One Service that routes may use as a backend."""

    name: Name = Field(description="Name of the Service. Example: website.")
    namespace: Label | None = Field(
        default=None, description="Namespace of the Service. Absent: the namespace of the route."
    )
    released: AwareDatetime | None = Field(
        default=None,
        description="Only for a Service that was the backend of a model. It stays closed after the "
        "documents of the model are gone, until this time is in the past and later than their "
        "deletion; the finding was-governed shows the line. Absent: such a Service stays closed.",
    )


class Backends(
    Spec,
    rules=(
        at_least_one_of(
            "services",
            "selector",
            message="without services and selector nothing is granted; leave backends out for models only",
        ),
    ),
):
    """Services that routes may use as backends, in addition to Models."""

    services: Annotated[tuple[ServiceGrant, ...], Field(max_length=256)] = Field(
        default=(), description="Services by name. Absent: only those of the selector."
    )
    selector: LabelSelector | None = Field(
        default=None,
        description="Services by their labels. Users who write Services in the namespace choose "
        "these labels. Absent: only the listed services.",
    )


class AddressGrant(Spec):
    """Addresses that documents may name themselves: in EndpointSlices, or in a version's endpoints."""

    cidr: Cidr = Field(
        description="Network. Loopback must be granted inside 127.0.0.0/8 or as ::1/128, and the API "
        "server as a single address (/32, /128). Example: 10.0.7.0/24."
    )
    ports: (
        Annotated[
            tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(min_length=1, max_length=64)
        ]
        | None
    ) = Field(
        default=None, description="Ports on these addresses. Absent: every port. Example: [8080]."
    )
    released: AwareDatetime | None = Field(
        default=None,
        description="Only for addresses that were endpoints of a model: opens them again if this "
        "time is past and later than the deletion of the model's documents. Absent: they stay closed.",
    )


class HostGrantSpec(Spec):
    """Grants hosts, paths, Services and addresses to namespaces. Without a grant, routes are refused."""

    namespace_selector: LabelSelector = Field(description="Namespaces that get the grant.")
    hosts: Annotated[tuple[Host | Literal["*"], ...], Field(min_length=1, max_length=256)] = Field(
        description="Exact hosts; `*.suffix` for the wildcard and every host below it; `*` for every "
        "host. Example: [credit.example.com]."
    )
    paths: Annotated[tuple[PathPrefix, ...], Field(min_length=1, max_length=64)] = Field(
        default=("/",),
        description="Path prefixes on these hosts, by whole segments. Example: [/v1].",
    )
    backends: Backends | None = Field(
        default=None,
        description="Services that routes on these hosts and paths may use. Absent: Models only.",
    )
    addresses: Annotated[tuple[AddressGrant, ...], Field(max_length=256)] = Field(
        default=(),
        description="Addresses that documents of these namespaces may name themselves. Absent: only "
        "addresses of pods that a Service selects.",
    )
    governance: TeamGovernance = Field(
        default=TeamGovernance(),
        description="Rights of people in these namespaces. Absent: this HostGrant gives none.",
    )
