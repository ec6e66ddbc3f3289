"""The documents of a World as tables, kind by kind: what the stages of `compile` read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from gatereeve.api import world as api
from gatereeve.api.world import Key, World
from gatereeve.core.derived import Clock, Grouped, Reader, Source, Stage, Table, Value

D = TypeVar("D")


class WorldTables(Stage):
    """One table for each kind, by (namespace, name). `clock` is the World's instant."""

    def __init__(self) -> None:
        self.gates = Source[Key, api.GateDoc]()
        self.host_grants = Source[Key, api.HostGrantDoc]()
        self.models = Source[Key, api.ModelDoc]()
        self.model_versions = Source[Key, api.ModelVersionDoc]()
        self.approvals = Source[Key, api.ApprovalDoc]()
        self.access_policies = Source[Key, api.AccessPolicyDoc]()
        self.rollouts = Source[Key, api.RolloutDoc]()
        self.namespaces = Source[Key, api.NamespaceDoc]()
        self.ingresses = Source[Key, api.IngressDoc]()
        self.ingress_classes = Source[Key, api.IngressClassDoc]()
        self.services = Source[Key, api.ServiceDoc]()
        self.endpoint_slices = Source[Key, api.EndpointSliceDoc]()
        self.secrets = Source[Key, api.SecretDoc]()
        self.gateway_classes = Source[Key, api.GatewayClassDoc]()
        self.gateways = Source[Key, api.GatewayDoc]()
        self.http_routes = Source[Key, api.HTTPRouteDoc]()
        self.reference_grants = Source[Key, api.ReferenceGrantDoc]()
        self.people = Source[Key, api.PeopleDoc]()
        self.files = Source[str, bytes]()
        self.jwks = Source[str, str]()
        self.geo = Source[str, api.GeoTable]()
        self.broken = Value[tuple[api.Broken, ...]]()
        self.memory = Value[api.Memory]()
        self.clock = Clock()

    def update(self, world: World) -> None:
        """Take over the documents of `world`."""
        for name, table in vars(self).items():
            if isinstance(table, Source | Value):
                table.update(getattr(world, name))
        self.clock.update(world.at)

    @property
    def at(self) -> datetime:
        """The World's instant. A computation that compares with it notes the moment (`is_past`)."""
        assert self.clock.at is not None
        return self.clock.at

    def read(self, read: Reader, *, memory: bool = False) -> World:
        """The World, as far as its tables go: what a function looks up or iterates over is noted.

        memory: whether it has the memory of what stood behind models, which changes on its own.
        """
        tables: dict[str, Any] = {
            name: read.mapping(table)
            for name, table in vars(self).items()
            if isinstance(table, Source)
        }
        if memory:
            tables["memory"] = read.value(self.memory)
        return World(at=self.at, broken=read.value(self.broken), **tables)

    def pass_moments(self, read: Reader, moments: Iterable[datetime | None]) -> datetime:
        """The instant, to be compared with `moments`."""
        for moment in moments:
            if moment is not None:
                read.is_past(self.clock, moment)
        return self.at


def by_namespace(table: Table[Key, D]) -> Grouped[str, D]:
    """The documents of a table by their namespace."""
    return Grouped(table, _own_namespace)


def _own_namespace(doc: D) -> list[tuple[str, D]]:
    return [(doc.ref.namespace, doc)]  # type: ignore[attr-defined]  # every document has a ref


def group_by(table: Table[Key, D], key: Callable[[D], Key | None]) -> Grouped[Key, D]:
    """The documents of a table by what one of them names; those that name nothing are left out."""

    def split(doc: D) -> list[tuple[Key, D]]:
        group = key(doc)
        return [] if group is None else [(group, doc)]

    return Grouped(table, split)
