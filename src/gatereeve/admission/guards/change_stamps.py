"""Who changed a document: an annotation that the API server writes, whatever the document said.

A MutatingAdmissionPolicy (stable in Kubernetes 1.36); in older clusters a mutating webhook does the
same. A policy of `keeping` then refuses whatever came past it.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts
from gatereeve.admission.guards.integrity_policies import DOCUMENTS, is_changed, is_governed
from gatereeve.admission.guards.objects import API, conditions, matching, meta
from gatereeve.admission.guards.settings import CHANGED_BY, Object

NAME = "gatereeve-changers"


def stamps(known: GuardFacts) -> tuple[Object, ...]:
    """The policy and its binding."""
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
                    {"governed": is_governed(known), "changed": is_changed()}
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
