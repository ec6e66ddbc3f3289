"""Gate: how one gate meets the world. Cluster-scoped.

Listeners, TLS, identity providers, where region and purpose come from, region groups, trusted hops.
Holds no policy: who may do what stands in AccessPolicy.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from gatereeve.api.people import GateGovernance
from gatereeve.api.spec import (
    ClaimPath,
    Identifier,
    Label,
    Name,
    OwnHeaderName,
    Region,
    RelativeFile,
    RemovedHeader,
    Spec,
    Text,
    one_of,
    rules,
)
from gatereeve.core.trusted_headers import IDENTITY

Port = Annotated[int, Field(ge=1, le=65535)]
Cidr = Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}(/\d{1,3})?$")]


class Address(Spec):
    """Where a listener binds. `host` is an address of this machine.

    publicPort: the port that callers use, where something leads it to `port`, as a Service does.
    """

    host: Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]{2,45}$")] = "0.0.0.0"  # noqa: S104 - a gate faces the world
    port: Port
    public_port: Port | None = None

    @property
    def met_at(self) -> int:
        """The port that callers, redirects and Gateways speak of."""
        return self.port if self.public_port is None else self.public_port


class GateTls(Spec):
    """The TLS floor, and the certificate shown when no host has one of its own."""

    min_version: Literal["1.0", "1.1", "1.2", "1.3"] = "1.2"
    default_certificate: SecretRef | None = None


class SecretRef(Spec):
    """A Secret; `namespace` is required because a Gate has none."""

    namespace: Label
    name: Name


class FileOrSecretKey(Spec):
    """Bytes from a file beside the documents, or from one key of a Secret. Exactly one."""

    model_config = rules((one_of("file", "secret"), "exactly one of file and secret is required"))

    file: RelativeFile | None = None
    secret: SecretRef | None = None
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")] | None = None

    @model_validator(mode="after")
    def _one(self) -> FileOrSecretKey:
        if (self.file is None) == (self.secret is None):
            msg = "exactly one of file and secret is required"
            raise ValueError(msg)
        return self


class JwksUri(Spec):
    """A key set behind https. `allowPrivate` admits private addresses, in so many words.

    keepSeconds: when the key set cannot be retrieved (no answer, an error, something else than a key
    set), the keys retrieved last stay in force for so long after the refresh that was due; then every
    token of the issuer is refused. An empty key set is an answer and takes effect at once.
    """

    uri: Annotated[str, Field(pattern=r"^https?://[^\s\"'\\]{1,500}$")]
    refresh_seconds: Annotated[int, Field(ge=10, le=86400)] = 300
    keep_seconds: Annotated[int, Field(ge=0, le=604800)] = 86400
    allow_private: bool = False
    ca: FileOrSecretKey | None = None


class Jwks(Spec):
    """Where the provider's keys are. Exactly one."""

    model_config = rules(
        (one_of("inline", "source", "remote"),
         "exactly one of inline, source and remote is required"),
    )  # fmt: skip

    inline: Annotated[str, Field(max_length=65536)] | None = None
    source: FileOrSecretKey | None = None
    remote: JwksUri | None = None

    @model_validator(mode="after")
    def _one(self) -> Jwks:
        if sum(x is not None for x in (self.inline, self.source, self.remote)) != 1:
            msg = "exactly one of inline, source and remote is required"
            raise ValueError(msg)
        return self


class Claims(Spec):
    """Which claims say who somebody is."""

    id: ClaimPath = "sub"
    groups: ClaimPath | None = "groups"


class JwtProvider(Spec):
    """Bearer tokens of one issuer. Audiences are required: a token for somebody else is no token."""

    name: Label
    issuer: Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x20\x7f\"\\]+$")]
    audiences: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=16)]
    jwks: Jwks
    claims: Claims = Claims()
    leeway_seconds: Annotated[int, Field(ge=1, le=300)] = 30


class ApiKey(Spec):
    """One caller known by a key: the Secret's `key` entry holds the key itself."""

    id: Identifier
    secret: SecretRef
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")] = "key"
    groups: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()


class ApiKeyProvider(Spec):
    """Callers known by an API key in a header."""

    name: Label
    header: OwnHeaderName = "x-api-key"
    keys: Annotated[tuple[ApiKey, ...], Field(min_length=1, max_length=10000)]


