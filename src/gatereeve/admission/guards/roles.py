"""Least-privilege roles for the people and pipelines that the documents name.

Every verb is written out: no `*`, no `bind`, `escalate` or `impersonate`, nothing that aggregates
into `edit`. Two verbs are ours: `route` on models (may make routes to the models of a namespace)
and `reclassify` (may lower a model's risk class); policies ask for them.
Nobody gets rights on the guards themselves: whoever may change those is the cluster's administrator.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatereeve.admission.guards.named_people import Named
from gatereeve.admission.guards.objects import GATEWAY_GROUP, NETWORKING_GROUP, meta
from gatereeve.admission.guards.settings import WEBHOOK, GuardSettings, Object
from gatereeve.api import registry
from gatereeve.api.people import Approvers, Person, Role
from gatereeve.core.canonical import Json
from gatereeve.core.refs import GATEREEVE_GROUP

API = "rbac.authorization.k8s.io/v1"
RBAC = "rbac.authorization.k8s.io"

READ = ("get", "list", "watch")
WRITE = (*READ, "create", "update", "patch", "delete")

_NAMESPACED = tuple(k.plural for k in registry.KINDS if k.ours and k.namespaced)
_CLUSTER = tuple(k.plural for k in registry.KINDS if k.ours and not k.namespaced)


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str]) -> Json:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def _ours(resources: Sequence[str], verbs: Sequence[str]) -> Json:
    return _rule(GATEREEVE_GROUP, resources, verbs)


_READ_ROUTES = (
    _rule(NETWORKING_GROUP, ("ingresses",), READ),
    _rule(GATEWAY_GROUP, ("gateways", "httproutes", "referencegrants"), READ),
)

ROLES: dict[str, tuple[str, tuple[Json, ...]]] = {
    "platform": (
        "Runs the gates, grants hosts, and writes the labels that grants select by.",
        (
            _ours(_CLUSTER, WRITE),
            _ours(_NAMESPACED, READ),
            _rule("", ("namespaces",), (*READ, "update", "patch")),
            _rule(NETWORKING_GROUP, ("ingressclasses",), WRITE),
            _rule(GATEWAY_GROUP, ("gatewayclasses", "gateways"), WRITE),
            *_READ_ROUTES,
        ),
    ),
    "auditor": (
        "Reads every document of governance, every route, and the guards.",
        (
            _ours((*_CLUSTER, *_NAMESPACED, "guardparameters"), READ),
            *_READ_ROUTES,
            _rule(NETWORKING_GROUP, ("ingressclasses",), READ),
            _rule(GATEWAY_GROUP, ("gatewayclasses",), READ),
            _rule("", ("namespaces",), READ),
            _rule(
                "admissionregistration.k8s.io",
                (
                    "mutatingadmissionpolicies",
                    "mutatingadmissionpolicybindings",
                    "validatingadmissionpolicies",
                    "validatingadmissionpolicybindings",
                    "validatingwebhookconfigurations",
                    "mutatingwebhookconfigurations",
                ),
                READ,
            ),
            _rule(RBAC, ("clusterroles", "clusterrolebindings", "roles", "rolebindings"), READ),
        ),
    ),
    "developer": (
        "Describes models, says who may call them, and makes routes to them.",
        (
            _ours(("models", "accesspolicies", "rollouts"), WRITE),
            _ours(("models",), ("route",)),
            _ours(("modelversions", "approvals"), READ),
            _rule(NETWORKING_GROUP, ("ingresses",), WRITE),
            _rule(GATEWAY_GROUP, ("httproutes", "referencegrants"), WRITE),
            _rule(GATEWAY_GROUP, ("gateways",), READ),
        ),
    ),
    "pipeline": (
        "Brings versions in and moves traffic between them; cannot approve.",
        (
            _ours(("modelversions",), (*READ, "create", "patch", "delete")),
            _ours(("rollouts",), WRITE),
            _ours(("models", "approvals", "accesspolicies"), READ),
        ),
    ),
    "approver": (
        "Decides on versions: in which roles is said by the guards' parameters.",
        (
            _ours(("approvals",), (*READ, "create", "patch", "delete")),
            _ours(("models", "modelversions", "accesspolicies", "rollouts"), READ),
        ),
    ),
    "risk-approver": (
        "May also lower a model's risk class.",
        (_ours(("models",), (*READ, "patch", "update", "reclassify")),),
    ),
}
"""Name (without `gatereeve-`) to what it is for and its rules."""

KEEPER = "gatereeve-guard-keeper"
"""What controllers may do to guards."""


def roles() -> tuple[Object, ...]:
    """The ClusterRoles: the same in every cluster."""
    return tuple(
        {
            "apiVersion": API,
            "kind": "ClusterRole",
            "metadata": {
                **meta(f"gatereeve-{name}"),
                "annotations": {"gatereeve.dev/about": about},
            },
            "rules": list(rules),
        }
        for name, (about, rules) in ROLES.items()
    )


def bindings(people: Named, settings: GuardSettings) -> tuple[Object, ...]:
    """Who has which role: cluster-wide for those whom Gates name, by namespace for the others."""
    found = [
        _everywhere("platform", people.platform),
        _everywhere("auditor", people.auditors),
        _everywhere("approver", _approving(people.approving)),
        _everywhere("risk-approver", _approving(people.approving, "risk")),
    ]
    for team in people.teams:
        found += [
            _within(team.namespace, "developer", team.developers),
            _within(team.namespace, "pipeline", team.pipelines),
            _within(team.namespace, "approver", _approving(team.approving)),
            _within(team.namespace, "risk-approver", _approving(team.approving, "risk")),
        ]
    return (*_of_the_controller(settings), *(one for one in found if one is not None))


def _approving(given: Iterable[Approvers], role: Role | None = None) -> tuple[Person, ...]:
    people = (person for one in given if role is None or role in one.roles for person in one.people)
    return tuple(dict.fromkeys(people))


def _everywhere(role: str, people: Sequence[Person]) -> Object | None:
    return _binding("ClusterRoleBinding", meta(f"gatereeve-{role}"), role, people)


def _within(namespace: str, role: str, people: Sequence[Person]) -> Object | None:
    return _binding("RoleBinding", meta(f"gatereeve-{role}", namespace), role, people)


def _binding(
    kind: str, metadata: dict[str, Json], role: str, people: Sequence[Person]
) -> Object | None:
    if not people:
        return None
    subjects = sorted((_subject(p) for p in people), key=lambda s: tuple(s.values()))
    return {
        "apiVersion": API,
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"gatereeve-{role}"},
        "subjects": [dict(subject) for subject in subjects],
    }


def _subject(person: Person) -> dict[str, str]:
    if person.service_account is not None:
        account = person.service_account
        return {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    if person.group is not None:
        return {"apiGroup": RBAC, "kind": "Group", "name": person.group}
    return {"apiGroup": RBAC, "kind": "User", "name": person.user or ""}


def _of_the_controller(settings: GuardSettings) -> tuple[Object, ...]:
    """The controllers keep the parameters, and the authority in the webhook's own registrations;
    policies and roles they only compare."""
    account = {
        "kind": "ServiceAccount",
        "name": settings.service_account,
        "namespace": settings.namespace,
    }
    guards = ROLES["auditor"][1][-2:]
    return (
        {
            "apiVersion": API,
            "kind": "ClusterRole",
            "metadata": {
                **meta(KEEPER),
                "annotations": {
                    "gatereeve.dev/about": "Keeps the guards' parameters and the webhook's authority, and looks at the guards."
                },
            },
            "rules": [
                _ours(("guardparameters",), WRITE),
                *guards,
                {
                    "apiGroups": ["admissionregistration.k8s.io"],
                    "resources": [
                        "validatingwebhookconfigurations",
                        "mutatingwebhookconfigurations",
                    ],
                    "resourceNames": [WEBHOOK],
                    "verbs": ["patch"],
                },
            ],
        },
        {
            "apiVersion": API,
            "kind": "ClusterRoleBinding",
            "metadata": meta(KEEPER),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": KEEPER},
            "subjects": [dict(account)],
        },
    )
