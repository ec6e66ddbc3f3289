"""Gate: the settings of one gate. Cluster-scoped.

Listeners, TLS, identity providers, sources of region and purpose, region groups, trusted hops. A
Gate says who callers are; an AccessPolicy says what they may do.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatereeve.api.people import GateGovernance
from gatereeve.api.spec import (
    ClaimPath,
    Group,
    Identifier,
    Label,
    Name,
    OwnHeaderName,
    Region,
    RelativeFile,
    RemovedHeader,
    Spec,
    Text,
    at_least_one_of,
    distinct,
    exactly_one_of,
    must,
)
from gatereeve.core.trusted_headers import IDENTITY

Port = Annotated[int, Field(ge=1, le=65535)]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}(/\d{1,3})?$")]
SecretEntry = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")]
Groups = Annotated[tuple[Group, ...], Field(max_length=64)]


class Address(Spec):
    """Address and port of one listener."""

    host: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}$")] = Field(
        default="0.0.0.0",  # noqa: S104 - a gate serves every interface
        description="IP address of the machine to listen on. Example: 127.0.0.1.",
    )
    port: Port = Field(description="Port to listen on. Example: 8443.")
    public_port: Port | None = Field(
        default=None,
        description="Port that callers use, if a Service or a load balancer maps it to `port`. "
        "Redirects and statuses show it. Absent: `port`. Example: 443.",
    )

    @property
    def met_at(self) -> int:
        """The port that callers, redirects and Gateways use."""
        return self.port if self.public_port is None else self.public_port


class GateTls(Spec):
    """TLS settings of the HTTPS listeners."""

    min_version: Literal["1.0", "1.1", "1.2", "1.3"] = Field(
        default="1.2",
        description="Lowest TLS version that is accepted. 1.0 and 1.1 give the finding weak-tls.",
    )
    default_certificate: SecretRef | None = Field(
        default=None,
        description="Secret of type kubernetes.io/tls for hosts without a certificate of their own. "
        "Absent: a certificate that an Ingress or Gateway names for every host, if there is one.",
    )


class SecretRef(Spec):
    """Reference to a Secret."""

    namespace: Label = Field(description="Namespace of the Secret. Example: infra.")
    name: Name = Field(description="Name of the Secret. Example: gate-ca.")


class FileOrSecretKey(Spec, rules=(exactly_one_of("file", "secret"),)):
    """Content of a file in the folder of documents, or of one entry of a Secret. Exactly one."""

    file: RelativeFile | None = Field(
        default=None,
        description="Path relative to the folder of documents. Example: keys/jwks.json.",
    )
    secret: SecretRef | None = Field(default=None, description="Secret that holds the content.")
    key: SecretEntry | None = Field(
        default=None,
        description="Entry of the Secret. Absent: jwks.json for a key set, ca.crt for a CA.",
    )


class JwksUri(Spec):
    """A key set that the gate's controller retrieves over HTTPS."""

    uri: Annotated[str, Field(pattern=r"^https?://[^\s\"'\\]{1,500}$")] = Field(
        description="URL of the key set. http is accepted only with allowPrivate. "
        "Example: https://id.example.com/jwks."
    )
    refresh_seconds: Annotated[int, Field(ge=10, le=86400)] = Field(
        default=300, description="Time between two retrievals, in seconds."
    )
    keep_seconds: Annotated[int, Field(ge=0, le=604800)] = Field(
        default=86400,
        description="How long the last keys stay valid after a refresh that was due has failed, in "
        "seconds. Then every token of the issuer is refused. An empty key set takes effect at once.",
    )
    allow_private: bool = Field(
        default=False,
        description="Whether the host may have a private address, and the URL may use http.",
    )
    ca: FileOrSecretKey | None = Field(
        default=None,
        description="CA certificates in PEM that the server's certificate must be signed by. "
        "Absent: the CAs of the system.",
    )


class Jwks(Spec, rules=(exactly_one_of("inline", "source", "remote"),)):
    """Source of the public keys of an identity provider. Exactly one."""

    inline: Annotated[str, Field(max_length=65536)] | None = Field(
        default=None, description="The key set itself, as JSON (RFC 7517)."
    )
    source: FileOrSecretKey | None = Field(
        default=None, description="A file or a Secret that holds the key set."
    )
    remote: JwksUri | None = Field(
        default=None, description="A URL from which the key set is retrieved."
    )


