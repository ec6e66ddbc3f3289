"""Makes policies and bindings of admissionregistration.k8s.io/v1.

Fields with a default, such as selectors, are always set, so that `guard_drift` finds additions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatereeve.admission.guards.settings import MANAGED, PARAMETERS, Object
from gatereeve.core.canonical import Json
from gatereeve.core.refs import GATEREEVE_GROUP

API = "admissionregistration.k8s.io/v1"
GATEWAY_GROUP = "gateway.networking.k8s.io"
NETWORKING_GROUP = "networking.k8s.io"
VERSIONS = {GATEREEVE_GROUP: "v1alpha1"}
"""Other groups match at v1; `matchPolicy: Equivalent` includes their other versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """One validation. holds: a CEL condition. message: for the caller if it is false."""

    holds: str
    message: str
    message_expression: str = ""


def meta(name: str, namespace: str = "") -> dict[str, Json]:
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "labels": dict(MANAGED),
    }


def rule(group: str, resources: Sequence[str], operations: Sequence[str]) -> dict[str, Json]:
    """Return the resources that a policy or webhook checks."""
    return {
        "apiGroups": [group],
        "apiVersions": [VERSIONS.get(group, "v1")],
        "resources": list(resources),
        "operations": list(operations),
        "scope": "*",
    }


def matching(rules: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    return {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": {},
        "resourceRules": [dict(rule) for rule in rules],
    }


def conditions(expressions: Mapping[str, str]) -> list[Json]:
    """Return matchConditions or variables, from expressions by name."""
    return [{"name": name, "expression": expression} for name, expression in expressions.items()]


def policy(
    name: str,
    rules: Sequence[Mapping[str, Json]],
    checks: Sequence[PolicyCheck],
    *,
    when: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    parameters: bool = False,
) -> Object:
    """Return a ValidatingAdmissionPolicy. when: matchConditions. parameters: it reads GuardParameters."""
    spec: dict[str, Json] = {
        "failurePolicy": "Fail",
        "matchConstraints": matching(rules),
        "validations": [
            {
                "expression": check.holds,
                "message": check.message,
                **({"messageExpression": e} if (e := check.message_expression) else {}),
                "reason": "Forbidden",
            }
            for check in checks
        ],
        "auditAnnotations": [{"key": "by", "valueExpression": "request.userInfo.username"}],
    }
    if parameters:
        spec["paramKind"] = {"apiVersion": f"{GATEREEVE_GROUP}/v1alpha1", "kind": "GuardParameters"}
    if when:
        spec["matchConditions"] = conditions(when)
    if variables:
        spec["variables"] = conditions(variables)
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": meta(f"gatereeve-{name}"),
        "spec": spec,
    }


def binding(
    of: str,
    *,
    name: str = "",
    namespaces: Mapping[str, Json] | None = None,
    rules: Sequence[Mapping[str, Json]] = (),
    missing: str = "",
) -> Object:
    """Return a binding of a policy. namespaces: a selector. missing: the action without parameters."""
    spec: dict[str, Json] = {
        "policyName": f"gatereeve-{of}",
        "validationActions": ["Deny", "Audit"],
    }
    if namespaces is not None:
        spec["matchResources"] = {**matching(rules), "namespaceSelector": dict(namespaces)}
    if missing:
        spec["paramRef"] = {"name": PARAMETERS, "parameterNotFoundAction": missing}
    return {
        "apiVersion": API,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": meta(f"gatereeve-{name or of}"),
        "spec": spec,
    }
