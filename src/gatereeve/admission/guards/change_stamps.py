"""The policy by which the API server writes the author of a change into an annotation.

A MutatingAdmissionPolicy (stable in Kubernetes 1.36); older clusters use a mutating webhook.
`integrity_policies` refuses documents with another author.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts
from gatereeve.admission.guards.integrity_policies import DOCUMENTS, is_changed, is_governed
from gatereeve.admission.guards.objects import API, conditions, matching, meta
from gatereeve.admission.guards.settings import CHANGED_BY, Object

NAME = "gatereeve-changers"


def make_stamp_policy(facts: GuardFacts) -> tuple[Object, ...]:
    """Return the policy and its binding."""
    annotation = f"{{{cel.text(CHANGED_BY)}: request.userInfo.username}}"
    return (
        {
            "apiVersion": API,
            "kind": "MutatingAdmissionPolicy",
            "metadata": meta(NAME),
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
                "matchConstraints": matching(DOCUMENTS),
                "matchConditions": conditions(
                    {"governed": is_governed(facts), "changed": is_changed()}
                ),
                "mutations": [
                    {
                        "patchType": "ApplyConfiguration",
                        "applyConfiguration": {
                            "expression": "Object{metadata: Object.metadata{annotations:"
                            f" {annotation}}}}}"
                        },
                    }
                ],
            },
        },
        {
            "apiVersion": API,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": meta(NAME),
            "spec": {"policyName": NAME},
        },
    )
