"""The World: one immutable set of documents, as a source saw it at one instant.

A `Doc` that did not change keeps its identity from one World to the next, so pure functions may be
cached by the documents they read. Holds what was read, and what could not be read; decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Generic, TypeAlias, TypeVar

from gatereeve.api import gate, governance, kube, people
from gatereeve.core import refs
from gatereeve.core.findings import Finding

S_co = TypeVar("S_co", covariant=True)

Key: TypeAlias = tuple[str, str]
"""(namespace, name); namespace is "" for cluster kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """metadata, as far as it matters. created is None for documents from a folder."""

    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    annotations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    created: datetime | None = None
    uid: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doc(Generic[S_co]):
    """One document. Equal by identity: a changed document is another one.

    digest: over apiVersion, kind and spec (for kinds without spec: the body), not over metadata.
    lines: path inside the document (`spec.allow[0]`) to line; "" is the document itself.
    """

    ref: refs.Ref
    meta: Meta
    spec: S_co
    digest: str
    file: str = ""
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def where(self, path: str = "") -> refs.Where | None:
        """File and line of `path`, or of its nearest enclosing place; None outside files."""
        if not self.file:
            return None
        while path and path not in self.lines:
            cut = max(path.rfind("."), path.rfind("["))
            path = path[:cut] if cut > 0 else ""
        return refs.Where(self.file, self.lines.get(path, 0))

    def origin(self, path: str = "") -> refs.Origin:
        return refs.Origin(self.ref, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A document that cannot be used and has no last good form.

    ref: kind "" when it is not known: it may be of any kind of ours. Likewise name "", and namespace
    "" of a namespaced kind: it may be in any namespace. models: the names of the models that it is
    about; None when they are not known. rejects: names of the ModelVersions that an Approval may have
    rejected; None for any, () for none. where: the place in a folder; None outside files. uid: of the
    object in a cluster; "" in a folder.
    """

    ref: refs.Ref
    models: tuple[str, ...] | None = None
    rejects: tuple[str, ...] | None = ()
    where: refs.Where | None = field(default=None, compare=False)
    uid: str = field(default="", compare=False)

    @property
    def called(self) -> str:
        """The document by its name, or by its place if the name is not known."""
        if self.ref.kind and self.ref.name:
            return str(self.ref)
        what = self.ref.kind or "a document"
        return f"{what} in {self.where}" if self.where is not None else str(self.ref)


def broken_document(namespace: str, where: refs.Where | None) -> Broken:
    """A document of unknown kind, so that it may be of any kind of ours.

    namespace: "" when it is not known either.
    """
    ref = refs.Ref(refs.GATEREEVE_GROUP, "", namespace, "")
    return Broken(ref=ref, models=None, rejects=None, where=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoTable:
    """What a GeoIP database says: (CIDR, lower-case ISO country), without overlaps, sorted."""

    entries: tuple[tuple[str, str], ...]


GateDoc: TypeAlias = Doc[gate.GateSpec]
HostGrantDoc: TypeAlias = Doc[governance.HostGrantSpec]
ModelDoc: TypeAlias = Doc[governance.ModelSpec]
ModelVersionDoc: TypeAlias = Doc[governance.ModelVersionSpec]
ApprovalDoc: TypeAlias = Doc[governance.ApprovalSpec]
AccessPolicyDoc: TypeAlias = Doc[governance.AccessPolicySpec]
RolloutDoc: TypeAlias = Doc[governance.RolloutSpec]
NamespaceDoc: TypeAlias = Doc[kube.NamespaceSpec]
IngressDoc: TypeAlias = Doc[kube.IngressSpec]
IngressClassDoc: TypeAlias = Doc[kube.IngressClassSpec]
ServiceDoc: TypeAlias = Doc[kube.ServiceSpec]
EndpointSliceDoc: TypeAlias = Doc[kube.EndpointSliceSpec]
SecretDoc: TypeAlias = Doc[kube.SecretSpec]
GatewayClassDoc: TypeAlias = Doc[kube.GatewayClassSpec]
GatewayDoc: TypeAlias = Doc[kube.GatewaySpec]
HTTPRouteDoc: TypeAlias = Doc[kube.HTTPRouteSpec]
ReferenceGrantDoc: TypeAlias = Doc[kube.ReferenceGrantSpec]
PeopleDoc: TypeAlias = Doc[people.PeopleSpec]

AnyDoc: TypeAlias = Doc[object]


def _none() -> Mapping[Key, Doc[object]]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """That a Service or server served a model (`namespace/name`).

    until: when the last document that said so was gone; None while there is one.
    """

    model: str
    until: datetime | None = None

    def is_released(self, released: datetime | None, at: datetime) -> bool:
        """Whether a grant with `released` opens it at `at`. A moment in the future, or one before the
        last model left, does not."""
        return self.until is not None and released is not None and self.until <= released <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The Services and servers of models, now or before: they stay closed to ordinary routes.

    services: by key. servers: named by hand, as (namespace, address, port), the address as
    `compile.backends.addresses.server` writes it.
    """

    services: Mapping[Key, Held] = field(default_factory=dict)
    servers: Mapping[tuple[str, str, int], Held] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Everything a compilation may read. Mappings are in key order.

    at: the instant for which validity windows are judged (UTC); the only notion of time.
    files: bytes of the files that documents name, by their path in the folder; absent = unreadable.
    jwks: key sets that were retrieved, by URI; absent = not retrieved yet.
    geo: tables of the GeoIP databases that documents name.
    findings: what reading found. broken: documents that are named but cannot be used.
    memory: the Services and servers of models, in this World or one before.
    """

    at: datetime
    gates: Mapping[Key, GateDoc] = field(default_factory=dict)
    host_grants: Mapping[Key, HostGrantDoc] = field(default_factory=dict)
    models: Mapping[Key, ModelDoc] = field(default_factory=dict)
    model_versions: Mapping[Key, ModelVersionDoc] = field(default_factory=dict)
    approvals: Mapping[Key, ApprovalDoc] = field(default_factory=dict)
    access_policies: Mapping[Key, AccessPolicyDoc] = field(default_factory=dict)
    rollouts: Mapping[Key, RolloutDoc] = field(default_factory=dict)
    namespaces: Mapping[Key, NamespaceDoc] = field(default_factory=dict)
    ingresses: Mapping[Key, IngressDoc] = field(default_factory=dict)
    ingress_classes: Mapping[Key, IngressClassDoc] = field(default_factory=dict)
    services: Mapping[Key, ServiceDoc] = field(default_factory=dict)
    endpoint_slices: Mapping[Key, EndpointSliceDoc] = field(default_factory=dict)
    secrets: Mapping[Key, SecretDoc] = field(default_factory=dict)
    gateway_classes: Mapping[Key, GatewayClassDoc] = field(default_factory=dict)
    gateways: Mapping[Key, GatewayDoc] = field(default_factory=dict)
    http_routes: Mapping[Key, HTTPRouteDoc] = field(default_factory=dict)
    reference_grants: Mapping[Key, ReferenceGrantDoc] = field(default_factory=dict)
    people: Mapping[Key, PeopleDoc] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    jwks: Mapping[str, str] = field(default_factory=dict)
    geo: Mapping[str, GeoTable] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    broken: tuple[Broken, ...] = ()
    memory: Memory = Memory()
