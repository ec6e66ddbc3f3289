"""Policies that protect what the guards depend on: statuses, labels, parameters, roles and authors.

Admission policies cannot check admission objects; RBAC and `guard_drift` protect those.
"""

from __future__ import annotations

from collections.abc import Mapping

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import (
    GuardFacts,
    is_our_gateway,
    is_our_ingress,
    names_our_gateway,
)
from gatereeve.admission.guards.objects import (
    GATEWAY_GROUP,
    NETWORKING_GROUP,
    PolicyCheck,
    policy,
    rule,
)
from gatereeve.admission.guards.settings import CHANGED_BY, GuardSettings, Object
from gatereeve.api import registry
from gatereeve.core.canonical import Json
from gatereeve.core.refs import GATEREEVE_GROUP

CHANGES = ("CREATE", "UPDATE")
OURS = tuple(k.plural for k in registry.KINDS if k.ours)


def make_status_policy(settings: GuardSettings) -> Object:
    """Return the policy that only controllers write statuses of our documents."""
    return policy(
        "statuses",
        (rule(GATEREEVE_GROUP, tuple(f"{plural}/status" for plural in OURS), CHANGES),),
        (
            PolicyCheck(
                holds=f"request.userInfo.username == {cel.text(settings.controller)}",
                message="status-forged: only Gatereeve's controllers write the status of its documents",
            ),
        ),
    )


def make_label_policy(facts: GuardFacts) -> Object:
    """Return the policy for labels that HostGrants select by; writes to status and finalize count, too."""
    labels = "(has({0}.metadata.labels) ? {0}.metadata.labels : {{}})"
    old = "(request.operation == 'CREATE' ? {} : " + labels.format("oldObject") + ")"
    new = labels.format("object")
    same = (
        f"{cel.texts(facts.labels)}.all(label, (label in variables.old) == (label in variables.new)"
        " && (!(label in variables.new) || variables.old[label] == variables.new[label]))"
    )
    return policy(
        "namespaces",
        (rule("", ("namespaces", "namespaces/status", "namespaces/finalize"), CHANGES),),
        (
            PolicyCheck(
                holds=f"{same} || {cel.MAY_CHANGE_GRANTS}",
                message="label-guarded: HostGrants select namespaces by this label; changing it requires the right to change HostGrants",
                message_expression="'label-guarded: HostGrants select namespaces by these labels; changing them requires the right to change HostGrants: '"
                f" + {cel.texts(facts.labels)}.join(', ')",
            ),
        ),
        variables={"old": old, "new": new},
    )


def make_parameter_policy(settings: GuardSettings) -> Object:
    """Return the policy that only controllers and users who may change guards change GuardParameters."""
    return policy(
        "guardparameters",
        (rule(GATEREEVE_GROUP, ("guardparameters",), (*CHANGES, "DELETE")),),
        (
            PolicyCheck(
                holds=f"request.userInfo.username == {cel.text(settings.controller)}"
                f" || {cel.KUBERNETES_ITSELF} || {cel.MAY_CHANGE_GUARDS}",
                message="guard-parameters: these are generated from documents; change HostGrants and Gates instead",
            ),
        ),
    )


def make_aggregation_policy() -> Object:
    """Return the policy that no label adds rights on our documents to `edit`, `admin` or `view`."""
    return policy(
        "aggregation",
        (rule("rbac.authorization.k8s.io", ("clusterroles",), CHANGES),),
        (
            PolicyCheck(
                holds="!has(object.metadata.labels) || !object.metadata.labels.exists(label,"
                " label.startsWith('rbac.authorization.k8s.io/aggregate-to-'))"
                " || !has(object.rules) || !object.rules.exists(one, has(one.apiGroups)"
                " && one.apiGroups.exists(group, group in ['gatereeve.dev', '*'])"
                " && !one.verbs.all(verb, verb in ['get', 'list', 'watch']))"
                f" || {cel.MAY_CHANGE_GUARDS}",
                message="aggregation-refused: a role that changes Gatereeve's documents must not aggregate into edit, admin or view",
            ),
        ),
    )


ROUTES: tuple[Mapping[str, Json], ...] = (
    rule(NETWORKING_GROUP, ("ingresses", "ingresses/status"), CHANGES),
    rule(GATEWAY_GROUP, ("gateways", "httproutes"), CHANGES),
)
DOCUMENTS: tuple[Mapping[str, Json], ...] = (
    rule(GATEREEVE_GROUP, OURS, CHANGES),
    *ROUTES,
    rule(NETWORKING_GROUP, ("ingressclasses",), CHANGES),
    rule(GATEWAY_GROUP, ("gatewayclasses", "referencegrants"), CHANGES),
)


def is_governed(facts: GuardFacts) -> str:
    """Return whether a document of DOCUMENTS is governed; a route only if it is one of ours."""
    resource = "request.resource.resource"
    routes = {
        "ingresses": is_our_ingress(facts),
        "gateways": is_our_gateway(facts),
        "httproutes": names_our_gateway(facts),
    }
    conditions = [
        f"!({resource} in {cel.texts(routes)})",
        *(f"{resource} == {cel.text(name)} && ({ours})" for name, ours in routes.items()),
    ]
    return cel.any_of(conditions)


def is_changed() -> str:
    """Return whether spec, annotations or labels change; finalizers and managed fields do not count."""
    differences = (
        " != ".join(f"(has({o}.{part}) ? {o}.{part} : {{}})" for o in ("object", "oldObject"))
        for part in ("spec", "metadata.annotations", "metadata.labels")
    )
    return cel.any_of(("request.operation == 'CREATE'", *differences))


def make_author_policy(facts: GuardFacts) -> Object:
    """Return the policy that the annotation CHANGED_BY names the caller."""
    return policy(
        "changers",
        DOCUMENTS,
        (
            PolicyCheck(
                holds=f"{cel.text(CHANGED_BY)} in {cel.ANNOTATIONS} &&"
                f" {cel.ANNOTATIONS}[{cel.text(CHANGED_BY)}] == request.userInfo.username",
                message=f"changer-forged: {CHANGED_BY} must be the user name of the caller; the API server writes it",
            ),
        ),
        when={"governed": is_governed(facts), "changed": is_changed()},
    )


def make_unguarded_policy(facts: GuardFacts) -> Object:
    """Return the policy that refuses governed documents in namespaces without GuardParameters."""
    resource = "request.resource.resource"
    return policy(
        "unguarded",
        (*ROUTES, rule(GATEREEVE_GROUP, ("approvals", "modelversions"), CHANGES)),
        (
            PolicyCheck(
                holds="false",
                message="namespace-unguarded: this namespace has no GuardParameters yet; add a HostGrant for it, or wait a few seconds",
            ),
        ),
        when={
            "governed": is_governed(facts),
            "not-leaving": cel.IS_NOT_DELETION,
            "says-something": f"{resource} in ['ingresses', 'gateways', 'httproutes']"
            f" || {cel.IS_SPEC_CHANGED}",
        },
    )
