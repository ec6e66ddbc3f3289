"""A World as tables by kind, and back. Decides nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TypeVar, cast

from pydantic import BaseModel

from gatereeve.api import gate, governance, kube, people, registry
from gatereeve.api.world import AnyDoc, Broken, Doc, GeoTable, Key, World
from gatereeve.core import findings

S = TypeVar("S", bound=BaseModel)

Table = dict[Key, AnyDoc]


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
