"""The shapes of admission objects: policies and bindings with everything said that has a default.

admissionregistration.k8s.io/v1. `failurePolicy: Fail`, `matchPolicy: Equivalent`, and selectors are
always written out, so that `drift` can tell what somebody added.
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
"""Other groups are matched at v1; Equivalent brings their other versions along."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyCheck:
    """One validation: what must hold, and what is said where it does not. reason: an HTTP one."""

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
    """What a policy or webhook looks at."""
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
        "resourceRules": [dict(one) for one in rules],
    }


def conditions(given: Mapping[str, str]) -> list[Json]:
    """MatchConditions by name, in their order."""
    return [{"name": name, "expression": expression} for name, expression in given.items()]


def policy(
    name: str,
    rules: Sequence[Mapping[str, Json]],
    checks: Sequence[PolicyCheck],
    *,
    when: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    parameters: bool = False,
) -> Object:
    """One ValidatingAdmissionPolicy. when: matchConditions. parameters: it reads GuardParameters."""
    spec: dict[str, Json] = {
        "failurePolicy": "Fail",
        "matchConstraints": matching(rules),
        "validations": [
            {
                "expression": check.holds,
                "message": check.message,
                **(
                    {"messageExpression": check.message_expression}
                    if check.message_expression
                    else {}
                ),
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
        spec["variables"] = [
            {"name": name, "expression": expression} for name, expression in variables.items()
        ]
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
    """A policy in force. namespaces: a selector. missing: what happens without parameters."""
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
