"""Rights that undo what governance promises, as a table: which rule gives them, and why it matters.

Matching follows Kubernetes RBAC: `*` as group, resource or verb means any; `*/sub` means that
subresource of any resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatereeve.api import plain_objects
from gatereeve.api.yaml import Plain
from gatereeve.core.refs import GATEREEVE_GROUP

Place = Literal["anywhere", "cluster", "models"]
"""anywhere: also within one namespace · cluster: in every namespace only · models: there, or where models are."""

WRITE = frozenset({"create", "update", "patch", "delete", "deletecollection"})
CHANGE = frozenset({"create", "update", "patch"})
READ = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """resources: of `groups`, subresources as `pods/exec`. may: the right, as part of a sentence."""

    code: str
    may: str
    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    place: Place
    why: str
    hint: str

    def given_by(self, rule: Plain) -> bool:
        """Whether one rule of a role gives the right."""
        return (
            _any(plain_objects.words(plain_objects.get(rule, "apiGroups")), self.groups)
            and _any(plain_objects.words(plain_objects.get(rule, "verbs")), self.verbs)
            and any(
                _covers(one, self.resources)
                for one in plain_objects.words(plain_objects.get(rule, "resources"))
            )
        )


def _any(given: tuple[str, ...], wanted: frozenset[str]) -> bool:
    return "*" in given or not wanted.isdisjoint(given)


def _covers(given: str, wanted: frozenset[str]) -> bool:
    if given == "*" or given in wanted:
        return True
    return given.startswith("*/") and any(one.endswith(given[1:]) for one in wanted)


def is_everything(rule: Plain) -> bool:
    """All verbs on all resources of all groups."""
    return all(
        "*" in plain_objects.words(plain_objects.get(rule, part))
        for part in ("apiGroups", "resources", "verbs")
    )


_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"


def _danger(
    code: str,
    may: str,
    groups: str,
    resources: str,
    verbs: frozenset[str],
    place: Place,
    why: str,
    hint: str,
) -> Danger:
    return Danger(
        code=code, may=may, groups=frozenset("" if g == "core" else g for g in groups.split()),
        resources=frozenset(resources.split()), verbs=verbs, place=place, why=why, hint=hint,
    )  # fmt: skip


DANGERS: tuple[Danger, ...] = (
    _danger(
        "grant-escalation", "give itself any right (bind, escalate)", _RBAC, "roles clusterroles",
        frozenset({"bind", "escalate"}), "anywhere",
        "whoever may bind or escalate may take every other right",
        "keep bind and escalate to those who administer the cluster",
    ),
    _danger(
        "grant-escalation", "act as somebody else (impersonate)", "core authentication.k8s.io",
        "users groups serviceaccounts uids userextras", frozenset({"impersonate"}), "anywhere",
        "an approval given by impersonation bears the name of somebody who did not give it",
        "remove impersonate, or bind it to people who approve nothing",
    ),
    _danger(
        "grant-escalation", "get tokens of service accounts", "core", "serviceaccounts/token",
        frozenset({"create"}), "cluster",
        "a token of a service account carries all of its rights, those of a pipeline that approves among them",
        "bind it in the namespaces that need it",
    ),
    _danger(
        "grant-escalation", "approve client certificates", "certificates.k8s.io",
        "certificatesigningrequests/approval signers", frozenset({"update", "patch", "approve", "sign"}), "cluster",
        "a client certificate can name any user",
        "keep it to those who administer the cluster",
    ),
    _danger(
        "grant-guards", "change admission policies, webhooks or CRDs", f"{_ADMISSION} apiextensions.k8s.io",
        "validatingadmissionpolicies validatingadmissionpolicybindings mutatingadmissionpolicies "
        "mutatingadmissionpolicybindings validatingwebhookconfigurations mutatingwebhookconfigurations "
        "customresourcedefinitions",
        WRITE, "cluster",
        "nothing in the cluster can guard these objects, so whoever writes them can switch every guard off",
        "keep it to those who administer the cluster, and watch the audit log for it",
    ),
    _danger(
        "grant-governance", "write documents of Gatereeve", GATEREEVE_GROUP,
        "gates hostgrants models modelversions approvals accesspolicies rollouts", WRITE, "anywhere",
        "who writes these documents decides which models are served to whom",
        "bind the generated roles to the people named in the documents instead",
    ),
    _danger(
        "grant-status", "write the status of routes or documents", f"{GATEREEVE_GROUP} networking.k8s.io gateway.networking.k8s.io",
        "gates/status models/status modelversions/status approvals/status ingresses/status httproutes/status gateways/status",
        WRITE, "cluster",
        "people believe what a status says; a forged one hides a refused route",
        "only controllers need it",
    ),
    _danger(
        "grant-routes", "change routes and gateways", "networking.k8s.io extensions gateway.networking.k8s.io",
        "ingresses ingressclasses gateways gatewayclasses httproutes grpcroutes tlsroutes tcproutes "
        "udproutes listenersets backendtlspolicies referencegrants",
        WRITE, "cluster",
        "a route can take a host of another team, or reach a model by another way",
        "bind it in the namespaces of each team; HostGrants then say which hosts these may claim",
    ),
    _danger(
        "grant-secrets", "read Secrets", "core", "secrets", READ, "models",
        "API keys of callers, client CAs and TLS keys stand in Secrets",
        "give get on the Secrets that are needed, by name",
    ),
    _danger(
        "grant-pods", "reach into pods (exec, attach, port-forward, proxy)", "core",
        "pods/exec pods/attach pods/portforward pods/proxy pods/ephemeralcontainers services/proxy",
        CHANGE | READ, "models",
        "a model is reached past its gate, and nothing of it is on record",
        "keep it out of the namespaces of models, and give it for an hour to whom an incident needs",
    ),
    _danger(
        "grant-nodes", "use the kubelet through the API server (nodes/proxy)", "core", "nodes/proxy",
        CHANGE | READ, "cluster",
        "the kubelet runs commands in any pod of its node, past admission and audit",
        "give nodes/metrics or nodes/stats to what only measures",
    ),
    _danger(
        "grant-namespaces", "change namespaces and their labels", "core", "namespaces", CHANGE, "cluster",
        "HostGrants and policies select namespaces by label; a label more is a host more",
        "keep it to those who administer the cluster",
    ),
    _danger(
        "grant-network", "change Services, endpoints or NetworkPolicies", "core discovery.k8s.io networking.k8s.io",
        "services endpoints endpointslices networkpolicies", WRITE, "models",
        "an endpoint more sends a model's traffic elsewhere; a policy less lets anybody at its pods",
        "in the namespaces of models, only pipelines need it",
    ),
)  # fmt: skip
