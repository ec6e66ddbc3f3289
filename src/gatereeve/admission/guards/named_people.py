"""Who the documents name, and in which namespaces: plain sets of names, before any Kubernetes object.

A HostGrant speaks for the namespaces that it selects, a Gate for all of them. Whoever is named
twice has both rights.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.api.people import ROLES, Approvers, Person, Role
from gatereeve.api.world import HostGrantDoc, World
from gatereeve.compile.routes import host_grants

UNTOUCHED = "kube-system"
"""Kubernetes' own namespace: guards stay out of it, so that nothing of its own can wait for us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """As the API server knows them, sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def has(self, username: str, groups: Iterable[str]) -> bool:
        return username in self.users or not set(self.groups).isdisjoint(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Who does what in one namespace. approvers: by role, those of the Gates among them."""

    namespace: str
    grants: Mapping[str, tuple[str, ...]]
    services: tuple[str, ...]
    developers: tuple[Person, ...] = ()
    pipelines: tuple[Person, ...] = ()
    approving: tuple[Approvers, ...] = ()
    approvers: Mapping[Role, Names] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Everybody. teams: by namespace, in order of names. approving: everywhere."""

    platform: tuple[Person, ...]
    auditors: tuple[Person, ...]
    approving: tuple[Approvers, ...]
    emergency_users: tuple[str, ...]
    emergency_hours: int
    teams: tuple[Team, ...]


def names(people: Iterable[Person]) -> Names:
    """The users (service accounts are users) and the groups among them."""
    people = tuple(people)
    return Names(
        users=tuple(sorted({p.username for p in people if p.username is not None})),
        groups=tuple(sorted({p.group for p in people if p.group is not None})),
    )


def named(world: World, settings: GuardSettings) -> Named:
    """Everybody whom the documents of `world` name, for every namespace but our own and UNTOUCHED."""
    gates = [world.gates[key].spec.governance for key in sorted(world.gates)]
    approving = tuple(one for gate in gates for one in gate.approvers)
    rules = [gate.break_glass for gate in gates if gate.break_glass.users]
    index = host_grants.index_grants(tuple(world.host_grants.values()))
    behind: defaultdict[str, set[str]] = defaultdict(set)
    for (namespace, _), doc in world.model_versions.items():
        if doc.spec.backend is not None:
            behind[namespace].add(doc.spec.backend.service)
    found = []
    for namespace in sorted(_namespaces(world) - {UNTOUCHED, settings.namespace}):
        selecting = tuple(_selecting(world, index, namespace))
        found.append(
            _team(
                namespace,
                selecting,
                approving,
                _grants(world, index, namespace),
                behind.get(namespace, ()),
            )
        )
    return Named(
        platform=_people(gate.platform for gate in gates),
        auditors=_people(gate.auditors for gate in gates),
        approving=approving,
        emergency_users=tuple(sorted({user for rule in rules for user in rule.users})),
        emergency_hours=max((rule.max_hours for rule in rules), default=0),
        teams=tuple(found),
    )


def _team(
    namespace: str,
    selecting: tuple[HostGrantDoc, ...],
    everywhere: tuple[Approvers, ...],
    grants: Mapping[str, tuple[str, ...]],
    services: Iterable[str],
) -> Team:
    governance = [grant.spec.governance for grant in selecting]
    own = tuple(dict.fromkeys(one for part in governance for one in part.approvers))
    return Team(
        namespace=namespace,
        grants=grants,
        services=tuple(sorted(services)),
        developers=_people(part.developers for part in governance),
        pipelines=_people(part.pipelines for part in governance),
        approving=own,
        approvers={
            role: names(p for one in (*everywhere, *own) if role in one.roles for p in one.people)
            for role in ROLES
        },
    )


def _people(given: Iterable[tuple[Person, ...]]) -> tuple[Person, ...]:
    return tuple(dict.fromkeys(person for part in given for person in part))


def _namespaces(world: World) -> set[str]:
    """Every namespace that there is, or that a document stands in."""
    known = {name for _, name in world.namespaces}
    for table in (
        world.models, world.model_versions, world.approvals, world.access_policies, world.rollouts,
        world.ingresses, world.gateways, world.http_routes,
    ):  # fmt: skip
        known |= {namespace for namespace, _ in table}
    return known


def _selecting(
    world: World, index: host_grants.GrantIndex, namespace: str
) -> Iterator[HostGrantDoc]:
    """The HostGrants that select the namespace, by name."""
    labels = host_grants.labels_of(namespace, world.namespaces.get(("", namespace)))
    found = {grant for label in labels.items() for grant in index.by_label.get(label, ())}
    for key in sorted(world.host_grants):
        grant = world.host_grants[key]
        selector = grant.spec.namespace_selector
        if (
            grant in found and all(labels.get(k) == v for k, v in selector.match_labels.items())
        ) or (not selector.match_labels and selector.all):
            yield grant


def _grants(
    world: World, index: host_grants.GrantIndex, namespace: str
) -> dict[str, tuple[str, ...]]:
    """Path prefixes by host (`*`, `*.suffix` or a name), all in order."""
    found: dict[str, set[str]] = {}
    doc = world.namespaces.get(("", namespace))
    grants = host_grants.grants_of(index, namespace, doc)
    for given in (grants.own, grants.everybody):
        for host, paths in given.exact.items():
            found.setdefault(host, set()).update(one.path for one in paths)
        for suffix, paths in given.suffixes.items():
            found.setdefault(f"*.{suffix}", set()).update(one.path for one in paths)
        if given.any:
            found.setdefault("*", set()).update(one.path for one in given.any)
    return {host: tuple(sorted(found[host])) for host in sorted(found)}
