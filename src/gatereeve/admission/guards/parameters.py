"""GuardParameters: what the policies compare with, one object for every namespace."""

from __future__ import annotations

from gatereeve.admission.guards.named_people import Named, Names, Team, names
from gatereeve.admission.guards.objects import meta
from gatereeve.admission.guards.settings import PARAMETERS, Object
from gatereeve.core.canonical import Json


def parameters(people: Named) -> tuple[Object, ...]:
    """One GuardParameters per namespace, in order of their names."""
    return tuple(_parameters(team, people) for team in people.teams)


def _parameters(team: Team, people: Named) -> Object:
    return {
        "apiVersion": "gatereeve.dev/v1alpha1",
        "kind": "GuardParameters",
        "metadata": meta(PARAMETERS, team.namespace),
        "spec": {
            "grants": [{"host": host, "paths": list(paths)} for host, paths in team.grants.items()],
            "approvers": [
                {"role": role, **_plain(found)} for role, found in team.approvers.items()
            ],
            "emergency": {
                "users": list(people.emergency_users),
                "maxHours": people.emergency_hours,
            },
            "pipelines": _plain(names(team.pipelines)),
            "services": list(team.services),
        },
    }


def _plain(found: Names) -> dict[str, Json]:
    return {"users": list(found.users), "groups": list(found.groups)}
