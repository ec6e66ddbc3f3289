"""Guards as plain objects: least rights, one order, nothing that documents could break out of."""

from __future__ import annotations

import ast
import json
import random
from typing import Any

import pytest

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.generate import make_guards
from gatereeve.admission.guards.settings import GuardSettings
from gatereeve.api import registry
from tests.support.guarded import DOCUMENTS
from tests.support.worlds import world_of

SETTINGS = GuardSettings()


def made(text: str = DOCUMENTS, settings: GuardSettings = SETTINGS) -> list[dict[str, Any]]:
    return [dict(one) for one in make_guards(world_of(text), settings)]


def of_kind(kind: str, objects: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
        for one in objects
        if one["kind"] == kind
    }


def test_no_role_gives_more_than_it_says() -> None:
    escalating = {"*", "bind", "escalate", "impersonate"}
    for one in made():
        for rule in one.get("rules", []) if one["kind"] == "ClusterRole" else []:
            assert not escalating & {*rule["verbs"], *rule["resources"], *rule["apiGroups"]}
            assert not {"secrets", "serviceaccounts/token", "pods/exec"} & set(rule["resources"])
            if "admissionregistration.k8s.io" in rule["apiGroups"]:
                own = rule.get("resourceNames") == ["gatereeve"]  # whose authority it shows
                assert set(rule["verbs"]) <= ({"patch"} if own else {"get", "list", "watch"})
            assert not any(resource.endswith("/status") for resource in rule["resources"])
        labels = one["metadata"].get("labels", {})
        assert not any("aggregate" in label for label in labels)
        assert "aggregationRule" not in one


def test_every_role_is_given_to_whom_documents_name_and_to_nobody_else() -> None:
    objects = made()
    everywhere = of_kind("ClusterRoleBinding", objects)
    within = of_kind("RoleBinding", objects)

    def names(one: dict[str, Any]) -> set[str]:
        return {subject["name"] for subject in one["subjects"]}

    assert {name: names(one) for (_, name), one in everywhere.items()} == {
        "gatereeve-guard-keeper": {"gatereeve-controller"},
        "gatereeve-platform": {"platform"},
        "gatereeve-auditor": {"audit"},
        "gatereeve-approver": {"risk", "piet"},
        "gatereeve-risk-approver": {"risk"},
    }
    assert {key: names(one) for key, one in within.items()} == {
        ("lending", "gatereeve-developer"): {"ml-team"},
        ("lending", "gatereeve-pipeline"): {"pipeline"},
        ("lending", "gatereeve-approver"): {"max", "selma"},
    }
    known = {name for _, name in of_kind("ClusterRole", objects)}
    assert {one["roleRef"]["name"] for one in (*everywhere.values(), *within.values())} <= known


def test_the_same_documents_give_the_same_objects_in_any_order() -> None:
    parts = DOCUMENTS.split("---\n")
    first = json.dumps(made())
    for seed in range(5):
        random.Random(seed).shuffle(parts)
        assert json.dumps(made("---\n".join(parts))) == first


def test_parameters_hold_what_the_compiler_grants() -> None:
    found = of_kind("GuardParameters", made())

    assert set(found) == {("infra", "gatereeve"), ("lending", "gatereeve"), ("shop", "gatereeve")}
    lending = found["lending", "gatereeve"]["spec"]
    assert lending["grants"] == [
        {"host": "*.lending.example.com", "paths": ["/v1", "/v2"]},
        {"host": "credit.example.com", "paths": ["/v1", "/v2"]},
    ]
    assert lending["services"] == ["credit"]
    assert lending["emergency"] == {"users": ["selma"], "maxHours": 2}
    by_role = {one["role"]: (one["users"], one["groups"]) for one in lending["approvers"]}
    assert by_role == {
        "owner": (["max", "selma"], []),
        "risk": ([], ["risk"]),
        "privacy": (["piet"], []),
        "security": ([], []),
    }
    assert found["shop", "gatereeve"]["spec"]["grants"] == []


def test_policies_fail_closed_and_never_touch_kubernetes_or_us() -> None:
    objects = made()
    for policy in of_kind("ValidatingAdmissionPolicy", objects).values():
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert policy["spec"]["matchConstraints"]["matchPolicy"] == "Equivalent"
    bound = of_kind("ValidatingAdmissionPolicyBinding", objects)
    named = {one["spec"]["policyName"] for one in bound.values()}
    assert named == {name for _, name in of_kind("ValidatingAdmissionPolicy", objects)}
    for one in bound.values():
        parameters = one["spec"].get("paramRef")
        if parameters is not None:
            operations = {
                operation
                for rule in one["spec"]["matchResources"]["resourceRules"]
                for operation in rule["operations"]
            }
            expected = {"CREATE": "Deny", "UPDATE": "Allow"}
            assert {expected[o] for o in operations} == {parameters["parameterNotFoundAction"]}
            [selector] = one["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
            assert selector["operator"] == "In"
            assert not {"kube-system", "gatereeve-system"} & set(selector["values"])


def test_the_webhook_is_narrow_and_cannot_wait_for_itself() -> None:
    [configuration] = of_kind("ValidatingWebhookConfiguration", made()).values()
    review, witness = configuration["webhooks"]

    assert (review["failurePolicy"], witness["failurePolicy"]) == ("Fail", "Ignore")
    for hook in (review, witness):
        assert hook["timeoutSeconds"] <= 3
        assert hook["sideEffects"] == "NoneOnDryRun"
        [away] = hook["namespaceSelector"]["matchExpressions"]
        assert away == {
            "key": "kubernetes.io/metadata.name",
            "operator": "NotIn",
            "values": ["kube-system", "gatereeve-system"],
        }
        groups = {group for rule in hook["rules"] for group in rule["apiGroups"]}
        assert groups <= {"gatereeve.dev", "networking.k8s.io", "gateway.networking.k8s.io"}
        assert not any("*" in rule["resources"] for rule in hook["rules"])
    assert {condition["name"] for condition in review["matchConditions"]} >= {"governed", "changed"}
    assert (
        made(settings=GuardSettings(webhook=False))[-1]["kind"] != "ValidatingWebhookConfiguration"
    )


@pytest.mark.parametrize(
    "name",
    ["o'neil", 'a"b', "a\\b", "${x}", "' || true || '", '"] || true || ["', "ü\u2028", "😀\n"],
)
def test_names_stay_literals(name: str) -> None:
    literal = cel.text(name)

    assert literal.isascii()
    assert literal.isprintable()
    assert ast.literal_eval(literal) == name  # Python reads these escapes as CEL does


def test_whoever_is_named_in_a_document_is_a_literal_everywhere() -> None:
    """A class is the only word of a document that comes into a policy's text unquoted by RBAC."""
    text = DOCUMENTS.replace("classes: [gatereeve]", "classes: [gatereeve, a.b-c]")
    for policy in of_kind("ValidatingAdmissionPolicy", made(text)).values():
        assert "a.b-c" not in json.dumps(policy) or '\\"a.b-c\\"' in json.dumps(policy)


def test_auditors_read_every_kind_of_ours() -> None:
    read = {
        resource
        for rule in of_kind("ClusterRole", made())["", "gatereeve-auditor"]["rules"]
        for resource in rule["resources"]
    }
    assert {kind.plural for kind in registry.KINDS if kind.ours} <= read
