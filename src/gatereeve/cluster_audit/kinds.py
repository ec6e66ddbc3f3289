"""The kinds that an audit examines, and kinds that may expose Services but are not examined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gatereeve.core.refs import GATEREEVE_GROUP

GroupKind: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedKind:
    """group, kind, plural: as Kubernetes names them."""

    group: str
    kind: str
    plural: str

    @property
    def key(self) -> GroupKind:
        return (self.group, self.kind)

    @property
    def resource(self) -> str:
        """Return the name for `kubectl get`, such as `ingresses.networking.k8s.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_GATEWAY, _RBAC, _NET = (
    "gateway.networking.k8s.io",
    "rbac.authorization.k8s.io",
    "networking.k8s.io",
)
_INFERENCE = "inference.networking.k8s.io"

KINDS: tuple[AuditedKind, ...] = tuple(
    AuditedKind(group=group, kind=kind, plural=plural)
    for group, kind, plural in (
        (_NET, "Ingress", "ingresses"),
        (_NET, "IngressClass", "ingressclasses"),
        (_NET, "NetworkPolicy", "networkpolicies"),
        (_GATEWAY, "GatewayClass", "gatewayclasses"),
        (_GATEWAY, "Gateway", "gateways"),
        (_GATEWAY, "ListenerSet", "listenersets"),
        (_GATEWAY, "HTTPRoute", "httproutes"),
        (_GATEWAY, "GRPCRoute", "grpcroutes"),
        (_GATEWAY, "TLSRoute", "tlsroutes"),
        (_GATEWAY, "TCPRoute", "tcproutes"),
        ("", "Service", "services"),
        ("", "Pod", "pods"),
        ("", "ConfigMap", "configmaps"),
        ("apps", "Deployment", "deployments"),
        ("apps", "StatefulSet", "statefulsets"),
        ("apps", "DaemonSet", "daemonsets"),
        ("serving.kserve.io", "InferenceService", "inferenceservices"),
        (_INFERENCE, "InferencePool", "inferencepools"),
        (_RBAC, "Role", "roles"),
        (_RBAC, "ClusterRole", "clusterroles"),
        (_RBAC, "RoleBinding", "rolebindings"),
        (_RBAC, "ClusterRoleBinding", "clusterrolebindings"),
        (GATEREEVE_GROUP, "Gate", "gates"),
        (GATEREEVE_GROUP, "ModelVersion", "modelversions"),
    )
)

ALIASES: dict[GroupKind, GroupKind] = {
    ("extensions", "Ingress"): (_NET, "Ingress"),
    ("inference.networking.x-k8s.io", "InferencePool"): (_INFERENCE, "InferencePool"),
    ("gateway.networking.x-k8s.io", "XListenerSet"): (_GATEWAY, "ListenerSet"),
}
"""Older groups of the same kinds."""

ROUTES: tuple[GroupKind, ...] = tuple(
    (_GATEWAY, kind) for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute")
)
WORKLOADS: tuple[GroupKind, ...] = (
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("", "Pod"),
)

NOT_EXAMINED: frozenset[GroupKind] = frozenset(
    {
        ("networking.istio.io", "VirtualService"),
        ("networking.istio.io", "Gateway"),
        ("route.openshift.io", "Route"),
        ("traefik.io", "IngressRoute"),
        ("traefik.io", "IngressRouteTCP"),
        ("traefik.containo.us", "IngressRoute"),
        ("projectcontour.io", "HTTPProxy"),
        ("serving.knative.dev", "Service"),
        ("machinelearning.seldon.io", "SeldonDeployment"),
        ("mlops.seldon.io", "Model"),
        ("ray.io", "RayService"),
        ("getambassador.io", "Mapping"),
        ("apisix.apache.org", "ApisixRoute"),
        ("configuration.konghq.com", "TCPIngress"),
        ("k8s.nginx.org", "VirtualServer"),
        ("k8s.nginx.org", "TransportServer"),
        (_GATEWAY, "UDPRoute"),
    }
)
"""Kinds that can expose a model server in ways that are not examined; each object gives a finding."""
