"""Kubernetes' own kinds as we read them: Ingress, Service, Secret, Gateway API and their kin.

Only the fields we act on; the rest is Kubernetes' business and ignored (unlike our own kinds).
Ingress networking.k8s.io/v1, discovery.k8s.io/v1, gateway.networking.k8s.io/v1 (v1.6).

Lists are bounded as the API server bounds them (the schema and CEL rules of the Gateway API's
definitions), so that a folder accepts no more than a cluster; what is no host is found by `compile`.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, TypeVar

from pydantic import Field, model_validator

from gatereeve.api.spec import Lenient

_T = TypeVar("_T")

Few = Annotated[tuple[_T, ...], Field(max_length=16)]
Many = Annotated[tuple[_T, ...], Field(max_length=64)]
_MOST_MATCHES = 128

Weight = Annotated[int, Field(ge=0, le=1_000_000)]
PortNumber = Annotated[int, Field(ge=1, le=65535)]


class NamespaceSpec(Lenient):
    """A namespace; its labels stand in the metadata."""


class TypedRef(Lenient):
    """`backend.resource` and its like; an absent apiGroup is the core group."""

    api_group: str | None = None
    kind: str
    name: str


class ServiceBackendPort(Lenient):
    name: str | None = None
    number: PortNumber | None = None


class IngressServiceBackend(Lenient):
    name: str
    port: ServiceBackendPort = ServiceBackendPort()


class IngressBackend(Lenient):
    service: IngressServiceBackend | None = None
    resource: TypedRef | None = None


class HTTPIngressPath(Lenient):
    path: str = "/"
    path_type: Literal["Exact", "Prefix", "ImplementationSpecific"]
    backend: IngressBackend


class HTTPIngressRuleValue(Lenient):
    paths: tuple[HTTPIngressPath, ...]


class IngressRule(Lenient):
    host: str | None = None
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Lenient):
    hosts: tuple[str, ...] = ()
    secret_name: str | None = None


class IngressSpec(Lenient):
    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTLS, ...] = ()


class ClassParameters(Lenient):
    """What a class's parameters are: a cluster-wide object, for us a Gate. IngressClass says
    apiGroup where GatewayClass says group."""

    group: str | None = None
    api_group: str | None = None
    kind: str
    name: str
    namespace: str | None = None


class IngressClassSpec(Lenient):
    controller: str | None = None
    parameters: ClassParameters | None = None


class ServicePort(Lenient):
    name: str | None = None
    port: PortNumber
    target_port: int | str | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None
    node_port: int | None = None


class ServiceSpec(Lenient):
    type: str = "ClusterIP"
    cluster_ip: Annotated[str | None, Field(alias="clusterIP")] = None
    cluster_ips: Annotated[tuple[str, ...], Field(alias="clusterIPs")] = ()
    external_ips: Annotated[tuple[str, ...], Field(alias="externalIPs")] = ()
    load_balancer_ip: Annotated[str | None, Field(alias="loadBalancerIP")] = None
    external_name: str | None = None
    ports: tuple[ServicePort, ...] = ()
    selector: dict[str, str] | None = None


class EndpointConditions(Lenient):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class TargetReference(Lenient):
    kind: str = ""
    namespace: str = ""
    name: str = ""


class SliceEndpoint(Lenient):
    addresses: tuple[str, ...]
    target_ref: TargetReference | None = None
    conditions: EndpointConditions = EndpointConditions()
    zone: str | None = None


class EndpointPort(Lenient):
    name: str | None = None
    port: PortNumber | None = None
    protocol: str = "TCP"
    app_protocol: str | None = None


class EndpointSliceSpec(Lenient):
    """An EndpointSlice has no spec; this is its body beside the metadata."""

    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class SecretSpec(Lenient):
    """A Secret's body. Values of `data` are base64; never printed, hashed into no public text."""

    type: str = "Opaque"
    data: dict[str, str] = Field(default_factory=dict, repr=False)
    string_data: dict[str, str] = Field(default_factory=dict, repr=False)