class Claims(Spec):
    """Claims of a token that identify the caller. A `.` descends into nested claims."""

    id: ClaimPath = Field(default="sub", description="Claim with the caller's id.")
    groups: ClaimPath | None = Field(
        default="groups",
        description="Claim with the caller's groups.",
    )


class JwtProvider(Spec):
    """Bearer tokens (JWT) of one issuer."""

    name: Label = Field(
        description="Name of the provider; principals are written `name/id` in an AccessPolicy. "
        "Example: corp."
    )
    issuer: Annotated[
        str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x20\x7f\"\\]+$")
    ] = Field(
        description="Value of the claim `iss`, compared exactly. Example: https://id.example.com."
    )
    audiences: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=16)] = Field(
        description="A token must have one of these values in the claim `aud`. Example: [models]."
    )
    jwks: Jwks = Field(description="Public keys that verify the signatures.")
    claims: Claims = Field(
        default=Claims(),
        description="Claims that hold the caller's id and groups. Absent: sub and groups.",
    )
    leeway_seconds: Annotated[int, Field(ge=1, le=300)] = Field(
        default=30, description="Tolerated clock difference for `exp` and `nbf`, in seconds."
    )


class ApiKey(Spec):
    """One caller with an API key that is stored in a Secret."""

    id: Identifier = Field(description="Id of the caller. Example: acme.")
    secret: SecretRef = Field(description="Secret that holds the API key.")
    key: SecretEntry = Field(
        default="key", description="Entry of the Secret that holds the API key."
    )
    groups: Groups = Field(
        default=(), description="Groups of the caller. Absent: no group. Example: [partners]."
    )


class ApiKeyProvider(Spec):
    """Callers that send an API key in a header."""

    name: Label = Field(
        description="Name of the provider; principals are written `name/id`. Example: partners."
    )
    header: OwnHeaderName = Field(
        default="x-api-key", description="Request header that holds the key."
    )
    keys: Annotated[tuple[ApiKey, ...], Field(min_length=1, max_length=10000)] = Field(
        description="The callers and their keys."
    )


class CertificateIdentity(Spec, rules=(exactly_one_of("uri", "dns"),)):
    """A subject alternative name of a client certificate, and the caller it stands for."""

    id: Identifier = Field(description="Id of the caller. Example: pricing.")
    uri: (
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*:[^\x00-\x20\x7f\"\\]{1,400}$")] | None
    ) = Field(
        default=None,
        description="Subject alternative name of type URI, compared as it is written. Example: spiffe://example/pricing.",
    )
    dns: Annotated[str, Field(pattern=r"^[a-zA-Z0-9.-]{1,253}$")] | None = Field(
        default=None,
        description="Subject alternative name of type DNS, compared without case. A wildcard matches nothing: a client has one name. Example: pricing.example.com.",
    )
    groups: Groups = Field(
        default=(), description="Groups of the caller. Absent: no group. Example: [services]."
    )


class MtlsProvider(Spec):
    """Callers with a client certificate."""

    name: Label = Field(
        description="Name of the provider; principals are written `name/id`. Example: mesh."
    )
    ca: FileOrSecretKey = Field(
        description="CA certificates in PEM that client certificates must be signed by."
    )
    identities: Annotated[
        tuple[CertificateIdentity, ...], Field(min_length=1, max_length=10000)
    ] = Field(description="Names in certificates and the callers they stand for.")


class Identity(
    Spec,
    rules=(
        distinct("jwt", "name", "provider names must differ"),
        distinct("jwt", "issuer", "two jwt providers have the same issuer"),
    ),
):
    """How callers prove who they are. All methods work side by side.

    When a request has several valid credentials, the principal is that of the JWT, else of the API
    key, else of the certificate.
    """

    jwt: Annotated[tuple[JwtProvider, ...], Field(max_length=16)] = Field(
        default=(),
        description="Issuers of bearer tokens. Absent: no bearer token identifies a caller.",
    )
    api_keys: ApiKeyProvider | None = Field(
        default=None, description="Callers with API keys. Absent: no API key identifies a caller."
    )
    mtls: MtlsProvider | None = Field(
        default=None,
        description="Callers with client certificates. Absent: no certificate identifies a caller.",
    )

    @must(
        "(!has(self.apiKeys) || ((!has(self.jwt) || self.jwt.all(p, p.name != self.apiKeys.name))"
        " && (!has(self.mtls) || self.mtls.name != self.apiKeys.name)))"
        " && (!has(self.mtls) || !has(self.jwt) || self.jwt.all(p, p.name != self.mtls.name))",
        "provider names must differ",
    )
    def _has_distinct_names(self) -> bool:
        names = [p.name for p in (*self.jwt, self.api_keys, self.mtls) if p is not None]
        return len(set(names)) == len(names)


