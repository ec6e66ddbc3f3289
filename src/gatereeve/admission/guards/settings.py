"""Settings of the guards of one cluster, and names that guards share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatereeve.core.canonical import Json

Object = dict[str, Json]
"""One Kubernetes object as plain values."""

MANAGED = {"app.kubernetes.io/managed-by": "gatereeve", "app.kubernetes.io/component": "guards"}
"""Labels of every guard."""

CHANGED_BY = "gatereeve.dev/changed-by"
"""Annotation: the user name of the last author of a document at the API server."""

Stamps = Literal["policy", "webhook", "nobody"]
"""What writes CHANGED_BY: a MutatingAdmissionPolicy (Kubernetes 1.36), the webhook, or nothing."""

WEBHOOK = "gatereeve"
"""Name of the webhook configurations, validating and mutating."""

PARAMETERS = "gatereeve"
"""Name of the GuardParameters object in every namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """namespace, service_account: of the controllers. service: of their webhook. url: of the webhook
    without a Service. ca_bundle: base64 of the PEM that signed the webhook's certificate; without it the
    controllers fill it in.
    """

    namespace: str = "gatereeve-system"
    service_account: str = "gatereeve-controller"
    service: str = "gatereeve-webhook"
    url: str = ""
    ca_bundle: str = ""
    webhook: bool = True
    stamps: Stamps = "policy"

    @property
    def controller(self) -> str:
        """Return the user name of the controllers at the API server."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"
