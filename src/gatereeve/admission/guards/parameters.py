"""Makes the GuardParameters: the values that policies read, one object for every namespace."""

from __future__ import annotations

from gatereeve.admission.guards.named_people import NamedPeople, Names, Team, split_names
from gatereeve.admission.guards.objects import meta
from gatereeve.admission.guards.settings import PARAMETERS, Object
from gatereeve.core.canonical import Json


def make_parameters(people: NamedPeople) -> tuple[Object, ...]:
    """Return the GuardParameters, sorted by namespace."""
    return tuple(_make_object(team, people) for team in people.teams)


def _make_object(team: Team, people: NamedPeople) -> Object:
    return {
        "apiVersion": "gatereeve.dev/v1alpha1",
        "kind": "GuardParameters",
        "metadata": meta(PARAMETERS, team.namespace),
        "spec": {
            "grants": [{"host": host, "paths": list(paths)} for host, paths in team.grants.items()],
            "approvers": [
                {"role": role, **_to_plain(names)} for role, names in team.approvers.items()
            ],
            "emergency": {
                "users": list(people.emergency_users),
                "maxHours": people.emergency_hours,
            },
            "pipelines": _to_plain(split_names(team.pipelines)),
            "services": list(team.services),
        },
    }


def _to_plain(names: Names) -> dict[str, Json]:
    return {"users": list(names.users), "groups": list(names.groups)}
