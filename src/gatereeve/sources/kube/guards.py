"""Reads the guards that a cluster has: admission policies, webhooks, roles and their bindings.

Reads only, and only kinds; which of the objects are guards is said in `admission`.
"""

from __future__ import annotations

from typing import Final

from gatereeve.core import errors
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import list_all
from gatereeve.sources.kube.resources import ApiResource

_ADMISSION, _RBAC = "admissionregistration.k8s.io", "rbac.authorization.k8s.io"


def _of(group: str, kind: str, plural: str, *, version: str = "v1") -> ApiResource:
    namespaced = kind in ("RoleBinding", "GuardParameters")
    return ApiResource(
        group=group, version=version, plural=plural, kind=kind, namespaced=namespaced
    )  # fmt: skip


VALIDATING: Final = _of(
    _ADMISSION, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations"
)
MUTATING: Final = _of(_ADMISSION, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations")
PARAMETERS: Final = _of("gatereeve.dev", "GuardParameters", "guardparameters", version="v1alpha1")
KINDS: Final = (
    _of(_RBAC, "ClusterRole", "clusterroles"),
    _of(_RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    _of(_RBAC, "RoleBinding", "rolebindings"),
    PARAMETERS,
    _of(_ADMISSION, "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    _of(_ADMISSION, "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
    _of(_ADMISSION, "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    _of(_ADMISSION, "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    VALIDATING,
    MUTATING,
)
"""Every kind that guards are of."""


async def installed(client: kube.ApiClient) -> list[kube.Object]:
    """Every object of KINDS, with its apiVersion and kind. A kind that the cluster lacks has none.

    Raises ApiError; ApiRefusedError for users who may not read them.
    """
    found: list[kube.Object] = []
    for resource in KINDS:
        try:
            items = await list_all.everything(client, kube.ListScope(resource=resource))
        except errors.ApiMissingError:
            continue
        found += [
            {"apiVersion": resource.api_version, "kind": resource.kind, **item} for item in items
        ]
    return found
