"""Small IR values for tests of the reference decision: one model, its rules, one gate.

Every builder makes one frozen value, with defaults that a test overrides by name. Nothing is random
but keys, which no test compares.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from gatereeve.core.refs import ConfigHash, Origin, PolicyHash, Ref
from gatereeve.ir.access import Access, Operation, RequestLimit, Rule, SubjectMatch
from gatereeve.ir.clusters import Cluster, Endpoint, EndpointGroup, EndpointSet
from gatereeve.ir.gates import Gate, Listener
from gatereeve.ir.identity import (
    ApiKey,
    ApiKeyProvider,
    Attributes,
    CertificateIdentity,
    Identity,
    JwtProvider,
    MtlsProvider,
)
from gatereeve.ir.routes import (
    Action,
    Forward,
    Governance,
    Match,
    PathMatch,
    Refuse,
    Route,
    Share,
    StickyAddress,
    StickyPrincipal,
    VirtualHost,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MODEL = "lending/credit"
HOST = "models.test"
INFER = "/v2/models/credit/infer"


def origin(kind: str = "AccessPolicy", name: str = "credit", path: str = "spec") -> Origin:
    return Origin(Ref("gatereeve.dev", kind, "lending", name), path)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class Issuer:
    """Somebody who signs tokens with one P-256 key."""

    name: str = "corp"
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def issuer(self) -> str:
        return f"https://{self.name}.test/"

    @property
    def jwks(self) -> str:
        numbers = self.key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "kid": self.name}
        jwk |= {"x": b64(numbers.x.to_bytes(32, "big")), "y": b64(numbers.y.to_bytes(32, "big"))}
        return json.dumps({"keys": [jwk]})

    def provider(self, **changes: object) -> JwtProvider:
        values: dict[str, object] = {
            "name": self.name,
            "issuer": self.issuer,
            "audiences": ("gate",),
            "jwks": self.jwks,
            "id_claim": ("sub",),
            "groups_claim": ("groups",),
            "leeway_s": 30,
            "origin": origin("Gate", "main", "spec.identity.jwt[0]"),
        }
        return JwtProvider(**(values | changes))  # type: ignore[arg-type]  # defaults by name

    def token(
        self, *, header: Mapping[str, object] | None = None, drop: str = "", **claims: object
    ) -> str:
        """A token valid at NOW for `alice`; claims replace, `drop` removes one."""
        payload: dict[str, object] = {
            "iss": self.issuer,
            "aud": "gate",
            "sub": "alice",
            "exp": int(NOW.timestamp()) + 600,
        }
        payload |= claims
        payload.pop(drop, None)
        head = {"alg": "ES256", "kid": self.name} | dict(header or {})
        signed = b64(json.dumps(head).encode()) + "." + b64(json.dumps(payload).encode())
        r, s = utils.decode_dss_signature(self.key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def header(self, **claims: object) -> tuple[str, str]:
        return ("Authorization", f"Bearer {self.token(**claims)}")  # type: ignore[arg-type]


def api_keys(**keys: tuple[str, ...]) -> ApiKeyProvider:
    """Keys by id, each with its groups; the secret is `key-` and the id."""
    return ApiKeyProvider(
        name="partners",
        header="x-api-key",
        keys=tuple(
            ApiKey(id=name, groups=groups, secret=f"key-{name}", origin=origin("Gate", "main"))
            for name, groups in keys.items()
        ),
        origin=origin("Gate", "main", "spec.identity.apiKeys"),
    )


def mtls(**identities: tuple[str, ...]) -> MtlsProvider:
    """Services by id, each with its groups; the name is `spiffe://corp/` and the id."""
    return MtlsProvider(
        name="mesh",
        ca="",
        identities=tuple(
            CertificateIdentity(
                id=name,
                groups=groups,
                uri=f"spiffe://corp/{name}",
                dns=None,
                origin=origin("Gate", "main"),
            )
            for name, groups in identities.items()
        ),
        origin=origin("Gate", "main", "spec.identity.mtls"),
    )


def rule(
    name: str = "lending/credit/allow[0]",
    *,
    subjects: tuple[SubjectMatch, ...] | None = None,
    regions: tuple[str, ...] | None = None,
    purposes: tuple[str, ...] | None = None,
    operations: tuple[Operation, ...] | None = None,
    limit: RequestLimit | None = None,
) -> Rule:
    return Rule(
        name=name,
        subjects=subjects,
        regions=regions,
        purposes=purposes,
        operations=operations,
        limit=limit,
        origin=origin(path="spec.allow[0]"),
    )


def access(
    *,
    model: str = MODEL,
    deny: tuple[Rule, ...] = (),
    allow: tuple[Rule, ...] = (),
    shadow_deny: tuple[Rule, ...] = (),
    shadow_allow: tuple[Rule, ...] = (),
) -> Access:
    return Access(
        model=model, deny=deny, allow=allow, shadow_deny=shadow_deny, shadow_allow=shadow_allow
    )


def shares(**weights: int) -> tuple[Share, ...]:
    """Versions and weights; clusters are named after versions."""
    return tuple(Share(cluster=f"c-{v}", version=v, weight=w) for v, w in weights.items())


def forward(**weights: int) -> Forward:
    return Forward(
        shares=shares(**(weights or {"v1": 1})), sticky=(StickyPrincipal(), StickyAddress())
    )


def governance(
    *, model: str = MODEL, operation: Operation = "infer", route_rule: str = "split"
) -> Governance:
    return Governance(
        model=model,
        protocol="kserve-v2",
        operation=operation,
        audit="recorded",
        policy=PolicyHash("sha256:p"),
        route_rule=route_rule,
    )


def route(
    name: str = "infer",
    *,
    path: str = INFER,
    kind: str = "exact",
    match: Match | None = None,
    action: Action | None = None,
    governed: Governance | None = None,
) -> Route:
    """A governed row that forwards, unless told otherwise."""
    return Route(
        name=name,
        match=match or Match(path=PathMatch(kind=kind, value=path)),  # type: ignore[arg-type]
        action=action or forward(),
        governance=governed or governance(),
        origin=origin("HTTPRoute", "credit", "spec.rules[0]"),
    )


def ordinary(name: str = "web", *, path: str = "/", action: Action | None = None) -> Route:
    """A row that asks for nothing."""
    return Route(
        name=name,
        match=Match(path=PathMatch(kind="prefix", value=path)),
        action=action or Forward(shares=(Share(cluster="web", version="", weight=1),)),
        governance=None,
        origin=origin("Ingress", "web"),
    )


def refusing(code: str, path: str, kind: str = "exact") -> Route:
    return Route(
        name=f"refuse:{code}:{path}",
        match=Match(path=PathMatch(kind=kind, value=path)),  # type: ignore[arg-type]
        action=Refuse(code=code),
        governance=None,
        origin=origin("HTTPRoute", "credit"),
    )


def host(
    *routes: Route,
    name: str = HOST,
    single_label: bool = False,
    tls: str = "redirect",
    inspects_body: bool = False,
) -> VirtualHost:
    return VirtualHost(
        host=name,
        single_label=single_label,
        tls=tls,  # type: ignore[arg-type]
        inspects_body=inspects_body,
        routes=routes,
        origin=origin("HTTPRoute", "credit"),
    )


def listener(
    *hosts: VirtualHost, name: str = "https", protocol: str = "https", port: int = 8443
) -> Listener:
    return Listener(
        name=name,
        protocol=protocol,  # type: ignore[arg-type]
        address="127.0.0.1",
        port=port,
        tls_min="1.2",
        certificates=(),
        hosts=hosts,
        origin=origin("Gate", "main"),
    )


def cluster(name: str, *versions: str, model: str = MODEL) -> Cluster:
    """A cluster whose groups are the versions in fallback order."""
    groups = tuple(
        EndpointGroup(version=version, endpoints=(Endpoint(address="127.0.0.1", port=9),))
        for version in versions
    )
    return Cluster(
        name=name,
        model=model,
        version=versions[0],
        endpoints=EndpointSet(cluster=name, groups=groups),
        protocol="http1",
        health=None,
        max_connections=1,
        max_pending=1,
        max_requests=1,
        origin=origin("ModelVersion", name),
    )


def gate(
    *routes: Route,
    access: tuple[Access, ...] = (),
    identity: Identity | None = None,
    attributes: Attributes | None = None,
    listeners: tuple[Listener, ...] | None = None,
    clusters: tuple[Cluster, ...] = (),
    trusted_hops: int = 0,
    max_body_bytes: int = 4096,
) -> Gate:
    """A gate with the routes on HOST, over https and http, unless listeners are given."""
    one = host(*routes)
    both = (listener(one), listener(one, name="http", protocol="http", port=8080))
    return Gate(
        name="main",
        region="de",
        hash=ConfigHash("sha256:c"),
        listeners=both if listeners is None else listeners,
        identity=identity or Identity(),
        attributes=attributes or Attributes(),
        access=access,
        clusters=clusters,
        trusted_hops=trusted_hops,
        max_body_bytes=max_body_bytes,
        origin=origin("Gate", "main"),
    )
