"""What protects the guards' own footing: statuses, labels, parameters, roles, names of changers.

Admission policies cannot look at admission objects; RBAC and `drift` stand for those.
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


def statuses(settings: GuardSettings) -> Object:
    """What came of a document is said by the controllers only."""
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


def namespaces(known: GuardFacts) -> Object:
    """Labels that HostGrants select by. By every way in: status and finalize change labels too."""
    labels = "(has({0}.metadata.labels) ? {0}.metadata.labels : {{}})"
    old = "(request.operation == 'CREATE' ? {} : " + labels.format("oldObject") + ")"
    new = labels.format("object")
    same = (
        f"{cel.texts(known.labels)}.all(label, (label in variables.old) == (label in variables.new)"
        " && (!(label in variables.new) || variables.old[label] == variables.new[label]))"
    )
    return policy(
        "namespaces",
        (rule("", ("namespaces", "namespaces/status", "namespaces/finalize"), CHANGES),),
        (
            PolicyCheck(
                holds=f"{same} || {cel.MAY_CHANGE_GRANTS}",
                message="label-guarded: HostGrants select namespaces by this label; whoever may change HostGrants may change it",
                message_expression="'label-guarded: HostGrants select namespaces by these labels, and only who may change HostGrants may change them: '"
                f" + {cel.texts(known.labels)}.join(', ')",
            ),
        ),
        variables={"old": old, "new": new},
    )


def guard_parameters(settings: GuardSettings) -> Object:
    """The parameters belong to the controllers and to whoever may change the guards anyway."""
    return policy(
        "guardparameters",
        (rule(GATEREEVE_GROUP, ("guardparameters",), (*CHANGES, "DELETE")),),
        (
            PolicyCheck(
                holds=f"request.userInfo.username == {cel.text(settings.controller)}"
                f" || {cel.KUBERNETES_ITSELF} || {cel.MAY_CHANGE_GUARDS}",
                message="guard-parameters: generated from the documents; change HostGrants and Gates instead",
            ),
        ),
    )


def aggregation() -> Object:
    """Rights on our documents do not slip into `edit`, `admin` or `view` by a label."""
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


def is_governed(known: GuardFacts) -> str:
    """Of any kind in DOCUMENTS: a route only when it is of ours."""
    resource = "request.resource.resource"
    routes = {
        "ingresses": is_our_ingress(known),
        "gateways": is_our_gateway(known),
        "httproutes": names_our_gateway(known),
    }
    found = [
        f"!({resource} in {cel.texts(routes)})",
        *(f"{resource} == {cel.text(name)} && ({ours})" for name, ours in routes.items()),
    ]
    return cel.any_of(found)


def _differs(part: str) -> str:
    both = [f"(has({o}.{part}) ? {o}.{part} : {{}})" for o in ("object", "oldObject")]
    return " != ".join(both)


def is_changed() -> str:
    """Something that a person says is new; finalizers, owners and managed fields are not."""
    spec = " != ".join(f"(has({o}.spec) ? {o}.spec : {{}})" for o in ("object", "oldObject"))
    return cel.any_of(
        (
            "request.operation == 'CREATE'",
            spec,
            _differs("metadata.annotations"),
            _differs("metadata.labels"),
        )
    )


def stamped(known: GuardFacts) -> Object:
    """Who changed a document is who the API server knows: nobody signs for somebody else."""
    return policy(
        "changers",
        DOCUMENTS,
        (
            PolicyCheck(
                holds=f"{cel.text(CHANGED_BY)} in {cel.ANNOTATIONS} &&"
                f" {cel.ANNOTATIONS}[{cel.text(CHANGED_BY)}] == request.userInfo.username",
                message=f"changer-forged: {CHANGED_BY} is written by the API server, with the name of who makes the change",
            ),
        ),
        when={"governed": is_governed(known), "changed": is_changed()},
    )


def unguarded(known: GuardFacts) -> Object:
    """Where no parameters are known yet, nothing that is governed comes in."""
    resource = "request.resource.resource"
    return policy(
        "unguarded",
        (*ROUTES, rule(GATEREEVE_GROUP, ("approvals", "modelversions"), CHANGES)),
        (
            PolicyCheck(
                holds="false",
                message="namespace-unguarded: the guards do not know this namespace yet; it needs a HostGrant, or a moment",
            ),
        ),
        when={
            "governed": is_governed(known),
            "not-leaving": cel.NOT_LEAVING,
            "says-something": f"{resource} in ['ingresses', 'gateways', 'httproutes']"
            f" || {cel.SAYS_SOMETHING_NEW}",
        },
    )
