"""GuardParameters: what the admission policies of a cluster compare with, one object per namespace.

Written by the guards (`admission.guards`), never by people, and never read back: it is no document
of a World. A type only so that its CRD is made like the others. Every list and text is bounded.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gatereeve.api.people import Role
from gatereeve.api.spec import Identifier, Name, Spec

Names = Annotated[tuple[Identifier, ...], Field(max_length=512)]


class HostPaths(Spec):
    """One host that routes of the namespace may use, and the path prefixes on it."""

    host: Annotated[str, Field(max_length=255)] = Field(
        description="A host, a wildcard or `*`. Example: models.example.com."
    )
    paths: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=256)] = (
        Field(description="Path prefixes that are granted on the host. Example: [/v1].")
    )


class RoleNames(Spec):
    """Who may decide in one role."""

    role: Role = Field(description="Role of an Approval. Example: risk.")
    users: Names = Field(description="User names that may decide in this role.")
    groups: Names = Field(description="Groups whose members may decide in this role.")


class Emergency(Spec):
    """Who may create an Approval with breakGlass, and for how long at most."""

    users: Names = Field(description="User names that may use breakGlass.")
    max_hours: Annotated[int, Field(ge=0, le=72)] = Field(
        description="Longest duration of an emergency, in hours; 0 if none is allowed."
    )


class PipelineNames(Spec):
    """Who may create a version with another person as its author."""

    users: Names = Field(description="User names of pipelines.")
    groups: Names = Field(description="Groups whose members are pipelines.")


class GuardParametersSpec(Spec):
    """Values that the admission policies of one namespace compare with. Generated; do not edit."""

    grants: Annotated[tuple[HostPaths, ...], Field(max_length=2048)] = Field(
        description="Hosts and paths that HostGrants grant to the namespace."
    )
    approvers: Annotated[tuple[RoleNames, ...], Field(max_length=4)] = Field(
        description="Who may decide on versions in the namespace, by role."
    )
    emergency: Emergency = Field(description="Who may use breakGlass in the namespace.")
    pipelines: PipelineNames = Field(
        description="Who may create ModelVersions with another person as author."
    )
    services: Annotated[tuple[Name, ...], Field(max_length=4096)] = Field(
        description="Services of the namespace that are backends of ModelVersions."
    )