class GatewayClassSpec(Lenient):
    controller_name: str
    parameters_ref: ClassParameters | None = None


class GroupKind(Lenient):
    group: str | None = None
    kind: str


class NamespaceSelectorSpec(Lenient):
    match_labels: dict[str, str] = Field(default_factory=dict)
    match_expressions: tuple[dict[str, object], ...] = ()


class RouteNamespaces(Lenient):
    from_: Annotated[Literal["All", "Same", "Selector", "None"], Field(alias="from")] = "Same"
    selector: NamespaceSelectorSpec | None = None


class AllowedRoutes(Lenient):
    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[GroupKind, ...] = ()


class SecretObjectReference(Lenient):
    group: str = ""
    kind: str = "Secret"
    name: str
    namespace: str | None = None


class GatewayTLS(Lenient):
    """TLS of one listener. frontend_validation (before v1.4) and options: read to be refused."""

    mode: Literal["Terminate", "Passthrough"] = "Terminate"
    certificate_refs: Many[SecretObjectReference] = ()
    frontend_validation: dict[str, object] | None = None
    options: dict[str, str] = Field(default_factory=dict)


class Listener(Lenient):
    name: str
    hostname: str | None = None
    port: PortNumber
    protocol: str
    tls: GatewayTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class FrontendTLSConfig(Lenient):
    """What a Gateway asks of client certificates on some port."""

    validation: dict[str, object] | None = None


class FrontendTLSPort(Lenient):
    port: PortNumber
    tls: FrontendTLSConfig = FrontendTLSConfig()


class FrontendTLS(Lenient):
    default: FrontendTLSConfig | None = None
    per_port: tuple[FrontendTLSPort, ...] = ()

    def validates(self, port: int) -> bool:
        """Whether clients on `port` are meant to show a certificate."""
        settings = [config.tls for config in self.per_port if config.port == port]
        if not settings and self.default is not None:
            settings = [self.default]
        return any(tls.validation is not None for tls in settings)


class GatewayTLSConfig(Lenient):
    """`spec.tls` of a Gateway (v1.4). backend: the certificate it would show to backends."""

    frontend: FrontendTLS = FrontendTLS()
    backend: dict[str, object] | None = None


class GatewayInfrastructure(Lenient):
    """parameters_ref: read to be refused; a Gate says how its Gateways are run."""

    parameters_ref: dict[str, object] | None = None


class GatewayAddress(Lenient):
    """An address that a Gateway asks for; without a value any will do."""

    type: str = "IPAddress"
    value: str | None = None


class GatewaySpec(Lenient):
    """addresses, infrastructure: read to be refused where they ask for something."""

    gateway_class_name: str
    listeners: Many[Listener] = ()
    addresses: Few[GatewayAddress] = ()
    infrastructure: GatewayInfrastructure = GatewayInfrastructure()
    tls: GatewayTLSConfig = GatewayTLSConfig()
    backend_tls: Annotated[dict[str, object] | None, Field(alias="backendTLS")] = None


class ParentReference(Lenient):
    group: str = "gateway.networking.k8s.io"
    kind: str = "Gateway"
    namespace: str | None = None
    name: str
    section_name: str | None = None
    port: PortNumber | None = None


class HTTPPathMatch(Lenient):
    type: Literal["Exact", "PathPrefix", "RegularExpression"] = "PathPrefix"
    value: str = "/"


class HTTPValueMatch(Lenient):
    """A header or query parameter match."""

    type: Literal["Exact", "RegularExpression"] = "Exact"
    name: str
    value: str


class HTTPRouteMatch(Lenient):
    path: HTTPPathMatch = HTTPPathMatch()
    headers: Few[HTTPValueMatch] = ()
    query_params: Few[HTTPValueMatch] = ()
    method: str | None = None


class HTTPHeader(Lenient):
    name: str
    value: str


class HTTPHeaderFilter(Lenient):
    set: Few[HTTPHeader] = ()
    add: Few[HTTPHeader] = ()
    remove: Few[str] = ()


