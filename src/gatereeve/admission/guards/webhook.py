"""The webhook's registration: narrow, quick to give up, and out of its own way.

`Fail` for governed kinds only, never for Kubernetes' own namespace nor ours, so that neither the
cluster nor our own start can wait for it. Deletions are only witnessed: without a witness they go
on, or a namespace could not be emptied while we are away.
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


def webhooks(known: GuardFacts, settings: GuardSettings) -> tuple[Object, ...]:
    """The ValidatingWebhookConfiguration and, where the webhook stamps, the mutating one."""
    if not settings.webhook:
        return ()
    review = _webhook(
        "review.gatereeve.dev",
        settings,
        REVIEW_PATH,
        [rule(GATEREEVE_GROUP, OURS, CHANGES), *ROUTES],
        {"governed": is_governed(known), "changed": is_changed(), "not-leaving": cel.NOT_LEAVING},
        failure="Fail",
    )
    witness = _webhook(
        "deletions.gatereeve.dev",
        settings,
        REVIEW_PATH,
        [rule(GATEREEVE_GROUP, OURS, ("DELETE",))],
        {},
        failure="Ignore",
    )
    found: list[Object] = [_configuration("Validating", [review, witness])]
    if settings.stamps == "webhook":
        stamp = _webhook(
            "stamp.gatereeve.dev",
            settings,
            STAMP_PATH,
            list(DOCUMENTS),
            {"governed": is_governed(known), "changed": is_changed()},
            failure="Fail",
        )
        found.append(_configuration("Mutating", [{**stamp, "reinvocationPolicy": "IfNeeded"}]))
    return tuple(found)


def _configuration(kind: str, hooks: list[dict[str, Json]]) -> Object:
    return {
        "apiVersion": API,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": meta(WEBHOOK),
        "webhooks": [dict(hook) for hook in hooks],
    }


def _webhook(
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
