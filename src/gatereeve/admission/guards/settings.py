"""How the guards of one cluster are cut: names that the installation chose, not the documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gatereeve.core.canonical import Json

Object = dict[str, Json]
"""One Kubernetes object as plain values."""

MANAGED = {"app.kubernetes.io/managed-by": "gatereeve", "app.kubernetes.io/component": "guards"}
"""Labels of every guard; `drift` finds what is ours, and superfluous, by them."""

CHANGED_BY = "gatereeve.dev/changed-by"
"""Annotation: who changed a document last, as the API server authenticated them."""

Stamps = Literal["policy", "webhook", "nobody"]
"""Who writes CHANGED_BY: a MutatingAdmissionPolicy (Kubernetes 1.36), the webhook, nobody."""

WEBHOOK = "gatereeve"
"""Name of the webhook's registrations, validating and mutating."""

PARAMETERS = "gatereeve"
"""Name of the GuardParameters in every namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSettings:
    """namespace, service_account: of the controllers. service: through which the API server reaches
    their webhook; url: in its place, where there is no Service. ca_bundle: base64 of the PEM that
    signed the webhook's certificate; without it whoever installs the guards fills it in.
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
        """The controllers' name at the API server."""
        return f"system:serviceaccount:{self.namespace}:{self.service_account}"
