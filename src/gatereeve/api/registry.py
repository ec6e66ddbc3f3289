"""Every kind that is read: API group and versions, kind, scope, spec type, and its field of a World.

The order is that of the documentation. Parsing, definitions, reference pages and tests use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel

from gatereeve.api import gate, governance, guard_parameters, kube, people
from gatereeve.core.refs import GATEREEVE_GROUP

Body = Literal["spec", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """body: whether the content stands under `spec` or beside the metadata. world: World's field."""

    group: str
    versions: tuple[str, ...]
    kind: str
    plural: str
    namespaced: bool
    spec: type[BaseModel]
    world: str
    body: Body = "spec"
    short: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        return self.group == GATEREEVE_GROUP


_NET, _GW = "networking.k8s.io", "gateway.networking.k8s.io"


def _ours(
    kind: str, plural: str, spec: type[BaseModel], world: str, *short: str, cluster: bool = False
) -> Kind:
    return Kind(
        group=GATEREEVE_GROUP, versions=("v1alpha1",), kind=kind, plural=plural,
        namespaced=not cluster, spec=spec, world=world, short=short,
    )  # fmt: skip


def _kube(
    group: str, kind: str, plural: str, spec: type[BaseModel], world: str,
    *, cluster: bool = False, body: Body = "spec",
) -> Kind:  # fmt: skip
    return Kind(
        group=group, versions=("v1", "v1beta1") if group == _GW else ("v1",), kind=kind, plural=plural,
        namespaced=not cluster, spec=spec, world=world, body=body,
    )  # fmt: skip


KINDS: tuple[Kind, ...] = (
    _ours("Gate", "gates", gate.GateSpec, "gates", cluster=True),
    _ours("HostGrant", "hostgrants", governance.HostGrantSpec, "host_grants", "hg", cluster=True),
    _ours("Model", "models", governance.ModelSpec, "models"),
    _ours("ModelVersion", "modelversions", governance.ModelVersionSpec, "model_versions", "mv"),
    _ours("Approval", "approvals", governance.ApprovalSpec, "approvals"),
    _ours("AccessPolicy", "accesspolicies", governance.AccessPolicySpec, "access_policies", "ap"),
    _ours("Rollout", "rollouts", governance.RolloutSpec, "rollouts"),
    _kube("", "Namespace", "namespaces", kube.NamespaceSpec, "namespaces", cluster=True),
    _kube(_NET, "Ingress", "ingresses", kube.IngressSpec, "ingresses"),
    _kube(_NET, "IngressClass", "ingressclasses", kube.IngressClassSpec, "ingress_classes", cluster=True),
    _kube("", "Service", "services", kube.ServiceSpec, "services"),
    _kube("discovery.k8s.io", "EndpointSlice", "endpointslices", kube.EndpointSliceSpec, "endpoint_slices", body="body"),
    _kube("", "Secret", "secrets", kube.SecretSpec, "secrets", body="body"),
    _kube(_GW, "GatewayClass", "gatewayclasses", kube.GatewayClassSpec, "gateway_classes", cluster=True),
    _kube(_GW, "Gateway", "gateways", kube.GatewaySpec, "gateways"),
    _kube(_GW, "HTTPRoute", "httproutes", kube.HTTPRouteSpec, "http_routes"),
    _kube(_GW, "ReferenceGrant", "referencegrants", kube.ReferenceGrantSpec, "reference_grants"),
)  # fmt: skip

IN_FOLDERS: tuple[Kind, ...] = (
    _ours("People", "peoples", people.PeopleSpec, "people", cluster=True),
)
"""Kinds for folders only: a cluster knows by itself what they say."""

EVERY: tuple[Kind, ...] = (*KINDS, *IN_FOLDERS)

BY_KIND: dict[tuple[str, str], Kind] = {(k.group, k.kind): k for k in EVERY}

GUARD_PARAMETERS = _ours(
    "GuardParameters", "guardparameters", guard_parameters.GuardParametersSpec, ""
)
"""Ours, and in no World: the guards write it, and nothing reads it."""