class CertificateIdentity(Spec):
    """A name in a client certificate, and who that is. Exactly one of uri and dns."""

    model_config = rules((one_of("uri", "dns"), "exactly one of uri and dns is required"))

    id: Identifier
    uri: (
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*:[^\x00-\x20\x7f\"\\]{1,400}$")] | None
    ) = None
    dns: Annotated[str, Field(pattern=r"^[a-zA-Z0-9.-]{1,253}$")] | None = None
    groups: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _one(self) -> CertificateIdentity:
        if (self.uri is None) == (self.dns is None):
            msg = "exactly one of uri and dns is required"
            raise ValueError(msg)
        return self


class MtlsProvider(Spec):
    """Callers known by a client certificate that the CA signed."""

    name: Label
    ca: FileOrSecretKey
    identities: Annotated[tuple[CertificateIdentity, ...], Field(min_length=1, max_length=10000)]


_DISTINCT = "!has(self.jwt) || self.jwt.all(a, self.jwt.exists_one(b, b.{field} == a.{field}))"


class Identity(Spec):
    """Who may prove to be whom, and how. All methods work side by side on one listener.

    When several valid credentials come with one request, the principal is that of the JWT, else of
    the API key, else of the certificate.
    """

    model_config = rules(
        (_DISTINCT.format(field="name"), "provider names must differ"),
        (("!has(self.apiKeys) || ((!has(self.jwt) || self.jwt.all(p, p.name != self.apiKeys.name))"
         " && (!has(self.mtls) || self.mtls.name != self.apiKeys.name))"),
         "provider names must differ"),
        ("!has(self.mtls) || !has(self.jwt) || self.jwt.all(p, p.name != self.mtls.name)",
         "provider names must differ"),
        (_DISTINCT.format(field="issuer"), "two jwt providers have the same issuer"),
    )  # fmt: skip

    jwt: Annotated[tuple[JwtProvider, ...], Field(max_length=16)] = ()
    api_keys: ApiKeyProvider | None = None
    mtls: MtlsProvider | None = None

    @model_validator(mode="after")
    def _names(self) -> Identity:
        names = [p.name for p in self.jwt]
        names += [p.name for p in (self.api_keys, self.mtls) if p is not None]
        if len(set(names)) != len(names):
            msg = "provider names must differ"
            raise ValueError(msg)
        issuers = [p.issuer for p in self.jwt]
        if len(set(issuers)) != len(issuers):
            msg = "two jwt providers have the same issuer"
            raise ValueError(msg)
        return self


class ClaimSource(Spec):
    """An attribute from a verified token."""

    provider: Label
    claim: ClaimPath


class HeaderSource(Spec):
    """An attribute from a header, believed only from the given addresses.

    `from` lists the peers (direct addresses, before X-Forwarded-For) that may set it.
    """

    name: OwnHeaderName
    from_: Annotated[tuple[Cidr, ...], Field(alias="from", min_length=1, max_length=256)]


class CidrRegion(Spec):
    """Client addresses of one region."""

    region: Region
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=10000)]


class GeoIpSource(Spec):
    """Regions from a MaxMind-format country database beside the documents (ISO codes, lower case)."""

    database: RelativeFile


class RegionSource(Spec):
    """One way to know the region of a caller. Exactly one."""

    model_config = rules(
        (one_of("claim", "header", "cidrs", "geoip"),
         "exactly one of claim, header, cidrs and geoip is required"),
    )  # fmt: skip

    claim: ClaimSource | None = None
    header: HeaderSource | None = None
    cidrs: Annotated[tuple[CidrRegion, ...], Field(min_length=1, max_length=1000)] | None = None
    geoip: GeoIpSource | None = None

    @model_validator(mode="after")
    def _one(self) -> RegionSource:
        if sum(x is not None for x in (self.claim, self.header, self.cidrs, self.geoip)) != 1:
            msg = "exactly one of claim, header, cidrs and geoip is required"
            raise ValueError(msg)
        return self


class PurposeSource(Spec):
    """One way to know the purpose of a request. Exactly one."""

    model_config = rules((one_of("claim", "header"), "exactly one of claim and header is required"))

    claim: ClaimSource | None = None
    header: HeaderSource | None = None

    @model_validator(mode="after")
    def _one(self) -> PurposeSource:
        if (self.claim is None) == (self.header is None):
            msg = "exactly one of claim and header is required"
            raise ValueError(msg)
        return self


