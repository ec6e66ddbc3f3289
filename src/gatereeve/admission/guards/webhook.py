"""Makes the webhook configurations: only governed kinds, with a short time-out.

`failurePolicy: Fail` applies to governed kinds outside kube-system and our own namespace, so that neither
the cluster nor the controllers depend on the webhook. Deletions are only reported (`Ignore`), so that a
namespace can be deleted while the webhook is not available.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.facts import GuardFacts
from gatereeve.admission.guards.integrity_policies import (
    CHANGES,
    DOCUMENTS,
    OURS,
    ROUTES,
    is_changed,
    is_governed,
)
from gatereeve.admission.guards.named_people import UNTOUCHED
from gatereeve.admission.guards.objects import API, conditions, meta, rule
from gatereeve.admission.guards.settings import WEBHOOK, GuardSettings, Object
from gatereeve.compile.routes.host_grants import NAME_LABEL
from gatereeve.core.canonical import Json
from gatereeve.core.refs import GATEREEVE_GROUP

TIMEOUT_S = 3
REVIEW_PATH, STAMP_PATH = "/review", "/stamp"


def make_webhooks(facts: GuardFacts, settings: GuardSettings) -> tuple[Object, ...]:
    """Return the validating configuration and, if the webhook writes authors, the mutating one."""
    if not settings.webhook:
        return ()
    review = _make_webhook(
        "review.gatereeve.dev",
        settings,
        REVIEW_PATH,
        [rule(GATEREEVE_GROUP, OURS, CHANGES), *ROUTES],
        {
            "governed": is_governed(facts),
            "changed": is_changed(),
            "not-leaving": cel.IS_NOT_DELETION,
        },
        failure="Fail",
    )
    deletions = _make_webhook(
        "deletions.gatereeve.dev",
        settings,
        REVIEW_PATH,
        [rule(GATEREEVE_GROUP, OURS, ("DELETE",))],
        {},
        failure="Ignore",
    )
    configurations: list[Object] = [_make_configuration("Validating", [review, deletions])]
    if settings.stamps == "webhook":
        stamp = _make_webhook(
            "stamp.gatereeve.dev",
            settings,
            STAMP_PATH,
            list(DOCUMENTS),
            {"governed": is_governed(facts), "changed": is_changed()},
            failure="Fail",
        )
        configurations.append(
            _make_configuration("Mutating", [{**stamp, "reinvocationPolicy": "IfNeeded"}])
        )
    return tuple(configurations)


def _make_configuration(kind: str, hooks: list[dict[str, Json]]) -> Object:
    return {
        "apiVersion": API,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": meta(WEBHOOK),
        "webhooks": [dict(hook) for hook in hooks],
    }


def _make_webhook(
    name: str,
    settings: GuardSettings,
    path: str,
    rules: list[Json],
    when: dict[str, str],
    *,
    failure: str,
) -> dict[str, Json]:
    client: dict[str, Json] = (
        {"url": settings.url + path}
        if settings.url
        else {
            "service": {
                "name": settings.service,
                "namespace": settings.namespace,
                "path": path,
                "port": 443,
            }
        }
    )
    if settings.ca_bundle:
        client["caBundle"] = settings.ca_bundle
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": client,
        "failurePolicy": failure,
        "matchPolicy": "Equivalent",
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": TIMEOUT_S,
        "namespaceSelector": {
            "matchExpressions": [
                {"key": NAME_LABEL, "operator": "NotIn", "values": [UNTOUCHED, settings.namespace]}
            ]
        },
        "objectSelector": {},
        "rules": list(rules),
        **({"matchConditions": conditions(when)} if when else {}),
    }