class HTTPPathModifier(Lenient):
    type: Literal["ReplaceFullPath", "ReplacePrefixMatch"]
    replace_full_path: str | None = None
    replace_prefix_match: str | None = None


class HTTPRequestRedirect(Lenient):
    scheme: Literal["http", "https"] | None = None
    hostname: str | None = None
    path: HTTPPathModifier | None = None
    port: PortNumber | None = None
    status_code: int = 302


class HTTPURLRewrite(Lenient):
    hostname: str | None = None
    path: HTTPPathModifier | None = None


class BackendObjectReference(Lenient):
    group: str = ""
    kind: str = "Service"
    name: str
    namespace: str | None = None
    port: PortNumber | None = None


class Fraction(Lenient):
    numerator: Annotated[int, Field(ge=0, le=2**31 - 1)]
    denominator: Annotated[int, Field(ge=1, le=2**31 - 1)] = 100


class HTTPRequestMirror(Lenient):
    backend_ref: BackendObjectReference
    percent: Annotated[int, Field(ge=0, le=100)] | None = None
    fraction: Fraction | None = None


class HTTPRouteFilter(Lenient):
    type: str
    request_header_modifier: HTTPHeaderFilter | None = None
    response_header_modifier: HTTPHeaderFilter | None = None
    request_redirect: HTTPRequestRedirect | None = None
    url_rewrite: Annotated[HTTPURLRewrite | None, Field(alias="urlRewrite")] = None
    request_mirror: HTTPRequestMirror | None = None


class HTTPBackendRef(BackendObjectReference):
    weight: Weight = 1
    filters: Few[HTTPRouteFilter] = ()


class HTTPRouteTimeouts(Lenient):
    request: str | None = None
    backend_request: str | None = None


class HTTPRouteRule(Lenient):
    """One rule. retry and session_persistence: read to be refused."""

    name: str | None = None
    matches: Many[HTTPRouteMatch] = (HTTPRouteMatch(),)
    filters: Few[HTTPRouteFilter] = ()
    backend_refs: Few[HTTPBackendRef] = ()
    timeouts: HTTPRouteTimeouts | None = None
    retry: dict[str, object] | None = None
    session_persistence: dict[str, object] | None = None


class HTTPRouteSpec(Lenient):
    parent_refs: Annotated[tuple[ParentReference, ...], Field(max_length=32)] = ()
    hostnames: Few[str] = ()
    rules: Few[HTTPRouteRule] = (HTTPRouteRule(),)

    @model_validator(mode="after")
    def _parents(self) -> HTTPRouteSpec:
        """The CEL rules on `parentRefs`."""
        parts = [(p.group, p.kind, p.namespace, p.name) for p in self.parent_refs]
        if len(set(parts)) == len(parts):
            return self
        of = list(zip(parts, self.parent_refs, strict=True))
        whole = Counter((part, p.section_name, p.port) for part, p in of)
        shapes = {(part, not p.section_name) for part, p in of}
        if max(whole.values()) > 1 or len(shapes) > len(set(parts)):
            msg = "two parentRefs to one parent: give each a sectionName of its own"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _matches(self) -> HTTPRouteSpec:
        """The CEL rule on `rules`."""
        if sum(len(rule.matches) for rule in self.rules) > _MOST_MATCHES:
            msg = f"a route has at most {_MOST_MATCHES} matches over all its rules"
            raise ValueError(msg)
        return self


class ReferenceGrantFrom(Lenient):
    group: str
    kind: str
    namespace: str


class ReferenceGrantTo(Lenient):
    group: str
    kind: str
    name: str | None = None


class ReferenceGrantSpec(Lenient):
    from_: Annotated[
        tuple[ReferenceGrantFrom, ...], Field(alias="from", min_length=1, max_length=16)
    ]
    to: Annotated[tuple[ReferenceGrantTo, ...], Field(min_length=1, max_length=16)]