class GateAttributes(Spec):
    """Where region and purpose come from; the first source that yields one decides."""

    region: Annotated[tuple[RegionSource, ...], Field(max_length=8)] = ()
    purpose: Annotated[tuple[PurposeSource, ...], Field(max_length=8)] = ()


class RegionGroup(Spec):
    """A name for several regions: `eu` for `[de, fr, …]`."""

    name: Region
    regions: Annotated[tuple[Region, ...], Field(min_length=1, max_length=256)]


class GatewayAddresses(Spec):
    """Each Gateway has an address of its own: a Service, which leads its ports to ports of the gate
    that are for it alone.

    namespace: where the gate's pods stand, and so the Services. serviceType: what they are.
    firstPort, ports: the range of the gate's ports that are given out, one for each port of each
    Gateway.
    """

    model_config = rules(
        ("self.firstPort + self.ports <= 65536", "the range of ports ends beyond 65535")
    )

    namespace: Label
    service_type: Literal["ClusterIP", "LoadBalancer", "NodePort"] = "LoadBalancer"
    first_port: Annotated[int, Field(ge=1024, le=65535)] = 20000
    ports: Annotated[int, Field(ge=1, le=20000)] = 2000

    @model_validator(mode="after")
    def _range(self) -> GatewayAddresses:
        if self.first_port + self.ports - 1 > 65535:
            msg = "the range of ports ends beyond 65535"
            raise ValueError(msg)
        return self


class GateRequests(Spec):
    """What the gate asks of requests beyond what HTTP asks.

    ordinaryPaths: on routes to ordinary Services, `unambiguous` refuses paths that change their
    meaning when a server decodes them again (`%252e%252e`, `..%3b/`, `..%c0%af`): 400. `any` forwards them.
    Routes to models refuse them always, and every other escape too.
    identityHeaders: headers that say who the caller is; models do not get them from callers. A name
    that ends in `*` stands for all that begin so. The list replaces the default. `Forwarded`, `X-Real-IP`, all that
    hold `Client-IP`, `X-Forwarded-*`, `X-HTTP-Method-Override` and their relatives are always taken off.
    """

    ordinary_paths: Literal["unambiguous", "any"] = "unambiguous"
    identity_headers: Annotated[tuple[RemovedHeader, ...], Field(max_length=256)] = IDENTITY


class GateSpec(Spec):
    """One gate.

    classes: ingress and gateway class names that this gate serves.
    gateways: addresses for Gateways; without it all of them share `https` and `http`.
    region: where this gate stands. trustedHops: proxies in front whose X-Forwarded-For counts; 0 removes what clients send.
    plainHttp: what a governed host answers over plain HTTP.
    requests: what requests must look like; see there.
    governance: who governs the whole cluster; see there.
    """

    model_config = rules(
        ("has(self.https) || has(self.http)", "at least one of https and http is required")
    )

    region: Region
    description: Text | None = None
    classes: Annotated[tuple[Name, ...], Field(min_length=1, max_length=8)] = ("gatereeve",)
    https: Address | None = None
    http: Address | None = None
    gateways: GatewayAddresses | None = None
    plain_http: Literal["redirect", "refuse"] = "redirect"
    tls: GateTls = GateTls()
    identity: Identity = Identity()
    attributes: GateAttributes = GateAttributes()
    region_groups: Annotated[tuple[RegionGroup, ...], Field(max_length=64)] = ()
    trusted_hops: Annotated[int, Field(ge=0, le=8)] = 0
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    requests: GateRequests = GateRequests()
    governance: GateGovernance = GateGovernance()

    @model_validator(mode="after")
    def _listens(self) -> GateSpec:
        if self.https is None and self.http is None:
            msg = "at least one of https and http is required"
            raise ValueError(msg)
        if self.gateways is not None:
            first, count = self.gateways.first_port, self.gateways.ports
            for address in (self.https, self.http):
                if address is not None and first <= address.port < first + count:
                    msg = f"port {address.port} lies in the range of ports for Gateways"
                    raise ValueError(msg)
        return self
