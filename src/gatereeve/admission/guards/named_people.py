"""The people that documents name, by role and namespace.

A HostGrant names people for the namespaces that it selects, a Gate for all namespaces. Rights add up.
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
"""A namespace without guards, so that Kubernetes never depends on them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """User and group names at the API server, sorted."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def has(self, username: str, groups: Iterable[str]) -> bool:
        return username in self.users or not set(self.groups).isdisjoint(groups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The people of one namespace. approvers: by role, including those of the Gates."""

    namespace: str
    grants: Mapping[str, tuple[str, ...]]
    services: tuple[str, ...]
    developers: tuple[Person, ...] = ()
    pipelines: tuple[Person, ...] = ()
    approving: tuple[Approvers, ...] = ()
    approvers: Mapping[Role, Names] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPeople:
    """All people. teams: sorted by namespace. approving: for all namespaces."""

    platform: tuple[Person, ...]
    auditors: tuple[Person, ...]
    approving: tuple[Approvers, ...]
    emergency_users: tuple[str, ...]
    emergency_hours: int
    teams: tuple[Team, ...]


def split_names(people: Iterable[Person]) -> Names:
    """Return users (including service accounts) and groups."""
    people = tuple(people)
    return Names(
        users=tuple(sorted({p.username for p in people if p.username is not None})),
        groups=tuple(sorted({p.group for p in people if p.group is not None})),
    )


def collect_people(world: World, settings: GuardSettings) -> NamedPeople:
    """Return the people that documents name, without our own namespace and UNTOUCHED."""
    gates = [world.gates[key].spec.governance for key in sorted(world.gates)]
    approving = tuple(approvers for gate in gates for approvers in gate.approvers)
    rules = [gate.break_glass for gate in gates if gate.break_glass.users]
    index = host_grants.index_grants(tuple(world.host_grants.values()))
    services: defaultdict[str, set[str]] = defaultdict(set)
    for (namespace, _), doc in world.model_versions.items():
        if doc.spec.backend is not None:
            services[namespace].add(doc.spec.backend.service)
    teams = tuple(
        _make_team(
            namespace,
            tuple(_find_grants(world, index, namespace)),
            approving,
            _list_paths(world, index, namespace),
            services.get(namespace, ()),
        )
        for namespace in sorted(_list_namespaces(world) - {UNTOUCHED, settings.namespace})
    )
    return NamedPeople(
        platform=_merge_people(gate.platform for gate in gates),
        auditors=_merge_people(gate.auditors for gate in gates),
        approving=approving,
        emergency_users=tuple(sorted({user for rule in rules for user in rule.users})),
        emergency_hours=max((rule.max_hours for rule in rules), default=0),
        teams=teams,
    )


def _make_team(
    namespace: str,
    selecting: tuple[HostGrantDoc, ...],
    everywhere: tuple[Approvers, ...],
    grants: Mapping[str, tuple[str, ...]],
    services: Iterable[str],
) -> Team:
    governance = [grant.spec.governance for grant in selecting]
    own = tuple(dict.fromkeys(entry for part in governance for entry in part.approvers))
    return Team(
        namespace=namespace,
        grants=grants,
        services=tuple(sorted(services)),
        developers=_merge_people(part.developers for part in governance),
        pipelines=_merge_people(part.pipelines for part in governance),
        approving=own,
        approvers={
            role: split_names(p for e in (*everywhere, *own) if role in e.roles for p in e.people)
            for role in ROLES
        },
    )


def _merge_people(lists: Iterable[tuple[Person, ...]]) -> tuple[Person, ...]:
    return tuple(dict.fromkeys(person for people in lists for person in people))


def _list_namespaces(world: World) -> set[str]:
    """Return all namespaces, including those of documents."""
    names = {name for _, name in world.namespaces}
    for table in (
        world.models, world.model_versions, world.approvals, world.access_policies, world.rollouts,
        world.ingresses, world.gateways, world.http_routes,
    ):  # fmt: skip
        names |= {namespace for namespace, _ in table}
    return names


def _find_grants(
    world: World, index: host_grants.GrantIndex, namespace: str
) -> Iterator[HostGrantDoc]:
    """Yield the HostGrants that select the namespace, by name."""
    labels = host_grants.labels_of(namespace, world.namespaces.get(("", namespace)))
    candidates = {grant for label in labels.items() for grant in index.by_label.get(label, ())}
    for key in sorted(world.host_grants):
        grant = world.host_grants[key]
        selector = grant.spec.namespace_selector
        if (
            grant in candidates
            and all(labels.get(k) == v for k, v in selector.match_labels.items())
        ) or (not selector.match_labels and selector.all):
            yield grant


def _list_paths(
    world: World, index: host_grants.GrantIndex, namespace: str
) -> dict[str, tuple[str, ...]]:
    """Return path prefixes by host (`*`, `*.suffix` or a name), sorted."""
    paths_by_host: dict[str, set[str]] = {}
    doc = world.namespaces.get(("", namespace))
    grants = host_grants.grants_of(index, namespace, doc)
    for grant in (grants.own, grants.everybody):
        hosts = {
            **grant.exact,
            **{f"*.{suffix}": paths for suffix, paths in grant.suffixes.items()},
        }
        for host, paths in (*hosts.items(), *((("*", grant.any),) if grant.any else ())):
            paths_by_host.setdefault(host, set()).update(path.path for path in paths)
    return {host: tuple(sorted(paths_by_host[host])) for host in sorted(paths_by_host)}
