"""People, groups and pipelines as the API server knows them, and what documents let them do.

Parts of Gate (the whole cluster) and HostGrant (the namespaces that it selects). The guards of a
cluster are made from them: roles, and who may approve as whom. They say nothing about who may call
a model: that is AccessPolicy, whose principals come from other identity providers. From a folder
only `breakGlass` has a meaning; who may write the folder decides the rest. The kind People is for folders:
who there is, where no API server knows it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from gatereeve.api.spec import Identifier, Label, Name, Spec, one_of, rules

Role = Literal["owner", "risk", "privacy", "security"]
ROLES: tuple[Role, ...] = ("owner", "risk", "privacy", "security")

EVERYBODY = ("system:authenticated", "system:serviceaccounts")
"""Groups that hold everybody: naming one would name nobody in particular."""

NOBODY = ("system:anonymous", "system:unauthenticated")
"""The user and the group of callers that the API server could not authenticate."""

_NOBODY = "callers without a credential have this name; name the person or the group that is meant"


def is_nobody(user: str, groups: Collection[str] = ()) -> bool:
    """Whether this is a caller that the API server could not authenticate.

    Spellings that only differ in case or in compatible characters of Unicode count as the same.
    """
    return any(unicodedata.normalize("NFKC", name).casefold() in NOBODY for name in (user, *groups))


def _somebody(name: str) -> str:
    if is_nobody(name):
        raise ValueError(_NOBODY)
    return name


PersonName = Annotated[
    Identifier,
    AfterValidator(_somebody),
    Field(
        max_length=255,
        json_schema_extra=rules((f"!(self.lowerAscii() in {list(NOBODY)})", _NOBODY))[
            "json_schema_extra"
        ],
    ),
]
"""A user or a group as the API server authenticates them; not the name of those it could not."""


class ServiceAccount(Spec):
    """Who a pod, or a pipeline in one, is."""

    namespace: Label
    name: Name


class Person(Spec):
    """Somebody as the API server authenticates them. Exactly one.

    user: a user's name. group: everybody in it. serviceAccount: a pipeline in the cluster.
    """

    model_config = rules(
        (one_of("user", "group", "serviceAccount"),
         "exactly one of user, group and serviceAccount is required"),
        (f"!has(self.group) || !(self.group in {list(EVERYBODY)})",
         "that group holds everybody; name the people who are meant"),
    )  # fmt: skip

    user: PersonName | None = None
    group: PersonName | None = None
    service_account: ServiceAccount | None = None

    @model_validator(mode="after")
    def _one(self) -> Person:
        if sum(x is not None for x in (self.user, self.group, self.service_account)) != 1:
            msg = "exactly one of user, group and serviceAccount is required"
            raise ValueError(msg)
        if self.group in EVERYBODY:
            msg = "that group holds everybody; name the people who are meant"
            raise ValueError(msg)
        return self

    @property
    def username(self) -> str | None:
        """The name with which the API server knows them; None for a group."""
        if self.service_account is not None:
            account = self.service_account
            return f"system:serviceaccount:{account.namespace}:{account.name}"
        return self.user


People = Annotated[tuple[Person, ...], Field(max_length=64)]


class Approvers(Spec):
    """Who may decide in which roles."""

    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=4)]
    people: Annotated[tuple[Person, ...], Field(min_length=1, max_length=64)]


class TeamGovernance(Spec):
    """Who does what in the namespaces of a HostGrant.

    developers: write Models, AccessPolicies, Rollouts, and routes to the models. pipelines: create
    ModelVersions and move Rollouts. approvers: decide on versions, beside those of the Gates.
    """

    developers: People = ()
    pipelines: People = ()
    approvers: Annotated[tuple[Approvers, ...], Field(max_length=16)] = ()


class BreakGlassRule(Spec):
    """Who may serve a version without the approvals it lacks, in an emergency, and for how long.

    users: by name, so that it can be checked wherever the document is read. Nobody, if empty.
    """

    users: Annotated[tuple[PersonName, ...], Field(max_length=64)] = ()
    max_hours: Annotated[int, Field(ge=1, le=72)] = 4


class GateGovernance(Spec):
    """Who governs the cluster; what several Gates say is added up, but for breakGlass.

    platform: write Gates and HostGrants, and the labels on which HostGrants select. auditors: read
    everything of ours. approvers: decide on versions in every namespace. breakGlass: for models on
    this gate.
    """

    platform: People = ()
    auditors: People = ()
    approvers: Annotated[tuple[Approvers, ...], Field(max_length=16)] = ()
    break_glass: BreakGlassRule = BreakGlassRule()


class ListedPerson(Spec):
    """One person, by all names that they sign with.

    name: the one that stands for them. aliases: other names of theirs. roles: in which they may decide
    on versions; in every role, if absent. Names are compared without case and in Unicode's NFKC.
    """

    name: Identifier
    aliases: Annotated[tuple[Identifier, ...], Field(max_length=32)] = ()
    roles: Annotated[tuple[Role, ...], Field(min_length=1, max_length=4)] | None = None


class PeopleSpec(Spec):
    """Who there is, in a folder: once a People document is there, authors and approvers of versions
    that none of them names are unknown, and what they sign does not count. Several add up.

    In a cluster the API server knows who there is; the kind is not defined there.
    """

    people: Annotated[tuple[ListedPerson, ...], Field(min_length=1, max_length=1000)]
