"""Drift of the guards: what somebody took away, changed or added is found; defaults are none of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gatereeve.admission.guard_drift import find_drift
from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.core.findings import Finding
from tests.support.guarded import DOCUMENTS
from tests.support.worlds import world_of

WANTED = make_guards(world_of(DOCUMENTS), GuardSettings())


def installed() -> list[dict[str, Any]]:
    """As an API server gives them back: with what it fills in."""
    objects: list[dict[str, Any]] = [copy.deepcopy({**one}) for one in WANTED]
    for one in objects:
        one["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [{}]}
        one["status"] = {"observedGeneration": 1}
        for hook in one.get("webhooks", []):
            hook["clientConfig"]["caBundle"] = "ZmlsbGVkIGlu"
    return objects


def find(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name)


def found(objects: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    def told(finding: Finding) -> tuple[str, str, str]:
        assert finding.origin is not None
        return finding.code, str(finding.origin.ref), finding.origin.path

    return [told(finding) for finding in find_drift(WANTED, objects)]


def test_what_is_installed_as_generated_has_no_drift() -> None:
    assert found(installed()) == []


POLICY = ("ValidatingAdmissionPolicy", "gatereeve-approvals")
BINDING = ("ValidatingAdmissionPolicyBinding", "gatereeve-approvals")


@pytest.mark.parametrize(
    ("which", "change", "path"),
    [
        (POLICY, lambda o: o["spec"].update(failurePolicy="Ignore"), "spec.failurePolicy"),
        (
            POLICY,
            lambda o: o["spec"]["validations"][0].update(expression="true"),
            "spec.validations[0].expression",
        ),
        (POLICY, lambda o: o["spec"]["validations"].pop(), "spec.validations"),
        (
            POLICY,
            lambda o: o["spec"]["matchConstraints"].update(excludeResourceRules=[{}]),
            "spec.matchConstraints.excludeResourceRules",
        ),
        (
            POLICY,
            lambda o: o["spec"]["matchConstraints"]["namespaceSelector"].update(
                matchLabels={"a": "b"}
            ),
            "spec.matchConstraints.namespaceSelector.matchLabels",
        ),
        (
            BINDING,
            lambda o: o["spec"].update(validationActions=["Audit"]),
            "spec.validationActions",
        ),
        (
            BINDING,
            lambda o: o["spec"]["paramRef"].update(parameterNotFoundAction="Allow"),
            "spec.paramRef.parameterNotFoundAction",
        ),
        (
            ("ValidatingWebhookConfiguration", "gatereeve"),
            lambda o: o["webhooks"][0].update(failurePolicy="Ignore"),
            "webhooks[0].failurePolicy",
        ),
        (
            ("ClusterRole", "gatereeve-developer"),
            lambda o: o["rules"].append({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
            "rules",
        ),
        (
            ("ClusterRole", "gatereeve-developer"),
            lambda o: o.update(aggregationRule={"clusterRoleSelectors": [{}]}),
            "aggregationRule",
        ),
        (
            ("ClusterRoleBinding", "gatereeve-platform"),
            lambda o: o["subjects"][0].update(name="mallory"),
            "subjects[0].name",
        ),
        (
            ("GuardParameters", "gatereeve"),
            lambda o: o["spec"]["grants"].append({"host": "*", "paths": ["/"]}),
            "spec.grants",
        ),
        (
            POLICY,
            lambda o: o["metadata"]["labels"].clear(),
            "metadata.labels.app.kubernetes.io/managed-by",
        ),
    ],
)
def test_what_somebody_changed_is_found(
    which: tuple[str, str], change: Callable[[dict[str, Any]], object], path: str
) -> None:
    objects = installed()
    change(find(objects, *which))

    [(code, ref, place)] = found(objects)
    assert (code, place) == ("guard-changed", path)
    assert which[1] in ref


def test_what_somebody_took_away_is_found() -> None:
    objects = installed()
    objects.remove(find(objects, *BINDING))

    assert found(objects) == [
        ("guard-missing", "ValidatingAdmissionPolicyBinding gatereeve-approvals", "")
    ]


def test_what_nobody_asked_for_is_found() -> None:
    more: list[dict[str, Any]] = [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "mine", "namespace": "lending"},
            "roleRef": {"kind": "ClusterRole", "name": "gatereeve-approver"},
            "subjects": [{"kind": "User", "name": "mallory"}],
        },
        {  # the chart's own
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "gatereeve-controller"},
            "roleRef": {"kind": "ClusterRole", "name": "gatereeve-controller"},
            "subjects": [
                {
                    "kind": "ServiceAccount",
                    "name": "gatereeve-controller",
                    "namespace": "gatereeve-system",
                }
            ],
        },
        {  # the controllers' rights, for somebody else
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "theirs", "namespace": "lending"},
            "roleRef": {"kind": "ClusterRole", "name": "gatereeve-controller"},
            "subjects": [{"kind": "User", "name": "mallory"}],
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "somebody-elses"},
            "rules": [],
        },
    ]

    assert found([*installed(), *more]) == [
        ("guard-superfluous", "RoleBinding lending/mine", ""),
        ("guard-superfluous", "RoleBinding lending/theirs", ""),
    ]


LATER = make_guards(
    world_of(DOCUMENTS, "{apiVersion: v1, kind: Namespace, metadata: {name: new}}"), GuardSettings()
)


def codes(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(f.code, str(f.origin.ref) if f.origin else "") for f in find_drift(LATER, objects)]


def test_a_namespace_that_came_since_is_one_finding() -> None:
    assert codes(installed()) == [
        ("guard-missing", "GuardParameters new/gatereeve"),
        ("guard-stale", ""),
    ]


def test_a_binding_for_other_namespaces_than_the_rest_leaves_a_gap_and_is_a_change() -> None:
    objects = installed()
    selector = find(objects, "ValidatingAdmissionPolicyBinding", "gatereeve-ingresses")
    selector["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"].remove(
        "shop"
    )
    assert ("guard-changed", "ValidatingAdmissionPolicyBinding gatereeve-ingresses") in codes(
        objects
    )


def test_a_namespace_that_no_guard_looks_at_is_a_change() -> None:
    objects = installed()
    others = find(objects, "ValidatingAdmissionPolicyBinding", "gatereeve-unguarded")
    values = others["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"]
    values.append("new")
    assert ("guard-changed", "ValidatingAdmissionPolicyBinding gatereeve-unguarded") in codes(
        objects
    )
