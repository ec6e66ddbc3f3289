"""Makes least-privilege roles for the people and pipelines that documents name.

Roles have no `*`, `bind`, `escalate` or `impersonate` and do not aggregate. Policies check two verbs of
ours: `route` on models (create routes to the models of a namespace) and `reclassify` (lower the risk
class of a model). No role has rights on the guards; only a cluster administrator can change them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatereeve.admission.guards.named_people import NamedPeople
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
        "Manages gates, grants hosts, and writes the labels that grants select by.",
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
        "Reads all governance documents, all routes, and the guards.",
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
        "Manages models, their access policies, and routes to them.",
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
        "Creates versions and moves traffic between them; cannot approve.",
        (
            _ours(("modelversions",), (*READ, "create", "patch", "delete")),
            _ours(("rollouts",), WRITE),
            _ours(("models", "approvals", "accesspolicies"), READ),
        ),
    ),
    "approver": (
        "Approves or rejects versions, in the roles that GuardParameters name.",
        (
            _ours(("approvals",), (*READ, "create", "patch", "delete")),
            _ours(("models", "modelversions", "accesspolicies", "rollouts"), READ),
        ),
    ),
    "risk-approver": (
        "May lower the risk class of a model.",
        (_ours(("models",), (*READ, "patch", "update", "reclassify")),),
    ),
}
"""Description and rules by name (without `gatereeve-`)."""

KEEPER = "gatereeve-guard-keeper"
"""The role of the controllers on guards."""


def make_roles() -> tuple[Object, ...]:
    """Return the ClusterRoles, which are the same in every cluster."""
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


def make_bindings(people: NamedPeople, settings: GuardSettings) -> tuple[Object, ...]:
    """Return the bindings: cluster-wide for people in Gates, by namespace for the others."""
    bindings = [
        _bind("", "platform", people.platform),
        _bind("", "auditor", people.auditors),
        _bind("", "approver", _list_approvers(people.approving)),
        _bind("", "risk-approver", _list_approvers(people.approving, "risk")),
    ]
    for team in people.teams:
        bindings += [
            _bind(team.namespace, "developer", team.developers),
            _bind(team.namespace, "pipeline", team.pipelines),
            _bind(team.namespace, "approver", _list_approvers(team.approving)),
            _bind(team.namespace, "risk-approver", _list_approvers(team.approving, "risk")),
        ]
    return (*_make_controller_role(settings), *filter(None, bindings))


def _list_approvers(approvers: Iterable[Approvers], role: Role | None = None) -> tuple[Person, ...]:
    people = (p for entry in approvers if role is None or role in entry.roles for p in entry.people)
    return tuple(dict.fromkeys(people))


def _bind(namespace: str, role: str, people: Sequence[Person]) -> Object | None:
    """Return a binding in a namespace, or cluster-wide for ""; None without people."""
    if not people:
        return None
    subjects = sorted((_make_subject(p) for p in people), key=lambda s: tuple(s.values()))
    return {
        "apiVersion": API,
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": meta(f"gatereeve-{role}", namespace),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": f"gatereeve-{role}"},
        "subjects": [dict(subject) for subject in subjects],
    }


def _make_subject(person: Person) -> dict[str, str]:
    if person.service_account is not None:
        account = person.service_account
        return {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    if person.group is not None:
        return {"apiGroup": RBAC, "kind": "Group", "name": person.group}
    return {"apiGroup": RBAC, "kind": "User", "name": person.user or ""}


def _make_controller_role(settings: GuardSettings) -> tuple[Object, ...]:
    """Return role and binding of the controllers: they write GuardParameters and the authority of the
    webhook, and read policies and roles."""
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
                    "gatereeve.dev/about": "Writes GuardParameters and the authority of the webhook, and reads the guards."
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
