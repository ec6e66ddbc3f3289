"""The result of a document, as data: conditions, and the other status fields of each kind.

`statuses` makes these values; `status_documents` turns them into the JSON of `.status`. A
condition carries no time and no observedGeneration: both follow from the object, and equal findings
must give equal values. Knows no document and no API server.

Conditions: KEP-1623 (type, status, reason, message). Routes and Gateways: Gateway API v1.6 status.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from gatereeve.core.refs import Ref

CONTROLLER = "gatereeve.dev/gate"
"""The controllerName of our classes, and of our entries in the status of routes."""

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""How an Ingress named its class before `ingressClassName`; read as Kubernetes defines it."""

DEFAULT_CLASS_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
"""Of an IngressClass, when `true`: Ingresses that name no class are of this one."""

"""Condition type, reserved: an emergency access is in force. Written by the component that grants it."""

MAX_MESSAGE = 2000
"""Characters of a condition's message; Kubernetes admits 32768, people read fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition. reason: CamelCase. message: printable, at most MAX_MESSAGE characters."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateBody:
    """wanted, active: content hashes of what the documents say and of what every gate runs ("" for
    none that all of them run). ready, gates: how many of how many gates run what is wanted."""

    digest: str
    wanted: str
    active: str
    ready: int
    gates: int
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGrantBody:
    """namespaces: those that may claim its hosts, by name, the first hundred. matched: how many."""

    digest: str
    namespaces: tuple[str, ...]
    matched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBody:
    """gates: those that route it. eligible, served: versions that may be served, and that are."""

    digest: str
    gates: tuple[str, ...]
    eligible: tuple[str, ...]
    served: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionBody:
    """digest: what an Approval binds to. gates: those that serve it."""

    digest: str
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalBody:
    """subject: the digest that the approved version has now; "" when there is no such version."""

    digest: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicyBody:
    """models: those that the policy names or selects and that exist."""

    digest: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutBody:
    """versions: those of the rollout that may be served."""

    digest: str
    versions: tuple[str, ...]


OwnBody: TypeAlias = (
    GateBody
    | HostGrantBody
    | ModelBody
    | ModelVersionBody
    | ApprovalBody
    | AccessPolicyBody
    | RolloutBody
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenBody:
    """A document of ours that cannot be used: nothing is known but why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayClassBody:
    """features: names of Gateway API features, sorted."""

    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerStatus:
    """kinds: (group, kind) of the routes that it may take. attached: how many routes it took."""

    name: str
    kinds: tuple[tuple[str, str], ...]
    attached: int
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayBody:
    addresses: tuple[str, ...]
    listeners: tuple[ListenerStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentStatus:
    """One parentRef of a route, repeated as the route wrote it: None and "" for what it left out."""

    group: str
    kind: str
    namespace: str | None
    name: str
    section: str | None
    port: int | None
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteBody:
    """parents: one for each parentRef that names a Gateway of ours, in order."""

    parents: tuple[ParentStatus, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngressBody:
    """addresses: where the Ingress is served; () while it is not."""

    addresses: tuple[str, ...]


Body: TypeAlias = OwnBody | BrokenBody | GatewayClassBody | GatewayBody | RouteBody | IngressBody


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStatus:
    """What one object's status should say.

    uid, generation: of the object that was judged; "" and 0 when they are not known. A status is
    for that object alone: one with another uid is another object.
    """

    ref: Ref
    uid: str
    generation: int
    conditions: tuple[Condition, ...]
    body: Body
