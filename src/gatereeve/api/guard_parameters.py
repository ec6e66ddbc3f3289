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
    """One host that the namespace may claim (`*`, `*.suffix` or a name), and path prefixes on it."""

    host: Annotated[str, Field(max_length=255)]
    paths: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=256)]


class RoleNames(Spec):
    """Who may decide in one role."""

    role: Role
    users: Names
    groups: Names


class Emergency(Spec):
    """Who may break the glass, and for how long at most."""

    users: Names
    max_hours: Annotated[int, Field(ge=0, le=72)]


class PipelineNames(Spec):
    """Who may create a version whose author is somebody else."""

    users: Names
    groups: Names


class GuardParametersSpec(Spec):
    """What the guards compare with in one namespace; generated, not written by people.

    services: Services of the namespace that stand behind a model.
    """

    grants: Annotated[tuple[HostPaths, ...], Field(max_length=2048)]
    approvers: Annotated[tuple[RoleNames, ...], Field(max_length=4)]
    emergency: Emergency
    pipelines: PipelineNames
    services: Annotated[tuple[Name, ...], Field(max_length=4096)]
