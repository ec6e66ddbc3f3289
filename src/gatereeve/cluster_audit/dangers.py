"""The table of rights that bypass governance, with the reason and the remedy.

Rules match as in Kubernetes RBAC: `*` is any group, resource or verb; `*/sub` is a subresource of any
resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatereeve.api import plain_objects as plain
from gatereeve.api.yaml import Plain
from gatereeve.core.refs import GATEREEVE_GROUP

Scope = Literal["anywhere", "cluster", "models"]
"""Where the right is dangerous: in any namespace · only cluster-wide · cluster-wide or with models."""

WRITE = frozenset({"create", "update", "patch", "delete", "deletecollection"})
CHANGE = frozenset({"create", "update", "patch"})
READ = frozenset({"get", "list", "watch"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """resources: of `groups`, subresources as `pods/exec`. may: the right as a part of a sentence."""

    code: str
    may: str
    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    scope: Scope
    why: str
    hint: str

    def given_by(self, rule: Plain) -> bool:
        """Whether a rule of a role gives the right."""
        return (
            _has_any(plain.words(plain.get(rule, "apiGroups")), self.groups)
            and _has_any(plain.words(plain.get(rule, "verbs")), self.verbs)
            and any(
                _covers(resource, self.resources)
                for resource in plain.words(plain.get(rule, "resources"))
            )
        )


def _has_any(values: tuple[str, ...], wanted: frozenset[str]) -> bool:
    return "*" in values or not wanted.isdisjoint(values)


def _covers(resource: str, wanted: frozenset[str]) -> bool:
    if resource == "*" or resource in wanted:
        return True
    return resource.startswith("*/") and any(w.endswith(resource[1:]) for w in wanted)


def is_everything(rule: Plain) -> bool:
    """Whether a rule gives all verbs on all resources of all groups."""
    return all(
        "*" in plain.words(plain.get(rule, part)) for part in ("apiGroups", "resources", "verbs")
    )


_RBAC, _ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"


def _danger(
    code: str,
    may: str,
    groups: str,
    resources: str,
    verbs: frozenset[str],
    scope: Scope,
    why: str,
    hint: str,
) -> Danger:
    return Danger(
        code=code, may=may, groups=frozenset("" if g == "core" else g for g in groups.split()),
        resources=frozenset(resources.split()), verbs=verbs, scope=scope, why=why, hint=hint,
    )  # fmt: skip


DANGERS: tuple[Danger, ...] = (
    _danger(
        "grant-escalation", "give itself any right (bind, escalate)", _RBAC, "roles clusterroles",
        frozenset({"bind", "escalate"}), "anywhere",
        "a subject with bind or escalate can get every other right",
        "give bind and escalate only to cluster administrators",
    ),
    _danger(
        "grant-escalation", "act as another user (impersonate)", "core authentication.k8s.io",
        "users groups serviceaccounts uids userextras", frozenset({"impersonate"}), "anywhere",
        "an approval by impersonation has the name of a person who did not give it",
        "remove impersonate, or bind it to people who are not approvers",
    ),
    _danger(
        "grant-escalation", "get tokens of service accounts", "core", "serviceaccounts/token",
        frozenset({"create"}), "cluster",
        "a token of a service account has all its rights, for example those of a pipeline",
        "bind it only in namespaces that need it",
    ),
    _danger(
        "grant-escalation", "approve client certificates", "certificates.k8s.io",
        "certificatesigningrequests/approval signers", frozenset({"update", "patch", "approve", "sign"}), "cluster",
        "a client certificate can name any user",
        "give it only to cluster administrators",
    ),
    _danger(
        "grant-guards", "change admission policies, webhooks or CRDs", f"{_ADMISSION} apiextensions.k8s.io",
        "validatingadmissionpolicies validatingadmissionpolicybindings mutatingadmissionpolicies "
        "mutatingadmissionpolicybindings validatingwebhookconfigurations mutatingwebhookconfigurations "
        "customresourcedefinitions",
        WRITE, "cluster",
        "no policy can protect these objects, so a subject that writes them can disable every guard",
        "give it only to cluster administrators, and watch the audit log for changes",
    ),
    _danger(
        "grant-governance", "write documents of Gatereeve", GATEREEVE_GROUP,
        "gates hostgrants models modelversions approvals accesspolicies rollouts", WRITE, "anywhere",
        "these documents decide which callers may use which models",
        "bind the generated roles to the people named in the documents instead",
    ),
    _danger(
        "grant-status", "write the status of routes or documents", f"{GATEREEVE_GROUP} networking.k8s.io gateway.networking.k8s.io",
        "gates/status models/status modelversions/status approvals/status ingresses/status httproutes/status gateways/status",
        WRITE, "cluster",
        "a forged status hides a refused route",
        "give it only to controllers",
    ),
    _danger(
        "grant-routes", "change routes and gateways", "networking.k8s.io extensions gateway.networking.k8s.io",
        "ingresses ingressclasses gateways gatewayclasses httproutes grpcroutes tlsroutes tcproutes "
        "udproutes listenersets backendtlspolicies referencegrants",
        WRITE, "cluster",
        "a route can take the host of another team, or reach a model past its policy",
        "bind it in the namespaces of each team; HostGrants limit the hosts of these namespaces",
    ),
    _danger(
        "grant-secrets", "read Secrets", "core", "secrets", READ, "models",
        "Secrets have the API keys of callers, client CAs and TLS keys",
        "give get on the required Secrets by name",
    ),
    _danger(
        "grant-pods", "reach into pods (exec, attach, port-forward, proxy)", "core",
        "pods/exec pods/attach pods/portforward pods/proxy pods/ephemeralcontainers services/proxy",
        CHANGE | READ, "models",
        "it reaches a model past its gate and without a record",
        "do not give it in namespaces of models; bind it for the time of an incident",
    ),
    _danger(
        "grant-nodes", "use the kubelet through the API server (nodes/proxy)", "core", "nodes/proxy",
        CHANGE | READ, "cluster",
        "the kubelet runs commands in any pod of its node, past admission and audit",
        "give nodes/metrics or nodes/stats to monitoring",
    ),
    _danger(
        "grant-namespaces", "change namespaces and their labels", "core", "namespaces", CHANGE, "cluster",
        "HostGrants and policies select namespaces by label; another label gives more hosts",
        "give it only to cluster administrators",
    ),
    _danger(
        "grant-network", "change Services, endpoints or NetworkPolicies", "core discovery.k8s.io networking.k8s.io",
        "services endpoints endpointslices networkpolicies", WRITE, "models",
        "a new endpoint redirects traffic of a model; without a NetworkPolicy every pod reaches the model",
        "in namespaces of models, give it only to pipelines",
    ),
)  # fmt: skip