class ClaimSource(Spec):
    """A value from a verified token."""

    provider: Label = Field(description="Name of a jwt provider of this Gate. Example: corp.")
    claim: ClaimPath = Field(
        description="Claim that holds the value; `.` descends into nested claims. Example: region."
    )


class HeaderSource(Spec):
    """A value from a request header, accepted only from listed peers."""

    name: OwnHeaderName = Field(description="Request header. Example: x-region.")
    from_: Annotated[tuple[Cidr, ...], Field(alias="from", min_length=1, max_length=256)] = Field(
        description="Addresses or networks of the direct peers (before X-Forwarded-For) that may "
        "set the header. Example: [10.0.0.0/8]."
    )


class CidrRegion(Spec):
    """Client addresses of one region."""

    region: Region = Field(description="Region of these addresses. Example: de.")
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=10000)] = Field(
        description="Addresses or networks of clients. Example: [192.0.2.0/24]."
    )


class GeoIpSource(Spec):
    """Regions from a country database in MaxMind format. Regions are ISO codes in lower case."""

    database: RelativeFile = Field(
        description="Path relative to the folder of documents. Example: geo.mmdb."
    )


class RegionSource(Spec, rules=(exactly_one_of("claim", "header", "cidrs", "geoip"),)):
    """One source of the caller's region. Exactly one field."""

    claim: ClaimSource | None = Field(
        default=None, description="The region is a claim of the token."
    )
    header: HeaderSource | None = Field(
        default=None, description="The region is a request header that a trusted peer sets."
    )
    cidrs: Annotated[tuple[CidrRegion, ...], Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="The region follows from the client's address, by this table."
    )
    geoip: GeoIpSource | None = Field(
        default=None,
        description="The region follows from the client's address, by a country database.",
    )


class PurposeSource(Spec, rules=(exactly_one_of("claim", "header"),)):
    """One source of the request's purpose. Exactly one field."""

    claim: ClaimSource | None = Field(
        default=None, description="The purpose is a claim of the token."
    )
    header: HeaderSource | None = Field(
        default=None, description="The purpose is a request header that a trusted peer sets."
    )


class GateAttributes(Spec):
    """Sources of region and purpose. The first source that gives a value decides."""

    region: Annotated[tuple[RegionSource, ...], Field(max_length=8)] = Field(
        default=(),
        description="Sources of the caller's region, in order. Absent: no region is known, and "
        "allow rules with regions match no request.",
    )
    purpose: Annotated[tuple[PurposeSource, ...], Field(max_length=8)] = Field(
        default=(),
        description="Sources of the purpose, in order. Absent: no purpose is known, and allow rules "
        "with purposes match no request.",
    )


class RegionGroup(Spec):
    """A name for several regions."""

    name: Region = Field(
        description="Name of the group; documents use it like a region. Example: eu."
    )
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=256)] = Field(
        description="Regions of the group. Example: [de, fr]."
    )


class GatewayAddresses(Spec):
    """Services that give every Gateway its own address. Each maps its ports to ports of the gate."""

    namespace: Label = Field(
        description="Namespace of the gate's pods, in which the Services are made. Example: gatereeve."
    )
    service_type: Literal["ClusterIP", "LoadBalancer", "NodePort"] = Field(
        default="LoadBalancer", description="Type of the Services."
    )
    first_port: Annotated[int, Field(ge=1024, le=65535)] = Field(
        default=20000, description="First port of the gate that is reserved for Gateways."
    )
    ports: Annotated[int, Field(ge=1, le=20000)] = Field(
        default=2000,
        description="Number of reserved ports. Each port of each Gateway needs one.",
    )

    @must("self.firstPort + self.ports <= 65536", "the range of ports ends beyond 65535")
    def _is_in_range(self) -> bool:
        return self.first_port + self.ports <= 65536

    def has_port(self, address: Address | None) -> bool:
        """Whether the port of `address` is one of the reserved ones."""
        return (
            address is not None and self.first_port <= address.port < self.first_port + self.ports
        )


