"""People, groups and pipelines as the API server authenticates them, and their rights.

Parts of Gate (the whole cluster) and HostGrant (the selected namespaces). The guards of a cluster
are made from them. Access to models is not decided here but by AccessPolicies, whose principals come
from the identity providers of a Gate. In a folder only `breakGlass` and the kind People have an
effect.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import Field

from gatereeve.api.spec import Identifier, Label, Name, Spec, exactly_one_of, must, text_rule

Role = Literal["owner", "risk", "privacy", "security"]
ROLES: tuple[Role, ...] = ("owner", "risk", "privacy", "security")

EVERYBODY = ("system:authenticated", "system:serviceaccounts")
"""Groups that contain every authenticated user, or every ServiceAccount."""

ANONYMOUS_NAMES = ("system:anonymous", "system:unauthenticated")
"""The user and the group of callers that the API server could not authenticate."""


def is_anonymous(user: str, groups: Collection[str] = ()) -> bool:
    """Whether this is a caller that the API server could not authenticate.

    Spellings that only differ in case or in compatible characters of Unicode count as the same.
    """
    return any(
        unicodedata.normalize("NFKC", name).casefold() in ANONYMOUS_NAMES
        for name in (user, *groups)
    )


PersonName = Annotated[
    Identifier,
    text_rule(
        f"!(self.lowerAscii() in {list(ANONYMOUS_NAMES)})",
        "callers without a credential have this name; name the person or the group that is meant",
        lambda name: not is_anonymous(name),
    ),
]
"""A user or a group as the API server authenticates them; not the name of those it could not."""


class ServiceAccount(Spec):
    """A ServiceAccount of the cluster: the identity of a pod or a pipeline."""

    namespace: Label = Field(description="Namespace of the ServiceAccount. Example: ci.")
    name: Name = Field(description="Name of the ServiceAccount. Example: releaser.")


class Person(
    Spec,
    rules=(exactly_one_of("user", "group", "serviceAccount"),),
):
    """A user, a group or a ServiceAccount, as the API server authenticates them. Exactly one field."""

    user: PersonName | None = Field(
        default=None, description="User name as the API server knows it. Example: anna@example.com."
    )
    group: PersonName | None = Field(
        default=None,
        description="Group name as the API server knows it; stands for all its members. Groups that "
        "contain every caller are refused. Example: platform.",
    )
    service_account: ServiceAccount | None = Field(
        default=None, description="A ServiceAccount, for pipelines that run in the cluster."
    )

    @must(
        f"!has(self.group) || !(self.group in {list(EVERYBODY)})",
        "that group holds everybody; name the people who are meant",
    )
    def _is_specific(self) -> bool:
        return self.group not in EVERYBODY

    @property
    def username(self) -> str | None:
        """The name with which the API server knows them; None for a group."""
        if self.service_account is not None:
            account = self.service_account
            return f"system:serviceaccount:{account.namespace}:{account.name}"
        return self.user


People = Annotated[tuple[Person, ...], Field(max_length=64)]


class Approvers(Spec):
    """People who may write Approvals in certain roles."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=4)] = Field(
        description="Roles in which these people may decide. Example: [owner, risk]."
    )
    people: Annotated[tuple[Person, ...], Field(min_length=1, max_length=64)] = Field(
        description="Users, groups and ServiceAccounts that may decide in these roles."
    )


class TeamGovernance(Spec):
    """Rights in the namespaces of a HostGrant. The guards of a cluster enforce them."""

    developers: People = Field(
        default=(),
        description="May write Models, AccessPolicies, Rollouts, and routes to the models. "
        "Absent: this HostGrant gives these rights to no user.",
    )
    pipelines: People = Field(
        default=(),
        description="May create ModelVersions, also for another author, and change Rollouts. "
        "Absent: this HostGrant gives these rights to no user.",
    )
    approvers: Annotated[tuple[Approvers, ...], Field(max_length=16)] = Field(
        default=(),
        description="May decide on versions in these namespaces, in addition to the approvers of "
        "the Gates. Absent: only the approvers of the Gates.",
    )


class BreakGlassRule(Spec):
    """Who may serve a version without the approvals that it lacks, in an emergency, and for how long."""

    users: Annotated[tuple[PersonName, ...], Field(max_length=64)] = Field(
        default=(),
        description="User names whose Approvals with breakGlass count on this gate. Groups are not "
        "possible. Absent: breakGlass is refused. Example: [selma@example.com].",
    )
    max_hours: Annotated[int, Field(ge=1, le=72)] = Field(
        default=4,
        description="Longest duration of an emergency, in hours. A longer one is refused.",
    )


class GateGovernance(Spec):
    """Rights in the whole cluster. The lists of several Gates are added; breakGlass is per Gate."""

    platform: People = Field(
        default=(),
        description="May write Gates, HostGrants, and the namespace labels that HostGrants select "
        "by. Absent: this Gate gives these rights to no user.",
    )
    auditors: People = Field(
        default=(),
        description="May read all documents of gatereeve.dev. Absent: this Gate gives this right to "
        "no user.",
    )
    approvers: Annotated[tuple[Approvers, ...], Field(max_length=16)] = Field(
        default=(),
        description="May decide on versions in every namespace. Absent: only the approvers of the "
        "HostGrants.",
    )
    break_glass: BreakGlassRule = Field(
        default=BreakGlassRule(),
        description="Emergencies for models on this gate. Absent: no emergency is accepted.",
    )


class ListedPerson(Spec):
    """One person with all names that they sign with. Names are compared without case, in NFKC."""

    name: Identifier = Field(description="The person's main name. Example: anna@example.com.")
    aliases: Annotated[tuple[Identifier, ...], Field(max_length=32)] = Field(
        default=(),
        description="Other names of the same person, so that an author cannot approve under a "
        "second name. Absent: no other name. Example: [anna].",
    )
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=4)] | None = Field(
        default=None,
        description="Roles in which the person may decide on versions. Absent: every role.",
    )


class PeopleSpec(Spec):
    """People known to a folder. With a People document, approvals of unlisted people do not count.

    Several documents are added. In a cluster the API server authenticates people; the kind is not
    defined there.
    """

    people: Annotated[tuple[ListedPerson, ...], Field(min_length=1, max_length=1000)] = Field(
        description="The people, each with all names. An author or approver who is not listed is "
        "refused."
    )
