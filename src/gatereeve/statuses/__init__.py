"""What the status of every object of ours should say: documents, what they compiled to, and plain facts
about the gates that run it.

Pure and deterministic; decides nothing that `compile` did not decide. About documents of our kinds, and
Ingresses, Gateways, GatewayClasses and HTTPRoutes of our classes. The leading controller writes them
(`runtime.status_writer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from gatereeve.api.world import Doc, Key, World
from gatereeve.compile.compiler import Compiled
from gatereeve.core.conditions import ObjectStatus
from gatereeve.core.derived import Computed, Derived, Reader, Stage, Table
from gatereeve.core.refs import Ref
from gatereeve.statuses import gateway_api, ingresses, models, own_documents
from gatereeve.statuses.facts import GateFacts, RuntimeFacts
from gatereeve.statuses.index import StatusIndex, StatusInputs

__all__ = ["GateFacts", "RuntimeFacts", "StatusTables", "derive"]

D = TypeVar("D")


def derive(world: World, compiled: Compiled, facts: RuntimeFacts) -> tuple[ObjectStatus, ...]:
    """The status of every object of ours, by reference. Parameters as of `StatusTables.update`."""
    parts = StatusTables().update(world, compiled, facts)
    return tuple(sorted((s for part in parts for s in part), key=lambda status: status.ref))


class StatusTables(Stage):
    """Statuses, derived again only where something changed that they say."""

    def __init__(self) -> None:
        self._is_whole = True
        self._make_tables()

    def _make_tables(self) -> None:
        self._inputs = StatusInputs()
        world = self._inputs.world
        self._namespaces = Computed(
            lambda read: own_documents.find_namespaces(self._inputs.read(read).world)
        )
        self._attached = Computed(lambda read: gateway_api.count_attached(self._inputs.read(read)))
        self._broken = Computed(lambda read: own_documents.derive_broken(self._inputs.read(read)))
        self._tables: tuple[tuple[Table[Any, Any], Derived[Any, ObjectStatus | None]], ...] = (
            (world.gates, self._of(world.gates, own_documents.derive_gate)),
            (world.host_grants, self._of(world.host_grants, self._derive_host_grant)),
            (world.access_policies,
             self._of(world.access_policies, own_documents.derive_access_policy)),
            (world.models, self._of(world.models, models.derive_model)),
            (world.model_versions, self._of(world.model_versions, models.derive_version)),
            (world.approvals, self._of(world.approvals, models.derive_approval)),
            (world.rollouts, self._of(world.rollouts, models.derive_rollout)),
            (world.gateway_classes, self._of(world.gateway_classes, gateway_api.derive_class)),
            (world.gateways, Derived(self._derive_gateway)),
            (self._inputs.documents, Derived(self._derive_document)),
        )  # fmt: skip

    def begin(self) -> None:
        super().begin()
        self._inputs.begin()
        for _, table in self._tables:
            table.begin()

    def update(
        self, world: World, compiled: Compiled, facts: RuntimeFacts
    ) -> Iterator[list[ObjectStatus]]:
        """The statuses of every object, kind by kind.

        compiled: of this very World. facts: what is known of the gates; a gate without facts runs
        nowhere. Between two parts the caller may do something more urgent. After an update that was
        not read to its end, everything is derived again.
        """
        if not self._is_whole:
            self._make_tables()
        self._is_whole = False
        self.begin()
        self._inputs.update(world, compiled, facts)
        for computed in (self._namespaces, self._attached, self._broken):
            computed.update()
        yield list(self._broken.value)
        for keys, table in self._tables:
            table.update(keys)
            yield [status for status in table.rows.values() if status is not None]
        self._is_whole = True

    def _of(
        self,
        table: Table[Key, Doc[D]],
        derive_one: Callable[[StatusIndex, Doc[D]], ObjectStatus | None],
    ) -> Derived[Key, ObjectStatus | None]:
        """A table of the statuses of one kind of document."""

        def compute(key: Key, read: Reader) -> ObjectStatus | None:
            return derive_one(self._inputs.read(read), read.row(table, key))

        return Derived(compute)

    def _derive_host_grant(self, reading: StatusIndex, doc: Any) -> ObjectStatus:
        return own_documents.derive_host_grant(reading, doc, reading.read(self._namespaces))

    def _derive_gateway(self, key: Key, read: Reader) -> ObjectStatus | None:
        attached = read.value(self._attached)
        return gateway_api.derive_gateway(self._inputs.read(read), key, attached)

    def _derive_document(self, ref: Ref, read: Reader) -> ObjectStatus | None:
        reading = self._inputs.read(read)
        document = reading.document(ref)
        if document.gate is not None:
            return ingresses.derive_ingress(reading, document, document.gate)
        return gateway_api.derive_route(reading, document) if document.parents else None