class GateRequests(Spec):
    """Additional rules for requests."""

    ordinary_paths: Literal["unambiguous", "any"] = Field(
        default="unambiguous",
        description="Paths on routes to ordinary Services. `unambiguous` answers 400 for paths that "
        "mean something else when they are decoded again (`%252e%252e`, `..%3b/`, `..%c0%af`). `any` "
        "forwards them. Routes to models always refuse them, and every other escape.",
    )
    identity_headers: Annotated[tuple[RemovedHeader, ...], Field(max_length=256)] = Field(
        default=IDENTITY,
        description="Request headers that say who the caller is; the gate removes them towards "
        "models. A name that ends in `*` is a prefix. The list replaces the default. Forwarding "
        "headers (Forwarded, X-Real-IP, X-Forwarded-*, X-HTTP-Method-Override and similar) are "
        "always removed. Example: [x-user, x-auth-*].",
    )


class GateSpec(
    Spec,
    rules=(at_least_one_of("https", "http", message="at least one of https and http is required"),),
):
    """One gate: its listeners, its TLS settings, and how it knows callers."""

    region: Region = Field(
        description="Region in which the gate runs. It does not set the region of callers (attributes) "
        "or of versions. Example: de."
    )
    description: Text | None = Field(
        default=None, description="Free text for readers. It has no effect. Absent: no text."
    )
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)] = Field(
        default=("gatereeve",),
        description="Names of the IngressClasses and GatewayClasses that it serves.",
    )
    https: Address | None = Field(
        default=None,
        description="HTTPS listener. Absent: none. Models are served over HTTPS only.",
    )
    http: Address | None = Field(default=None, description="HTTP listener. Absent: no plain HTTP.")
    gateways: GatewayAddresses | None = Field(
        default=None,
        description="Own addresses for Gateways. Absent: all Gateways share https and http.",
    )
    plain_http: Literal["redirect", "refuse"] = Field(
        default="redirect",
        description="Answer of a governed host over plain HTTP: a redirect to HTTPS, or a refusal. "
        "A host without HTTPS always refuses.",
    )
    tls: GateTls = Field(default=GateTls(), description="TLS settings. Absent: TLS 1.2 or newer.")
    identity: Identity = Field(
        default=Identity(),
        description="How callers prove who they are. Absent: every caller is anonymous.",
    )
    attributes: GateAttributes = Field(
        default=GateAttributes(),
        description="Sources of region and purpose. Absent: neither is known.",
    )
    region_groups: Annotated[tuple[RegionGroup, ...], Field(max_length=64)] = Field(
        default=(),
        description="Names for several regions, usable wherever a region is. Absent: no groups.",
    )
    trusted_hops: Annotated[int, Field(ge=0, le=8)] = Field(
        default=0,
        description="Number of proxies in front of the gate whose X-Forwarded-For entries count. 0: "
        "the client's address is that of the direct peer, and X-Forwarded-For from clients is removed.",
    )
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = Field(
        default=4 * 1024 * 1024,
        description="Largest request body that is inspected, in bytes, where a decision needs the "
        "body. Larger ones are refused.",
    )
    requests: GateRequests = Field(
        default=GateRequests(),
        description="Rules for paths and headers. Absent: the defaults below.",
    )
    governance: GateGovernance = Field(
        default=GateGovernance(),
        description="Rights in the whole cluster, and emergencies. Absent: no rights, no emergencies.",
    )

    @must(
        "!has(self.gateways) || ("
        + " && ".join(
            f"(!has(self.{at}) || self.{at}.port < self.gateways.firstPort"
            f" || self.{at}.port >= self.gateways.firstPort + self.gateways.ports)"
            for at in ("https", "http")
        )
        + ")",
        "the port of https or http lies in the range of ports for Gateways",
    )
    def _has_separate_ports(self) -> bool:
        gateways = self.gateways
        return gateways is None or not any(map(gateways.has_port, (self.https, self.http)))
