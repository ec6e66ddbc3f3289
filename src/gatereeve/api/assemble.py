"""Parsed files to one World: names are unique, what became invalid stays as it was last good.

Pure. The order of the files makes no difference to the World, and one document makes none to
another, but for two documents of one name, of which neither is used.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import TypeVar, cast

from pydantic import BaseModel

from gatereeve.api import gate, governance, kube, people, registry
from gatereeve.api.parsed import Parsed
from gatereeve.api.world import AnyDoc, Broken, Doc, GeoTable, Key, World
from gatereeve.core import findings, refs
from gatereeve.core.report import describe

S = TypeVar("S", bound=BaseModel)

Table = dict[Key, AnyDoc]


def assemble(
    parsed: Iterable[Parsed],
    *,
    at: datetime,
    files: Mapping[str, bytes] | None = None,
    jwks: Mapping[str, str] | None = None,
    geo: Mapping[str, GeoTable] | None = None,
    previous: World | None = None,
    found: Iterable[findings.Finding] = (),
) -> World:
    """The World of these files.

    at: the instant for which it is made, in UTC. files, jwks, geo: as in `World`.
    previous: whose documents stand in for those that cannot be used any more.
    found: findings of the source itself. Adds `duplicate-name` and `last-good-kept`.
    """
    gathered = _Gathered(previous)
    gathered.found.extend(found)
    for one in parsed:
        gathered.take(one)
    gathered.settle()
    return world_of(
        {kind: in_order(table) for kind, table in gathered.tables.items()},
        at=at,
        files={} if files is None else files,
        jwks={} if jwks is None else jwks,
        geo={} if geo is None else geo,
        found=gathered.found,
        broken=tuple(sorted(set(gathered.broken), key=_broken_order)),
    )


def world_of(
    tables: Mapping[tuple[str, str], Table],
    *,
    at: datetime,
    files: Mapping[str, bytes],
    jwks: Mapping[str, str],
    geo: Mapping[str, GeoTable],
    found: Iterable[findings.Finding],
    broken: tuple[Broken, ...],
) -> World:
    """The World of these tables, by (group, kind), each in order of its keys."""

    def table(kind: str, spec: type[S]) -> Mapping[Key, Doc[S]]:
        group = next(k.group for k in registry.EVERY if k.spec is spec and k.kind == kind)
        return cast("Mapping[Key, Doc[S]]", tables[group, kind])  # by `document`, which read them

    return World(
        at=at,
        gates=table("Gate", gate.GateSpec),
        host_grants=table("HostGrant", governance.HostGrantSpec),
        models=table("Model", governance.ModelSpec),
        model_versions=table("ModelVersion", governance.ModelVersionSpec),
        approvals=table("Approval", governance.ApprovalSpec),
        access_policies=table("AccessPolicy", governance.AccessPolicySpec),
        rollouts=table("Rollout", governance.RolloutSpec),
        namespaces=table("Namespace", kube.NamespaceSpec),
        ingresses=table("Ingress", kube.IngressSpec),
        ingress_classes=table("IngressClass", kube.IngressClassSpec),
        services=table("Service", kube.ServiceSpec),
        endpoint_slices=table("EndpointSlice", kube.EndpointSliceSpec),
        secrets=table("Secret", kube.SecretSpec),
        gateway_classes=table("GatewayClass", kube.GatewayClassSpec),
        gateways=table("Gateway", kube.GatewaySpec),
        http_routes=table("HTTPRoute", kube.HTTPRouteSpec),
        reference_grants=table("ReferenceGrant", kube.ReferenceGrantSpec),
        people=table("People", people.PeopleSpec),
        files=files,
        jwks=jwks,
        geo=geo,
        findings=findings.order(found),
        broken=broken,
    )


def table_of(world: World, kind: registry.Kind) -> Table:
    """The documents of one kind."""
    return cast("Table", getattr(world, kind.world))


def in_order(table: Table) -> Table:
    """The table in order of its keys; the same one when it is already."""
    if all(a < b for a, b in itertools.pairwise(table)):
        return table
    return dict(sorted(table.items(), key=itemgetter(0)))


def broken_form(doc: AnyDoc) -> Broken:
    """What a usable document that may not be used could have spoken of."""
    return Broken(ref=doc.ref, models=_models(doc), rejects=_rejects(doc), where=doc.where())


def find(world: World, ref: refs.Ref) -> AnyDoc | None:
    """The document of that name, if the World has it."""
    kind = registry.BY_KIND.get((ref.group, ref.kind))
    if kind is None:
        return None
    return table_of(world, kind).get((ref.namespace, ref.name))


@dataclass(slots=True)
class _Gathered:
    """What the files hold, by kind and name, until the names are settled."""

    previous: World | None
    tables: dict[tuple[str, str], Table] = field(
        default_factory=lambda: {key: {} for key in registry.BY_KIND}
    )
    rivals: dict[refs.Ref, list[AnyDoc]] = field(default_factory=dict)
    kept: list[AnyDoc] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    found: list[findings.Finding] = field(default_factory=list)
    places: dict[refs.Ref, refs.Where] = field(default_factory=dict)

    def take(self, parsed: Parsed) -> None:
        for part in parsed.parts:
            for doc in part.docs:
                ref = doc.ref
                table = self.tables[ref.group, ref.kind]
                key = (ref.namespace, ref.name)
                if key in table:
                    self.rivals.setdefault(ref, [table[key]]).append(doc)
                else:
                    table[key] = doc
            if part.findings:
                self._take_findings(part.findings)
            self.kept.extend(part.kept)
            self.broken.extend(part.broken)

    def _take_findings(self, given: Sequence[findings.Finding]) -> None:
        self.found.extend(given)
        for item in given:
            if item.origin is not None and item.where is not None:
                self.places.setdefault(item.origin.ref, item.where)

    def settle(self) -> None:
        """Decides every name that more than one document, or no usable one, claims."""
        for broken in self.broken:
            if not broken.ref.kind:
                continue
            rival = self.tables[broken.ref.group, broken.ref.kind].get(
                (broken.ref.namespace, broken.ref.name)
            )
            if rival is not None:
                self.rivals.setdefault(broken.ref, [rival])
        for ref, docs in self.rivals.items():
            self._refuse(ref, docs)
        unusable, self.broken = self.broken, []
        for broken in unusable:
            self._replace(broken)
        for doc in self.kept:
            table = self.tables[doc.ref.group, doc.ref.kind]
            table.setdefault((doc.ref.namespace, doc.ref.name), doc)

    def _refuse(self, ref: refs.Ref, docs: list[AnyDoc]) -> None:
        del self.tables[ref.group, ref.kind][ref.namespace, ref.name]
        places = [(doc, doc.where()) for doc in docs]
        also = self.places.get(ref)
        for doc, where in places:
            others = sorted({str(w) for _, w in [*places, (None, also)] if w and w != where})
            self.found.append(
                describe(
                    "duplicate-name",
                    refs.Origin(ref),
                    where,
                    document=ref,
                    places=others[:3] or "another document",
                )
            )
            self.broken.append(broken_form(doc))

    def _replace(self, broken: Broken) -> None:
        good = find(self.previous, broken.ref) if self.previous is not None else None
        if good is None:
            self.broken.append(broken)
            return
        table = self.tables[broken.ref.group, broken.ref.kind]
        table[broken.ref.namespace, broken.ref.name] = good
        self.found.append(
            describe(
                "last-good-kept",
                refs.Origin(broken.ref),
                self.places.get(broken.ref) or good.where(),
                document=broken.ref,
            )
        )


def _broken_order(broken: Broken) -> tuple[object, ...]:
    """None, which stands for anything, comes first."""
    return (
        broken.ref,
        str(broken.where or ""),
        *((part is not None, part or ()) for part in (broken.models, broken.rejects)),
    )


def _rejects(doc: AnyDoc) -> tuple[str, ...]:
    """The versions that a usable document rejects."""
    spec = doc.spec
    if isinstance(spec, governance.ApprovalSpec) and spec.decision == "reject":
        return (spec.subject.name,)
    return ()


def _models(doc: AnyDoc) -> tuple[str, ...] | None:
    """The models a usable document speaks of; None for a selector or an approval."""
    spec = doc.spec
    if isinstance(spec, governance.ModelSpec):
        return (doc.ref.name,)
    if isinstance(spec, governance.ModelVersionSpec | governance.RolloutSpec):
        return (spec.model,)
    if isinstance(spec, governance.AccessPolicySpec):
        return spec.models
    return None if isinstance(spec, governance.ApprovalSpec) else ()
