"""What the status of every object of ours should say: a reading of a World, what it compiled to,
and plain facts about the gates that run it.

Pure and deterministic; decides nothing: whatever is told here was decided by `compile`. Speaks of
documents of our kinds, and of Ingresses, Gateways, GatewayClasses and HTTPRoutes that our classes
make ours; never of anybody else's. Writing is for whoever leads (`core.status_documents`).
"""

from __future__ import annotations

from collections.abc import Iterator

from gatereeve.api.world import World
from gatereeve.compile.compiler import Compiled
from gatereeve.core.conditions import ObjectStatus
from gatereeve.core.memo import Memo
from gatereeve.statuses import gateway_api, ingresses, models, own_documents
from gatereeve.statuses.facts import GateFacts, RuntimeFacts
from gatereeve.statuses.index import StatusIndex, build_index

__all__ = ["GateFacts", "RuntimeFacts", "derive", "each"]


def derive(
    world: World, compiled: Compiled, facts: RuntimeFacts, memo: Memo | None = None
) -> tuple[ObjectStatus, ...]:
    """The status of every object of ours, by reference. Parameters as of `each`."""
    found = each(world, compiled, facts, memo or Memo())
    return tuple(sorted(found, key=lambda status: status.ref))


def each(
    world: World, compiled: Compiled, facts: RuntimeFacts, memo: Memo
) -> Iterator[ObjectStatus]:
    """The status of every object of ours, once, in no order; one after the other, for whoever has
    something more urgent to do in between.

    compiled: of this very World. facts: what is known of the gates; a gate without facts runs
    nowhere. memo: what earlier readings gave, swept at the end; it changes the time, never the
    result, and what is told as before is the same object.
    """
    yield from _derive(build_index(world, compiled, facts, memo))
    memo.sweep()


def _derive(reading: StatusIndex) -> Iterator[ObjectStatus]:
    yield from own_documents.derive_gates(reading)
    yield from own_documents.derive_host_grants(reading)
    yield from own_documents.derive_access_policies(reading)
    yield from own_documents.derive_broken(reading)
    yield from models.derive_models(reading)
    yield from models.derive_versions(reading)
    yield from models.derive_approvals(reading)
    yield from models.derive_rollouts(reading)
    yield from gateway_api.derive_classes(reading)
    yield from gateway_api.derive_gateways(reading)
    yield from gateway_api.derive_routes(reading)
    yield from ingresses.derive_ingresses(reading)
